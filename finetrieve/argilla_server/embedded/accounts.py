"""The account that owns an embedded server. Imports only argilla_server and what it brings."""

from __future__ import annotations

import asyncio
from typing import Any

from argilla_server.contexts import accounts
from argilla_server.database import AsyncSessionLocal
from argilla_server.enums import UserRole
from argilla_server.models import User, Workspace
from sqlalchemy import select
from sqlalchemy.orm import selectinload


def ensure_owner(account: dict[str, Any]) -> None:
    """Makes the owner and the workspace, or gives the owner that is there the password and the key of the account file."""
    asyncio.run(_ensure_owner(account))


async def _ensure_owner(account: dict[str, Any]) -> None:
    async with AsyncSessionLocal() as db:
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
