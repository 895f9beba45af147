"""Fusion of dense, late and lexical scores into one ranking, and the choice of how much each counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from finetrieve.core.arrays import FloatMatrix
from finetrieve.core.errors import unknown_name

TRUSTED_COVERAGE = (0.3, 0.6)
"""Coverage up to which BM25 does not count in a fusion, and from which it counts whole; measured by `benchmarks/fusion.py`."""
RRF_K = 60
"""Cormack, Clarke, Buettcher, "Reciprocal Rank Fusion outperforms Condorcet", SIGIR 2009."""


ChosenOn = Literal["human dev", "default"]


@dataclass(frozen=True)
class Parts:
    """The scores of some queries before they are added up, each `(n_queries, n_units)`, higher is better."""

    queries: Sequence[str]
    lexical: FloatMatrix
    """BM25."""
    dense: FloatMatrix
    """Cosines."""
    late: FloatMatrix | None = None
    """MaxSim; None where nobody asked for it."""
    coverage: FloatMatrix | None = None
    """How much of each query's words one text has, `(n_queries,)`, 0..1; None takes the lexical scores as they are."""

    def on(self, best: Callable[[FloatMatrix], FloatMatrix]) -> Parts:
        """Returns the scores of other units, each matrix as `best` turns it into theirs."""
        late = None if self.late is None else best(self.late)
        return Parts(self.queries, best(self.lexical), best(self.dense), late, self.coverage)


@dataclass(frozen=True)
class Fusion:
    """How much each part counts in a fused score; 0 leaves a part out."""

    name: str = "z_score"
    dense: float = 1.0
    late: float = 1.5
    lexical: float = 1.0
    chosen_on: ChosenOn = "default"
    """What the weights were chosen on."""

    @property
    def weights(self) -> dict[str, float]:
        """Part -> weight."""
        return {"dense": self.dense, "late": self.late, "lexical": self.lexical}

    @property
    def is_sum(self) -> bool:
        """Whether several parts count."""
        return sum(weight > 0 for weight in self.weights.values()) > 1

    def as_dict(self) -> dict[str, Any]:
        """Returns `name`, `weights` and `chosen_on`, as `metrics.json` has them."""
        return {"name": self.name, "weights": self.weights, "chosen_on": self.chosen_on}

    @property
    def description(self) -> str:
        """What is compared, for people."""
        named = {"dense": "vectors", "late": "late interaction", "lexical": "BM25"}
        return " + ".join(name for part, name in named.items() if self.weights[part] > 0)


FUSED = Fusion()
"""Dense, late and lexical scores."""
HYBRID = Fusion(late=0.0)
"""Dense and lexical scores alone."""


def fusion_from(facts: Mapping[str, Any]) -> Fusion:
    """Returns the fusion that `as_dict` wrote, or one from before token vectors, which had the `weight` of the dense scores."""
    if "weights" not in facts:
        return _shared(str(facts["name"]), float(facts["weight"]))
    weights = {part: float(facts["weights"].get(part, 0.0)) for part in ("dense", "late", "lexical")}
    return Fusion(str(facts["name"]), **weights, chosen_on=facts.get("chosen_on", "default"))


def _shared(name: str, dense: float) -> Fusion:
    return Fusion(name, round(2 * dense, 6), 0.0, round(2 - 2 * dense, 6))


def z_score(scores: FloatMatrix, among: FloatMatrix | None = None) -> FloatMatrix:
    """Returns each query's scores `(n_queries, n_units)` in standard deviations from their mean, or from that of `among`."""
    whole = scores if among is None else among
    spread = whole.std(axis=1, keepdims=True)
    centred = scores - whole.mean(axis=1, keepdims=True)
    return _divided(centred, spread)


def min_max(scores: FloatMatrix, among: FloatMatrix | None = None) -> FloatMatrix:
    """Returns each query's scores stretched to 0..1, the lowest and highest of `among` included."""
    whole = scores if among is None else np.concatenate([scores, among], axis=1)
    low = whole.min(axis=1, keepdims=True)
    return _divided(scores - low, whole.max(axis=1, keepdims=True) - low)


