"""Single keys of a configuration set on the command line: `--set training.epochs=1`, `--set filters[1].top_k=5`."""

from __future__ import annotations

import copy
import difflib
import re
import typing
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import yaml
from pydantic import BaseModel

from finetrieve.app.config_tree import models_of
from finetrieve.core.errors import InputError
from finetrieve.core.failures import error_line

Keys = tuple[str | int, ...]
"""The way to a value: keys of mappings, indexes of lists."""
_PLACE = re.compile(r"[A-Za-z_]\w*(?:\[\d+\])*(?:\.[A-Za-z_][\w-]*(?:\[\d+\])*)*")


def parse_override(option: str) -> tuple[Keys, Any]:
    """Returns the way to the value and the value of one `KEY=VALUE`; the value is read as YAML.

    Raises:
        InputError: There is no `=`, the key is no dotted path, or the value is no YAML.
    """
    place, equals, text = option.partition("=")
    place = place.strip()
    if not equals or not _PLACE.fullmatch(place):
        raise InputError(f"--set {option}: expected KEY=VALUE, such as training.epochs=1 or filters[1].top_k=5.")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InputError(f"--set {option}: the value is not valid YAML ({error_line(error)}).") from None
    return tuple(int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", place)), value


def with_overrides(raw: dict[str, Any], options: Sequence[str], root: type[BaseModel]) -> dict[str, Any]:
    """Returns raw settings in which each option, in this order, set its key.

    Args:
        raw: As YAML has them.
        options: Each `KEY=VALUE`.
        root: The class of the whole file.

    Raises:
        InputError: An option is malformed, its first key is unknown, or it leads through something that has no keys.
    """
    changed = copy.deepcopy(raw)
    for option in options:
        keys, value = parse_override(option)
        if keys[0] not in root.model_fields:
            raise InputError(f"--set {option}: unknown key '{keys[0]}'.{_nearest(_text(keys), root)}")
        _set(changed, keys, value, option)
    return changed


def option_of(place: str, options: Iterable[str]) -> str | None:
    """Returns the last option that set a key, or something above or below it; None where none did."""
    wanted = _parts(place)
    for option in reversed(list(options)):
        given = _parts(option.partition("=")[0])
        shared = min(len(wanted), len(given))
        if wanted[:shared] == given[:shared]:
            return option
    return None


def _set(settings: Any, keys: Keys, value: Any, option: str) -> None:
    """Sets a value in place; sections that are not there, or null, are made."""
    for depth, (key, below) in enumerate(zip(keys, [*keys[1:], None], strict=True)):
        place = _text(keys[:depth]) or "the file"
        if isinstance(key, int):
            if not isinstance(settings, list):
                raise InputError(f"--set {option}: {place} is no list in the configuration.")
            if key >= len(settings):
                raise InputError(f"--set {option}: {place} has {len(settings)} entries; the first is {place}[0].")
        elif not isinstance(settings, dict):
            kind = "is a list: say which entry, as in filters[1].top_k" if isinstance(settings, list) else "has no keys below it"
            raise InputError(f"--set {option}: {place} {kind}.")
        if below is None:
            settings[key] = value
            return
        if isinstance(key, str) and settings.get(key) is None:
            settings[key] = [] if isinstance(below, int) else {}
        settings = settings[key]


def _parts(place: str) -> list[str]:
    return re.findall(r"[^.\[\]\s]+", place)


def _text(keys: Keys) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).lstrip(".")


def _nearest(place: str, root: type[BaseModel]) -> str:
    """Returns a sentence with the nearest keys of the whole configuration: those that end so, else those that look alike."""
    known = list(_all_keys(root))
    near = [key for key in known if key.endswith(f".{place}")] or difflib.get_close_matches(place, known, n=3)
    last = difflib.get_close_matches(place.rpartition(".")[2], [key.rpartition(".")[2] for key in known], n=1)
    near = near or [key for key in known if last and key.rpartition(".")[2] == last[0]]
    return f" Nearest: {', '.join(near[:3])}." if near else f" Known keys: {', '.join(root.model_fields)}."


def _all_keys(model: type[BaseModel], above: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield f"{above}{name}"
        if typing.get_origin(field.annotation) is not list:
            for inner in models_of(field.annotation):
                yield from _all_keys(inner, f"{above}{name}.")
