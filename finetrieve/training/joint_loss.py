"""The loss of one encoder for two ways of searching: by one vector per text, and by late interaction of its tokens.

Per batch of queries and distinct chunks it adds up

- the cross entropy of each query over the chunks, by cosine and by late interaction (MaxSim), under Matryoshka for both;
- how far both similarities move from the base model's (KL divergence): generated queries share words with their chunks, and
  without this a model unlearns meaning in favour of words (Li and Hoiem, "Learning without Forgetting", 2016);
- the KL divergence of a teacher's scores for the same batch to the cosine: by default the late scores of this very step. In the
  last part of the training the vector learns from the teacher alone, which by then knows more than the queries' labels say;
- the same two cross entropies over a few of our own lay questions with the passages that answer them, which are about other
  things than the documents: what the model could do before is practised along the way;
- where there are lists of chunks whose order is known, by a teacher, by clicks or by labels with negatives: the KL divergence of
  both ways' scores over each list from its shares (ListNet; Cao et al., "Learning to Rank", ICML 2007).

Sources: Khattab and Zaharia, "ColBERT", SIGIR 2020; Kusupati et al., "Matryoshka Representation Learning", NeurIPS 2022.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from sentence_transformers.base.losses.gradcache import CachedLossMixin, RandContext
from torch import Tensor, nn
from torch.nn import functional

from finetrieve.retrieval.late_interaction import scored_tokens
from finetrieve.training.frozen_scorer import FrozenScorer, SearchedChunks
from finetrieve.training.packed_texts import (
    cut_tokens,
    divergence,
    encode_packed,
    fitted,
    late_similarities,
    padded,
    similarities,
)
from finetrieve.training.ranked_lists import RankedTexts, StepLists, arrange_lists, list_divergence
from finetrieve.training.ranking_loss import Features, arrange_batch, rows_of

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_FAR = -1e4
"""In place of a score that must not count."""
_ALONE = 2.0
"""Times that the teacher counts where the cosines learn from it alone."""


@dataclass(frozen=True)
class JointPlan:
    """What the joint loss adds up, and how much each part counts."""

    scale: float = 20.0
    """Multiplies the cosine."""
    late_scale: float = 40.0
    """Multiplies the late score, which spreads less than the cosine."""
    late_weight: float = 1.0
    """Of the late cross entropy; the dense one has 1."""
    keep_base: float = 0.3
    """Of the divergence from the base model's similarities."""
    distil: float = 3.0
    """Of the divergence of the teacher's scores from the cosines."""
    distil_alone_from: int | None = None
    """From this step on, counted from 0, the cosines learn from the teacher alone; None for a training without."""
    lay_weight: float = 1.0
    """Of the lay questions."""
    n_lay: int = 32
    """Lay questions per step."""
    dims: tuple[int, ...] = ()
    """Shorter dense vectors that are trained to work by themselves."""
    token_dims: tuple[int, ...] = ()
    """Shorter token vectors likewise; one of them is drawn in each step."""
    mini_batch_size: int = 32
    """Texts that go through the model at once."""
    cached: bool = False
    """Whether activations are computed a second time instead of kept: a third slower, in the memory of one mini-batch."""
    lay_pairs: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """(question, passage) of our own."""
    lists: tuple[RankedTexts, ...] = field(default=(), repr=False)
    """Queries whose order of texts is learnt."""
    n_lists: int = 8
    """Of them, per step."""
    list_weight: float = 1.0
    """Of the divergence from them."""


@dataclass(frozen=True)
class _Batch:
    """What the texts of a batch have to do with one another."""

    targets: Tensor
    """Each query's row among the chunks, `(n_queries,)`."""
    has_negative: Tensor
    """Whether a query has a negative query, `(n_queries,)`."""
    weights: Tensor
    """Of the queries' tokens, `(n_queries, width)`; 0 for those that are not compared."""
    lay_weights: Tensor | None
    lists: StepLists | None
    base: tuple[Tensor, Tensor, Tensor | None] | None
    """The base model's cosines `(n_queries, n_chunks)`, its late scores, and another teacher's scores where there is one."""


