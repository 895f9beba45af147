"""One line for what went wrong with the machine rather than with the user's input."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from finetrieve.core.failures import causes, error_line, is_disk_full


def explain(error: BaseException) -> str:
    """Returns one line for an error: what happened and, where we know it, what to do."""
    again = "run the same command again: finished steps are kept"
    if is_disk_full(error):
        return f"the disk is full. Nothing is half-written; free some space and {again}."
    for cause in causes(error):
        if isinstance(cause, MemoryError) or "out of memory" in str(cause).lower():
            return f"out of memory. Lower training.batch_size or chunks.max_tokens and {again}."
        if isinstance(cause, PermissionError):
            return f"no permission to use '{cause.filename}'. Check its owner and mode."
        if isinstance(cause, OSError) and cause.errno == errno.EROFS:
            return f"'{cause.filename}' cannot be written: its disk is read-only."
        if isinstance(cause, FileNotFoundError) and _is_artifact(cause.filename):
            return (
                f"an artifact of an earlier run is gone: '{cause.filename}'. Bring ZenML's artifact store back, "
                "or run with --no-cache, which makes everything anew."
            )
    text = error_line(error)
    if os.environ.get("FINETRIEVE_DEBUG"):
        raise error
    return f"{type(error).__name__}: {text} (FINETRIEVE_DEBUG=1 shows the traceback.)"


def _is_artifact(path: object) -> bool:
    """Whether a file belongs into ZenML's artifact store on this machine; without ZenML nothing does."""
    if "zenml" not in sys.modules or not isinstance(path, str):
        return False
    from zenml.config.global_config import GlobalConfiguration

    return Path(path).is_relative_to(GlobalConfiguration().local_stores_path)
