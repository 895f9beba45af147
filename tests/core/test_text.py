"""When two texts are the same query."""

from __future__ import annotations

from finetrieve.core.text import normalise_query


def test_normalised_queries_are_equal_however_they_are_written() -> None:
    assert normalise_query("  How do I: rotate  KEYS?") == normalise_query("how do i rotate keys")
    assert normalise_query("C++ key") != normalise_query("C key")


def test_a_query_without_words_is_only_itself() -> None:
    assert normalise_query("???") != normalise_query("!")
