"""The typed content of metrics.json: evaluation sets, verdict, storage costs and training.

`docs/metrics.schema.json` is its JSON Schema, printed by `python -m finetrieve.evaluation.result`.

Every part has a default, since an earlier version may not have written it; what was never set is not written either.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from finetrieve.core.annotation_report import AnnotationReport, ReviewCounts
from finetrieve.core.base_model_report import BaseModelComparison
from finetrieve.core.curation_report import CurationReport
from finetrieve.core.generation_report import GenerationReport
from finetrieve.core.own_data_report import PairsReport, QueriesReport
from finetrieve.core.record import Interval, Record, Text
from finetrieve.core.split_report import SplitReport
from finetrieve.core.training_record import TrainingRecord
from finetrieve.corpus.report import CorpusReport
from finetrieve.evaluation.metrics import HEADLINE


class Comparison(Record):
    """The paired difference of two arms, or of two models by one arm, in a metric: `delta` with its 95% interval, -1..1."""

    eval_set: Text | None = None
    arm: Text
    against: Text | None = None
    """The other arm; None where two models are compared."""
    metric: Text
    n_queries: int = 0
    value: float | None = None
    value_against: float | None = None
    delta: float
    low: float
    high: float
    p: float | None = None

    @property
    def direction(self) -> Literal["up", "down", "open"]:
        """`up` or `down` where the interval leaves zero out."""
        return direction(self.delta, self.low, self.high)


def direction(delta: float, low: float, high: float) -> Literal["up", "down", "open"]:
    """Returns `up` or `down` where the interval leaves zero out, else `open`."""
    if low <= 0 <= high:
        return "open"
    return "up" if delta > 0 else "down"


class FusionRecord(Record):
    """How an arm adds up its parts."""

    name: Text
    weight: float | None = None
    """Of the dense scores, in metrics from before late interaction."""
    weights: Mapping[Text, float] = {}
    """`dense`, `late`, `lexical`."""
    chosen_on: Text | None = None

    @property
    def parts(self) -> Mapping[str, float]:
        """Part -> its weight."""
        old = {} if self.weight is None else {"dense": self.weight, "lexical": 1 - self.weight}
        return self.weights or old


class StoragePoint(Record):
    """One way to store vectors: what it saves and what it costs."""

    way: Text
    """`late`, `dense` or `rerank20` (late interaction over the first 20 of the hybrid)."""
    dims: int
    precision: Text
    """`fp32`, `int8` or `binary`, of what is stored; queries stay fp32."""
    pooling: int = 1
    """How many tokens share a vector."""
    ndcg: Interval | None = Field(default=None, validation_alias=HEADLINE, serialization_alias=HEADLINE)
    bytes_per_chunk: int | float = 0
    """The mean of what is stored; for `rerank20` with the int8 dense vector of its first stage."""
    ms_per_query: float | None = None
    """One query after the other on one core, encoding included."""
    recommended: bool = False


class StorageCosts(Record):
    """All points that were measured, on how many queries."""

    points: Sequence[StoragePoint]
    n_queries: int | None = None


class SectionScores(Record):
    """What the questions about one section of the documentation scored."""

    name: Text = ""
    """The first folder of the pages that answer them."""
    n_queries: int = 0
    arms: Mapping[Text, float] = {}
    """Arm -> mean nDCG@10."""


class NoAnswer(Record):
    """How well a model's best cosine tells questions without an answer from those that have one."""

    n_queries: int = 0
    """Questions without an answer."""
    threshold: float = 0.0
    """The cosine below which a question counts as without an answer; chosen on these very questions."""
    kept: float = 0.0
    """Share of the questions with an answer whose best cosine reaches it."""
    refused: float = 0.0
    """Share of those without whose best cosine does not."""
    auroc: float = 0.0
    """How often a question with an answer has the higher best cosine, of one with and one without."""


