"""Stands in for the server's Hugging Face Hub module until it is used: it brings pandas and datasets, a second and 80 MB.

Imports only the standard library, and must be installed before argilla_server is imported.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_NAME = "argilla_server.contexts.hub"


def defer() -> None:
    """Puts a module in the place of the real one, which is imported when one of its classes is called."""
    stand_in = ModuleType(_NAME)
    for name in ("HubDataset", "HubDatasetExporter"):
        setattr(stand_in, name, _Deferred(name))
    sys.modules[_NAME] = stand_in


class _Deferred:
    """A class that is imported when it is called."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *arguments: Any) -> Any:
        if isinstance(getattr(sys.modules[_NAME], self._name), _Deferred):
            del sys.modules[_NAME]
            importlib.import_module(_NAME)
        return getattr(sys.modules[_NAME], self._name)(*arguments)
