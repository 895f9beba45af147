"""The tree of settings classes, walked beside the values of a YAML file: which key stands where, and which settings are paths."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel

from finetrieve.core.paths import is_path_field
from finetrieve.core.plugins import NamedSettings


def models_of(annotation: Any) -> list[type[BaseModel]]:
    """Returns the settings classes that an annotation allows: one, those of a union, or none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if typing.get_origin(annotation) in (typing.Annotated, typing.Union, types.UnionType):
        return [model for option in typing.get_args(annotation) for model in models_of(option)]
    return []


def _with_name(annotation: Any, name: object) -> type[BaseModel] | None:
    """Returns the class that a `name` in the YAML means, of a union or of a registry of plug-ins."""
    for item in getattr(annotation, "__metadata__", ()):
        if isinstance(item, NamedSettings):
            return item.registry.get(str(name)) if name in item.registry else None
    named = [model for model in models_of(annotation) if "name" in model.model_fields]
    return next((model for model in named if len(named) > 1 and model.model_fields["name"].default == name), None)


def find_key(root: type[BaseModel], location: tuple[str | int, ...]) -> tuple[str, list[str]]:
    """Returns a key's place as YAML has it, `filters[1].top_k`, and the keys that exist beside it.

    Args:
        root: The class of the whole file.
        location: Of a pydantic error, in which a step into a union carries the variant's name.
    """
    place, annotation, beside = "", root, list[type[BaseModel]]()
    for part in location:
        models = models_of(annotation)
        if variant := _with_name(annotation, part):
            annotation = variant
            continue
        beside = models
        place += f"[{part}]" if isinstance(part, int) else f".{part}"
        annotation = _annotation_below(annotation, models, part)
    return place.lstrip(".") or "the file", sorted({key for model in beside for key in model.model_fields})


def _annotation_below(annotation: Any, models: list[type[BaseModel]], part: str | int) -> Any:
    if isinstance(part, int):
        if typing.get_origin(annotation) is typing.Annotated:  # a list with a limit on its length
            annotation = typing.get_args(annotation)[0]
        return next(iter(typing.get_args(annotation)), Any)
    field = models[0].model_fields.get(part) if models else None
    if field is None:
        return Any
    return typing.Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation


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
    if not isinstance(settings, Mapping):
        return settings
    if typing.get_origin(annotation) is dict:
        return {key: map_paths(item, typing.get_args(annotation)[1], change) for key, item in settings.items()}
    model = _with_name(annotation, settings.get("name")) or (models[0] if len(models) == 1 else None)
    if model is None:
        return settings
    changed = dict(settings)
    for key in changed.keys() & model.model_fields.keys():
        field = model.model_fields[key]
        if isinstance(changed[key], str) and is_path_field(field):
            changed[key] = change(changed[key])
        elif isinstance(changed[key], list) and is_path_field(field):
            changed[key] = [change(item) if isinstance(item, str) else item for item in changed[key]]
        else:
            changed[key] = map_paths(changed[key], _annotation_below(annotation, [model], key), change)
    return changed
