"""Code for runs away from this machine: which files travel, and cache keys where the code is not.

A cluster's orchestrator pod looks a step up before it starts the step's pod, and has the image but not the code that travels
through the artifact store, so files and functions named in a cache policy cannot be read. The code that travels is fixed when a
pipeline is compiled, though: its hash goes into the step's environment, which is part of the key.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from zenml.config.cache_policy import CachePolicy
from zenml.pipelines.pipeline_definition import Pipeline
from zenml.utils import code_utils

from finetrieve.core.code_hash import library_versions
from finetrieve.core.paths import ROOT

CODE = "FINETRIEVE_CODE"
"""The steps' environment variable with the hash of the code that decides their result."""
# Options of a step are merged with its own, so neither part can be taken away; a list can be emptied, a function be another one.
_READABLE_ANYWHERE = {"file_dependencies": [], "cache_func": "platform.python_version"}


def pin_code(pipeline: Pipeline, options: dict[str, Any], arguments: dict[str, Any]) -> Pipeline:
    """Returns the pipeline with its options, and with cache keys that can be computed without its code.

    Args:
        pipeline: The pipeline to compile.
        options: Of `with_options`; under `steps`, those of steps that the pipeline does not have are left out.
        arguments: What the pipeline is called with.
    """
    leave_out_hidden_files()  # each run away from this machine passes here before its code is packed
    draft = pipeline.copy()
    draft.prepare(**arguments)
    wanted = options.get("steps", {})
    steps = {
        name: {**wanted.get(name, {}), **_pin_files(invocation.step.configuration.cache_policy)}
        for name, invocation in draft.invocations.items()
    }
    return pipeline.with_options(**{**options, "steps": {name: found for name, found in steps.items() if found}})


def _pin_files(policy: CachePolicy | None) -> dict[str, Any]:
    """Returns the options that put the content of a policy's files into the key in place of their names."""
    if policy is None or not policy.file_dependencies:
        return {}
    digest = hashlib.sha256(library_versions().encode())
    for name in sorted(policy.file_dependencies):
        digest.update(f"{name}\0".encode())
        digest.update(hashlib.sha256((ROOT / name).read_bytes()).digest())
    return {"environment": {CODE: digest.hexdigest()}, "cache_policy": _READABLE_ANYWHERE}


class VisibleFilesArchive(code_utils.CodeArchive):
    """ZenML's archive of the project, which takes what git does not ignore, and outside a git checkout everything."""

    def get_files(self) -> dict[str, str]:
        """Returns place in the archive -> file, without hidden ones: `.env` holds keys, `.venv` and `.git` gigabytes."""
        files: dict[str, str] = super().get_files()
        return {place: file for place, file in files.items() if not any(part.startswith(".") for part in Path(place).parts)}


def leave_out_hidden_files() -> None:
    """Makes ZenML send the visible files only; it has no setting for that."""
    code_utils.CodeArchive = VisibleFilesArchive  # type: ignore[misc]  # ZenML looks the class up where it is replaced here
