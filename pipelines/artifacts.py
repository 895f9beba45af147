"""The artifacts of generation, handed from pipeline to pipeline."""

from __future__ import annotations

from typing import Any, NamedTuple


class Generated(NamedTuple):
    """The artifacts of generation, by the names under which ZenML keeps them."""

    chunks: Any
    documents: Any
    duplicates: Any
    corpus_report: Any
    generation_report: Any
    queries: Any
    rejected_queries: Any
    curation_report: Any