class JointLoss(CachedLossMixin, nn.Module):
    """The joint loss of a model: the weighted sum of the parts that the module's docstring lists.

    Args:
        model: What is trained.
        plan: The weights of the parts.
        token_weights: Weight of each token of the vocabulary in a query `(vocabulary,)`; None weighs all alike.
        base: The model before training, frozen; None where nothing is kept of it.
        teacher: Another frozen model whose late and dense scores are distilled into the cosines; None takes the late scores of
            the step itself.
        seed: Draws the lay questions and the token dimension of a step, the same for the same batch.
        searched: What search has kept of the base model's chunks.
    """

    def __init__(
        self,
        model: SentenceTransformer,
        plan: JointPlan,
        token_weights: Tensor | None = None,
        base: SentenceTransformer | None = None,
        teacher: SentenceTransformer | None = None,
        seed: int = 0,
        searched: SearchedChunks | None = None,
    ) -> None:
        super().__init__()
        self.model, self.plan, self.seed = model, plan, seed
        self.step = 0  # how many are done; the trainer sets it
        self.mini_batch_size = plan.mini_batch_size
        self._token_weights = token_weights
        self._special = list(model.tokenizer.all_special_ids)
        # In lists, so that no frozen model is a module of the loss: neither trained nor saved.
        self._base = [FrozenScorer(base, plan.mini_batch_size, searched)] if base is not None and plan.keep_base else []
        self._teacher = [FrozenScorer(teacher, plan.mini_batch_size)] if teacher is not None and plan.distil else []

    def forward(self, sentence_features: Iterable[Features], labels: Any = None) -> Tensor:  # noqa: ARG002 (the trainer passes it)
        """Returns the loss; the rows of the features (queries, chunks, perhaps negative queries) belong together."""
        features, places = arrange_batch(*sentence_features)
        draw = random.Random(f"{self.seed}/{zlib.crc32(features[0]['input_ids'].cpu().numpy().tobytes())}")
        lay = self._lay_features(draw)
        listed, lists = self._list_features(draw)
        batch = _Batch(
            targets=places[0],
            has_negative=places[1].bool(),
            weights=self._weights_of(features[0]),
            lay_weights=self._weights_of(lay[0], alike=True) if lay else None,
            lists=lists,
            base=self._frozen_scores(features),
        )
        self._token_dim = draw.choice(self.plan.token_dims) if self.plan.token_dims else None
        if self.plan.cached:
            return self.forward_cached([*features, *lay, *listed], batch)  # type: ignore[arg-type]  # the mixin hands it on as it is
        reps = [self._embedded(part) for part in (*features, *lay, *listed)]
        return self.calculate_loss(reps, batch)

    def _lay_features(self, draw: random.Random) -> list[Features]:
        plan = self.plan
        if not plan.lay_pairs or not plan.lay_weight or not plan.n_lay:
            return []
        pairs = sorted(draw.sample(plan.lay_pairs, min(plan.n_lay, len(plan.lay_pairs))), key=lambda pair: -len(pair[1]))
        return self._features_of([query for query, _ in pairs], [text for _, text in pairs])

    def _features_of(self, queries: list[str], texts: list[str]) -> list[Features]:
        prompts = self.model.prompts
        columns = ((queries, prompts.get("query")), (texts, prompts.get("document")))
        found = [self.model.preprocess(column, prompt=prompt or None) for column, prompt in columns]
        return [{name: _on(value, self.model.device) for name, value in part.items()} for part in found]

    def _list_features(self, draw: random.Random) -> tuple[list[Features], StepLists | None]:
        plan = self.plan
        if not plan.lists or not plan.list_weight or not plan.n_lists:
            return [], None
        drawn = draw.sample(plan.lists, min(plan.n_lists, len(plan.lists)))
        texts, shares, listed = arrange_lists(drawn)
        features, device = self._features_of([ranked.query for ranked in drawn], texts), self.model.device
        return features, StepLists(self._weights_of(features[0]), shares.to(device), listed.to(device))

    def _weights_of(self, features: Features, alike: bool = False) -> Tensor:
        """Returns the share that each token has in its query's score, `(n_texts, width)`; each row sums to 1."""
        mask = scored_tokens(features["input_ids"], features["attention_mask"], self._special).float()
        if self._token_weights is not None and not alike:
            mask = mask * self._token_weights.to(mask.device)[features["input_ids"]]
        return mask / mask.sum(dim=1, keepdim=True).clamp_min(1e-9)

    def _frozen_scores(self, features: Sequence[Features]) -> tuple[Tensor, Tensor, Tensor | None] | None:
        if not self._base and not self._teacher:
            return None
        weights = self._weights_of(features[0])
        plan = self.plan
        dense = late = torch.zeros(0)
        for base in self._base:
            dense, late = base.scores(features[0], features[1], weights)
        other = None
        for teacher in self._teacher:
            by_vector, by_tokens = teacher.scores(features[0], features[1], weights)
            other = by_vector * plan.scale + by_tokens * plan.late_scale
        return dense, late, other

    # How texts are embedded: the dense vector first, the token vectors behind it, so that one tensor holds both.

    def _embedded(self, features: Features) -> list[Tensor]:
        starts = range(0, len(features["input_ids"]), self.mini_batch_size)
        return [
            encode_packed(self.model, rows_of(features, start, start + self.mini_batch_size), self._special) for start in starts
        ]

    def embed_minibatch(
        self,
        sentence_feature: Features,
        begin: int,
        end: int,
        with_grad: bool,
        copy_random_state: bool,
        random_state: RandContext | None = None,
    ) -> tuple[Tensor, RandContext | None]:
        """Returns a mini-batch's packed vectors, as the cached gradients want them."""
        part = rows_of(sentence_feature, begin, end)
        with nullcontext() if random_state is None else random_state, torch.set_grad_enabled(with_grad):
            state = RandContext(*part.values()) if copy_random_state else None
            return encode_packed(self.model, part, self._special), state

    def calculate_loss(self, reps: list[list[Tensor]], labels: Any = None, *, with_backward: bool = False) -> Tensor:
        """Returns the loss for packed mini-batches of queries, chunks, perhaps negatives, perhaps lay questions with passages,
        perhaps the queries and the texts of lists.
        """
        batch: _Batch = labels
        parts = [padded(part) for part in reps]
        listed = parts[-2:] if batch.lists is not None else []
        parts = parts[: len(parts) - len(listed)]
        lay = parts[-2:] if batch.lay_weights is not None else []
        queries, chunks, *negatives = parts[: len(parts) - len(lay)]
        loss = self._of_batch(queries, chunks, negatives[0] if negatives else None, batch)
        if lay:
            rows = torch.arange(len(lay[0]), device=loss.device)
            dense, late = similarities(lay[0], lay[1], fitted(batch.lay_weights, lay[0]))
            loss = loss + self.plan.lay_weight * (
                functional.cross_entropy(dense * self.plan.scale, rows)
                + self.plan.late_weight * functional.cross_entropy(late * self.plan.late_scale, rows)
            )
        if batch.lists is not None:
            loss = loss + self.plan.list_weight * self._of_lists(listed[0], listed[1], batch.lists)
        if with_backward:
            loss.backward()  # type: ignore[no-untyped-call]
            loss = loss.detach()
        return loss

    def _of_batch(self, queries: Tensor, chunks: Tensor, negatives: Tensor | None, batch: _Batch) -> Tensor:
        plan, targets = self.plan, batch.targets
        weights = fitted(batch.weights, queries)
        dense, late = similarities(queries, chunks, weights)  # (n_queries, n_chunks) each
        cuts = [
            functional.normalize(queries[:, 0, :dim], dim=-1) @ functional.normalize(chunks[:, 0, :dim], dim=-1).T
            for dim in plan.dims
        ]
        distils = bool(plan.distil and plan.late_weight)
        last = distils and plan.distil_alone_from is not None and self.step >= plan.distil_alone_from

        # 1. Each query's own chunk among all of them, by both ways of searching, whole and cut short.
        loss = dense.new_zeros(())
        if not last:
            loss = functional.cross_entropy(dense * plan.scale, targets)
            for cut in cuts:
                loss = loss + functional.cross_entropy(cut * plan.scale, targets) / len(cuts)
        if plan.late_weight:
            loss = loss + plan.late_weight * functional.cross_entropy(late * plan.late_scale, targets)
            if self._token_dim is not None:
                cut = late_similarities(cut_tokens(queries, self._token_dim), cut_tokens(chunks, self._token_dim), weights)
                loss = loss + plan.late_weight * functional.cross_entropy(cut * plan.late_scale, targets)

        # 2. A chunk's query against the query that was written as its negative.
        if negatives is not None:
            own = dense.gather(1, targets[:, None])
            wrong = (negatives[:, 0] * chunks[targets, 0]).sum(dim=1, keepdim=True)
            both = torch.cat([own, wrong.masked_fill(~batch.has_negative[:, None], _FAR)], dim=1) * plan.scale
            loss = loss + (both.logsumexp(dim=1) - both[:, 0]).mean()

        # 3. What the base model knew, and what a teacher knows.
        if batch.base is not None and plan.keep_base:
            loss = loss + plan.keep_base * divergence(dense * plan.scale, batch.base[0] * plan.scale)
            if plan.late_weight:
                loss = loss + plan.keep_base * divergence(late * plan.late_scale, batch.base[1] * plan.late_scale)
        if distils:
            teacher = late.detach() * plan.late_scale if batch.base is None or batch.base[2] is None else batch.base[2]
            weight = plan.distil * _ALONE if last else plan.distil
            loss = loss + weight * divergence(dense * plan.scale, teacher)
            for cut in cuts if last else []:
                loss = loss + weight * divergence(cut * plan.scale, teacher) / len(cuts)
        return loss

    def _of_lists(self, queries: Tensor, texts: Tensor, lists: StepLists) -> Tensor:
        """Returns the divergence of both ways' scores over each query's list from its shares."""
        plan = self.plan
        dense, late = similarities(queries, texts, fitted(lists.weights, queries))
        loss = list_divergence(dense * plan.scale, lists.shares, lists.listed)
        return loss + plan.late_weight * list_divergence(late * plan.late_scale, lists.shares, lists.listed)

    def get_config_dict(self) -> dict[str, Any]:
        """Returns the settings, for sentence-transformers' records."""
        plan = self.plan
        return {"scale": plan.scale, "late_scale": plan.late_scale, "late_weight": plan.late_weight, "keep_base": plan.keep_base}


def _on(value: Any, device: torch.device) -> Any:
    return value.to(device) if isinstance(value, Tensor) else value
