"""What a configuration can say about annotation in Argilla. Light: the command line reads it before heavy imports."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from finetrieve.core.settings import Settings
from finetrieve.corpus.sources.base import Source

DATASET_NAME_LENGTH = 200
"""Characters that Argilla allows."""
_VARIABLE = re.compile(r"[A-Za-z_]\w*")


class AnnotationSettings(Settings):
    """Where people correct the queries, and what becomes of their answers."""

    enabled: bool = True
    """False leaves Argilla out, as no `annotation` block at all does."""
    url: str | None = None
    """An Argilla 2 server. None takes ARGILLA_API_URL, and where that is not set either, the embedded server."""
    api_key_env: str = "ARGILLA_API_KEY"
    """The environment variable that holds the API key of `url`."""
    secret: str | None = None
    """A ZenML secret with `api_key` (and `api_url`, if `url` is not set), instead of the environment."""
    workspace: str | None = None
    """None takes the embedded server's own, or the only one that the key may see."""
    dataset: str | None = Field(default=None, min_length=1, max_length=DATASET_NAME_LENGTH)
    """None names it after the corpus: one dataset for each."""
    withdraw_others: bool = False
    """Whether a push into a `dataset` that holds another corpus's queries withdraws those that nobody answered; else it stops."""
    max_records: int | None = Field(default=None, ge=1)
    """Only so many queries are sent, those that need a person most first; None sends all."""
    min_submitted: int = Field(default=1, ge=1)
    """People who must answer a record before it leaves the queue."""
    use: Literal["all", "reviewed", "submitted"] = "all"
    """Which queries are trained on: all that nobody rejected; those that `min_submitted` people answered; or that anyone did."""
    human_queries: Literal["train", "evaluate"] = "train"
    """What becomes of the queries that annotators add: training pairs, or a human evaluation set that nothing is trained on."""
    compare: bool = False
    """Also train on the generated queries alone, and report what the review did to the metrics: twice the training time."""
    retry_seconds: float = Field(default=120.0, gt=0)
    """How long a server that does not answer is waited for."""

    @field_validator("url")
    @classmethod
    def _http(cls, url: str | None) -> str | None:
        if url is not None and not re.match(r"https?://[^/\s]", url):
            raise ValueError(f"found '{url}'; expected an address such as http://127.0.0.1:6900.")
        return url

    @field_validator("api_key_env")
    @classmethod
    def _variable(cls, name: str) -> str:
        # The value itself, put here by mistake, must not be echoed.
        if not _VARIABLE.fullmatch(name):
            raise ValueError("expected the name of an environment variable, such as ARGILLA_API_KEY, not the key itself.")
        return name


def dataset_name(settings: AnnotationSettings, source: Source) -> str:
    """Returns the dataset's name: the configured one, or one that is the corpus's own and stays when its documents change."""
    if settings.dataset is not None:
        return settings.dataset
    key, place = source.identity
    if source.is_path(key):
        place = str(Path(place).expanduser().resolve())
    label = re.sub(r"[^\w.-]+", "-", Path(place).name).strip("-.") or "corpus"
    digest = hashlib.sha256(json.dumps({"name": source.name, key: place}, sort_keys=True).encode()).hexdigest()[:6]
    return f"{label[:100]}-{digest}"
