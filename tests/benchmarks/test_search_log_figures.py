"""What the figures of query logs rest on: halves that ask about other documents, and no tested question in training."""

from __future__ import annotations

import json
from pathlib import Path

from bench_sets import corpus_of, queries_of, questions_of, task_of
from search_logs import halved, table_of, trained_on

from finetrieve.app.config import DEFAULT_CONFIG, Config, load_config

THINGS = ("kettle", "drill", "lamp", "scooter", "toaster", "printer")


def beir(folder: Path) -> Path:
    texts = [f"To clean the {thing}, open its lid. You can reset the {thing} with the red button." for thing in THINGS]
    rows = {
        "corpus.jsonl": [{"_id": f"d{row}", "title": thing, "text": texts[row]} for row, thing in enumerate(THINGS)],
        "queries.jsonl": [
            {"_id": f"q{row}{kind}", "text": f"{kind} my {thing} please"}
            for row, thing in enumerate(THINGS)
            for kind in ("clean", "reset")
        ],
    }
    for name, lines in rows.items():
        (folder / name).write_text("\n".join(map(json.dumps, lines)))
    (folder / "qrels").mkdir()
    judged = "".join(f"q{row}{kind}\td{row}\t1\n" for row in range(len(THINGS)) for kind in ("clean", "reset"))
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + judged)
    return folder


def test_the_log_asks_about_other_documents_and_what_is_tested_is_not_trained_on(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    task = task_of(beir(tmp_path / "set"), tmp_path)
    config = load_config(DEFAULT_CONFIG, task.docs)
    config = Config.model_validate(config.model_dump(mode="json") | {"filters": [{"name": "length"}]})
    corpus = corpus_of(task.docs, config.chunks, config.training.base_model)
    questions = questions_of(task, corpus, config)
    assert questions is not None
    first, second = halved(questions)
    documents = [{document for answers in half.qrels.values() for document in answers} for half in (first, second)]
    assert all(documents) and documents[0].isdisjoint(documents[1])
    assert first.queries | second.queries == questions.queries
    generated = queries_of(corpus, config, tmp_path)
    log = tuple(first.queries.values())
    pairs, lists = trained_on(corpus, generated, log, [second], config, tmp_path)
    assert {ranked.query for ranked in lists} <= set(log)
    assert lists and not {pair.query for pair in pairs} & set(second.queries.values())
    without, none = trained_on(corpus, generated, (), [first, second], config, tmp_path)
    assert none == [] and {pair.provenance for pair in without} == {"generated"}


def test_the_table_says_how_far_each_way_is_from_the_training_without_the_log() -> None:
    arms = [f"{way}{model}" for way in ("", "late_", "fused_") for model in ("base", "finetuned")]
    rows = [
        {"set": "m", "name": name, "n_log": 3, "n_pairs": 9, "n_lists": 3, "arms": dict.fromkeys(arms, [score] * 4)}
        for name, score in (("rules", 0.5), ("rules, query log", 0.6))
    ]
    table = table_of(rows, 13)
    assert table[0][0] == "m, 4 questions"
    assert table[3][4:6] == ["0.600", "+10.0 [+10.0, +10.0]"]
