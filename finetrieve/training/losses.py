"""The losses that a configuration can name. Nothing heavy is imported until one is built."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from finetrieve.core.errors import InputError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor, nn

    from finetrieve.training.joint_loss import JointPlan

LOSSES: dict[str, tuple[str, str]] = {
    "joint": ("one encoder for two ways of searching: by vector and by late interaction", "finetrieve.training.losses:joint"),
    "cached_mnrl": (
        "each query against all chunks of a large batch, in little memory",
        "finetrieve.training.ranking_loss:cached_mnrl",
    ),
    "cached_symmetric": (
        "cached_mnrl, and each chunk against all queries too",
        "finetrieve.training.ranking_loss:cached_symmetric",
    ),
    "mnrl": ("cached_mnrl without the cache: faster, wants memory for the whole batch", "finetrieve.training.ranking_loss:mnrl"),
    "cached_gist": (
        "cached_mnrl that leaves out chunks nearer to the query than its own",
        "finetrieve.training.losses:cached_gist",
    ),
}
"""Name -> (description, "module:function"). All run under Matryoshka when dimensions are set."""
JOINT = "joint"


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
    """Of the joint loss: directory or id of a model whose scores are distilled; None takes the step's own late scores."""
    seed: int = 0


def build_loss(name: str, model: SentenceTransformer, plan: LossPlan, matryoshka_dims: Sequence[int]) -> nn.Module:
    """Returns the loss for (query, chunk) rows; under Matryoshka when `matryoshka_dims` has a length below the model's."""
    from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss

    module, function = LOSSES[name][1].split(":")
    loss: nn.Module = getattr(importlib.import_module(module), function)(model, plan)
    if name == JOINT:
        return loss  # it cuts its vectors itself, so that each text is encoded once for all lengths
    dims = trained_dims(matryoshka_dims, model.get_embedding_dimension() or 0)
    return MatryoshkaLoss(model, loss, matryoshka_dims=dims) if len(dims) > 1 else loss


def trained_dims(wanted: Sequence[int], full: int) -> list[int]:
    """Returns the vector lengths to train, longest first: the full one always, and those wanted that are shorter."""
    return sorted({full, *(dim for dim in wanted if dim < full)}, reverse=True)


def encodes_chunks_once(name: str) -> bool:
    """Returns whether several queries of one chunk may share a batch under the loss."""
    return name == JOINT or LOSSES[name][1].startswith("finetrieve.training.ranking_loss:")


def uses_negatives(name: str) -> bool:
    """Returns whether the loss also tells a chunk's query from the query that was written as its negative."""
    return encodes_chunks_once(name)


def cached_gist(model: SentenceTransformer, plan: LossPlan) -> nn.Module:
    """Returns the loss in which the base model strikes out likely false negatives (https://arxiv.org/abs/2402.16829)."""
    from sentence_transformers.sentence_transformer.losses import CachedGISTEmbedLoss

    from finetrieve.retrieval.encoder import load_encoder

    guide = load_encoder(plan.base_model, max_tokens=model.max_seq_length, device=str(model.device))
    return CachedGISTEmbedLoss(model, guide, temperature=1 / plan.scale, mini_batch_size=plan.mini_batch_size)


def joint(model: SentenceTransformer, plan: LossPlan) -> nn.Module:
    """Returns the loss of one encoder for dense search and late interaction."""
    from finetrieve.retrieval.base_model import is_cross_encoder
    from finetrieve.retrieval.encoder import load_encoder
    from finetrieve.training.joint_loss import JointLoss, JointPlan

    settings = plan.joint or JointPlan(scale=plan.scale, mini_batch_size=plan.mini_batch_size)

    def frozen(reference: str) -> SentenceTransformer:
        return load_encoder(reference, max_tokens=model.max_seq_length, device=str(model.device))

    if plan.teacher and is_cross_encoder(plan.teacher):
        raise InputError(
            f"training.teacher '{plan.teacher}' is a cross-encoder; expected a model that embeds, such as an earlier export. "
            "A cross-encoder can be an arm: evaluation.reranker."
        )
    return JointLoss(
        model,
        settings,
        plan.token_weights,
        base=frozen(plan.base_model) if settings.keep_base else None,
        teacher=frozen(plan.teacher) if plan.teacher and settings.distil else None,
        seed=plan.seed,
    )
