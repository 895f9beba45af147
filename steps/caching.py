"""What a step's cache key has to know beyond its parameters and inputs.

ZenML's own key has the step's import path, its source, its parameters and its inputs; not the modules that it calls, their
templates, nor the versions of the libraries. `cache_policy` adds them, so an edited helper re-runs the steps that reach it
and no others.
"""

from __future__ import annotations

from pathlib import Path

from zenml.config.cache_policy import CachePolicy

from finetrieve.core.code_hash import library_versions, reached_files
from finetrieve.core.paths import ROOT

_MATERIALIZERS = ROOT / "steps" / "materializers.py"
"""Says how each type of artifact is stored, without being named by the steps."""


def cache_policy(step_file: str, function: str) -> CachePolicy:
    """Returns the policy for a step: pass `__file__` and the name of its function.

    The key then covers every file of this project that the function reaches through the imports it uses or through a registry's
    `"module:name"` strings, the templates and data files they name, how artifacts are stored, and the versions of the libraries
    that decide results. What stands in the file of the steps itself is not covered, so it holds steps and nothing that they call.
    """
    reached = {*reached_files(Path(step_file).resolve(), function), *reached_files(_MATERIALIZERS)}
    files = sorted(str(path.relative_to(ROOT)) for path in reached)
    return CachePolicy(file_dependencies=files, cache_func=library_versions)  # type: ignore[arg-type]  # ZenML resolves a function to its source
