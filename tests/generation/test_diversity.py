"""The diversity report: how varied the queries are, what nobody asks about, and the shift between generated and typed ones."""

from __future__ import annotations

import json
import time

import pyarrow as pa
import pytest

from finetrieve.core.generation_report import DiversityReport
from finetrieve.core.query_manner import LONGEST, length_shares, manner_of
from finetrieve.core.rows import Chunk, GeneratedQuery, WrittenRow
from finetrieve.core.tables import to_table
from finetrieve.generation.diversity import distinct_share, diversity_report, self_similarity
from finetrieve.reporting.report_diversity import diversity_view, lengths_picture

NONE = to_table([], WrittenRow)


def chunk(name: str, doc: str, section: str) -> Chunk:
    return Chunk(name, doc, "s", doc.upper(), section, "text", 9, 0, "en")


def query(text: str, chunk_id: str = "a", style: str = "how_to", **rest: str) -> GeneratedQuery:
    return GeneratedQuery(f"{chunk_id}{text}", chunk_id, text, None, style, "graph", "m", **rest)


CHUNKS = to_table([chunk("a", "d", "One"), chunk("b", "d", "Two"), chunk("c", "e", "One"), chunk("f", "e", "One")], Chunk)


def report(*queries: GeneratedQuery, written: pa.Table = NONE) -> DiversityReport:
    found = diversity_report(CHUNKS, to_table(queries, GeneratedQuery), written)
    assert found is not None
    return found


def test_numbers_worked_out_by_hand() -> None:
    # 4 + 4 words, of which open, a, the differ: open the red door / open the blue door: 5 of 8; pairs 5 of 6.
    words = [["open", "the", "red", "door"], ["open", "the", "blue", "door"]]
    assert distinct_share(words, 1) == pytest.approx(5 / 8, abs=1e-4) and distinct_share(words, 2) == pytest.approx(
        5 / 6, abs=1e-4
    )
    assert distinct_share([[]], 1) is None
    assert self_similarity([["a", "b"], ["c", "d"]]) == 0.0
    assert self_similarity([["a", "b"], ["b", "a"]]) == pytest.approx(1.0)
    # Rarities: log(1 + 2) of a word in one text, log(2) of one in both; the cosine of {a, b} and {a, c}.
    shared, own = 0.6931**2, 1.0986**2
    assert self_similarity([["a", "b"], ["a", "c"]]) == pytest.approx(shared / (shared + own), abs=1e-3)
    assert self_similarity([["a"]]) is None


def test_what_nobody_asks_about_is_named_and_a_question_of_several_chunks_asks_about_all() -> None:
    found = report(query("open the door"), query("Open the door!", "b"))
    assert (found.repeated, found.queries, found.chunks_asked) == (1, 2, 0.5)
    assert (found.sections, found.sections_unasked, found.documents, found.documents_unasked) == (3, 1, 2, 1)
    assert found.unasked_examples == ["E > One (2)"]
    whole = report(query("open the door", further_chunk_ids="b c"))
    assert whole.chunks_asked == 0.75 and whole.documents_unasked == 0 and not whole.unasked_examples


def test_the_grid_says_which_combinations_are_short() -> None:
    styles = ["single, web", "single, web", "multi, web", "single, formal"]
    grid = report(*(query(f"q {number}", style=style) for number, style in enumerate(styles))).coverage["graph"]
    assert grid.attributes == {"manner": 2, "style": 2} and (grid.seen, grid.combinations, grid.rows) == (3, 4, 4)
    assert grid.rarest["web, single"] == 2 and grid.rarest["formal, single"] == 1
    rows = [
        WrittenRow(str(n), "a", "stories", "m", "{}", json.dumps({"mood": m, "reader": r}))
        for n, (m, r) in enumerate(["xy", "xz"])
    ]
    assert "stories" not in report(query("q"), written=to_table(rows, WrittenRow)).coverage  # one mood alone is no grid
    more = [*rows, WrittenRow("9", "a", "stories", "m", "{}", json.dumps({"mood": "v", "reader": "z"}))]
    assert report(query("q"), written=to_table(more, WrittenRow)).coverage["stories"].seen == 3
    assert diversity_report(CHUNKS, to_table([], GeneratedQuery), NONE) is None


def test_languages_are_told_where_a_query_is_long_enough() -> None:
    german = "Wie richte ich das für meine Abteilung ein und welche Einstellungen werden dafür benötigt?"
    english = "How do I set this up for all of my devices and which of the settings do I need for that?"
    found = report(query(german), query(english), query("wifi"))
    assert (found.languages == {"de": 0.5, "en": 0.5} and found.questions == pytest.approx(1 / 3, abs=1e-3)) or found.questions


def test_lengths_show_the_shift_between_generated_and_typed_queries() -> None:
    shares = length_shares([1, 3, 3, 99])
    assert (shares[0], shares[2], shares[-1], len(shares)) == (0.25, 0.5, 0.25, LONGEST)
    typed = manner_of([("wifi slow", "a"), ("reset", "a")], {"a": "wifi"})
    assert typed.lengths[:2] == [0.5, 0.5]
    picture = lengths_picture([("Typed by people", typed.lengths, "base"), ("Generated", shares, "finetuned")])
    assert "mark-base" in picture and "mark-finetuned" in picture and lengths_picture([("x", (), "base")]) == ""


def test_the_view_escapes_nothing_twice_and_leaves_out_what_is_not_known() -> None:
    view = diversity_view(report(query("open <b>the</b> door", style="single, web"), query("close it", style="multi, formal")))
    assert view is not None and [label for label, _, _ in view["rows"]].count("Languages") == 0
    assert view["grids"][0][:3] == ("graph", "manner (2) x style (2)", "2 of 4")
    assert diversity_view(None) is None and diversity_view(DiversityReport()) is None


@pytest.mark.slow
def test_a_hundred_thousand_rows_take_seconds() -> None:
    chunks = to_table([chunk(f"c{n}", f"d{n // 10}", f"s{n % 10}") for n in range(20_000)], Chunk)
    rows = [
        query(f"how do I open door {n} with key {n % 977}", f"c{n % 15_000}", ("a, b", "c, d")[n % 2]) for n in range(100_000)
    ]
    table = to_table(rows, GeneratedQuery)
    start = time.process_time()
    found = diversity_report(chunks, table, NONE)
    assert found is not None and found.sample == 2000 and found.chunks_asked == 0.75
    assert time.process_time() - start < 20
