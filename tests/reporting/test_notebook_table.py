"""Tables for notebooks."""

from __future__ import annotations

from finetrieve import table
from finetrieve.core.rows import Reject
from finetrieve.core.training_record import DevPoint


def test_rows_of_every_kind_are_a_table_in_text_and_in_html() -> None:
    mapping = table([{"arm": "base", "value": 0.5, "n": 1200}, {"arm": "bm25", "value": None}])
    assert repr(mapping).splitlines() == ["arm   value  n", "base  0.500  1,200", "bm25"]
    assert mapping._repr_html_().count("<tr>") == 3
    assert table([Reject("1", "c", "why?", "short", "2 words")], ["filter", "reason"]).rows == [["short", "2 words"]]
    assert table([DevPoint(step=4, ndcg=0.25)], ["step", "ndcg"]).rows == [[4, 0.25]]
    assert repr(table([], ["a", "b"])) == "a  b"


def test_what_documents_say_is_escaped_and_cut_and_only_the_first_rows_are_shown() -> None:
    shown = table(({"text": "<script>" + "x" * 1000} for _ in range(50)), limit=3)
    assert len(shown.rows) == 3
    assert "&lt;script&gt;" in shown._repr_html_() and "<script>" not in shown._repr_html_()
    assert len(shown._repr_html_()) < 2_000 and max(map(len, repr(shown).splitlines())) <= 90
