"""What can be set about a server, at its start or, over `POST /control`, while it runs."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from tests.fakes.answers import Source
from tests.fakes.faults import Kind

KEY = "loopback-key-0123456789"
MODELS = (
    "gpt-4o",
    "gpt-4o-mini",
    "gpt-5-mini",
    "o1-mini",
    "claude-sonnet-4-5",
    "claude-3-5-haiku-20241022",
    "mistral-small-latest",
    "llama3.2",
    "llama3.2:latest",
    "tgi",
    "meta-llama/Llama-3.1-8B-Instruct",
    "Qwen/Qwen2.5-7B-Instruct",
)


class ServerSettings(BaseModel):
    """A server's behaviour."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    port: int = Field(default=0, ge=0)
    """0 takes a free one."""
    seed: int = 0
    key: str = KEY
    """The only key that is let in; empty lets everybody in. Ollama never asks for one."""
    models: tuple[str, ...] = MODELS
    answers: Source = "auto"
    """`auto`: recorded answers where there are some for the chunk, else the rules'; `rules`: never recorded ones; `quick`: the chunk's
    own words, in microseconds, where the client is what is measured."""
    latency: float = Field(default=0.0, ge=0)
    """Mean seconds until an answer, drawn log-normally for each request."""
    sigma: float = Field(default=0.5, ge=0)
    """Spread of the latency's logarithm; 0 answers always after the mean."""
    faults: dict[Kind, float] = Field(default_factory=dict)
    """Kind -> share of the requests that meet it."""
    stubborn: dict[Kind, float] = Field(default_factory=dict)
    """Kind -> share of the *contents* that meet it at every attempt: what nobody could get."""
    faulty_attempts: int | None = None
    """Only so many attempts at a content can meet a drawn fault; None: all can."""
    outage: Kind | None = None
    """Every request meets this."""
    retry_after: float = Field(default=0.2, ge=0)
    """Seconds that a 429 or 503 asks to wait; 0 says nothing."""
    requests_per_minute: int | None = Field(default=None, ge=1)
    """More are answered with 429."""
    hang_seconds: float = 600.0
    batch_seconds: float = 0.0
    """Until a batch is answered."""
    batch_error: str = ""
    """Why a batch is refused as a whole."""
    window: int = Field(default=128_000, ge=1)
    """Tokens that a prompt may have; Ollama's is its `num_ctx`."""
    structured: Literal["obey", "ignore", "refuse"] = "obey"
    """What becomes of a wish for JSON by a schema."""
    log: str | None = None
    """A file that gets a JSON line per request."""

    @field_validator("faults", "stubborn")
    @classmethod
    def _shares(cls, rates: dict[Kind, float]) -> dict[Kind, float]:
        if any(rate < 0 for rate in rates.values()) or sum(rates.values()) > 1 + 1e-9:
            raise ValueError(f"shares are between 0 and 1 and sum to at most 1, got {rates}")
        return rates
