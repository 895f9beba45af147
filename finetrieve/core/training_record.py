"""What is recorded of a training, as metrics.json and the model's own record keep it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import Field

from finetrieve.core.record import Record, Text

NDCG = "ndcg@10"
"""The key of nDCG@10 in metrics.json."""


class LossPoint(Record):
    """The loss of a training step."""

    step: int
    loss: float


class DevPoint(Record):
    """nDCG@10 of the dev queries after a training step."""

    step: int
    epoch: float = 0.0
    ndcg: float = Field(validation_alias=NDCG, serialization_alias=NDCG)


class SeedPoint(Record):
    """One of several trainings whose weights were averaged."""

    seed: int
    step: int
    """Whose weights were taken."""
    ndcg: float | None = Field(default=None, validation_alias=NDCG, serialization_alias=NDCG)
    """Of the dev queries, by these weights alone."""


class AveragingPoint(Record):
    """What the model scores with a share of the base model's weights."""

    base_share: float
    lay_dense: float | None = None
    """nDCG@10 of our own lay questions by dense vectors."""
    lay_late: float | None = None
    ndcg: float | None = Field(default=None, validation_alias=NDCG, serialization_alias=NDCG)
    """Of the dev queries, where they were asked."""


class ChosenModel(Record):
    """The checkpoint that was taken, and the share of the base model's weights in it."""

    step: int
    """Of several trainings the last one that was taken; `seeds` has each."""
    base_share: float


class GuardDifference(Record):
    """nDCG@10 of the lay questions before and after training, with the 95% interval of the difference."""

    base: float
    finetuned: float
    low: float
    high: float


class Guard(Record):
    """What training cost the model of its general understanding."""

    n_queries: int | None = None
    ndcg: Mapping[Text, GuardDifference] = Field(default={}, validation_alias=NDCG, serialization_alias=NDCG)
    """`dense` and `late`."""
    fell: bool = False
    sentence: Text = ""


class LearningPoint(Record):
    """What a model scores that was trained on a share of the chunks."""

    share: float
    n_pairs: int
    arms: dict[Text, float]
    """Arm -> nDCG@10 of the dev queries."""


class BaseModelCard(Record):
    """What is known of a base model; what is not known is empty."""

    name: Text = ""
    """Its id on the Hugging Face Hub."""
    revision: Text = ""
    """`commit 1f2e3d4c5b6a` of the Hub, or `sha256 1f2e3d4c5b6a` of the weights of a directory."""
    licence: Text = ""
    languages: Sequence[Text] = ()


class TrainingRecord(Record):
    """How a model was trained and what dev chose."""

    base_model: Text | None = None
    """As the configuration names it."""
    base: BaseModelCard | None = None
    loss_name: Text | None = None
    n_pairs: int | None = None
    n_chunks: int | None = None
    n_negatives: int | None = None
    n_ranking_lists: int | None = None
    """Queries with a list of chunks whose order was learnt."""
    teacher: Text | None = None
    """As the configuration names it: the model whose scores were learnt."""
    n_teacher_lists: int | None = None
    """Queries for which it, a cross-encoder, gave a list of chunks their order."""
    n_dev_queries: int | None = None
    steps: int | None = None
    steps_per_epoch: int | None = None
    batch_size: int | None = None
    mini_batch_size: int | None = None
    fits_memory: bool | None = None
    """Whether the activations of a whole batch were kept, which spares computing them twice."""
    precision: Text | None = None
    evaluate_at: Sequence[int] = ()
    """Steps after which dev was looked at."""
    seeds: Sequence[SeedPoint] = ()
    """The trainings whose weights were averaged; empty where there was one."""
    loss: Sequence[LossPoint] = ()
    """Of several trainings the mean, as in `dev`."""
    dev: Sequence[DevPoint] = ()
    averaging: Sequence[AveragingPoint] = ()
    chosen: ChosenModel | None = None
    dev_is: Text | None = None
    """Who asked the dev queries: `human`, `own` (pairs that somebody had), `generated` or `none`."""
    guard: Guard | None = None
    api_reference: bool | None = None
    """Whether most titles are dotted names, where training is gentler."""
    untitled: bool | None = None
    """Whether most texts have neither a title nor a heading, where more of the base model stays."""
    learning_curve: Sequence[LearningPoint] = ()
    device: Text | None = None
    seconds: float | None = None

    @property
    def base_words(self) -> str:
        """The base model's name and revision: `org/name (commit 1f2e3d4c5b6a)`."""
        base = self.base or BaseModelCard()
        name = base.name or self.base_model or ""
        return f"{name} ({base.revision})" if name and base.revision else name
