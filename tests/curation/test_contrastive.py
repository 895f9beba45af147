"""The contrastive filter: what the vector answers already goes but for a share, and so does what no search answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from finetrieve.core.corpus import Corpus
from finetrieve.core.rows import Chunk, GeneratedQuery
from finetrieve.core.tables import to_table
from finetrieve.curation.contrastive import ContrastiveFilter
from finetrieve.curation.curate import CurationResult, curate
from finetrieve.curation.filters import Ranker, RoundTripFilter

CHUNKS = [Chunk(name, f"doc-{name}", "source", "Keys", "", "Rotate the key.", 30, 0) for name in ("a", "b")]


def query(text: str, further: str = "") -> GeneratedQuery:
    return GeneratedQuery(f"id of {text}", "a", text, None, "how_to", "rules", "test", further_chunk_ids=further)


class FixedRanker:
    """Knows how sure both searches are of each query's chunk."""

    built = 0

    def __init__(self, confidences: dict[str, tuple[float, float]]) -> None:
        self._confidences = confidences
        type(self).built += 1

    def ranks(self, queries: Sequence[str], chunk_ids: Sequence[str]) -> list[int]:
        return [1] * len(queries)

    def confidences(self, queries: Sequence[str], chunk_ids: Sequence[str]) -> list[tuple[float, float]]:
        assert set(chunk_ids) <= {"a"}
        return [self._confidences[query] for query in queries]


def filtered(confidences: dict[str, tuple[float, float]], further: str = "", **settings: Any) -> CurationResult:
    table = to_table([query(text, further) for text in confidences], GeneratedQuery)
    return curate(table, Corpus.from_rows(CHUNKS), [ContrastiveFilter(**settings)], make_ranker=lambda: FixedRanker(confidences))


def kept(table: pa.Table) -> list[str]:
    return table.column("query").to_pylist()  # type: ignore[no-any-return]


def test_a_query_stays_where_the_fused_search_is_clearly_surer_and_the_others_go_with_both_numbers() -> None:
    confidences = {
        "learnt": (0.2, 0.7),
        "sure, and could be surer": (0.6, 0.9),
        "just enough": (0.25, 0.5),
        "answered already": (0.9, 0.95),
        "the vector is surer": (0.8, 0.3),
        "found by none": (0.05, 0.1),
    }
    result = filtered(confidences, least_gap=0.25, easy_share=0)
    assert kept(result.queries) == ["learnt", "sure, and could be surer", "just enough"]
    assert {row["query"]: row["reason"] for row in result.rejects.to_pylist()} == {
        "answered already": "the vector alone is 0.90 sure of its chunk, the fused search 0.95: easy",
        "the vector is surer": "the vector alone is 0.80 sure of its chunk, the fused search 0.30: easy",
        "found by none": "the vector alone is 0.05 sure of its chunk, the fused search 0.10: surer by 0.25 wanted",
    }
    report = result.report.root["contrastive"]
    assert (report.n_queries, report.kept, len(report.examples)) == (6, 3, 3)


def test_easy_from_says_which_of_the_others_may_be_kept() -> None:
    confidences = {"easy": (0.5, 0.5), "nearly": (0.49, 0.5)}
    assert kept(filtered(confidences, easy_share=1).queries) == ["easy"]
    assert kept(filtered(confidences, easy_share=1, easy_from=0.4).queries) == ["easy", "nearly"]


def test_a_share_of_the_easy_queries_stays_drawn_by_the_seed_and_the_query_alone() -> None:
    easy = {f"easy {number}": (0.9, 0.9) for number in range(1000)}
    stay = kept(filtered(easy, easy_share=0.3).queries)
    assert 250 < len(stay) < 350
    assert kept(filtered(dict(list(easy.items())[::2]), easy_share=0.3).queries) == [
        text for text in stay if int(text[5:]) % 2 == 0
    ]
    assert kept(filtered(easy, easy_share=0.3, seed=14).queries) != stay
    assert set(stay) < set(kept(filtered(easy, easy_share=0.6).queries))  # more of them, the same among them
    assert len(kept(filtered(easy, easy_share=1).queries)) == 1000


def test_a_question_of_several_chunks_stays() -> None:
    assert kept(filtered({"both": (0.9, 0.9)}, further="b", easy_share=0).queries) == ["both"]


def test_filters_that_search_share_one_ranker() -> None:
    FixedRanker.built = 0

    def make() -> Ranker:
        return FixedRanker({"learnt": (0.2, 0.7)})

    table = to_table([query("learnt")], GeneratedQuery)
    result = curate(table, Corpus.from_rows(CHUNKS), [RoundTripFilter(), ContrastiveFilter()], make_ranker=make)
    assert (kept(result.queries), FixedRanker.built) == (["learnt"], 1)


@pytest.mark.parametrize("settings", [{"least_gap": 1.1}, {"easy_share": -0.1}, {"easy_from": 2}, {"gap": 0.1}])
def test_settings_that_cannot_be_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        ContrastiveFilter.model_validate(settings)
