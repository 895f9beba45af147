"""Curation of generated queries: filters in their order, everything dropped kept with its reason, and the keep rates."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from finetrieve.core.corpus import Corpus
from finetrieve.core.curation_report import CurationReport, DroppedQuery, FilterReport
from finetrieve.core.rows import GeneratedQuery, Reject
from finetrieve.core.tables import Rows, schema_of, to_table
from finetrieve.curation.filters import FilterInputs, QueryFilter, Ranker, Rewritten

EXAMPLES = 5
"""Rejects that the report quotes per filter."""


@dataclass(frozen=True)
class CurationResult:
    """The queries that stay, the others with the reason, and what each filter did."""

    queries: pa.Table
    """Rows are `GeneratedQuery`, with the rank that the round trip gave."""
    rejects: pa.Table
    """Rows are `Reject`, in the order of the filters."""
    report: CurationReport
    round_trip_ranks: dict[str, int]
    """Query id -> rank of its own chunk (1 is first), for all that reached the round trip."""


def curate(
    queries: pa.Table,
    corpus: Corpus,
    filters: Sequence[QueryFilter],
    base_model: str = "embedded",
    make_ranker: Callable[[], Ranker] | None = None,
) -> CurationResult:
    """Returns the queries that pass every filter, in their order, and the rest with reasons.

    Args:
        queries: Generated queries (`GeneratedQuery`); each names a chunk of the corpus.
        corpus: What they ask about.
        filters: What to apply, in this order.
        base_model: The model of the round trip's dense half.
        make_ranker: Builds another ranker for the filters that search; by default a hybrid of BM25 and `base_model`.
    """
    given = FilterInputs(corpus, functools.cache(make_ranker or _hybrid_ranker(corpus, base_model)))
    kept, rejects, report = queries, [schema_of(Reject).empty_table()], dict[str, FilterReport]()
    for settings in filters:
        reasons = settings.find_rejects(Rows(kept, GeneratedQuery), given)
        is_dropped = pc.is_in(kept.column("id"), value_set=pa.array(reasons, pa.string()))
        dropped, remaining = _rejects_of(kept.filter(is_dropped), settings.name, reasons), kept.filter(pc.invert(is_dropped))
        changed = settings.rewrite(Rows(remaining, GeneratedQuery))
        report[settings.name] = _report(kept.num_rows, remaining.num_rows, dropped, _changes(remaining, changed))
        rejects.append(dropped)
        kept = _rewritten(remaining, changed) if changed else remaining
    ranks = given.round_trip_ranks
    return CurationResult(_with_ranks(kept, ranks), pa.concat_tables(rejects), CurationReport(report), ranks)


def _rejects_of(queries: pa.Table, name: str, reasons: Mapping[str, str]) -> pa.Table:
    why = [reasons[identity] for identity in queries.column("id").to_pylist()]
    columns = [*(queries.column(key) for key in ("id", "chunk_id", "query")), pa.array([name] * len(why), pa.string()), why]
    return pa.table(columns, schema=schema_of(Reject))


def _changes(queries: pa.Table, changed: Mapping[str, Rewritten]) -> list[DroppedQuery]:
    """Returns what was changed, as a report quotes it."""
    rows = (row for row in Rows(queries, GeneratedQuery) if row.id in changed) if changed else ()
    return [DroppedQuery(query=changed[row.id].query, reason=f"{changed[row.id].reason}, was '{row.query}'") for row in rows]


def _rewritten(queries: pa.Table, changed: Mapping[str, Rewritten]) -> pa.Table:
    """Returns the rows with what the changed queries became; their ids stay, and so does what people said of them."""
    rows = Rows(queries, GeneratedQuery)
    made = (replace(row, query=new.query, style=new.style) if (new := changed.get(row.id)) else row for row in rows)
    return to_table(made, GeneratedQuery)


def _report(n_before: int, n_after: int, dropped: pa.Table, changed: list[DroppedQuery]) -> FilterReport:
    examples = [DroppedQuery(**row) for row in dropped.select(["query", "reason"]).slice(0, EXAMPLES).to_pylist()]
    rate = round(n_after / n_before, 4) if n_before else 1.0
    found = FilterReport(n_queries=n_before, kept=n_after, rate=rate, examples=examples)
    return found.model_copy(update={"changed": len(changed), "examples": changed[:EXAMPLES]}) if changed else found


def _with_ranks(queries: pa.Table, ranks: Mapping[str, int]) -> pa.Table:
    place = queries.schema.get_field_index("round_trip_rank")
    found = pa.array((ranks.get(identity) for identity in queries.column("id").to_pylist()), pa.int64())
    return queries.set_column(place, schema_of(GeneratedQuery).field(place), found)


def _hybrid_ranker(corpus: Corpus, base_model: str) -> Callable[[], Ranker]:
    def make() -> Ranker:
        from finetrieve.curation.round_trip import HybridRanker

        return HybridRanker(corpus, base_model)

    return make
