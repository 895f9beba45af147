"""Keeps a distilabel pipeline from hanging inside a host process, and the host process from being changed by it.

What distilabel 1.5 does to the process that runs it, and why each piece of the guard is here:

- Its pool workers are forked and inherit the host's signal handlers. ZenML's SIGTERM handler raises; `Pool.terminate()` sends
  SIGTERM, the worker swallows the exception and the parent joins for ever. So SIGTERM has its default action meanwhile.
- It replaces the SIGINT handler, clears the root logger's handlers, sets levels, and leaves a QueueHandler on a closed queue.
- Killed by SIGKILL, it leaves its workers behind, which go on asking an LLM, and paying, for a run that nobody waits for.
- It reads its answers through `datasets`, which prints progress bars and copies them into the user's Hugging Face cache.
- It looks every 2.5 s whether its steps are loaded, and every 0.5 s whether they have ended: most of the time of a small run.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace

QUIET = {
    "DISTILABEL_LOG_LEVEL": "WARNING",
    "TOKENIZERS_PARALLELISM": "false",  # a tokenizer used before the fork warns about it otherwise
}
"""Environment variables of every process of a pipeline."""
_LONGEST_WAIT_SECONDS = 0.05


@contextmanager
def guarded_run(cache_dir: Path) -> Iterator[Path]:
    """Yields an empty directory for one pipeline run (its `cache_dir`), deleted afterwards with everything in it.

    However the block ends, signals, log handlers and levels, environment variables and the working directory are then as before.

    Raises:
        RuntimeError: Called outside the main thread, where signals cannot be set and the pipeline would hang.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError(
            "A distilabel pipeline can only be run in the main thread: its workers would inherit signal handlers and hang."
        )
    cache_dir.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="distilabel-", dir=cache_dir)))
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # distilabel uses what pydantic 2.12 has deprecated, thousands of times a run.
        stack.enter_context(_restored_working_directory())
        stack.enter_context(_restored_environment())
        stack.enter_context(_restored_logging())
        stack.enter_context(_default_signals())
        stack.enter_context(_private_datasets_cache(directory / "datasets"))
        stack.enter_context(_children_die_with_us())
        stack.enter_context(_short_waits())
        yield directory


@contextmanager
def _default_signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        yield
    finally:
        for number, handler in before.items():
            # None: the handler was installed from C and cannot be named, so it cannot be put back either.
            if handler is not None:
                signal.signal(number, handler)


@contextmanager
def _short_waits() -> Iterator[None]:
    from distilabel.pipeline import base

    clock = base.time
    base.time = SimpleNamespace(sleep=lambda seconds: clock.sleep(min(seconds, _LONGEST_WAIT_SECONDS)))
    try:
        yield
    finally:
        base.time = clock


_PR_SET_PDEATHSIG = 1
_parent: int | None = None
"""The process whose children are to die with it, while it runs a pipeline."""


@contextmanager
def _children_die_with_us() -> Iterator[None]:
    global _parent
    _watch_forks()
    _parent = os.getpid()
    try:
        yield
    finally:
        _parent = None


@cache
def _watch_forks() -> None:
    os.register_at_fork(after_in_child=_die_with_parent)


def _die_with_parent() -> None:
    """Runs in a forked child: asks the kernel for SIGKILL at the parent's death. Linux alone can do that."""
    global _parent
    parent, _parent = _parent, None
    if parent is None or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # It died before we asked.
        os._exit(1)


@contextmanager
def _restored_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, root_level = list(root.handlers), root.level
    known = [logger for logger in logging.Logger.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    before = {logger.name: (logger.level, logger.disabled) for logger in known}
    try:
        yield
    finally:
        end_log_listener()
        root.handlers[:] = handlers
        root.setLevel(root_level)
        for name, logger in list(logging.Logger.manager.loggerDict.items()):
            if isinstance(logger, logging.Logger):
                level, disabled = before.get(name, (logging.NOTSET, False))
                logger.setLevel(level)
                logger.disabled = disabled


def end_log_listener() -> None:
    """Ends the thread that distilabel leaves waiting for log records when a pipeline fails, or lets go of it."""
    from distilabel.utils import logging as distilabel_logging

    try:
        distilabel_logging.stop_logging()
    finally:
        distilabel_logging.queue_listener = None


@contextmanager
def _restored_environment() -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(QUIET)
    try:
        yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)


@contextmanager
def _restored_working_directory() -> Iterator[None]:
    before = Path.cwd()
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _private_datasets_cache(directory: Path) -> Iterator[None]:
    import datasets

    shown, cache = datasets.utils.are_progress_bars_disabled(), datasets.config.HF_DATASETS_CACHE
    datasets.disable_progress_bars()
    datasets.config.HF_DATASETS_CACHE = directory
    try:
        yield
    finally:
        datasets.config.HF_DATASETS_CACHE = cache
        if not shown:
            datasets.enable_progress_bars()
