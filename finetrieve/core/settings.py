"""The base class of what a configuration says."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Settings of one part: they cannot be changed; a key that they do not know is an error, and so is a number without end."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
