"""Any two models on the same questions: what each scores, the paired difference with its interval, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from finetrieve.core.record import Record, Text
from finetrieve.core.text_table import table_lines
from finetrieve.evaluation.arms import FINETUNED
from finetrieve.evaluation.comparison import CANDIDATE_ARMS, compare_scores
from finetrieve.evaluation.eval_sets import EvalSet
from finetrieve.evaluation.evaluate import evaluate_models
from finetrieve.evaluation.formats import ARM_NAMES, in_points, score
from finetrieve.evaluation.metrics import HEADLINE
from finetrieve.evaluation.result import Comparison
from finetrieve.evaluation.settings import EvaluationSettings
from finetrieve.retrieval.vector_cache import Embedder


class QuestionDifference(Record):
    """A question that one of the models answers better."""

    eval_set: Text
    arm: Text
    question: Text
    first: float
    """nDCG@10, 0..1."""
    second: float


class TwoModels(Record):
    """What a comparison found."""

    first: Text
    second: Text
    rows: Sequence[Comparison] = ()
    """Per evaluation set, arm and metric: `value` is the second model's, `value_against` the first's."""
    questions: Sequence[QuestionDifference] = ()
    """Those that differ, the largest difference first."""


@dataclass(frozen=True)
class NamedModel:
    """A model and what people call it."""

    name: str
    embedder: Embedder


def compare_two_models(
    first: NamedModel, second: NamedModel, eval_sets: Sequence[EvalSet], settings: EvaluationSettings, seed: int
) -> TwoModels:
    """Returns how the second model differs from the first on the questions of all sets.

    Args:
        first: What it is compared with.
        second: What is compared.
        eval_sets: What is asked.
        settings: Resamples and batches; every way of searching that a model takes part in is compared.
        seed: Of the bootstrap.
    """
    alone = settings.model_copy(update={"arms": list(CANDIDATE_ARMS), "dimensions": [], "bill": False})
    scores = [evaluate_models(eval_sets, {FINETUNED: m.embedder}, None, alone, seed).per_query for m in (first, second)]
    return TwoModels(
        first=first.name,
        second=second.name,
        rows=compare_scores(scores[1], scores[0], settings.bootstrap_samples, seed),
        questions=_differing(scores[0], scores[1]),
    )


def _differing(first: pa.Table, second: pa.Table) -> list[QuestionDifference]:
    """Returns the questions whose nDCG@10 differs, by the best way of searching that both were scored by."""
    arms = set(pc.unique(first.column("arm")).to_pylist()) & set(pc.unique(second.column("arm")).to_pylist())
    arm = next((name for name in reversed(CANDIDATE_ARMS) if name in arms), None)
    columns = ["eval_set", "query_id", "query", HEADLINE]
    one, other = (table.filter(pc.field("arm") == arm).select(columns).to_pylist() for table in (first, second))
    known = {(row["eval_set"], row["query_id"]): row[HEADLINE] for row in other}
    pairs = [(row, known[row["eval_set"], row["query_id"]]) for row in one if (row["eval_set"], row["query_id"]) in known]
    pairs.sort(key=lambda pair: (-abs(pair[1] - pair[0][HEADLINE]), pair[0]["query"]))
    return [
        QuestionDifference(eval_set=row["eval_set"], arm=str(arm), question=row["query"], first=row[HEADLINE], second=value)
        for row, value in pairs
        if value != row[HEADLINE]
    ]


def comparison_text(found: TwoModels, shown: int) -> str:
    """Returns what was found as lines for the terminal, with at most `shown` questions for each model."""
    lines = [f"nDCG@10 of {found.second} (B) against {found.first} (A), with the 95% interval of the paired difference:", ""]
    head = ("evaluation set", "questions", "search by", "A", "B", "B - A")
    body = [
        (str(row.eval_set), f"{row.n_queries:,}", _way(str(row.arm)), score(row.value_against), score(row.value), in_points(row))
        for row in found.rows
        if row.metric == HEADLINE
    ]
    lines += table_lines([head, *body])
    for name, better in (("B", True), ("A", False)):
        rows = [row for row in found.questions if (row.second > row.first) == better]
        if rows:
            way = _way(rows[0].arm).lower()
            count = f"{len(rows):,} question{'' if len(rows) == 1 else 's'}"
            lines += ["", f"{name} answers {count} better by {way} search; where it differs most:", ""]
            cells = [("A", "B", "question"), *((score(row.first), score(row.second), row.question[:100]) for row in rows[:shown])]
            lines += table_lines(cells)
    if not found.questions:
        differ = any(row.low or row.high for row in found.rows if row.metric == HEADLINE)
        by = f"By {body[-1][2].lower()} search no" if differ else "No"
        lines += ["", f"{by} question is answered differently."]
    return "\n".join(lines)


def _way(arm: str) -> str:
    return "Dense" if arm == FINETUNED else ARM_NAMES[arm].partition(",")[0]
