"""ZenML's store on this machine, made whole at the first start."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import click
import yaml

from finetrieve.core.logging import get_logger

logger = get_logger(__name__)
_SQLITE = "sqlite:///"
_KEPT_OUT = ("alembic_version", "server_settings")
"""Tables that say nothing about anybody's work."""


def ready_store(*, make: bool = True) -> None:
    """Has ZenML make its store, also where an earlier first start was cut off; of two first starts at once the second waits.

    ZenML makes it in several transactions, takes what the first ones left for a store of an old version, and refuses it for good.

    Args:
        make: Whether to make one where there is none.
    """
    path = _local_store()
    if path is None or _is_whole(path) or not (make or path.exists()):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / "making.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_whole(path):
            return
        if _is_cut_off(path):
            logger.debug("ZenML's store was not finished at an earlier start; it is made anew")
            path.unlink()
        from zenml.client import Client

        _ = Client().zen_store


def _local_store() -> Path | None:
    """Returns where ZenML keeps its database on this machine; None where it uses a server or another database."""
    if any(name.startswith("ZENML_STORE_") for name in os.environ):
        return None
    folder = Path(os.environ.get("ZENML_CONFIG_PATH") or click.get_app_dir("zenml"))
    try:
        store = (yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8")) or {}).get("store") or {}
    except (OSError, ValueError, AttributeError, yaml.YAMLError):
        store = {}
    if url := str(store.get("url") or ""):
        return Path(url.removeprefix(_SQLITE)) if url.startswith(_SQLITE) else None
    stores = Path(os.environ.get("ZENML_LOCAL_STORES_PATH") or folder / "local_stores")
    return stores / "default_zen_store" / "zenml.db"


def _is_whole(path: Path) -> bool:
    """Whether the store has a version and, what is made last, a stack."""
    try:
        with closing(_read_only(path)) as database:
            return _has_rows(database, "alembic_version") and _has_rows(database, "stack")
    except sqlite3.Error:
        return False


def _is_cut_off(path: Path) -> bool:
    """Whether there is a store without a version in which nobody's work is."""
    if not path.exists():
        return False
    try:
        with closing(_read_only(path)) as database:
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            versioned = "alembic_version" in tables and _has_rows(database, "alembic_version")
            return not versioned and not any(_has_rows(database, name) for name in tables if name not in _KEPT_OUT)
    except sqlite3.Error:
        return False


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _has_rows(database: sqlite3.Connection, table: str) -> bool:
    return database.execute(f'SELECT 1 FROM "{table}" LIMIT 1').fetchone() is not None
