"""Averaging the trained weights with the base model's (Wortsman et al. 2022, https://arxiv.org/abs/2109.01903)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from finetrieve.core.rows import OWN
from finetrieve.core.training_record import AveragingPoint
from finetrieve.training.dev import nearest_within
from finetrieve.training.lay_questions import choosing_questions
from finetrieve.training.losses import LOSSES

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from finetrieve.training.dev import DevSet
    from finetrieve.training.settings import TrainingSettings

OWN_SHARE = 0.3
"""Of the base model's weights, for a model that learnt from pairs of people: some 600 pairs gained 4.9 points for the single
vector and 1.7 for fused search at .3, 4.8 and 1.2 at 0, 3.5 and 1.2 at .7, while 59 dev questions could not tell these apart."""

Weights = dict[str, torch.Tensor]


def choose_share(
    model: SentenceTransformer,
    base: SentenceTransformer,
    base_model: str,
    tuned: Weights,
    settings: TrainingSettings,
    dev: DevSet | None,
    tuned_ndcg: float | None,
    untitled: bool,
) -> tuple[list[AveragingPoint], float]:
    """Leaves the chosen average in the model; returns what each share that was tried scored, and the share taken.

    Of the shares at which our own lay questions score no less than under the base model, the smallest is taken: generated dev
    queries are made like the training's and always speak for the tuned weights. Where people's dev questions choose, it is the
    largest that scores like the best on them: what they do not ask for is not worth moving away for. Where pairs that somebody
    had choose, whose like the training has learnt from, it is the one nearest to OWN_SHARE of those.

    Where the texts are untitled and generated queries choose, only shares from `untitled_average` on are tried, if there are any.

    Args:
        model: What the chosen weights are left in.
        base: The base model.
        base_model: How it is named.
        tuned: The weights that training gave.
        settings: Of the training.
        dev: The dev queries, where there are any.
        tuned_ndcg: nDCG@10 on dev of the tuned weights, where it is known.
        untitled: Whether most texts have neither a title nor a heading.
    """
    questions = choosing_questions()
    wanted = {way: float(scores.mean()) - settings.lay_tolerance for way, scores in questions.base_ndcg(base, base_model).items()}
    weights, late = copy_weights(base), LOSSES.get(settings.loss).uses_late
    by_people = dev is not None and dev.by_people
    shares = sorted(set(settings.average))
    if untitled and not by_people:
        shares = [share for share in shares if share >= settings.untitled_average] or shares[-1:]
    tried = list[AveragingPoint]()
    kept = list[float]()
    for share in shares:
        model.load_state_dict(_average(weights, tuned, share))
        lay = {way: float(scores.mean()) for way, scores in questions.ndcg(model).items()}
        entry = AveragingPoint(base_share=share, lay_dense=lay["dense"], lay_late=lay["late"])
        if all(lay[way] >= wanted[way] for way in _used_ways(settings)):
            kept.append(share)
        if dev is not None and (by_people or share in kept):
            known = tuned_ndcg if share == 0 else None
            entry = entry.model_copy(update={"ndcg": dev.ndcg(model, late) if known is None else known})
        tried.append(entry)
        if kept and not by_people:
            break
    if dev is not None and dev.by_people:
        share = _choose_like_best(kept, tried, settings, OWN_SHARE if dev.asked_by == OWN else 1.0)
    else:
        share = (kept or shares)[-1]
    model.load_state_dict(_average(weights, tuned, share))
    return tried, share


def _used_ways(settings: TrainingSettings) -> tuple[str, ...]:
    return ("dense", "late") if LOSSES.get(settings.loss).uses_late and settings.late_weight else ("dense",)


def _choose_like_best(kept: Sequence[float], tried: Sequence[AveragingPoint], settings: TrainingSettings, wanted: float) -> float:
    """Returns the share nearest to `wanted` that scores like the best on the dev questions, of those that kept the lay ones."""
    allowed = kept or [max(settings.average)]
    scores = {entry.base_share: entry.ndcg for entry in tried if entry.base_share in allowed and entry.ndcg is not None}
    return nearest_within(scores, settings.average_tolerance, wanted)


def _average(base: Weights, tuned: Weights, share: float) -> Weights:
    """Returns `share` of the base weights and the rest of the tuned ones; whole numbers come from the tuned ones."""
    return {
        name: torch.lerp(weight, base[name].to(weight), share) if weight.is_floating_point() else weight
        for name, weight in tuned.items()
    }


def copy_weights(model: SentenceTransformer) -> Weights:
    """Returns a copy of the model's weights in main memory, by name."""
    return {name: weight.detach().cpu().clone() for name, weight in model.state_dict().items()}
