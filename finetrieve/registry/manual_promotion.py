"""What a person decides about versions: promoting one whatever the rule said, and rolling back."""

from __future__ import annotations

from datetime import UTC, datetime

from finetrieve.core.errors import InputError
from finetrieve.registry.versions import Version, artifact_of, attach, set_stage, version_in, versions


def promote_by_hand(version: Version, why: str) -> str:
    """Puts a version into production and returns a sentence about it.

    Raises:
        InputError: It is there already, or its files were deleted.
    """
    if version.stage == "production":
        raise InputError(f"{version.label} is in production already. `python run.py models` lists the others.")
    artifact_of(version, "model")
    before = version_in("production", version.model)
    _into_production(version, "Promoted by hand", why)
    return f"{version.label} is in production now{f'; {before.label} is archived' if before else ''}."


def roll_back(model: str, why: str) -> str:
    """Archives the version in production, brings back the one that was there before it, and returns a sentence about it.

    Raises:
        InputError: Nothing is in production, or nothing was there before.
    """
    current = version_in("production", model)
    if current is None:
        raise InputError(f"No version of '{model}' is in production, so there is nothing to roll back.")
    before = _served_before(current)
    if before is None:
        raise InputError(f"{current.label} is the first version of '{model}' in production: there is none to go back to.")
    artifact_of(before, "model")
    attach(current, {"rolled_back": _now(), "by_hand": _sentence("Rolled back by hand", why)})
    _into_production(before, f"Brought back by hand, in place of {current.number}", why)
    return f"{before.label} is in production again; {current.label} is archived, and no run promotes it again by itself."


def _served_before(current: Version) -> Version | None:
    """Returns the version that was in production last, the current one and those that were rolled back left out."""
    served = [
        version
        for version in versions(current.model)
        if version.id != current.id and version.record.get("served_since") and not version.record.get("rolled_back")
    ]
    return max(served, key=lambda version: str(version.record["served_since"]), default=None)


def _into_production(version: Version, how: str, why: str) -> None:
    attach(version, {"served_since": _now(), "rolled_back": "", "by_hand": _sentence(how, why)})
    set_stage(version, "production")


def _sentence(how: str, why: str) -> str:
    return f"{how} on {_now()}{f': {why.strip()}' if why.strip() else ''}."


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
