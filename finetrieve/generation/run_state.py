"""The state of one generation, shared by the processes of its recipes: usage (progress, tokens, money) and why it has to stop.

A small SQLite file that lives as long as the run; each recipe's process adds to it, the parent reads it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from finetrieve.core.generation_report import Usage
from finetrieve.generation.budget import Budget

_COLUMNS = ("done", "hits", "requests", "retries", "input_tokens", "output_tokens", "failed")
_TABLES = f"""
CREATE TABLE usage (recipe TEXT PRIMARY KEY, {", ".join(f"{name} INTEGER NOT NULL DEFAULT 0" for name in _COLUMNS)},
                    money REAL NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE stop_reasons (number INTEGER PRIMARY KEY, kind TEXT UNIQUE NOT NULL, reason TEXT NOT NULL)
"""


class StopReason(NamedTuple):
    """Why a run has to stop."""

    kind: str
    """`interrupted`, `budget`, `input`, `error`, or the kind of a provider's error."""
    text: str


class RunState:
    """Usage and stop reasons in one file; open it in the process that uses it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = sqlite3.connect(path, timeout=60.0, isolation_level=None)
        # It dies with the run: nothing has to survive a power cut.
        self._connection.execute("PRAGMA synchronous = OFF")

    @classmethod
    def create(cls, path: Path) -> RunState:
        """Returns a new, empty state."""
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        for statement in _TABLES.strip().split(";\n"):
            connection.execute(statement)
        connection.close()
        return cls(path)

    def add(self, recipe: str, money: float = 0.0, **counts: int) -> None:
        """Adds to the counts of a recipe, by the names of `Usage`."""
        names = list(counts)
        sums = ", ".join(f"{name} = {name} + excluded.{name}" for name in (*names, "money"))
        self._connection.execute(
            f"INSERT INTO usage (recipe, {', '.join((*names, 'money'))}) VALUES (?{', ?' * (len(names) + 1)})"
            f" ON CONFLICT (recipe) DO UPDATE SET {sums}",
            (recipe, *counts.values(), money),
        )

    def total(self) -> Usage:
        """Returns the sums over all recipes."""
        columns = ", ".join(f"coalesce(sum({name}), 0)" for name in (*_COLUMNS, "money"))
        return _usage(self._connection.execute(f"SELECT {columns} FROM usage").fetchone())

    def by_recipe(self) -> dict[str, Usage]:
        """Returns the counts of each recipe."""
        rows = self._connection.execute(f"SELECT recipe, {', '.join(_COLUMNS)}, money FROM usage")
        return {row[0]: _usage(row[1:]) for row in rows}

    def stop(self, kind: str, reason: str) -> None:
        """Tells every recipe to start no further request; the first reason of a kind stays."""
        self._connection.execute("INSERT OR IGNORE INTO stop_reasons (kind, reason) VALUES (?, ?)", (kind, reason))

    def stop_reason(self) -> StopReason | None:
        """Returns why the run has to stop, or None.

        An interrupt by a person comes before the others, and a spent budget, with which a run may go on, after them.
        """
        row = self._connection.execute(
            "SELECT kind, reason FROM stop_reasons ORDER BY kind = 'interrupted' DESC, kind = 'budget', number LIMIT 1"
        ).fetchone()
        return StopReason(*row) if row else None

    def take_request(self, recipe: str, budget: Budget, retry: bool) -> str | None:
        """Counts a request that is about to be made, unless the budget is used up: then returns of what.

        Looking and counting are one step, so that the processes of several recipes share a budget to the last request.
        """
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            spent = self.exceeded(budget)
            if spent is None:
                self.add(recipe, requests=1, retries=int(retry))
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        return spent

    def exceeded(self, budget: Budget) -> str | None:
        """Returns what the budget is used up of, or None."""
        usage = self.total()
        spent = {"requests": usage.requests, "tokens": usage.input_tokens + usage.output_tokens, "money": usage.money}
        for name, amount in spent.items():
            limit = getattr(budget, name)
            if limit is not None and amount >= limit:
                return f"{name}: {amount:,.4g} of {limit:,.4g}" if name == "money" else f"{name}: {amount:,} of {limit:,}"
        return None

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()


def _usage(row: Sequence[Any]) -> Usage:
    return Usage(**dict(zip((*_COLUMNS, "money"), row, strict=True)))
