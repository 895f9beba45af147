"""Breakdowns of a set's scores: weighted by traffic, by section of the documentation, and of questions that have no answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from finetrieve.core.record import Interval
from finetrieve.evaluation.arms import FINETUNED
from finetrieve.evaluation.bootstrap import LEVEL, resampled_means
from finetrieve.evaluation.eval_sets import EvalSet
from finetrieve.evaluation.formats import arm_name
from finetrieve.evaluation.metrics import HEADLINE, METRICS
from finetrieve.evaluation.result import NoAnswer, SectionScores, SetResult
from finetrieve.evaluation.scoring import Retrieved, ScoredSet
from finetrieve.retrieval.hybrid_index import SearchIndex

FEWEST = 5
"""Questions of a section whose mean is shown."""
_QUERIES_AT_ONCE = 256

Vector = npt.NDArray[np.float64]


def with_breakdowns(
    table: SetResult, scored: ScoredSet, indexes: Mapping[str, SearchIndex], samples: int, seed: int
) -> SetResult:
    """Returns a set's numbers with those breakdowns that it has: none of the numbers that are there changes."""
    added: dict[str, Any] = {}
    notes = list(table.notes)
    if scored.eval_set.weights:
        added["weighted"] = weighted_scores(scored, samples, seed)
        best = max(added["weighted"], key=lambda arm: added["weighted"][arm].value)
        alike = table.headlines.get(best, float("nan"))
        notes.append(
            f"Weighted by traffic, the best way is {arm_name(best)} with nDCG@10 {added['weighted'][best].value:.3f} "
            f"({alike:.3f} with every question alike)."
        )
    if sections := section_scores(scored):
        added["sections"] = sections
    if scored.eval_set.unanswerable:
        added["no_answer"] = {
            model: no_answer_scores(scored.eval_set, indexes[model], found) for model, found in scored.retrieved.items()
        }
        notes += [_no_answer_note(model, found) for model, found in added["no_answer"].items()]
    return table.model_copy(update={**added, "notes": notes}) if added else table


def weighted_scores(scored: ScoredSet, samples: int, seed: int) -> dict[str, Interval]:
    """Returns arm -> nDCG@10 in which each question counts by its weight; of a question without one, 1."""
    weights = np.array([scored.eval_set.weights.get(query, 1.0) for query in scored.eval_set.queries])
    column = METRICS.index(HEADLINE)
    values = np.stack([scores[:, column] * weights for scores in scored.arms.values()] + [weights], axis=1)
    means = resampled_means(values, samples, seed)
    found = {}
    for row, arm in enumerate(scored.arms):
        low, high = np.quantile(means[:, row] / means[:, -1], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        found[arm] = Interval(value=float(values[:, row].sum() / weights.sum()), low=float(low), high=float(high))
    return found


def section_scores(scored: ScoredSet) -> list[SectionScores]:
    """Returns nDCG@10 by section, the folder of the page that answers, most questions first; none where there is one section."""
    eval_set = scored.eval_set
    document_of = {chunk.id: chunk.doc_id for chunk in eval_set.chunks}
    sections = [_section(eval_set.qrels[query], document_of) for query in eval_set.queries]
    counts = Counter(sections)
    if len(counts) < 2:
        return []
    column = METRICS.index(HEADLINE)
    found = []
    for name, n_queries in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if n_queries >= FEWEST:
            rows = [row for row, section in enumerate(sections) if section == name]
            means = {arm: float(scores[rows, column].mean()) for arm, scores in scored.arms.items()}
            found.append(SectionScores(name=name or "(top)", n_queries=n_queries, arms=means))
    return found


def _section(judged: Mapping[str, int], document_of: Mapping[str, str]) -> str:
    """Returns the first folder of the page that answers a question best; empty for a page that lies in none."""
    best = max(sorted(judged), key=lambda unit: judged[unit])
    folder, slash, _ = document_of.get(best, best).partition("/")
    return folder if slash else ""


def no_answer_scores(eval_set: EvalSet, index: SearchIndex, found: Retrieved) -> NoAnswer:
    """Returns how well a model's best cosine tells questions that have no answer from those that have one.

    Args:
        eval_set: Its questions without an answer.
        index: The model's, of the set's chunks.
        found: What the model found for the questions that have an answer.
    """
    texts = list(eval_set.unanswerable.values())
    parts = [texts[start : start + _QUERIES_AT_ONCE] for start in range(0, len(texts), _QUERIES_AT_ONCE)]
    without = np.concatenate([index.dense(index.prepare(part)).max(axis=1) for part in parts]).astype(np.float64)
    return separation(found.scores[:, 0].astype(np.float64), without)


def separation(answered: Vector, unanswered: Vector) -> NoAnswer:
    """Returns the threshold with the best mean of both shares that are told right, on these very scores, and how they overlap.

    Args:
        answered: The best cosine of each question that has an answer.
        unanswered: The same of those that have none.
    """
    candidates = np.unique(np.concatenate([answered, unanswered]))
    kept = np.array([(answered >= threshold).mean() for threshold in candidates])
    refused = np.array([(unanswered < threshold).mean() for threshold in candidates])
    best = int((kept + refused).argmax())
    ahead = answered[:, None] - unanswered[None, :]
    return NoAnswer(
        n_queries=len(unanswered),
        threshold=float(candidates[best]),
        kept=float(kept[best]),
        refused=float(refused[best]),
        auroc=float(((ahead > 0) + 0.5 * (ahead == 0)).mean()),
    )


def _no_answer_note(model: str, found: NoAnswer) -> str:
    name = "fine-tuned" if model == FINETUNED else model
    return (
        f"{found.n_queries:,} questions have no answer. With the vectors of the {name} model a best cosine below "
        f"{found.threshold:.2f} finds {found.refused:.0%} of them and keeps {found.kept:.0%} of the others (chosen on these very "
        f"questions; AUROC {found.auroc:.2f})."
    )
