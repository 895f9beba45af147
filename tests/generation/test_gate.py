"""The quality gate names what is wrong with a query."""

from __future__ import annotations

import pytest

from steps.generation.rules.gate import reject_reason


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("How do I use the?", "ends on"),
        ("How do I choose one of the following?", "points at"),
        ("How do I open this section?", "points at"),
        ("And how do I stop it?", "starts with"),
        ("How do I enable **bold**?", "markup"),
        ("How do I open [the menu?", "unbalanced"),
        ("How do I the server?", "is no verb"),
        ("How do I use the options?", "nothing in particular"),
        ("Help?", "1 words"),
        ("How do I " + "configure " * 20 + "it?", "words"),
        ("How do I configure configure Wi-Fi?", "repeats"),
        ("How do I keep theCompany informed?", "run-together"),
        ("How do I see it in table 3?", "points at"),
    ],
)
def test_what_reads_badly_is_dropped_with_its_reason(query: str, reason: str) -> None:
    assert reason in (reject_reason(query, frozenset()) or "")


@pytest.mark.parametrize(
    "query",
    [
        "How do I set up Wi-Fi calling?",
        "What is Sticky keys for?",
        "What should I set max_iter to?",
        "I want to reset my phone. How do I do that?",
        "change screen timeout",
        "Can I turn the device off?",
        "What does HuggingFace do?",
    ],
)
def test_what_people_ask_passes(query: str) -> None:
    assert reject_reason(query, frozenset()) is None


def test_a_copied_sentence_is_dropped() -> None:
    assert reject_reason("change the size of the text", frozenset({"change the size of the text"})) == "a sentence of the chunk"
