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
        ("hang known weight of at 10 kilograms", "goes with 'of at'"),
        ("How do I finish the open hopper and twice to shut every gate?", "goes with 'and twice to'"),
        ("finish open hopper and to shut gate", "goes with 'and to'"),
        ("How do I use Calibrate a scale?", "heading"),
        ("Can you explain Lay a plate under a hive?", "heading"),
        ("What are Switch automatic updates off for?", "heading"),
        ("How does Hand in a receipt work?", "heading"),
        ("How does hand in a receipt work?", "heading"),
        ("What is Never share my password for?", "heading"),
        ("How do I use Optionally install plugins?", "heading"),
        ("What are Too many false alarms?", "heading"),
        ("What is blue?", "'blue' is no thing"),
        ("How do I use local in Airflow Orchestrator?", "'local' is no thing"),
        ("What does the weight jumps do?", "a statement: 'jumps'"),
        ("I need to see how full a battery", "last clause is cut short"),
        ("What should I do to check how full a battery?", "last clause is cut short"),
        ("unable to put a paving stone", "goes with 'put"),
        ("I want to change at any time under Account > Plan", "goes with 'change at'"),
        ("What is meant by Every week?", "heading"),
        ("How do I use First start?", "heading"),
        ("What does Fixed address do?", "heading"),
        ("What is Blocked gate?", "heading"),
        ("Is it possible to GET /scales returns the weight of every hopper in grams?", "heading"),
        ("looking for a way to GET /scales returns the weight of every hopper", "heading"),
        ("Is it possible to switch the base station off, loosen the four bolts?", "second verb 'loosen'"),
        ("Does an administrator also add users and updates the firmware?", "second verb 'updates'"),
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
        ("How do I set the number of seats in?", "goes with 'seats in'"),
        ("What happens if the wind is 'north' and the sail is 'down?", "unbalanced"),
        ("fill in with seeds", "goes with 'in with'"),
        ("work use hoses", "second verb 'use'"),
        ("Where can I read boats are kept in the harbour?", "second verb 'are'"),
        ("How do I go on with the example from the previous page?", "points at"),
        ("Did tap Garden > Beds to see beds?", "heading"),
        ("turn on feature", "heading"),
        ("Can I take my baking to the next level?", "praise"),
        ("How do I choose from Only on Sundays?", "single choice"),
        ("Can you explain the Kiln?", "article before a name"),
        ("What is Garden Variant 2?", "heading"),
        ("Can I pay sends the payment file?", "second verb 'sends'"),
        ("What do I need to do to use a car privately is a taxable benefit?", "second verb 'is'"),
        ("What should I do to set the last working day with People and contracts?", "with a heading"),
        ("What is filed?", "'filed' is no thing"),
        ("How does Paid work?", "'Paid' is no thing"),
        ("What is meant by Payments that come?", "last clause is cut short"),
        ("How do I use Not enough money in the account?", "a heading"),
        ("Can you explain Ask for leave?", "a heading"),
        ("What are Recordings of sound?", "a heading"),
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
        "What are the recordings of a sound?",
        "What are Forms of the verb?",
        "What is State of charge?",
        "Can I call functions the user wrote?",
        "How do I sign in with Google and a passkey?",
        "What is a release that works?",
        "What are Components of a stack?",
        "What should I do to give pipelines unique names each time they are run?",
        "What do I need to do to set my device to have separate screens?",
        "How do I hand in a receipt?",
        "Can I book a room?",
        "How do I use search filters?",
        "What are hand tools?",
    ],
)
def test_what_people_ask_passes(query: str) -> None:
    assert reject_reason(query, frozenset()) is None


def test_a_copied_sentence_is_dropped() -> None:
    assert reject_reason("change the size of the text", frozenset({"change the size of the text"})) == "a sentence of the chunk"


@pytest.mark.parametrize(
    ("query", "sentence", "passes"),
    [
        ("What is a wireless?", "lay the phone on a wireless charger", False),
        ("How does a Bluetooth work?", "turn on bluetooth first", False),
        ("How do I use an azure?", "choose azure or aws", False),
        ("What is the alarm?", "open the alarm list", False),
        ("What is the alarm?", "the alarm rings every morning", True),
        ("What is a pipeline for?", "write a pipeline", True),
        ("How do I use a voicemail in Phone?", "listen to your voicemail at any time", True),
        ("What are the prerequisites for Seldon?", "check all prerequisites first", True),
        ("How do I use a boat?", "a ship floats", True),  # said for another word
    ],
)
def test_what_has_an_article_is_a_thing_in_the_chunk_as_well(query: str, sentence: str, passes: bool) -> None:
    reason = reject_reason(query, frozenset({sentence}))
    assert reason is None if passes else "is no thing" in (reason or "")


def test_a_heading_of_something_in_the_plural_is_asked_about_where_the_chunk_says_what_it_is() -> None:
    query = "What are Recordings of sound?"
    assert "heading" in (reject_reason(query, frozenset({"press the red button to start recordings of sound"})) or "")
    assert reject_reason(query, frozenset({"recordings of sound are files with the ending wav"})) is None
