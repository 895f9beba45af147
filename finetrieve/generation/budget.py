"""What may be spent on an LLM, as a configuration says it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from finetrieve.core.settings import Settings


class Budget(Settings):
    """The most that may be spent on answers that the cache does not hold."""

    requests: int | None = Field(default=None, ge=1)
    """Sent to a provider; failed ones count."""
    tokens: int | None = Field(default=None, ge=1)
    """Sent and answered together."""
    money: float | None = Field(default=None, gt=0)
    """In the currency of the recipes' prices."""
    when_spent: Literal["stop", "go_on"] = "stop"
    """`stop`: the step fails and keeps the answers; `go_on`: train on what there is."""
