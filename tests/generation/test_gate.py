"""The quality gate names what is wrong with a query."""

from __future__ import annotations

import pytest

from finetrieve.generation.recipes.rules.gate import reject_reason


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
        ("Why does a call take than a millisecond?", "goes with 'than'"),
        ("Can the lantern turn a flag?", "goes with 'turn'"),
        ("Are records identified by either an integer ID?", "goes with 'either'"),
        ("Can I move to the archive?", "lacks what to 'move'"),
        ("trying to add to the list", "lacks what to 'add'"),
        ("How are the pods associated?", "goes with 'associated'"),
        ("Is it possible to understand what a flavour?", "cut short"),
        ("I want to install the package by running. How do I do that?", "ends on 'running'"),
        ("How to set the header on", "lacks what it is on"),
        ("How do I use LNT-401?", "a code"),
        ("What is meant by SECRET_STORE_KEY?", "a code"),
        ("What is Webhooks?", "agree"),
        ("What are feature selector that removes columns?", "agree"),
        ("Does the connectors support tokens?", "agree"),
        ("What do pictures do?", "nothing in particular"),
        ("How to return a response object in A simple view?", "title inside"),
        ("What happens if request is provided?", "says nothing"),
        ("What is the Camera?", "article before a name"),
        ("What is Generation?", "bare heading"),
        ("phone explained", "bare heading"),
        ("How do I use FAQ: Databases?", "heading"),
        ("I want to reach services are stored in a vault", "second verb"),
        ("How do I give me a taste?", "to me"),
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
        "Why does a call take more than a millisecond?",
        "Can I turn a list into a string?",
        "Is the window on either side of the screen?",
        "Can I move files to the archive?",
        "What are webhooks?",
        "What is Kubernetes?",
        "What happens if the request is empty?",
        "I want to set how many trees are used",
        "unable to restore a deleted file",
        "remove features with low variance",
    ],
)
def test_what_people_ask_passes(query: str) -> None:
    assert reject_reason(query, frozenset()) is None


def test_a_copied_sentence_is_dropped() -> None:
    assert reject_reason("change the size of the text", frozenset({"change the size of the text"})) == "a sentence of the chunk"
