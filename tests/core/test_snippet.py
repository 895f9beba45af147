from __future__ import annotations

import pytest

from finetrieve.core.html import with_code
from finetrieve.core.snippet import marked, plain_text, snippet


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("## Set up\n\nUse **bold** and `a_b <x>` or [a page](http://x/y).", "Set up Use bold and a_b <x> or a page."),
        ("![a pump](http://evil/x.png) and ![](http://evil/y.png)", "a pump and"),
        ("| key | meaning |\n|---|---|\n| `a` | the first |", "key meaning a the first"),
        ("* one\n* two\n\n1. three", "one two three"),
        ("```python\nx = 1  # why\n```", "x = 1 # why"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("It costs[^sms] and `[^a-z]`.\n\n[^sms]: Four cents each.", "It costs and [^a-z]. Four cents each."),
        ("5 * 3 * 2 and snake_case_name", "5 * 3 * 2 and snake_case_name"),
        ("a\u202eb\x00c", "ab\ufffdc"),
    ],
)
def test_markdown_is_read_as_its_words(markdown: str, shown: str) -> None:
    assert plain_text(markdown) == shown


def test_a_long_text_is_cut_around_the_questions_words() -> None:
    text = f"{'Nothing of it. ' * 40}To undo a **migration**, run migrate with its name. {'Nothing again. ' * 40}"
    shown = snippet(text, 120, "how do I undo migrations?")
    assert "To undo a migration, run migrate" in shown and len(shown) <= 120
    assert shown.startswith("…") and shown.endswith("…")
    assert snippet(text, 120, "how do I?").startswith("Nothing of it.")
    assert snippet("Short.", 120, "migrations") == "Short."


def test_the_questions_words_are_marked_whatever_their_ending_and_nothing_else_becomes_markup() -> None:
    shown = str(marked("Migrations <b>of the</b> migrated migrate & a <migration>", "How do I run a migration of the <b>?"))
    assert shown.startswith("<mark>Migrations</mark> &lt;<mark>b</mark>&gt;of the&lt;")
    assert shown.endswith("migrate &amp; a &lt;<mark>migration</mark>&gt;")
    assert str(marked("How do I?", "how do I")) == "How do I?"


def test_backticks_of_our_own_sentences_become_code() -> None:
    assert str(with_code("Run `a <b>` or `c`, not `d")) == "Run <code>a &lt;b&gt;</code> or <code>c</code>, not `d"
