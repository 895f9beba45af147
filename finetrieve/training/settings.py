"""How the pairs are split and the model is trained; imports nothing heavy."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from finetrieve.core.paths import ConfigPath
from finetrieve.core.settings import Settings
from finetrieve.training.contrast import PLAIN, Contrast, Direction, HardnessMode, PartitionMode
from finetrieve.training.losses import LOSSES, losses_with


class SplitSettings(Settings):
    """Which share of the documents is kept out of training."""

    dev: float = Field(default=0.1, ge=0, lt=1)
    """Share of the documents whose queries choose the checkpoint, the averaging and the fusion."""
    test: float = Field(default=0.1, ge=0, lt=1)
    """Share whose queries are only reported on; trained on when there is a human evaluation set."""

    @model_validator(mode="after")
    def _something_left(self) -> SplitSettings:
        if self.dev + self.test >= 1:
            raise ValueError(f"dev {self.dev:g} and test {self.test:g} leave nothing to train on; their sum must stay below 1.")
        return self


class HardnessSettings(Settings):
    """Whether negatives count the more, the nearer they are."""

    mode: HardnessMode | None = None
    """`in_batch_negatives` (the other chunks of a step), `hard_negatives` (queries written as negatives) or `all_negatives`; None
    weighs all alike."""
    strength: float = Field(default=5.0, ge=0)
    """Times the cosine, which is added to a negative's score."""


