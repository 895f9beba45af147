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
        ("How do I set the controls the width of a stripe?", "article before a verb"),
        ("I need to choose dials for fine control over", "goes with 'control over'"),
        ("How do I get the table of stars in the form?", "goes with 'the form'"),
        ("Is it possible to fill in with my address?", "goes with 'in with'"),
        ("Is there a way to work use the plough?", "second verb 'use'"),
        ("Which function labels for the drawer?", "lacks what it labels"),
        ("What should I do to row in grid corresponds to a seat?", "second verb 'corresponds'"),
        ("supports automatic watering", "a statement: 'supports'"),
        ("robot writes letters in spring", "a statement: 'writes'"),
        ("register a boat with sails have two masts", "auxiliary"),
        ("I need to set up using the garden centre", "goes with"),
        ("visit the greenhouse page to browse", "cut short"),
        ("How do I read a seed map work in combination with rain?", "second verb 'work'"),
        ("the autumn release removed old-shears", "second verb 'removed'"),
        ("set up a local bed used", "goes with 'bed used'"),
        ("Sprinkler installed and running", "goes with 'and running'"),
        ("Can I store tools and enabling better reach?", "no second action"),
        ("What is meant by Pot Size Examples?", "heading"),
        ("What is Moss in Ground Cover Kinds for?", "heading"),
        ("I can't release Notes", "heading"),
        ("Can I take my baking to the next level?", "praise"),
        ("How do I choose from Only on Sundays?", "single choice"),
        ("Can you explain the Kiln?", "article before a name"),
        ("What is Garden Variant 2?", "heading"),
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
        "start over after a crash",
        "find rows that were removed last week",
        "How do I make the pump work with two hoses?",
        "How do I know that the seat is enabled?",
        "Can I copy and paste in one go?",
        "get logs for pods",
        "set number of restarts of the solver",
        "tests for broken links",
        "check what a role allows",
        "Which function returns labels for the drawer?",
        "Which row corresponds to a seat?",
        "Is there a way to work with tables?",
        "How do I continue after a failure?",
        "How do I choose between a list and a tuple?",
        "What is OAuth 2?",
        "How do I turn on dark mode?",
    ],
)
def test_what_people_ask_passes(query: str) -> None:
    assert reject_reason(query, frozenset()) is None


def test_a_copied_sentence_is_dropped() -> None:
    assert reject_reason("change the size of the text", frozenset({"change the size of the text"})) == "a sentence of the chunk"
