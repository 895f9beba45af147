"""What a step's cache key has to know beyond its parameters and inputs.

ZenML's own key has the step's import path, its source, its parameters and its inputs; not the modules that it calls, their
templates, nor the versions of the libraries. `cache_policy` adds them, so an edited helper re-runs the steps that reach it
and no others.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from zenml.config.cache_policy import CachePolicy

from finetrieve.core.code_hash import reached_files
from finetrieve.core.paths import ROOT

_LIBRARIES = (
    "bm25s",
    "distilabel",
    "docutils",
    "lemminflect",
    "markdownify",
    "semantic-text-splitter",
    "sentence-transformers",
    "tokenizers",
    "torch",
    "transformers",
)


def cache_policy(step_file: str) -> CachePolicy:
    """Returns the policy for the step in `step_file` (pass `__file__`).

    The key then covers every file of this project that the step's module reaches through its imports or through a registry's
    `"module:name"` strings, the templates they name, and the versions of the libraries that decide results.
    """
    files = [str(path.relative_to(ROOT)) for path in reached_files(Path(step_file).resolve())]
    return CachePolicy(file_dependencies=files, cache_func=library_versions)  # type: ignore[arg-type]  # ZenML resolves a function to its source


def library_versions() -> str:
    """Returns one line of `name==version` for the libraries whose version can change a result."""
    return " ".join(f"{name}=={metadata.version(name)}" for name in _LIBRARIES)
