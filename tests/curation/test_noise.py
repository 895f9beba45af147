"""Noise like people's: which queries change, how, and that everything else stays as it is."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from difflib import SequenceMatcher

import pytest
from pydantic import ValidationError

from finetrieve.core.corpus import Corpus
from finetrieve.core.rows import GeneratedQuery
from finetrieve.core.tables import to_rows, to_table
from finetrieve.core.text import query_words
from finetrieve.curation import noise
from finetrieve.curation.curate import CurationResult, curate
from finetrieve.curation.noise import NoiseTransform

WORDS = ["rotate", "signing", "console", "account", "password", "schedule", "invoice", "holiday", "printer", "language"]
ROWS = [
    GeneratedQuery(
        f"q{number}",
        f"c{number}",
        f"How do I change the {WORDS[number % 10]} of Project {number} in HTTP?",
        None,
        "how_to",
        "rules",
        "1",
    )
    for number in range(400)
]


def noised(rows: list[GeneratedQuery], **settings: object) -> CurationResult:
    filters = [NoiseTransform.model_validate(settings)]
    return curate(to_table(rows, GeneratedQuery), Corpus.from_rows([]), filters)


def test_a_share_changes_by_weight_and_seed_and_no_row_is_lost() -> None:
    result = noised(ROWS, share=0.25, kinds={"lower_case": 1, "misspelled": 3})
    rows = to_rows(result.queries, GeneratedQuery)
    changed = [(old, new) for old, new in zip(ROWS, rows, strict=True) if old.query != new.query]
    assert [row.id for row in rows] == [row.id for row in ROWS] and 70 < len(changed) < 130  # 100 of 400 are expected
    styles = Counter(new.style for _, new in changed)
    assert (
        set(styles) == {"how_to, lower_case", "how_to, misspelled"}
        and styles["how_to, misspelled"] > styles["how_to, lower_case"]
    )
    assert all(old == new for old, new in zip(ROWS, rows, strict=True) if old.query == new.query)
    report = result.report.model_dump()["noise"]
    assert (report["in"], report["kept"], report["changed"]) == (400, 400, len(changed)) and result.rejects.num_rows == 0
    assert report["examples"][0]["reason"].endswith(f", was '{changed[0][0].query}'")
    assert to_rows(noised(ROWS, share=0.25, kinds={"lower_case": 1, "misspelled": 3}).queries, GeneratedQuery) == rows
    assert to_rows(noised(ROWS, share=0.25, seed=14).queries, GeneratedQuery) != rows


def test_a_query_changes_in_the_same_way_whatever_else_is_there() -> None:
    whole = {row.id: row.query for row in to_rows(noised(ROWS, share=0.5).queries, GeneratedQuery)}
    part = to_rows(noised(ROWS[100:200], share=0.5).queries, GeneratedQuery)
    assert all(whole[row.id] == row.query for row in part)


def test_what_each_kind_does() -> None:
    source = random.Random(3)
    query = "How do I rotate the signing key of KMeans in the admin console?"
    assert noise._lower_case(query, source) == "how do i rotate the signing key of KMeans in the admin console"
    assert noise._keywords(query, source) == "rotate signing key KMeans admin console"
    assert noise._keywords("What is it?", source) == "what is it"
    for _ in range(50):
        cut = noise._unfinished(query, source)
        assert noise._lower_case(query, source).startswith(cut) and 8 <= len(cut.split()) < 13
    assert noise._unfinished("Reset it", source) == "reset it"


def test_a_typo_is_one_slip_and_never_in_a_name_or_a_first_letter() -> None:
    source = random.Random(5)
    typed = {noise._misspelled("rotate sklearn.cluster with --max_iter", source) for _ in range(60)}
    assert len(typed) > 5
    for query in typed:
        word, *rest = query.split()
        assert rest[0] == "sklearn.cluster" and rest[2] == "--max_iter"
        assert word[0] == "r" and rest[1][0] == "w"
        assert SequenceMatcher(None, "".join([word, rest[1]]), "rotatewith").ratio() > 0.8


def test_no_query_becomes_another_one_of_its_chunk() -> None:
    twins = [replace(ROWS[0], query="How do I rotate the key?"), replace(ROWS[0], id="q0b", query="rotate key")]
    result = noised(twins, share=1.0, kinds={"keywords": 1})
    assert [query_words(row.query) for row in to_rows(result.queries, GeneratedQuery)] == [
        ["how", "do", "i", "rotate", "the", "key"],
        ["rotate", "key"],
    ]


def test_settings_that_make_no_sense_are_refused() -> None:
    for settings in ({"share": 0}, {"share": 1.5}, {"kinds": {}}, {"kinds": {"lower_case": 0}}, {"kinds": {"shouted": 1}}):
        with pytest.raises(ValidationError):
            NoiseTransform.model_validate(settings)
