from __future__ import annotations

import re
import time

import pyarrow as pa

from finetrieve.reporting.artifact_pages import record_page, table_page

HOSTILE = "<img src=x onerror=alert(1)>"


def a_table(rows: int) -> pa.Table:
    return pa.table(
        {
            "id": [f"{number:020x}" for number in range(rows)],
            "section": [f"Guide > {HOSTILE} {number % 40}" for number in range(rows)],
            "text": [f"passage {number}" for number in range(rows)],
        }
    )


def test_a_repeating_column_is_counted_largest_first_and_the_rest_is_summed_up() -> None:
    page = table_page(pa.table({"section": ["b"] * 3 + ["a"] * 5, "text": list("abcdefgh")}))
    [counts] = re.findall(r"By section</h2>(.*?)</table>", page)
    assert re.findall(r"<td>(\w)</td><td class=\"n\">(\d)", counts) == [("a", "5"), ("b", "3")]
    assert "By text" not in page
    assert "34 others" in table_page(a_table(400))


def test_words_of_others_are_escaped_wherever_they_stand() -> None:
    for page in (table_page(a_table(90)), record_page({HOSTILE: {"x": HOSTILE, "y": [HOSTILE, {HOSTILE: 1}]}})):
        assert "<img" not in page and "&lt;img" in page


def test_the_page_of_a_large_table_is_small_and_made_in_a_second() -> None:
    table = a_table(300_000)
    started = time.monotonic()
    page = table_page(table)
    assert time.monotonic() - started < 1
    assert len(page) < 50_000


def test_an_empty_table_has_a_page() -> None:
    assert "0 rows" in table_page(a_table(0))


def test_numbers_by_step_are_drawn_and_intervals_stand_in_one_cell() -> None:
    curve = [{"step": step, "loss": 1 / step} for step in (1, 2, 4)]
    page = record_page({"loss": curve, "arms": {"bm25": {"ndcg@10": {"value": 0.5, "low": 0.25, "high": 0.75}}}})
    assert len(re.findall(r"<polyline[^>]*points=\"([^\"]*)\"", page)[0].split()) == 3
    assert "0.500 [0.250, 0.750]" in page
    assert "<polyline" not in record_page({"loss": curve[:1]})


def test_what_all_rows_share_is_said_once_and_identifiers_stand_last() -> None:
    table = pa.table(
        {
            "id": [f"{number:020x}" for number in range(4)],
            "query": ["a", "b", "c", "d"],
            "recipe": ["rules"] * 4,
            "negative": [""] * 4,
            "further_chunk_ids": pa.array([[]] * 4, pa.list_(pa.string())),
        }
    )
    page = table_page(table)
    assert "The same in every row: recipe rules; negative (none); further_chunk_ids (none)" in page
    assert re.findall(r"<th>(\w+)</th>", page) == ["query", "id"] and "By recipe" not in page
    one = pa.table({"recipe": ["rules"]})
    assert "The same" not in table_page(one) and "<td>rules</td>" in table_page(one)


def test_of_columns_that_say_the_same_of_a_row_one_is_counted() -> None:
    page = table_page(pa.table({"source": ["a.md", "b.md"] * 4, "title": ["A", "B"] * 4, "side": ["x", "x", "y", "y"] * 2}))
    assert re.findall(r"<h2>By (\w+)</h2>", page) == ["source", "side"]


def test_counts_of_the_same_keys_are_one_table_and_long_texts_get_a_wide_column() -> None:
    sides = {"train": 3, "dev": 2, "test": 1}
    page = record_page({"unit": "chunk", "pairs": sides, "chunks": sides})
    assert re.findall(r"<th>(\w+)</th>", page) == ["unit", "train", "dev", "test", "pairs", "chunks"]
    filters = {name: {"in": 9, "kept": 8, "examples": found} for name, found in (("length", []), ("copies", ["too long " * 9]))}
    page = record_page(filters)
    assert re.findall(r"<th>(\w+)</th>", page) == ["in", "kept", "length", "copies"] and page.count("too long") == 9
    assert '<td class="wide">' in record_page({"why": "so " * 30}) and 'class="wide"' not in record_page({"why": "so"})
