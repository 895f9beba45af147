"""What a step does for a base model that failed, so that the others go on and the next run tries it again."""

from __future__ import annotations

from datetime import UTC, datetime

from zenml import get_step_context
from zenml.client import Client

from finetrieve.core.model_directory import ModelDirectory
from finetrieve.core.paths import scratch_folder


def failure_line(error: BaseException) -> str:
    """Returns an error in one line for people."""
    text = " ".join(str(error).split())[:400]
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}".rstrip(": ")


def do_not_cache() -> None:
    """Lets the running step's result expire at once: a failure may be gone the next time."""
    Client().update_step_run(get_step_context().step_run.id, cache_expires_at=datetime.now(UTC))


def no_model() -> ModelDirectory:
    """Returns a directory that says that there is no model, since a step has to return one."""
    folder = scratch_folder()
    (folder / "README.md").write_text("The training failed; there is no model.\n", encoding="utf-8")
    return ModelDirectory(folder)
