"""A configuration for runs elsewhere: the code travels, and with it the paths inside the project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from finetrieve.app.config import Config, plain
from finetrieve.core.paths import ROOT


def shipped(config: Config) -> Config:
    """Returns the configuration with paths inside the project relative to it, since the code travels, and others absolute."""

    def inside(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: inside(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [inside(item) for item in value]
        if not isinstance(value, str) or not (Path(value).is_absolute() or (key == "path" and Path(value).exists())):
            return value
        place = Path(value).absolute()
        return place.relative_to(ROOT).as_posix() if place.is_relative_to(ROOT) else str(place)

    return Config.model_validate(inside(plain(config)))
