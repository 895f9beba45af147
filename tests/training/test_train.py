"""Training end to end with a tiny model: what comes out, and that it goes on after a kill."""

from __future__ import annotations

import json
import os
import signal
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from transformers import PreTrainedTokenizerBase

from finetrieve.core.errors import InputError
from finetrieve.core.rows import Chunk, Pair
from finetrieve.retrieval.encoder import load_encoder
from finetrieve.training.settings import TrainingSettings
from finetrieve.training.train import TrainingResult, train_model
from finetrieve.training.trainer import TrainingRun, fit, make_plan
from tests.conftest import ROOT
from tests.small_disk import small_disk
from tests.warm_python import WarmPython

THINGS = ["key", "backup", "invoice", "printer", "camera", "battery", "router", "sensor", "ticket", "badge", "drone", "filter"]
THINGS += ["pump", "valve", "mixer"]
ACTIONS = ["rotate", "replace", "configure", "delete"]


def corpus() -> tuple[list[Pair], list[Chunk]]:
    """Returns 60 chunks of 15 documents, each with two queries; the last two documents are dev."""
    chunks, pairs = list[Chunk](), list[Pair]()
    for number, thing in enumerate(THINGS):
        for position, action in enumerate(ACTIONS):
            chunk = Chunk(f"{thing}-{action}", thing, "", thing, action, f"Open settings and {action} the {thing}.", 12, position)
            chunks.append(chunk)
            side = "dev" if number >= len(THINGS) - 2 else "train"
            queries = (f"how do I {action} a {thing}", f"can I {action} the {thing}")
            pairs.extend(Pair(query, chunk.id, side, "generated", "how_to") for query in queries)
    return pairs, chunks


def settings(**changed: Any) -> TrainingSettings:
    small = {
        "batch_size": 8,
        "max_tokens": 32,
        "matryoshka_dims": [16, 8],
        "learning_rate": 1e-3,
        "precision": "fp32",
        "epochs": 2,
    }
    return TrainingSettings(**{**small, **changed})


def train(tiny_model: Path, place: Path, **changed: Any) -> TrainingResult:
    pairs, chunks = corpus()
    return train_model(pairs, chunks, settings(**changed), str(tiny_model), place / "model", place / "checkpoints", seed=3)


def weights(directory: Path) -> dict[str, Any]:
    found: dict[str, Any] = load_file(directory / "model.safetensors")
    return found


