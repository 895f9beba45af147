"""Finetrieve turns a team's documentation into a better retrieval model, and proves it.

The public API; each name is imported when it is first used, so that `import finetrieve` takes no time:

- `production_model(name)`: the model in production, ready to encode
- `production_directory(name)`: the directory of that model
- `load_index(name)`: that model over its documents, to search and to save: `load_index("my-docs").search("how do I ...")`
- `last_run(name)`: what the last run made, by name: `last_run("my-docs")["metrics"]`
- `load_comparison(version)`: a model and its base model over the same documents, to ask both
- `table(rows, columns)`: rows as a notebook shows them
- `load_config(path)`: a YAML file as a validated `Config`
- `Config`: everything that a run depends on
- `InputError`: what all of them raise for a mistake in what they were given
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from finetrieve.app.config import Config, load_config
    from finetrieve.app.index import load_index
    from finetrieve.app.last_run import last_run
    from finetrieve.app.production import production_directory, production_model
    from finetrieve.app.search import load_comparison
    from finetrieve.core.errors import InputError
    from finetrieve.reporting.notebook_table import table

__all__ = [
    "Config",
    "InputError",
    "last_run",
    "load_comparison",
    "load_config",
    "load_index",
    "production_directory",
    "production_model",
    "table",
]

_MODULES = {
    "Config": "finetrieve.app.config",
    "InputError": "finetrieve.core.errors",
    "last_run": "finetrieve.app.last_run",
    "load_comparison": "finetrieve.app.search",
    "load_config": "finetrieve.app.config",
    "load_index": "finetrieve.app.index",
    "production_directory": "finetrieve.app.production",
    "production_model": "finetrieve.app.production",
    "table": "finetrieve.reporting.notebook_table",
}


def __getattr__(name: str) -> Any:
    """Returns a name of the public API."""
    if name not in _MODULES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(importlib.import_module(_MODULES[name]), name)
