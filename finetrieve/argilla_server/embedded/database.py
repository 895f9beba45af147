"""Argilla's SQLite database: opened, migrated, put right after a crash, with its owner's account.

Imports only argilla_server and what it brings.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from argilla_server import database as argilla_database
from argilla_server.contexts import accounts
from argilla_server.enums import UserRole
from argilla_server.models import User, Workspace
from pydantic_core import PydanticSerializationError, from_json, to_json
from sqlalchemy import event, select
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import selectinload
from sqlalchemy.pool import NullPool

from . import text_search

_RECONCILE = """
UPDATE records SET status = CASE status WHEN 'completed' THEN 'pending' ELSE 'completed' END WHERE id IN (
    SELECT records.id FROM records JOIN datasets ON datasets.id = records.dataset_id LEFT JOIN (
        SELECT record_id, count(*) AS number FROM responses WHERE status = 'submitted' GROUP BY record_id
    ) AS submitted ON submitted.record_id = records.id
    WHERE (coalesce(submitted.number, 0) >= json_extract(datasets.distribution, '$.min_submitted'))
       <> (records.status = 'completed')
)
"""
_INDEX = "CREATE INDEX IF NOT EXISTS finetrieve_records_by_age ON records (dataset_id, inserted_at)"
"""Without it each page of a list of records sorts all of them, texts included."""


def prepare(path: Path) -> None:
    """Leaves the database at `path` ready for the server: the newest schema, WAL, statuses that fit the responses.

    A process that is killed between storing a response and updating its record's status leaves them apart; here they meet.

    Raises:
        sqlite3.DatabaseError: The file is damaged or is not a database.
    """
    _migrate(path)
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(_INDEX)
        connection.execute(_RECONCILE)
        connection.commit()
    path.chmod(0o600)
    use_engine()


def _migrate(path: Path) -> None:
    """Brings the schema up to date, on a copy that takes the file's place: a migration that is killed has not happened."""
    config = Config(argilla_database.ALEMBIC_CONFIG_FILE)
    if _revisions(path) == set(ScriptDirectory.from_config(config).get_heads()):
        return
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as old, closing(sqlite3.connect(draft)) as new:
        old.execute("PRAGMA journal_mode = DELETE")  # nothing may be left in a log beside the file that is replaced
        old.backup(new)
    settings = argilla_database.settings
    url, settings.database_url = settings.database_url, settings.database_url.replace(str(path), str(draft))
    command.upgrade(config, "head")
    settings.database_url = url
    draft.replace(path)


def _revisions(path: Path) -> set[str]:
    engine = sqlalchemy.create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.connect() as opened:
        return set(MigrationContext.configure(opened).get_current_heads())


def use_engine() -> None:
    """Makes every session of the server use an engine of ours.

    NullPool, because requests and background jobs run in two event loops and a connection belongs to one. JSON that keeps its
    letters, because SQLAlchemy writes non-ASCII ones as escapes, which a text search in the database would miss; pydantic's,
    because it writes and reads vectors ten times as fast.
    """
    engine = create_async_engine(
        argilla_database.settings.database_url,
        poolclass=NullPool,
        connect_args={"timeout": argilla_database.settings.database_sqlite_timeout},
        json_serializer=to_text,
        json_deserializer=from_json,
    )
    event.listen(engine.sync_engine, "connect", text_search.register)
    argilla_database.async_engine = engine
    argilla_database.AsyncSessionLocal.configure(bind=engine)


def to_text(value: Any) -> str:
    """Returns a value as JSON."""
    try:
        return to_json(value).decode()
    except PydanticSerializationError:  # half of a surrogate pair: JSON can hold it, SQLite's text cannot
        return json.dumps(value)


def ensure_owner(account: dict[str, Any]) -> None:
    """Makes the owner and the workspace, or gives the owner that is there the password and the key of the account file."""
    asyncio.run(_ensure_owner(account))


async def _ensure_owner(account: dict[str, Any]) -> None:
    async with argilla_database.AsyncSessionLocal() as db:
        workspace = await Workspace.get_by(db, name=account["workspace"]) or Workspace(name=account["workspace"])
        found = await db.execute(select(User).filter_by(username=account["username"]).options(selectinload(User.workspaces)))
        owner = found.scalar_one_or_none()
        if owner is None:
            owner = User(first_name="Finetrieve", username=account["username"], role=UserRole.owner, password_hash="")
            db.add(owner)
        if workspace not in owner.workspaces:  # new, or somebody deleted it
            owner.workspaces.append(workspace)
        if owner.api_key != account["api_key"]:
            owner.api_key = account["api_key"]
            owner.password_hash = accounts.hash_password(account["password"])
        await db.commit()
