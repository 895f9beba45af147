"""The part of the pipelines that pairs and queries of one's own have: load_pairs, label_queries -> split_queries."""

from __future__ import annotations

from typing import Any, NamedTuple

from finetrieve.app.config import Config, plain
from pipelines.shared import Fingerprints, Generated, tables_of
from steps.own_data import label_queries, load_pairs


class OwnData(NamedTuple):
    """The artifacts of load_pairs and of label_queries; none of a step that the configuration has no use for."""

    labelled_pairs: Any = None
    free_texts: Any = None
    unmatched_pairs: Any = None
    pairs_report: Any = None
    pseudo_labels: Any = None
    clicked_pairs: Any = None
    queries_report: Any = None


def wire_own_data(config: Config, inputs: Fingerprints, made: Generated) -> OwnData:
    """Wires load_pairs and label_queries inside the pipeline that calls this, where the configuration has such data."""
    found = OwnData()
    shared = tables_of(made) | {"base_model": config.training.base_model, "base_model_fingerprint": inputs.base_model}
    if config.pairs:
        sets = [plain(item) for item in config.pairs]
        found = OwnData(*load_pairs(sets=sets, pair_fingerprints=inputs.pairs, **shared))
    if config.query_logs:
        pseudo_labels, clicked_pairs, queries_report = label_queries(
            generated=made.queries,
            sets=[plain(item) for item in config.query_logs],
            query_fingerprints=inputs.queries,
            reranker=config.evaluation.reranker,
            reranker_fingerprint=inputs.reranker,
            answers=config.generation.answers,
            **shared,
        )
        found = found._replace(pseudo_labels=pseudo_labels, clicked_pairs=clicked_pairs, queries_report=queries_report)
    return found
