"""What a configuration can say about evaluation. Light: the command line reads it before anything heavy is imported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from finetrieve.core.errors import InputError
from finetrieve.core.paths import ConfigPath, PathSetting
from finetrieve.core.settings import Settings
from finetrieve.corpus.settings import ChunkSettings
from finetrieve.evaluation.arms import ARMS, FINETUNED, arm_of, known_arm

GENERATED = "generated"
"""The name of the evaluation set that is made of the generated test queries."""
AUTO = "auto"
QUESTION_FILE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".txt")
"""Of files with a question and a right page per row."""


def _known_headline(name: str) -> str:
    return name if name == AUTO else known_arm(name)


class EvalSetSettings(Settings):
    """A human evaluation set: a CSV, TSV or JSONL file, or a folder in BEIR's layout."""

    path: Annotated[Path, PathSetting]
    """A file with the columns `question` and `page`, if you like also `score` and `split` (`dev` or `test`); or a folder with
    `queries.jsonl` and `qrels/*.tsv`, and with `corpus.jsonl` where it does not ask about the pipeline's own documents."""
    name: str | None = None
    """Shown in tables; None takes the name of the file, without its ending, or of the folder."""
    split: str | None = None
    """Which split, of a folder `qrels/SPLIT.tsv`; None takes `test`, else the only one, else all."""

    skip_unknown: bool = False
    """Whether judgements of queries or documents that do not exist are left out, and counted in the report; else they are a
    mistake. Some published sets have such."""

    @property
    def label(self) -> str:
        """The name that tables show."""
        place = self.path.resolve()
        return self.name or (place.stem if place.suffix.lower() in QUESTION_FILE_SUFFIXES else place.name)


class EvaluationSettings(Settings):
    """What is evaluated on what, and how precisely."""

    model: ConfigPath = "latest"
    """For the `evaluate` pipeline: `latest`, `embedded`, a directory or a Hub id."""
    eval_sets: list[EvalSetSettings] = Field(default=[])
    """Human sets; the generated test queries are always evaluated where there are any."""
    arms: list[Annotated[str, AfterValidator(known_arm)]] = Field(default_factory=lambda: list(ARMS), min_length=1)
    """Those that cannot be scored, for lack of a model or a reranker, are left out; it is said when not all arms are listed.
    An arm of your own is `package.module:Class`."""
    headline_arm: Annotated[str, AfterValidator(_known_headline)] = AUTO
    """The arm of the fine-tuned model that the verdict and promotion go by, one of `arms`; `auto` takes the best."""
    fusion: Literal["dev", "rrf", "z_score", "min_max"] = "dev"
    """How fused arms add up: chosen on dev queries, or this one at the default weights."""
    reranker: ConfigPath | None = None
    """A cross-encoder, a directory or a Hub id, or a class of your own, `package.module:Class`: brings the arms `cross_base` and
    `cross_finetuned`."""
    rerank_depth: int = Field(default=20, ge=1, le=1_000)
    """How many of the hybrid's results the cross-encoder puts in a new order."""
    bill: bool = True
    """Whether to table what fewer dimensions, bits and token vectors save and cost."""
    dimensions: list[Annotated[int, Field(ge=1)]] = Field(default=[384, 256, 128, 64])
    """Matryoshka dimensions to table; the model's full one is always there, larger ones are left out."""
    bootstrap_samples: int = Field(default=10_000, ge=100, le=1_000_000)
    """Resamples of the questions from which the 95% intervals are taken."""
    precision: Literal["fp32", "auto"] = "auto"
    """`auto` encodes in bfloat16 where the hardware is faster in it."""
    batch_size: int = Field(default=64, ge=1)
    """Texts that are encoded at once."""
    bm25_k1: float = Field(default=1.2, ge=0)
    """BM25's k1: how much a word counts that is repeated."""
    bm25_b: float = Field(default=0.75, ge=0, le=1)
    """BM25's b: how much a long chunk is discounted."""

    @model_validator(mode="after")
    def _names_differ(self) -> EvaluationSettings:
        seen: set[str] = {GENERATED}
        for eval_set in self.eval_sets:
            if eval_set.label in seen:
                raise InputError(f"Two evaluation sets are named '{eval_set.label}'; give each a `name` of its own.")
            seen.add(eval_set.label)
        return self

    @model_validator(mode="after")
    def _headline_is_scored(self) -> EvaluationSettings:
        name = self.headline_arm
        if name == AUTO:
            return self
        if not name.endswith(FINETUNED):
            raise InputError(
                f"headline_arm '{name}' is no arm of the fine-tuned model; expected {AUTO}, or one that ends in {FINETUNED}."
            )
        if name not in self.arms:
            raise InputError(
                f"headline_arm '{name}' is not among arms: {', '.join(self.arms)}. Add it there, or set headline_arm to {AUTO}."
            )
        if arm_of(name).needs_reranker and self.reranker is None:
            raise InputError(f"headline_arm '{name}' needs a cross-encoder. Name one in reranker, or set headline_arm to {AUTO}.")
        return self


class EvaluationTask(Settings):
    """What an evaluation depends on beside its models and its corpus."""

    evaluation: EvaluationSettings
    chunks: ChunkSettings
    """How the corpus of a set that brings its own is cut."""
    seed: int
    """Of the bootstrap."""
