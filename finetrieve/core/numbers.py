"""How numbers of things are written for people."""

from __future__ import annotations

import math
from typing import Any, TypeGuard

UNKNOWN = "–"


def known(value: object) -> TypeGuard[float]:
    """Returns whether a value is a number that can be shown."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def count(value: Any) -> str:
    """Returns a number of things with thousands separated; one decimal where it is no whole number."""
    if not known(value):
        return UNKNOWN
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


def counted(number: Any, noun: str, plural: str | None = None) -> str:
    """Returns `1 query` or `1,234 queries`."""
    return f"{count(number)} {noun if number == 1 else plural or noun + 's'}"
