"""The learning curve: which queries a part holds, and what a training records of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_train import corpus, settings

from finetrieve.core.rows import Pair
from finetrieve.training.api_reference import gentler
from finetrieve.training.learning_curve import SHARES, part_of
from finetrieve.training.settings import TrainingSettings
from finetrieve.training.split import TRAIN, side_of
from finetrieve.training.train import train_model


def pairs_of(n_chunks: int) -> list[Pair]:
    return [Pair(f"{ask} {row}", f"chunk {row}", "train", "generated", "") for row in range(n_chunks) for ask in ("how", "why")]


def test_a_part_keeps_a_chunks_queries_together_and_lies_within_every_larger_one() -> None:
    pairs = pairs_of(4000)
    parts = [part_of(pairs, share) for share in SHARES]
    for share, part in zip(SHARES, parts, strict=True):
        assert len(part) / len(pairs) == pytest.approx(share, abs=0.03)
        assert len(part) == 2 * len({pair.chunk_id for pair in part})
    assert set(parts[0]) < set(parts[1]) < set(pairs)


def test_dev_and_test_stay_whole() -> None:
    others = [Pair("q", f"chunk {row}", side, "generated", "") for row in range(50) for side in ("dev", "test")]
    assert part_of([*pairs_of(50), *others], 0.0) == others


def test_the_part_has_nothing_to_do_with_the_split() -> None:
    """Where chunks were split instead of documents, no train chunk has a hash below dev's and test's shares."""
    from finetrieve.training.settings import SplitSettings

    split = SplitSettings(dev=0.25, test=0.25)
    trained = [pair for pair in pairs_of(4000) if side_of(pair.chunk_id, split) == TRAIN]
    assert len(part_of(trained, 0.5)) / len(trained) == pytest.approx(0.5, abs=0.04)


@pytest.mark.slow
def test_a_training_records_a_point_per_part_and_the_whole(tiny_model: Path, tmp_path: Path) -> None:
    pairs, chunks = corpus()
    wanted = settings(max_steps=2, learning_curve=True, average=[0.0])
    record = train_model(pairs, chunks, wanted, str(tiny_model), tmp_path / "model", tmp_path / "checkpoints", 3).record.as_json()
    curve = record["learning_curve"]
    assert [point["share"] for point in curve] == [*SHARES, 1.0]
    assert [point["n_pairs"] for point in curve] == sorted(point["n_pairs"] for point in curve)
    assert curve[-1]["n_pairs"] == record["n_pairs"]
    assert all(0 <= point["arms"][arm] <= 1 for point in curve for arm in ("finetuned", "late_finetuned"))
    assert list((tmp_path / "checkpoints").iterdir()) == []


@pytest.mark.slow
def test_without_dev_queries_there_is_no_curve(tiny_model: Path, tmp_path: Path) -> None:
    pairs, chunks = corpus()
    trained = [pair for pair in pairs if pair.split == "train"]
    wanted = settings(max_steps=1, learning_curve=True, average=[0.0])
    record = train_model(
        trained, chunks, wanted, str(tiny_model), tmp_path / "model", tmp_path / "checkpoints", 3
    ).record.as_json()
    assert record["learning_curve"] == []


@pytest.mark.slow
def test_api_reference_is_gentle_once_on_parts_too(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = list[int]()

    def gentler_once(wanted: TrainingSettings) -> TrainingSettings:
        given.append(wanted.max_steps)
        return gentler(wanted)

    monkeypatch.setattr("finetrieve.training.train.gentler", gentler_once)
    monkeypatch.setattr("finetrieve.training.train.is_api_reference", lambda *_: True)
    pairs, chunks = corpus()
    wanted = settings(max_steps=4, learning_curve=True, average=[0.0])
    train_model(pairs, chunks, wanted, str(tiny_model), tmp_path / "model", tmp_path / "checkpoints", 3)
    assert given == [4] * (1 + len(SHARES))
