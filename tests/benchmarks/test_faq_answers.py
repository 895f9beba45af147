"""Question sets out of FAQ pages: the answers without their questions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from faq_answers import answered, main

RST = """
=====
 FAQ
=====

.. _faq-license:

Can I use it at work?
---------------------

Yes, the :ref:`licence <terms>` lets companies use it for whatever they like, as long as they keep the notice in their copies.

About the authors
-----------------

They live here.
"""
NUMBERED = """
    1.1. Which versions are there?

Chapter 1. Basics

1.1. Which versions are there, and for how
long is each of them looked after?

    A new one comes every two years.

Chapter 2. More
"""


def test_underlined_questions_are_taken_with_what_stands_below_them() -> None:
    (question, answer), *others = answered(RST)
    assert question == "Can I use it at work?" and others == []
    assert answer.startswith("Yes, the licence lets companies") and "authors" not in answer


def test_numbered_questions_of_several_lines_are_taken_without_the_table_of_contents() -> None:
    assert list(answered(NUMBERED)) == [
        ("Which versions are there, and for how long is each of them looked after?", "A new one comes every two years.")
    ]


def test_the_set_holds_no_question_among_its_documents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "faq.rst").write_text(RST)
    monkeypatch.setattr("sys.argv", ["faq_answers.py", str(tmp_path / "set"), str(tmp_path / "faq.rst")])
    main()
    (document,) = map(json.loads, (tmp_path / "set" / "corpus.jsonl").read_text().splitlines())
    assert "at work" not in document["title"] + document["text"]
    assert (tmp_path / "set" / "qrels" / "test.tsv").read_text().splitlines()[1] == "q0\ta0\t1"


def test_a_page_without_questions_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "page.rst").write_text("Title\n=====\n\nText.\n")
    monkeypatch.setattr("sys.argv", ["faq_answers.py", str(tmp_path / "set"), str(tmp_path / "page.rst")])
    with pytest.raises(SystemExit, match="No heading that is a question"):
        main()
    assert not (tmp_path / "set").exists()