def reciprocal_rank(scores: FloatMatrix, among: FloatMatrix | None = None) -> FloatMatrix:  # noqa: ARG001 (of all)
    """Returns 1 / (60 + rank) of each unit in its query's ranking; units with the same score share the best of their ranks."""
    n_queries, n_units = scores.shape
    order = np.argsort(-scores, axis=1)
    ordered = np.take_along_axis(scores, order, axis=1)
    places = np.broadcast_to(np.arange(1, n_units + 1), scores.shape)
    is_first = np.ones(scores.shape, dtype=bool)
    is_first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    shared = np.maximum.accumulate(np.where(is_first, places, 0), axis=1)
    ranks = np.empty((n_queries, n_units), dtype=np.float32)
    np.put_along_axis(ranks, order, shared.astype(np.float32), axis=1)
    return (1 / (RRF_K + ranks)).astype(np.float32)


def _divided(values: FloatMatrix, by: FloatMatrix) -> FloatMatrix:
    result: FloatMatrix = np.divide(values, by, out=np.zeros_like(values), where=by > 0)
    return result


_NORMALISERS: dict[str, Callable[[FloatMatrix, FloatMatrix | None], FloatMatrix]] = {
    "rrf": reciprocal_rank,
    "z_score": z_score,
    "min_max": min_max,
}
FUSIONS: dict[str, tuple[str, str]] = {
    "rrf": ("weighted sum of reciprocal ranks", f"{__name__}:reciprocal_rank"),
    "z_score": ("weighted sum of scores in standard deviations per query", f"{__name__}:z_score"),
    "min_max": ("weighted sum of scores stretched to 0..1 per query", f"{__name__}:min_max"),
}


def normalise(name: str, scores: FloatMatrix, among: FloatMatrix | None = None) -> FloatMatrix:
    """Returns scores `(n_queries, n_units)` on the scale that the fusion `name` adds up.

    Args:
        name: The fusion's.
        scores: Of the units.
        among: Scores `(n_queries, n_others)` that the scale is taken from, where the units are only the best of many.

    Raises:
        InputError: No fusion has this name.
    """
    if name not in _NORMALISERS:
        raise unknown_name("fusion", name, FUSIONS)
    return _NORMALISERS[name](scores, among)


def lexical_trust(parts: Parts) -> FloatMatrix:
    """Returns how far each query's BM25 scores can be trusted, `(n_queries,)`, 0..1: a factor of their normalised scores.

    BM25 always ranks something first, also where people have other words than the documents for everything and what it found
    are chance words. How much of the query's words the best text has tells the two apart without a judgement.
    """
    if parts.coverage is None:
        return np.ones(len(parts.lexical), dtype=np.float32)
    low, high = TRUSTED_COVERAGE
    trust: FloatMatrix = np.clip((parts.coverage - low) / (high - low), 0, 1).astype(np.float32)
    return trust


def normalised_parts(name: str, parts: Parts, wanted: Sequence[str], among: Parts | None = None) -> dict[str, FloatMatrix]:
    """Returns part -> its scores `(n_queries, n_units)` on the scale that the fusion `name` adds up.

    Args:
        name: The fusion's.
        parts: The raw scores.
        wanted: `dense`, `late`, `lexical`.
        among: Scores that the scales are taken from; None takes them from `parts`.

    Raises:
        InputError: No fusion has this name.
        ValueError: A part is wanted that is not there.
    """
    result = {}
    for part in wanted:
        scores = getattr(parts, part)
        if scores is None:
            raise ValueError(f"The fusion needs the {part} scores, which were not computed.")
        result[part] = normalise(name, scores, None if among is None else getattr(among, part))
    if "lexical" in result:
        result["lexical"] = result["lexical"] * lexical_trust(parts)[:, None]
    return result


def weighted_sum(normalised: Mapping[str, FloatMatrix], fusion: Fusion) -> FloatMatrix:
    """Returns the sum `(n_queries, n_units)` of normalised scores, each times its weight."""
    weighted = [normalised[part] * np.float32(weight) for part, weight in fusion.weights.items() if weight > 0]
    return np.asarray(np.sum(weighted, axis=0), dtype=np.float32)


def fuse(parts: Parts, fusion: Fusion, among: Parts | None = None) -> FloatMatrix:
    """Returns the fused scores `(n_queries, n_units)`.

    Args:
        parts: The raw scores.
        fusion: How they add up.
        among: Raw scores that the scales are taken from, where the units are only the best of many; None takes `parts`.
    """
    wanted = [part for part, weight in fusion.weights.items() if weight > 0]
    return weighted_sum(normalised_parts(fusion.name, parts, wanted, among), fusion)


SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Of the dense scores in a hybrid."""
RATIOS = (0.0, 0.25, 0.5, 1.0, 2.0)
"""Of the dense and of the lexical scores to their default weights, where three parts are fused."""
METHODS = ("z_score", "min_max", "rrf")
"""The simplest that works best first: over the sets that we measured z-scores lead or tie, and plain RRF loses up to 7 points."""
FEWEST_QUERIES = 20
"""With fewer dev queries the default stays."""


def candidates(default: Fusion, is_human: bool) -> list[Fusion]:
    """Returns the fusions that dev chooses among, the preferred ones first, led by the default.

    People's questions may choose any weights, a single part included. Generated ones share words with their chunks and always
    vote for what finds words, so on them the default stays: how far BM25 is trusted, each query says for itself.

    Args:
        default: FUSED or HYBRID.
        is_human: Whether people asked the dev questions.
    """
    if not is_human:
        return [default]
    if default.late == 0:
        near_half = sorted(SHARES, key=lambda share: (round(abs(share - 0.5), 6), -share))
        return [replace(_shared(name, share), chosen_on="human dev") for name in METHODS for share in near_half]
    weights = [(dense, default.late, lexical) for dense in RATIOS for lexical in RATIOS]
    weights += [(1.0, 0.0, lexical) for lexical in RATIOS] + [(0.0, 0.0, 1.0)]
    nearest = sorted(weights, key=lambda item: sum(map(_steps, item, default.weights.values())))
    return [Fusion(name, *item, chosen_on="human dev") for name in METHODS for item in nearest]


def _steps(given: float, default: float) -> float:
    """Returns how far a weight is from its default in doublings; a part left out is three away."""
    return 3.0 if given == 0 else abs(float(np.log2(given / default)))


def choose_fusion(options: Sequence[Fusion], ndcg: npt.NDArray[np.float64]) -> Fusion:
    """Returns the first option that is within one standard error of the best on dev.

    Dev queries are few, and generated ones share words with their chunks, which flatters BM25: so the default stays unless dev
    speaks clearly.

    Args:
        options: What was tried, the default first.
        ndcg: nDCG@10 on dev, `(n_dev_queries, n_options)`.

    Source: the one-standard-error rule of Breiman et al., "Classification and Regression Trees", 1984, on paired differences.
    """
    if len(ndcg) < FEWEST_QUERIES:
        return replace(options[0], chosen_on="default")
    behind = ndcg[:, [int(ndcg.mean(axis=0).argmax())]] - ndcg  # (n_dev_queries, n_options)
    error = behind.std(axis=0, ddof=1) / np.sqrt(len(ndcg))
    return options[int(np.argmax(behind.mean(axis=0) <= error))]


def first_rows(scores: FloatMatrix, depth: int) -> npt.NDArray[np.int64]:
    """Returns the columns of each query's best scores `(n_queries, depth)`, in no order; of all where there are fewer."""
    n_units = scores.shape[1]
    if depth >= n_units:
        return np.broadcast_to(np.arange(n_units), scores.shape)
    return np.argpartition(-scores, depth - 1, axis=1)[:, :depth]


def fuse_first(parts: Parts, late: FloatMatrix, rows: npt.NDArray[np.int64], fusion: Fusion) -> FloatMatrix:
    """Returns the fused scores `(n_queries, depth)` of the first units alone.

    Dense and lexical scores keep the scale that they have over all units; late ones, known for the first units alone, get theirs
    from those.

    Args:
        parts: Of all units; their late scores are not read.
        late: Of the first units, `(n_queries, depth)`.
        rows: Columns of the first units, `(n_queries, depth)`.
        fusion: How the parts add up.
    """
    wanted = [part for part in ("dense", "lexical") if fusion.weights[part] > 0]
    first = {
        part: np.take_along_axis(scores, rows, axis=1) for part, scores in normalised_parts(fusion.name, parts, wanted).items()
    }
    return weighted_sum(first | {"late": normalise(fusion.name, late)}, fusion)


def put_first(scores: FloatMatrix, rows: npt.NDArray[np.int64], new: FloatMatrix) -> FloatMatrix:
    """Returns scores `(n_queries, n_units)` by which the units of `rows` lead in the order of `new`; the others keep theirs.

    Args:
        scores: Of the first stage.
        rows: Columns, `(n_queries, depth)`.
        new: Scores of those columns, `(n_queries, depth)`.
    """
    result = scores.copy()
    above = scores.max(axis=1, keepdims=True) - new.min(axis=1, keepdims=True) + 1
    np.put_along_axis(result, rows, new + above, axis=1)
    return result