class SetResult(Record):
    """What was measured on one evaluation set."""

    n_queries: int = 0
    n_documents: int | None = None
    n_documents_judged: int | None = None
    """Documents that answer a question of the set."""
    n_chunks: int | None = None
    kind: Text = ""
    """`human` or `generated`."""
    unit: Text = ""
    """What is judged: `document` or `chunk`."""
    arms: Mapping[Text, dict[Text, Interval]] = {}
    """Arm -> metric -> mean."""
    best_untrained: Text | None = None
    """The best arm without training."""
    comparisons: Sequence[Comparison] = ()
    dimensions: Mapping[Text, dict[Text, dict[Text, Interval]]] = {}
    """Model -> Matryoshka dimension -> metric -> mean."""
    fusion: Mapping[Text, FusionRecord] = {}
    """Fused arm -> how it adds up."""
    storage_costs: StorageCosts | None = Field(default=None, validation_alias="bill", serialization_alias="bill")
    notes: Sequence[Text] = ()
    weighted: Mapping[Text, Interval] = {}
    """Arm -> nDCG@10 in which a question counts by its weight, where the set has weights."""
    sections: Sequence[SectionScores] = ()
    """By section of the documentation, where the questions are about more than one."""
    no_answer: Mapping[Text, NoAnswer] = {}
    """Model -> how its cosines tell questions without an answer, where the set has some."""

    def headline(self, arm: str) -> Interval | None:
        """Returns nDCG@10 of an arm, if it was scored."""
        return self.arms.get(arm, {}).get(HEADLINE)

    @property
    def headlines(self) -> dict[str, float]:
        """Arm -> nDCG@10."""
        return {arm: found.value for arm in self.arms if (found := self.headline(arm))}

    def comparison(self, arm: str, against: str) -> Comparison | None:
        """Returns the paired difference of two arms in nDCG@10, if they were compared."""
        pair = (arm, against, HEADLINE)
        return next((row for row in self.comparisons if (row.arm, row.against, row.metric) == pair), None)

    @property
    def points(self) -> Sequence[StoragePoint]:
        """The points of the storage costs; none where they were not measured."""
        return self.storage_costs.points if self.storage_costs else ()


class Verdict(Record):
    """Which arm to use, and whether training made it better than the best arm that needs none."""

    eval_set: Text | None = None
    metric: Text = HEADLINE
    better: bool | None = None
    """None where the interval holds zero, or there is nothing to compare."""
    arm: Text | None = None
    """The trained arm."""
    against: Text | None = None
    """The best arm without training."""
    delta: float | None = None
    low: float | None = None
    high: float | None = None
    base_delta: float | None = None
    """Of the trained arm against the base model's dense vectors."""
    base_low: float | None = None
    base_high: float | None = None
    cost: StoragePoint | None = None
    """How its vectors are recommended to be stored, or all in full."""
    way: Text | None = None
    """The arm to search by: the trained one where it is better, else the best untrained one."""
    way_delta: float | None = None
    """Of that arm against the base model's dense vectors."""
    way_low: float | None = None
    way_high: float | None = None
    sentence: Text = ""
    next: Sequence[Text] = ()
    """What to do now, in one to three sentences."""

    @property
    def search_gains(self) -> bool:
        """Whether the arm to search by is clearly better than the base model's dense vectors."""
        return self.way_low is not None and self.way_low > 0


class QueryReport(GenerationReport):
    """How the queries were generated, filtered and split."""

    filters: CurationReport = CurationReport({})
    split: SplitReport = SplitReport()


class ReviewEffect(Record):
    """What the review did to the metrics: the model with it against the one without, question by question."""

    rows: Sequence[Comparison] = ()


class ReviewResult(AnnotationReport):
    """What people answered, how it was used, and its effect on the metrics."""

    used: ReviewCounts = ReviewCounts()
    effect: ReviewEffect = ReviewEffect()


class EvaluationResult(Record):
    """The content of metrics.json."""

    eval_sets: Mapping[Text, SetResult] = {}
    verdict: Verdict = Verdict()
    training: TrainingRecord = TrainingRecord()
    pairs: PairsReport = PairsReport()
    """What was made of pairs of one's own."""
    queries: QueriesReport = QueriesReport()
    """What was made of queries of one's own."""
    base_models: BaseModelComparison = BaseModelComparison()
    """How several base models compare, where there were several."""
    generation: QueryReport = QueryReport()
    corpus: CorpusReport = CorpusReport()
    annotation: ReviewResult = ReviewResult()

    @property
    def headline_set(self) -> SetResult | None:
        """The evaluation set that the verdict is about."""
        return self.eval_sets.get(self.verdict.eval_set or "")

    def ordered_sets(self) -> list[tuple[str, SetResult]]:
        """Returns evaluation sets with the one of the verdict first, then those of people, then by size."""
        first = self.verdict.eval_set
        return sorted(self.eval_sets.items(), key=lambda item: (item[0] != first, item[1].kind != "human", -item[1].n_queries))


def json_schema() -> str:
    """Returns the JSON Schema of metrics.json."""
    return json.dumps(EvaluationResult.model_json_schema(), indent=1) + "\n"


if __name__ == "__main__":
    sys.stdout.write(json_schema())
