"""Training losses, one class each. Nothing heavy is imported until one is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

from finetrieve.core.plugins import Registry
from finetrieve.training.contrast import PLAIN, SYMMETRIC, Contrast

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor, nn

    from finetrieve.retrieval.multi_vector import TokenIds
    from finetrieve.training.joint_loss import JointPlan


@dataclass(frozen=True)
class LossPlan:
    """What a loss is built from."""

    scale: float
    """Multiplies the cosine; the inverse of the temperature."""
    mini_batch_size: int
    """Texts that go through the model at once, in the cached losses."""
    base_model: str
    """Directory or id of the guide, for the losses that have one."""
    joint: JointPlan | None = None
    """Of the joint loss: the weights of its parts."""
    token_weights: Tensor | None = None
    """Of the joint loss: the weight of each token of the vocabulary in a query."""
    teacher: str | None = None
    """Of the joint loss: directory or id of a model whose scores are distilled; None, or a cross-encoder, takes the step's own
    late scores."""
    seed: int = 0
    chunks: Mapping[str, TokenIds] = field(default_factory=dict)
    """Of the joint loss: the texts of which search may have kept the base model's vectors, with their tokens as they are read."""
    contrast: Contrast = PLAIN
    """Of the losses that have directions or weigh hardness."""


class Loss:
    """A training loss: what a configuration calls it, what it can do, and how it is built."""

    name: ClassVar[str]
    description: ClassVar[str]
    """One line, for `--list`."""
    encodes_chunks_once: ClassVar[bool] = False
    """Several queries of one chunk may share a batch."""
    uses_negatives: ClassVar[bool] = False
    """It also tells a chunk's query from the query that was written as its negative."""
    uses_late: ClassVar[bool] = False
    """It trains late interaction too, so dev is scored by both ways of searching."""
    uses_lists: ClassVar[bool] = False
    """It also learns the order of lists of chunks."""
    has_directions: ClassVar[bool] = False
    """What it compares can be chosen: `Contrast.directions`."""
    weighs_hardness: ClassVar[bool] = False
    """Hard negatives can count more: `Contrast.hardness_mode`."""
    cuts_vectors: ClassVar[bool] = False
    """It trains the Matryoshka lengths itself; others run under MatryoshkaLoss."""

    def build(self, model: SentenceTransformer, plan: LossPlan) -> nn.Module:
        """Returns the loss of a model for rows of (query, chunk) or (query, chunk, negative query)."""
        raise NotImplementedError


class Joint(Loss):
    """One encoder for dense search and late interaction."""

    name = "joint"
    description = "one encoder for two ways of searching: by vector and by late interaction"
    encodes_chunks_once = uses_negatives = uses_late = uses_lists = cuts_vectors = True

    def build(self, model: SentenceTransformer, plan: LossPlan) -> nn.Module:
        """Returns the loss with its frozen base model and teacher, where it needs them."""
        from finetrieve.retrieval.base_model import is_cross_encoder
        from finetrieve.retrieval.encoder import load_encoder
        from finetrieve.retrieval.vector_cache import CachedEmbedder
        from finetrieve.training.frozen_scorer import SearchedChunks
        from finetrieve.training.joint_loss import JointLoss, JointPlan

        settings = plan.joint or JointPlan(scale=plan.scale, mini_batch_size=plan.mini_batch_size)

        def frozen(reference: str) -> SentenceTransformer:
            return load_encoder(reference, max_tokens=model.max_seq_length, device=str(model.device))

        searched = None
        if settings.keep_base and plan.chunks:
            embedder = CachedEmbedder(plan.base_model, precision="auto")
            searched = SearchedChunks(embedder, plan.chunks, list(model.tokenizer.all_special_ids))
        # What a cross-encoder knows is in the plan's lists: all pairs of a step are too many for it.
        embeds = bool(plan.teacher and settings.distil and not is_cross_encoder(plan.teacher))
        return JointLoss(
            model,
            settings,
            plan.token_weights,
            base=frozen(plan.base_model) if settings.keep_base else None,
            teacher=frozen(str(plan.teacher)) if embeds else None,
            seed=plan.seed,
            searched=searched,
        )