@pytest.mark.slow
def test_a_training_leaves_a_model_that_loads_its_card_and_its_record(tiny_model: Path, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    steps_seen: list[tuple[int, int]] = []
    pairs, chunks = corpus()
    result = train_model(
        pairs, chunks, settings(), str(tiny_model), tmp_path / "model", tmp_path / "ck", 3, lambda *step: steps_seen.append(step)
    )
    record = result.record.as_json()
    model = SentenceTransformer(str(result.model_dir), device="cpu")
    assert model.max_seq_length == 64
    assert model.encode(["how do I rotate a key"]).shape == (1, 16)
    assert (result.model_dir / "README.md").read_text().startswith("---\n")
    assert json.loads((result.model_dir / "training_record.json").read_text())["chosen"] == record["chosen"]
    assert steps_seen == [(step, record["steps"]) for step in range(record["steps"] + 1)]
    assert [entry["step"] for entry in record["loss"]] == [step for step, _ in steps_seen[1:]]
    assert [entry["step"] for entry in record["dev"]] == list(record["evaluate_at"])
    tried = [entry["base_share"] for entry in record["averaging"]]
    assert tried == [0.0, 0.3, 0.5, 0.7, 0.9][: len(tried)] and tried[-1] == record["chosen"]["base_share"]
    assert record["dev_is"] == "generated"
    assert set(record["guard"]["ndcg@10"]) == {"dense", "late"}
    assert (record["n_pairs"], record["n_chunks"], record["n_dev_queries"]) == (104, 52, 16)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ck", "model"]
    assert not list((tmp_path / "ck").iterdir())


@pytest.mark.slow
def test_training_learns_and_the_same_seed_gives_the_same_weights(tiny_model: Path, tmp_path: Path) -> None:
    first = train(tiny_model, tmp_path / "first", epochs=4, average=[0.0])
    again = train(tiny_model, tmp_path / "again", epochs=4, average=[0.0])
    losses = [entry["loss"] for entry in first.record.as_json()["loss"]]
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
    for name, weight in weights(first.model_dir).items():
        np.testing.assert_array_equal(weight, weights(again.model_dir)[name])


def test_the_chunks_are_tokenised_once_when_a_training_starts(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs, chunks = corpus()
    asked_by_none = Chunk("alone", "alone", "", "", "", "Nobody asks for this chunk.", 6, 0)
    given, read = settings(loss="joint", max_steps=1), list[str]()
    call = PreTrainedTokenizerBase.__call__

    def counted(tokenizer: PreTrainedTokenizerBase, text: Any, *args: Any, **options: Any) -> Any:
        read.extend([text] if isinstance(text, str) else text)
        return call(tokenizer, text, *args, **options)

    model = load_encoder(str(tiny_model), max_tokens=32, device="cpu")
    run = TrainingRun(tmp_path, None, make_plan(pairs, chunks, given, model), late=True)
    monkeypatch.setattr(PreTrainedTokenizerBase, "__call__", counted)
    fit(model, pairs, [*chunks, asked_by_none], given, str(tiny_model), 3, run, None)
    assert [text for text in read if "Nobody asks" in text] == [asked_by_none.text]


@pytest.mark.slow
def test_directions_and_hardness_change_what_is_learnt(
    tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plain = train(tiny_model, tmp_path / "plain", loss="mnrl", max_steps=2, average=[0.0]).record.as_json()
    directions = ["query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc"]
    with caplog.at_level("WARNING"):
        gte = train(
            tiny_model,
            tmp_path / "gte",
            loss="mnrl",
            max_steps=2,
            average=[0.0],
            directions=directions,
            hardness={"mode": "hard_negatives", "strength": 5.0},
        ).record.as_json()
    assert gte["loss"][0]["loss"] > plain["loss"][0]["loss"] + 0.3  # more to tell a pair from
    assert "hard_negatives changes nothing: no query has a negative" in caplog.text


@pytest.mark.slow
def test_an_average_lies_between_the_base_model_and_the_tuned_one(tiny_model: Path, tmp_path: Path) -> None:
    tuned = weights(train(tiny_model, tmp_path / "tuned", average=[0.0], max_steps=4).model_dir)
    half = weights(train(tiny_model, tmp_path / "half", average=[0.5], max_steps=4).model_dir)
    base = weights(tiny_model)
    for name, weight in half.items():
        np.testing.assert_allclose(weight, (tuned[name] + base[name]) / 2, atol=1e-5)


@pytest.mark.slow
def test_hard_chunks_change_what_a_step_compares(tiny_model: Path, tmp_path: Path) -> None:
    by_chance = train(tiny_model, tmp_path / "a", max_steps=2)
    hard = train(tiny_model, tmp_path / "b", max_steps=2, hard_chunks=3)
    again = train(tiny_model, tmp_path / "c", max_steps=2, hard_chunks=3)
    assert hard.record.as_json()["loss"] == again.record.as_json()["loss"]
    assert hard.record.as_json()["loss"] != by_chance.record.as_json()["loss"]


@pytest.mark.slow
def test_without_dev_queries_the_last_step_is_taken(tiny_model: Path, tmp_path: Path) -> None:
    pairs, chunks = corpus()
    training = [pair for pair in pairs if pair.split == "train"]
    result = train_model(
        training, chunks, settings(average=[0.0], max_steps=4), str(tiny_model), tmp_path / "model", tmp_path / "ck", 3
    )
    assert result.record.as_json()["chosen"] == {"step": result.record.as_json()["steps"], "base_share": 0.0}
    assert result.record.as_json()["dev"] == []
    assert result.record.as_json()["dev_is"] == "none"


@pytest.mark.slow
def test_the_smallest_share_is_taken_at_which_lay_questions_do_not_fall(tiny_model: Path, tmp_path: Path) -> None:
    shares = [0.0, 0.5, 0.9]
    content = train(tiny_model, tmp_path / "content", average=shares, lay_tolerance=1.0, max_steps=4).record.as_json()
    assert content["chosen"]["base_share"] == 0.0
    assert [entry["base_share"] for entry in content["averaging"]] == [0.0]

    # A teacher of nothing but the documents' queries, at a rate that forgets, against a bar that only gains would pass.
    strict = train(
        tiny_model, tmp_path / "strict", average=shares, lay_tolerance=0.0, lay_questions=0, keep_base=0.0, epochs=6
    ).record.as_json()
    lay = {entry["base_share"]: (entry["lay_dense"], entry["lay_late"]) for entry in strict["averaging"]}
    assert strict["chosen"]["base_share"] in lay
    if len(lay) < len(shares):
        assert strict["chosen"]["base_share"] == max(lay)


@pytest.mark.slow
@pytest.mark.parametrize(("whose", "chosen"), [("human", 0.9), ("own", 0.3)])
def test_of_shares_that_dev_cannot_tell_apart_people_s_questions_take_the_base_and_own_pairs_the_training(
    whose: str, chosen: float, tiny_model: Path, tmp_path: Path
) -> None:
    from dataclasses import replace

    pairs, chunks = corpus()
    asked = [
        replace(pair, provenance=whose, query=f"{pair.query} {number}") if pair.split == "dev" else pair
        for number, pair in enumerate([*pairs, *(pair for pair in pairs if pair.split == "dev")])
    ]
    result = train_model(
        asked,
        chunks,
        settings(average=[0.0, 0.3, 0.9], lay_tolerance=1.0, average_tolerance=1.0, max_steps=4),
        str(tiny_model),
        tmp_path / "model",
        tmp_path / "ck",
        3,
    )
    assert result.record.as_json()["dev_is"] == whose
    assert [entry["base_share"] for entry in result.record.as_json()["averaging"]] == [0.0, 0.3, 0.9]
    assert all("ndcg@10" in entry for entry in result.record.as_json()["averaging"])
    assert result.record.as_json()["chosen"]["base_share"] == chosen  # all score alike within the tolerance


def test_nothing_to_train_on_is_one_clear_line(tiny_model: Path, tmp_path: Path) -> None:
    pairs, chunks = corpus()
    with pytest.raises(InputError, match="No query is left to train on"):
        train_model(pairs[-2:], chunks, settings(), str(tiny_model), tmp_path / "model", tmp_path / "ck", 3)


@pytest.mark.slow
def test_a_training_that_diverges_says_so(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Training diverged: the loss is"):
        train(tiny_model, tmp_path, learning_rate=1e30, warmup=0, epochs=5)
    assert not (tmp_path / "model").exists()


@pytest.mark.slow
def test_an_older_model_is_replaced_only_by_a_whole_one(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").touch()
    with pytest.raises(InputError):
        train(tiny_model, tmp_path, learning_rate=1e30, warmup=0, epochs=5)
    assert (tmp_path / "model" / "old").exists()
    train(tiny_model, tmp_path, max_steps=2)
    assert not (tmp_path / "model" / "old").exists()


@pytest.mark.slow
@pytest.mark.parametrize("full", ["model", "checkpoints"])
def test_a_full_disk_is_one_clear_line_and_leaves_nothing_half_written(tiny_model: Path, tmp_path: Path, full: str) -> None:
    pairs, chunks = corpus()
    options = settings(checkpoint_seconds=1e-3, max_steps=4)
    with small_disk(tmp_path / "disk", "1m") as disk:  # the tiny model has 2 MB
        place = {"model": tmp_path, "checkpoints": tmp_path, full: disk}
        with pytest.raises(InputError, match=f"^No space left in '{disk}[^']*'.*training goes on") as caught:
            train_model(
                pairs, chunks, options, str(tiny_model), place["model"] / "model", place["checkpoints"] / "checkpoints", 3
            )
        assert "\n" not in str(caught.value)
        assert not (place["model"] / "model").exists()
        if full == "model":
            assert not list(disk.iterdir())
            train_model(pairs, chunks, options, str(tiny_model), tmp_path / "model", tmp_path / "checkpoints", 3)
            assert (tmp_path / "model" / "model.safetensors").exists()


# Training in a process of its own, which can be killed.
CHILD = """
    import sys, os, signal, time
    from pathlib import Path
    import torch
    from tests.training.test_train import corpus, settings
    from finetrieve.training.train import train_model

    # A shell starts what it puts into the background with interrupts ignored, and that is inherited.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    model, place, stop_at, how = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]

    def report(done, total):
        print("step", done, total, flush=True)
        if done == stop_at:
            os.kill(os.getpid(), getattr(signal, how))
            time.sleep(60)

    torch.set_num_threads(1)
    pairs, chunks = corpus()
    options = settings(dropout=0.1, checkpoint_seconds=1e-3, epochs=3)
    train_model(pairs, chunks, options, model, place / "model", place / "checkpoints", 3, report)
"""


RunChild = Callable[..., tuple[int, list[int], str]]


@pytest.fixture(scope="module")
def run_child(warm_python: WarmPython, tiny_model: Path) -> RunChild:
    """Trains in a process of its own, and returns how it ended, its steps and its errors."""

    def run(place: Path, stop_at: int = -1, how: str = "SIGKILL") -> tuple[int, list[int], str]:
        code = ["-c", textwrap.dedent(CHILD), str(tiny_model), str(place), str(stop_at), how]
        done = warm_python.run(code, dict(os.environ), ROOT)
        steps = [int(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("step")]
        return done.returncode, steps, done.stderr

    return run


@pytest.fixture(scope="module")
def undisturbed(run_child: RunChild, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int]]:
    """Returns the folder of a training that nothing ended early, and its steps."""
    place = tmp_path_factory.mktemp("undisturbed")
    code, steps, errors = run_child(place)
    assert code == 0, errors
    return place, steps


@pytest.mark.slow
@pytest.mark.parametrize("how", ["SIGKILL", "SIGINT"])
def test_a_killed_training_goes_on_and_ends_where_an_undisturbed_one_does(
    run_child: RunChild, undisturbed: tuple[Path, list[int]], tmp_path: Path, how: str
) -> None:
    whole, all_steps = undisturbed
    killed_at = len(all_steps) // 2 + 2
    found, steps, _ = run_child(tmp_path / "killed", killed_at, how)
    assert steps[-1] == killed_at
    assert found == -getattr(signal, how)
    assert not (tmp_path / "killed" / "model").exists()

    # A checkpoint that was cut off while being written is passed over.
    torn = next((tmp_path / "killed" / "checkpoints").iterdir()) / f"checkpoint-{killed_at + 1}"
    torn.mkdir()
    (torn / "model.safetensors").write_bytes(b"half")

    code_resumed, rest, errors = run_child(tmp_path / "killed")
    assert code_resumed == 0, errors
    assert 1 < rest[0] <= killed_at
    expected, resumed = weights(whole / "model"), weights(tmp_path / "killed" / "model")
    for name, weight in expected.items():
        np.testing.assert_allclose(resumed[name], weight, atol=1e-6, err_msg=name)
    records = [json.loads((run / "model" / "training_record.json").read_text()) for run in (whole, tmp_path / "killed")]
    assert records[0] == records[1]
