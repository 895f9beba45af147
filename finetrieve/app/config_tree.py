"""The tree of settings classes, walked beside the values of a YAML file: which key stands where, and which settings are paths."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from finetrieve.core.paths import ConfigPath, PathSetting


def models_of(annotation: Any) -> list[type[BaseModel]]:
    """Returns the settings classes that an annotation allows: one, those of a union, or none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if typing.get_origin(annotation) in (typing.Annotated, typing.Union, types.UnionType):
        return [model for option in typing.get_args(annotation) for model in models_of(option)]
    return []


def _with_name(models: list[type[BaseModel]], name: object) -> type[BaseModel] | None:
    """Returns the class of a union that a `name` in the YAML means."""
    return next((model for model in models if "name" in model.model_fields and model.model_fields["name"].default == name), None)


def find_key(root: type[BaseModel], location: tuple[str | int, ...]) -> tuple[str, list[str]]:
    """Returns a key's place as YAML has it, `filters[1].top_k`, and the keys that exist beside it.

    Args:
        root: The class of the whole file.
        location: Of a pydantic error, in which a step into a union carries the variant's name.
    """
    place, annotation, beside = "", root, list[type[BaseModel]]()
    for part in location:
        models = models_of(annotation)
        if len(models) > 1 and (variant := _with_name(models, part)):
            annotation = variant
            continue
        beside = models
        place += f"[{part}]" if isinstance(part, int) else f".{part}"
        annotation = _annotation_below(annotation, models, part)
    return place.lstrip(".") or "the file", sorted({key for model in beside for key in model.model_fields})


def _annotation_below(annotation: Any, models: list[type[BaseModel]], part: str | int) -> Any:
    if isinstance(part, int):
        return next(iter(typing.get_args(annotation)), Any)
    field = models[0].model_fields.get(part) if models else None
    return field.annotation if field else Any


def map_paths(settings: Any, annotation: Any, change: Callable[[str], str]) -> Any:
    """Returns raw settings in which every setting that its class marks as a `ConfigPath` went through `change`.

    Args:
        settings: As YAML has them; they need not be valid.
        annotation: The class of these settings, or what a field of one is annotated with.
        change: Old path -> new path.
    """
    if isinstance(settings, list):
        return [map_paths(item, _annotation_below(annotation, [], 0), change) for item in settings]
    models = models_of(annotation)
    model = models[0] if len(models) == 1 else _with_name(models, settings.get("name") if isinstance(settings, Mapping) else None)
    if model is None or not isinstance(settings, Mapping):
        return settings
    changed = dict(settings)
    for key in changed.keys() & model.model_fields.keys():
        field = model.model_fields[key]
        if isinstance(changed[key], str) and (PathSetting in field.metadata or _is_path(field.annotation)):
            changed[key] = change(changed[key])
        else:
            changed[key] = map_paths(changed[key], field.annotation, change)
    return changed


def _is_path(annotation: Any) -> bool:
    return annotation is ConfigPath or any(map(_is_path, typing.get_args(annotation)))
