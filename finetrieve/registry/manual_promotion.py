"""What a person decides about versions: promoting one whatever the rule said, demoting it, and rolling back."""

from __future__ import annotations

from datetime import UTC, datetime

from finetrieve.core.errors import InputError
from finetrieve.registry.versions import Version, artifact_of, attach, set_stage, taken_out, version_in, versions


def check_promotable(version: Version) -> str | None:
    """Returns why the rule did not promote a version, in a sentence; None where it did, once.

    Raises:
        InputError: It is in production already, or its files were deleted.
    """
    if version.stage == "production":
        raise InputError(f"{version.label} is in production already. `python run.py models` lists the others.")
    artifact_of(version, "model")
    decision = version.record.get("decision")
    if not decision:
        return "Its run ended before the rule decided about it."
    return None if decision["stage"] == "production" else str(decision["why"])


def promote_by_hand(version: Version, why: str) -> str:
    """Puts a version that `check_promotable` let pass into production and returns a sentence about it."""
    before = version_in("production", version.model)
    _into_production(version, "Promoted by hand", why)
    return f"{version.label} is in production now{f'; {before.label} is archived' if before else ''}."


def demote(version: Version, why: str) -> str:
    """Archives the version in production, so that the base model answers, and returns a sentence about it.

    Raises:
        InputError: The version is not in production.
    """
    if version.stage != "production":
        raise InputError(f"{version.label} is not in production but {version.stage}, so there is nothing to take out.")
    _out_of_production(version, "Demoted by hand", why)
    base = version.record.get("base_model", "embedded")
    return (
        f"{version.label} is archived, and no run promotes it again by itself. Nothing of '{version.model}' is in production: "
        f"its base model ({base}) answers, and the next run is compared with it."
    )


def roll_back(model: str, why: str) -> str:
    """Archives the version in production, brings back the one that was there before it, and returns a sentence about it.

    Raises:
        InputError: Nothing is in production, or nothing was there before.
    """
    current = version_in("production", model)
    if current is None:
        out = taken_out(model)
        raise InputError(
            f"No version of '{model}' is in production, so there is nothing to roll back. "
            f"`python run.py models promote {out.label if out else f'{model}:NUMBER'}` puts {'it back' if out else 'one there'}."
        )
    before = _served_before(current)
    if before is None:
        raise InputError(
            f"{current.label} is the first version in production, so there is none to go back to. "
            f"`python run.py models demote {current.label}` takes it out, and the base model answers again."
        )
    artifact_of(before, "model")
    _out_of_production(current, "Rolled back by hand", why)
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


def _out_of_production(version: Version, how: str, why: str) -> None:
    attach(version, {"rolled_back": _now(), "by_hand": _sentence(how, why)})
    set_stage(version, "archived")


def _sentence(how: str, why: str) -> str:
    return f"{how} on {_now()}{f': {why.strip()}' if why.strip() else ''}."


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
