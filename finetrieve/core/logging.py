"""Logging to standard output by level: what a part of the project says while it works, under the name of its module."""

from __future__ import annotations

import logging

_PACKAGES = ("finetrieve", "steps", "pipelines")


class _Formatter(logging.Formatter):
    """An indented line; one for debugging names its module."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line, and the traceback below it where there is one."""
        module = f"{record.name}: " if record.levelno <= logging.DEBUG else ""
        return f"  {module}{super().format(record)}"


class _ConsoleHandler(logging.Handler):
    """Prints to what standard output is at that moment: ZenML puts its own there while a step runs, and keeps what it hears."""

    def emit(self, record: logging.LogRecord) -> None:
        """Prints one record."""
        print(self.format(record), flush=True)


def get_logger(name: str) -> logging.Logger:
    """Returns the logger of a module (pass `__name__`); it prints from INFO on, or from the level of `set_level`."""
    package = logging.getLogger(name.partition(".")[0])
    if not package.handlers:
        handler = _ConsoleHandler()
        handler.setFormatter(_Formatter())
        package.addHandler(handler)
        package.propagate = False  # ZenML's handlers at the root would print it a second time
        package.setLevel(package.level or logging.INFO)
    return logging.getLogger(name)


def set_level(level: int) -> None:
    """Sets from which level on the project's modules print: `logging.DEBUG`, `INFO` or `WARNING`."""
    for package in _PACKAGES:
        logging.getLogger(package).setLevel(level)