class CachedMnrl(Loss):
    """The ranking loss with cached gradients."""

    name = "cached_mnrl"
    description = "each query against all chunks of a large batch, in little memory"
    encodes_chunks_once = uses_negatives = has_directions = weighs_hardness = True

    def build(self, model: SentenceTransformer, plan: LossPlan) -> nn.Module:
        """Returns the loss."""
        from finetrieve.training.ranking_loss import CachedRankingLoss

        return CachedRankingLoss(model, plan.scale, plan.mini_batch_size, plan.contrast)


class CachedSymmetric(CachedMnrl):
    """The ranking loss in both directions, with cached gradients."""

    name = "cached_symmetric"
    description = "cached_mnrl, and each chunk against all queries too"
    has_directions = False  # it has its own two

    def build(self, model: SentenceTransformer, plan: LossPlan) -> nn.Module:
        """Returns the loss."""
        both = replace(plan.contrast, directions=SYMMETRIC.directions, partition_mode=SYMMETRIC.partition_mode)
        return super().build(model, replace(plan, contrast=both))


class Mnrl(Loss):
    """The ranking loss with the whole batch in memory."""

    name = "mnrl"
    description = "cached_mnrl without the cache: faster, wants memory for the whole batch"
    encodes_chunks_once = uses_negatives = has_directions = weighs_hardness = True

    def build(self, model: SentenceTransformer, plan: LossPlan) -> nn.Module:
        """Returns the loss."""
        from finetrieve.training.ranking_loss import RankingLoss

        return RankingLoss(model, plan.scale, plan.mini_batch_size, plan.contrast)


class CachedGist(Loss):
    """The loss in which the base model strikes out likely false negatives (https://arxiv.org/abs/2402.16829)."""

    name = "cached_gist"
    description = "cached_mnrl that leaves out chunks nearer to the query than its own"

    def build(self, model: SentenceTransformer, plan: LossPlan) -> nn.Module:
        """Returns the loss with the base model as its guide."""
        from sentence_transformers.sentence_transformer.losses import CachedGISTEmbedLoss

        from finetrieve.retrieval.encoder import load_encoder

        guide = load_encoder(plan.base_model, max_tokens=model.max_seq_length, device=str(model.device))
        return CachedGISTEmbedLoss(model, guide, temperature=1 / plan.scale, mini_batch_size=plan.mini_batch_size)


LOSSES = Registry(
    "loss",
    "finetrieve.losses",
    Loss,
    [f"{__name__}:{name}" for name in ("Joint", "CachedMnrl", "CachedSymmetric", "Mnrl", "CachedGist")],
)
"""The losses that a configuration can name."""


def losses_with(ability: str) -> str:
    """Returns the names of the losses that have `has_directions`, `weighs_hardness` or the like, for a message."""
    return ", ".join(sorted(name for name, loss in LOSSES.classes().items() if getattr(loss, ability)))


def build_loss(name: str, model: SentenceTransformer, plan: LossPlan, matryoshka_dims: Sequence[int]) -> nn.Module:
    """Returns the loss for (query, chunk) rows; under Matryoshka when `matryoshka_dims` has a length below the model's."""
    from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss

    chosen = LOSSES.get(name)()
    loss = chosen.build(model, plan)
    dims = trained_dims(matryoshka_dims, model.get_embedding_dimension() or 0)
    return MatryoshkaLoss(model, loss, matryoshka_dims=dims) if len(dims) > 1 and not chosen.cuts_vectors else loss


def trained_dims(wanted: Sequence[int], full: int) -> list[int]:
    """Returns the vector lengths to train, longest first: the full one always, and those wanted that are shorter."""
    return sorted({full, *(dim for dim in wanted if dim < full)}, reverse=True)
