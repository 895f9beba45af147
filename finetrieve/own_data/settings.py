"""What a configuration can say about pairs and queries of one's own. Imports nothing heavy: the command line reads it first."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from finetrieve.core.errors import InputError
from finetrieve.core.paths import ConfigPath
from finetrieve.core.settings import Settings
from finetrieve.generation.budget import Budget
from finetrieve.generation.llm.llm_settings import LlmSettings

HUB_PREFIX = "hf:"
"""In front of a dataset's id on the Hub, where a path may stand: `hf:OWNER/NAME`, `hf:OWNER/NAME@REVISION`."""
_HUB_ID = re.compile(r"hf:(?P<dataset>[\w.\-]+/[\w.\-]+)(?:@(?P<revision>[\w.\-/]+))?")


class PairSettings(Settings):
    """Pairs of one's own: queries with what answers them, and perhaps with what does not."""

    path: ConfigPath | None = None
    """A JSONL, JSON, CSV, TSV or Parquet file; a folder in BEIR's layout; LlamaIndex's, ragas' or NVIDIA's file of pairs."""
    dataset: str | None = Field(default=None, pattern=r"^[\w.\-]+(/[\w.\-]+)?$")
    """A dataset on the Hugging Face Hub, in place of `path`."""
    config: str | None = None
    """Which configuration of the dataset, where it has several."""
    revision: str | None = None
    """A branch, tag or commit of the dataset; null takes the newest."""
    split: str = Field(default="train", min_length=1)
    """Of a BEIR folder `qrels/SPLIT.tsv`, where it has several; of a dataset the split."""
    name: str | None = Field(default=None, min_length=1)
    """Shown in tables; null takes the name of the file or the dataset."""
    query_column: str | None = None
    """null looks for a usual name: `query`, `question`, `anchor`, `user_input`."""
    positive_column: str | None = None
    """Of the text that answers, or of the id of the document that does; null looks for a usual name."""
    negatives_column: str | None = None
    """Of texts or ids that do not answer; null looks for a usual name."""
    score_column: str | None = None
    """Of how well it answers, where 0 and less is not at all; null looks for a usual name."""
    weight: float | None = Field(default=None, gt=0)
    """How many of these pairs are trained on for each generated query: some of what there is more of is left out. null keeps
    all."""
    evaluate: float = Field(default=0.0, ge=0, lt=1)
    """Share of the documents whose pairs become a human evaluation set instead of being trained on."""
    unmatched: Literal["leave_out", "keep"] = "leave_out"
    """What becomes of a text that no chunk says: `keep` trains on the text itself, which is never searched."""
    personal_data: Literal["leave_out", "keep"] = "leave_out"
    """What becomes of a query with an e-mail address, a long number or a key in it. A text of that kind is never kept."""

    @model_validator(mode="after")
    def _one_place(self) -> PairSettings:
        if (self.dataset is None) == (self.path is None):
            raise ValueError("give 'path' (a file or folder) or 'dataset' (a Hub id), one of the two.")
        return self

    @property
    def label(self) -> str:
        """The name that tables show."""
        if self.name is not None:
            return self.name
        place = Path(self.path).resolve() if self.path is not None else Path(str(self.dataset))
        return place.stem if place.suffix else place.name


class GradeSettings(LlmSettings):
    """An LLM that grades the first chunks of each query from 0 to 3, by how well they answer it; one request a query."""

    asked_by: ClassVar[str] = "Grading"

    label: str = Field(default="grades", pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")
    """What messages call it."""
    depth: int = Field(default=5, ge=2, le=20)
    """Of the chunks that the untrained fused search finds, so many are graded, and are the list whose order is learnt."""
    max_failed_share: float = Field(default=0.5, ge=0, le=1)
    """A query whose answer cannot be used has the labels of the fused search; more such than this share fail the step."""
    budget: Budget = Budget()
    """The most that grading may spend on answers that the cache does not hold."""

    def check(self) -> None:
        """Checks the provider, its key and the model.

        Raises:
            InputError: A client library, a key or a model is missing.
        """
        self.check_requirements()
        self.provider_class.check_model(self.model)

    @model_validator(mode="after")
    def _money_needs_a_price(self) -> GradeSettings:
        if self.budget.money is not None and self.price is None:
            raise ValueError("budget.money needs a price: price: {input: ..., output: ...}.")
        return self


class QuerySettings(Settings):
    """Queries of one's own without answers: each is labelled by the best teacher at hand. A log may say what was clicked."""

    path: ConfigPath
    """A text file with a query a line, or a table with a query a row, perhaps with how often it was asked or what was
    clicked."""
    name: str | None = Field(default=None, min_length=1)
    """Shown in tables; null takes the name of the file, without its ending."""
    query_column: str | None = None
    """null looks for a usual name: `query`, `question`, `search_query`, `keyword`."""
    count_column: str | None = None
    """Of how often it was asked, or clicked; null looks for a usual name."""
    clicked_column: str | None = None
    """Of the id of the document that was clicked; null looks for a usual name."""
    min_count: int = Field(default=1, ge=1)
    """Queries that were asked less often are left out."""
    list_length: int = Field(default=8, ge=2, le=50)
    """Of the chunks that the teacher finds for a query, so many are the list whose order is learnt."""
    sure: float = Field(default=0.5, ge=0, le=1)
    """Share of a list that its first chunk has to have for the two to be a training pair as well."""
    personal_data: Literal["leave_out", "keep"] = "leave_out"
    """What becomes of a query with an e-mail address, a long number or a key in it. No LLM is shown one, whatever this says."""
    grades: GradeSettings | None = None
    """An LLM that grades chunks for each query, in place of a cross-encoder: who it is and what it may spend; null: none."""

    @property
    def label(self) -> str:
        """The name that tables show."""
        return self.name or Path(self.path).stem


def pairs_from_argument(argument: str) -> dict[str, str]:
    """Returns the settings that `--pairs ARGUMENT` means: a path, or `hf:OWNER/NAME[@REVISION]`.

    Raises:
        InputError: It begins as a Hub id and is none.
    """
    if not argument.startswith(HUB_PREFIX):
        return {"path": argument}
    found = _HUB_ID.fullmatch(argument)
    if found is None:
        raise InputError(f"'{argument}' is no dataset on the Hub; expected hf:OWNER/NAME or hf:OWNER/NAME@REVISION.")
    return {key: value for key, value in found.groupdict().items() if value is not None}