class TrainingSettings(Settings):
    """How the model is trained."""

    base_model: ConfigPath = "embedded"
    """`embedded` (comes with the installation), a directory, or a Hugging Face Hub id."""
    base_models: list[ConfigPath] = Field(default=[])
    """Several of them to train and compare under one protocol; the best goes on. The first one is `base_model` then: it cuts the
    chunks and filters the queries."""
    loss: str = "joint"
    """A name of `--list`, or a class of your own, `package.module:Class`. What follows up to `lay_questions` is of the
    joint loss, but for `scale` and `matryoshka_dims`."""
    scale: float = Field(default=20.0, gt=0)
    """The cosine is multiplied by it before the softmax; the inverse of the temperature."""
    late_scale: float = Field(default=40.0, gt=0)
    """Likewise the late score, which spreads less."""
    late_weight: float = Field(default=1.0, ge=0)
    """Of late interaction beside the single vector; 0 trains the single vector alone."""
    keep_base: float = Field(default=0.3, ge=0)
    """How much it costs to move similarities away from the base model's. 0 trains faster, and forgets."""
    distil: float = Field(default=3.0, ge=0)
    """Of the divergence of the teacher's scores from the single vector's."""
    distil_alone: float = Field(default=0.4, ge=0, lt=1)
    """Share of the steps, the last ones, in which the single vector learns from the teacher alone, with twice that weight."""
    teacher: ConfigPath | None = None
    """Whose scores the single vector learns from: a directory or a Hub id; None takes the late scores of the same step. A
    cross-encoder orders lists of chunks for the training's queries, once, and both ways of searching learn the order."""
    teacher_chunks: int = Field(default=8, ge=1, le=100)
    """Chunks in a cross-encoder's list beside the query's own: those that the base model finds first."""
    lay_questions: int = Field(default=32, ge=0)
    """Of our own questions in lay words, how many are practised in each step beside the documents' queries."""
    ranking_lists: int = Field(default=8, ge=0)
    """Of queries with a list of chunks whose order is known (`pairs` with negatives, `query_logs`, a cross-encoder as `teacher`),
    how many a step of the joint loss learns. Other losses leave the order out, and a warning says so."""
    api_reference: Literal["gentle", "as_prose"] = "gentle"
    """How to train where most titles are dotted names: `gentle` halves the steps, keeps more of the base and distils
    nothing."""
    directions: list[Direction] = Field(default=["query_to_doc"])
    """Of the losses `mnrl` and `cached_mnrl`: what a query and its chunk are told from. `query_to_doc` (other chunks) always;
    `doc_to_query` (other queries for the chunk), `query_to_query` and `doc_to_doc` besides. All four are GTE's loss."""
    partition_mode: PartitionMode = "joint"
    """Of several directions: one softmax over all of them, or the mean of one for each (`query_to_doc` and `doc_to_query`)."""
    hardness: HardnessSettings = HardnessSettings()
    """Of the losses `mnrl`, `cached_mnrl` and `cached_symmetric`: whether hard negatives count more."""
    matryoshka_dims: list[int] = Field(default=[384, 256, 128, 64])
    """Vector lengths that are trained to work by themselves, the full one besides; longer than the model's are left out."""
    matryoshka_token_dims: list[int] = Field(default=[128, 64, 32])
    """Likewise of the token vectors; one of them is trained in each step."""
    epochs: float = Field(default=4.0, gt=0)
    """Passes over all training pairs."""
    max_steps: int = Field(default=36, ge=1)
    """Steps at most, however many the passes would take: a large corpus needs fewer of them."""
    batch_size: int = Field(default=64, ge=2)
    """Chunks per step; each of their queries is told its own chunk from all of them."""
    queries_at_once: int = Field(default=2, ge=1)
    """Queries of one chunk that share a step, at most: the chunk is encoded once for all of them."""
    learning_rate: float = Field(default=1e-4, gt=0)
    """The highest learning rate, which the warm-up rises to; a larger model wants a smaller one."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps in which the learning rate rises to its full value; it falls to zero over the rest."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Of the optimizer."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the activations that are zeroed in training. Zero takes half the time on a CPU."""
    max_tokens: int = Field(default=128, ge=8)
    """A longer query or chunk is cut there while training."""
    seeds: int = Field(default=1, ge=1)
    """Trainings, from `seed`, `seed` + 1 and so on, whose weights are averaged into one model: takes so many times as long."""
    frozen_layers: int = Field(default=0, ge=0)
    """Lowest layers of the encoder that stay as they are, with its word embeddings. Three of six save a third of a step, and
    on a phone's manual cost the single vector 3 points."""
    same_document: Literal["apart", "mixed"] = "apart"
    """Whether chunks of one document are kept in different batches, where one might answer the other's query."""
    hard_chunks: int = Field(default=0, ge=0)
    """Chunks that look like a chunk to the base model and share its step, as hard wrong answers to its queries; near-duplicates
    and chunks of the same section are none. 0 draws the chunks of a step by chance."""
    average: list[float] = Field(default=[0.0, 0.3, 0.5, 0.7, 0.9])
    """Shares of the base model's weights to try in the final model; the smallest is taken at which our own lay questions do not
    fall, or where people's dev questions choose, what they say."""
    untitled_average: float = Field(default=0.7, ge=0, lt=1)
    """The least of these shares where most texts have neither a title nor a heading and no dev questions of people choose: rules
    ask such texts in their own words alone. Answers of FAQs lost 1.8 points of fused search by training at 0, and 0.4 at 0.7."""
    lay_tolerance: float = Field(default=0.01, ge=0, le=1)
    """How much nDCG@10 the lay questions may lose and still count as not fallen, 0..1."""
    average_tolerance: float = Field(default=0.02, ge=0)
    """Where people's dev questions choose: of the shares whose nDCG@10 is within this of the best, the largest is taken; where
    pairs of your own choose, the one nearest to 0.3."""
    learning_curve: bool = False
    """Whether to train on a quarter and on half of the queries too, to see what more of them would do: takes as long again."""
    evaluations: int = Field(default=2, ge=1)
    """How often dev is looked at during training, the end included."""
    dev_chunks: int = Field(default=400, ge=10)
    """Dev queries are searched among so many chunks at most: those that answer them and a random sample of the others."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """auto: bf16 where the hardware is faster in it, fp16 on older GPUs, else fp32."""
    mini_batch_size: int | None = Field(default=None, ge=1)
    """Texts that go through the model at once in cached losses; bounds the memory. None chooses by what is free."""
    checkpoint_seconds: float = Field(default=30.0, gt=0)
    """A crash loses no more work than this."""

    @model_validator(mode="before")
    @classmethod
    def _first_of_several(cls, settings: Any) -> Any:
        several = settings.get("base_models") if isinstance(settings, dict) else None
        if not isinstance(several, list) or not several:
            return settings
        if twice := [name for name in several if several.count(name) > 1]:
            raise ValueError(f"base_models names '{twice[0]}' twice; name each base model once.")
        return {**settings, "base_model": several[0]}

    def of(self, base_model: str) -> TrainingSettings:
        """Returns the same settings for one of several base models, whatever the others are."""
        return self.model_copy(update={"base_model": base_model, "base_models": []})

    @field_validator("loss")
    @classmethod
    def _known_loss(cls, name: str) -> str:
        LOSSES.get(name)
        return name

    @field_validator("directions")
    @classmethod
    def _with_the_pair(cls, directions: list[Direction]) -> list[Direction]:
        if "query_to_doc" not in directions or len(set(directions)) < len(directions):
            raise ValueError(f"found {directions}; expected query_to_doc, which holds the right pair, and others once each.")
        return directions

    @field_validator("matryoshka_dims", "matryoshka_token_dims")
    @classmethod
    def _positive(cls, dims: list[int]) -> list[int]:
        if any(dim < 1 for dim in dims):
            raise ValueError(f"found {dims}; expected lengths of at least 1.")
        return dims

    @field_validator("average")
    @classmethod
    def _shares(cls, shares: list[float]) -> list[float]:
        if not shares or any(not 0 <= share < 1 for share in shares):
            raise ValueError(f"found {shares}; expected at least one share from 0 to below 1, such as [0.0, 0.5].")
        return shares

    @model_validator(mode="after")
    def _loss_can(self) -> TrainingSettings:
        """Refuses what the loss would leave out in silence."""
        loss = LOSSES.get(self.loss)
        plain = self.contrast.directions == PLAIN.directions and self.partition_mode == PLAIN.partition_mode
        if not (loss.has_directions or plain):
            raise ValueError(
                f"directions {self.directions} and partition_mode {self.partition_mode} are not for the loss '{self.loss}'. "
                f"Leave them out, or choose one of the losses: {losses_with('has_directions')}."
            )
        if self.hardness.mode is not None and not loss.weighs_hardness:
            raise ValueError(
                f"hardness.mode {self.hardness.mode} is not for the loss '{self.loss}'. "
                f"Leave it out, or choose one of the losses: {losses_with('weighs_hardness')}."
            )
        if self.partition_mode == "per_direction" and not set(self.directions) <= {"query_to_doc", "doc_to_query"}:
            raise ValueError(
                f"partition_mode per_direction is for query_to_doc and doc_to_query alone, found {self.directions}: the other "
                "directions do not hold the right pair. Choose partition_mode joint."
            )
        return self

    @property
    def contrast(self) -> Contrast:
        """What a ranking loss tells a query and its chunk from."""
        return Contrast(tuple(self.directions), self.partition_mode, self.hardness.mode, self.hardness.strength)
