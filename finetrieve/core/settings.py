"""The base class of what a configuration says."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Settings of one part: they cannot be changed, and a key that they do not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
