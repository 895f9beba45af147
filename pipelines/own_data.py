"""The part of the pipelines that pairs and queries of one's own have: load_pairs, label_queries -> split_queries."""

from __future__ import annotations

from typing import Any, NamedTuple

from finetrieve.app.config import Config, plain
from finetrieve.app.preflight import Inputs
from pipelines.artifacts import Generated, RuntimeFingerprints
from steps.own_data import label_queries, load_pairs


class OwnPairs(NamedTuple):
    """The artifacts of load_pairs, and the settings of its sets."""

    labelled_pairs: Any
    free_texts: Any
    unmatched_pairs: Any
    pairs_report: Any
    sets: list[dict[str, Any]]

    @property
    def split_arguments(self) -> dict[str, Any]:
        """What the split has to know of the pairs."""
        return {"labelled_pairs": self.labelled_pairs, "pair_sets": self.sets}


def wire_own_pairs(config: Config, inputs: Inputs | RuntimeFingerprints, made: Generated) -> OwnPairs | None:
    """Wires load_pairs inside the pipeline that calls this; returns None where the configuration has no pairs."""
    if not config.pairs:
        return None
    sets = [plain(item) for item in config.pairs]
    found = load_pairs(
        chunks=made.chunks,
        documents=made.documents,
        duplicates=made.duplicates,
        sets=sets,
        pair_fingerprints=inputs.pairs,
        base_model=config.training.base_model,
        base_model_fingerprint=inputs.base_model,
    )
    labelled, free_texts, unmatched, report = found
    return OwnPairs(labelled, free_texts, unmatched, report, sets)


class OwnQueries(NamedTuple):
    """The artifacts of label_queries, and the settings of its sets."""

    pseudo_labels: Any
    clicked_pairs: Any
    queries_report: Any
    sets: list[dict[str, Any]]

    @property
    def split_arguments(self) -> dict[str, Any]:
        """What the split has to know of the queries."""
        return {"pseudo_labels": self.pseudo_labels, "clicked_pairs": self.clicked_pairs, "query_sets": self.sets}


def wire_own_queries(config: Config, inputs: Inputs | RuntimeFingerprints, made: Generated) -> OwnQueries | None:
    """Wires label_queries inside the pipeline that calls this; returns None where the configuration has no queries."""
    if not config.query_logs:
        return None
    sets = [plain(item) for item in config.query_logs]
    found = label_queries(
        chunks=made.chunks,
        documents=made.documents,
        duplicates=made.duplicates,
        generated=made.queries,
        sets=sets,
        query_fingerprints=inputs.queries,
        base_model=config.training.base_model,
        base_model_fingerprint=inputs.base_model,
        reranker=config.evaluation.reranker,
        reranker_fingerprint=inputs.reranker,
    )
    pseudo, clicked, report = found
    return OwnQueries(pseudo, clicked, report, sets)
