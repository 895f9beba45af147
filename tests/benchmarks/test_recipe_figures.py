"""What the figures of the recipes rest on: who is trained on what, mined chunks, typed questions and the table."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recipes
from bench_sets import Corpus
from recipes import AS_ASKED, AS_TYPED, Bench, Variant, as_typed, bench_of, config_of, mined, pairs_for, saved_rows, table_of

from finetrieve.core.rows import Chunk, DocumentEntry, GeneratedQuery, Pair
from finetrieve.evaluation.eval_sets import EvalSet

CHUNKS = [Chunk(f"c{row}", f"d{row}", "m", "Manual", "", f"text {row}", 5, 0) for row in range(4)]
ASKED = EvalSet("manual", "human", {"q1": "How do I reset the Camera app?"}, {"q1": {"d3": 1}}, "document", CHUNKS, 4)


def triplet(row: int, query: str) -> GeneratedQuery:
    return GeneratedQuery(f"t{row}", f"c{row}", query, "How is the weather?", "recorded", "triplet", "m")


def bench(*recorded: GeneratedQuery) -> Bench:
    documents = [DocumentEntry(chunk.doc_id, "", "", chunk.doc_id) for chunk in CHUNKS]
    return Bench("manual", Corpus(CHUNKS, documents, []), frozenset({"c0", "c1", "c2"}), ASKED, recorded)


def test_no_pair_is_about_a_chunk_that_is_held_out_or_asks_what_is_asked(tmp_path: Path) -> None:
    made = [
        triplet(0, "how do I charge the phone"),
        triplet(1, "how do i reset the camera app"),  # the question of the set in other letters
        triplet(3, "which buttons lock the screen"),
    ]
    variant = Variant(recorded="written")
    config = config_of(tmp_path, variant, 2, 13)
    kept = config.model_copy(update={"filters": [one for one in config.filters if one.name == "length"]})
    assert [(pair.query, pair.negative_query) for pair in pairs_for(bench(*made), variant, kept, tmp_path)] == [
        ("how do I charge the phone", "How is the weather?")
    ]
    without = pairs_for(bench(*made), replace(variant, recorded="none"), kept, tmp_path)
    assert [pair.negative_query for pair in without] == [None]


def test_every_variant_trains_for_as_many_steps(tmp_path: Path) -> None:
    for variant in recipes.VARIANTS.values():
        training = config_of(tmp_path, variant, 7, 13).training
        assert training.max_steps == 7 and training.epochs >= 7  # an epoch has a step or more


def test_mined_chunks_are_the_nearest_that_hardly_answer() -> None:
    pairs = [Pair("a", "c0", "train", "generated", ""), Pair("a", "c1", "train", "generated", "")]
    cosines = np.array([[0.8, 0.7, 0.79, 0.6], [0.8, 0.7, 0.6, 0.66]], dtype=np.float32)
    # First query, limit .95 x .8 = .76: c2 may answer it too, and c1 is its other answer. Second, limit .665: c3, then c2.
    found = [(row.source, row.chunk_id, row.target) for row in mined(pairs, ["c0", "c1", "c2", "c3"], cosines)]
    assert found == [("c0", "c0", 1.0), ("c0", "c3", 0.0), ("c1", "c1", 1.0), ("c1", "c3", 0.0), ("c1", "c2", 0.0)]


def test_a_typed_question_differs_and_has_the_same_answers() -> None:
    typed = as_typed(ASKED)
    assert typed.queries != ASKED.queries and typed.qrels == ASKED.qrels
    assert as_typed(ASKED).queries == typed.queries
    assert len({as_typed(ASKED, seed).queries["q1"] for seed in range(20)}) > 3  # small letters, keywords, several misspellings


def test_half_of_the_pages_of_recorded_answers_are_asked_about_and_never_trained_on(tmp_path: Path) -> None:
    for name, rows in {
        "corpus.jsonl": [{"_id": f"z{row}", "title": f"page-{row}", "text": f"{word} " * 20} for row, word in enumerate("abcd")],
        "queries.jsonl": [
            {"_id": f"q{row}", "text": f"what is {word}", "negative_query": "no", "model": "m"} for row, word in enumerate("abcd")
        ],
    }.items():
        (tmp_path / name).write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("q\td\ts\n" + "".join(f"q{row}\tz{row}\t1\n" for row in range(4)))
    found = bench_of(tmp_path, config_of(tmp_path, Variant(), 2, 13), 2, tmp_path)
    asked_about = {chunk for answers in found.questions.qrels.values() for chunk in answers}
    assert len(asked_about) == 2 and asked_about.isdisjoint(found.trainable)
    assert asked_about | found.trainable == {"z0", "z1", "z2", "z3"} == {chunk.id for chunk in found.questions.chunks}


ARMS = [f"{way}{model}" for way in ("", "late_", "fused_") for model in ("base", "finetuned")]


def row(name: str, value: float) -> dict[str, Any]:
    scores = {asking: dict.fromkeys(ARMS, [value] * 5) for asking in (AS_ASKED, AS_TYPED)}
    return {"set": "manual", "name": name, "n_pairs": 9, "seconds": 3.0, **scores}


def test_a_row_has_its_difference_to_the_rules_beside_each_score() -> None:
    table = table_of([row("rules", 0.5), row("rules, noise", 0.75)], AS_TYPED, 13)
    assert [line[0] for line in table] == ["manual, as typed", "untrained", "rules", "rules, noise"]
    assert table[2][1:4] == ["9", "0.500", "-"]
    assert table[3][1:4] == ["9", "0.750", "+25.0 [+25.0, +25.0]"]


def test_a_run_goes_on_from_what_is_saved_unless_its_settings_differ(tmp_path: Path) -> None:
    path, settings = tmp_path / "figures.json", {"max_steps": 12, "seed": 13}
    assert saved_rows(path, settings) == []
    path.write_text(json.dumps({**settings, "rows": [row("rules", 0.5)]}))
    assert [found["name"] for found in saved_rows(path, settings)] == ["rules"]
    with pytest.raises(SystemExit, match="is of a run with max_steps 12, not 36; give --save another file"):
        saved_rows(path, settings | {"max_steps": 36})
