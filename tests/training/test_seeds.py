"""Several trainings averaged into one model: their mean, what the record says, and that none is trained twice after a kill."""

from __future__ import annotations

import json
import os
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from test_train import corpus, settings, train, weights

from finetrieve.core.progress import Progress
from finetrieve.core.training_record import DevPoint, LossPoint
from finetrieve.training.averaging import Weights
from finetrieve.training.seeds import SeedTraining, mean_weights, train_seeds
from finetrieve.training.train import train_model
from tests.conftest import ROOT
from tests.warm_python import WarmPython


class Trainings:
    """Stands for the training of a model: gives the seed as the only weight, and breaks where it is told to."""

    def __init__(self, broken: int | None = None) -> None:
        self.broken, self.started = broken, list[int]()

    def __call__(self, seed: int, folder: Path, on_progress: Progress | None) -> tuple[SeedTraining, Weights]:
        self.started.append(seed)
        (folder / "checkpoint-1").mkdir(exist_ok=True)
        (folder / "best.safetensors").write_bytes(b"x")
        if seed == self.broken:
            raise KeyboardInterrupt
        if on_progress:
            on_progress(1, 2)
        dev = [DevPoint(step=1, ndcg=0.5), DevPoint(step=2, ndcg=seed / 10)]
        return SeedTraining(seed, 2, [LossPoint(step=1, loss=float(seed))], dev), {"w": torch.tensor([float(seed)])}


def test_the_mean_of_weights_keeps_whole_numbers_and_their_type() -> None:
    first = {"w": torch.tensor([1.0, 2.0], dtype=torch.bfloat16), "n": torch.tensor(7)}
    second = {"w": torch.tensor([3.0, 6.0], dtype=torch.bfloat16), "n": torch.tensor(9)}
    mean = mean_weights([first, second])
    assert mean["w"].tolist() == [2.0, 4.0] and mean["w"].dtype == torch.bfloat16
    assert mean["n"].item() == 7


def test_what_is_finished_is_not_trained_again_and_leaves_only_its_weights(tmp_path: Path) -> None:
    cut_off = Trainings(broken=5)
    with pytest.raises(KeyboardInterrupt):
        train_seeds(cut_off, [3, 5, 7], tmp_path, None)
    assert sorted(path.name for path in (tmp_path / "seed-3").iterdir()) == ["finished.json", "weights.safetensors"]
    assert (tmp_path / "seed-5" / "checkpoint-1").is_dir()

    resumed, undisturbed = Trainings(), Trainings()
    found = train_seeds(resumed, [3, 5, 7], tmp_path, None)
    assert (cut_off.started, resumed.started) == ([3, 5], [5, 7])
    (tmp_path / "other").mkdir()
    whole = train_seeds(undisturbed, [3, 5, 7], tmp_path / "other", None)
    assert found.weights["w"].item() == whole.weights["w"].item() == 5.0
    assert found.trainings == whole.trainings
    assert [point.loss for point in found.loss] == [5.0]
    assert [point.ndcg for point in found.dev] == [0.5, 0.5]
    assert [(point.seed, point.step, point.ndcg) for point in found.seeds] == [(3, 2, 0.3), (5, 2, 0.5), (7, 2, 0.7)]
    assert found.ndcg is None  # of the mean, nobody knows it yet


def test_weights_without_the_mark_are_trained_again(tmp_path: Path) -> None:
    train_seeds(Trainings(), [3, 4], tmp_path, None)
    (tmp_path / "seed-3" / "finished.json").unlink()
    again = Trainings()
    train_seeds(again, [3, 4], tmp_path, None)
    assert again.started == [3]


def test_progress_says_which_training_it_is_and_a_single_one_has_nothing_to_say(tmp_path: Path) -> None:
    told = list[tuple[object, ...]]()
    train_seeds(Trainings(), [3, 4], tmp_path, lambda *facts: told.append(facts))
    assert told == [(1, 2, "training 1 of 2"), (1, 2, "training 2 of 2")]
    single = train_seeds(Trainings(), [3], tmp_path, lambda *facts: told.append(facts))
    assert told[2:] == [(1, 2)]
    assert single.seeds == [] and single.ndcg == 0.3


@pytest.mark.slow
def test_two_seeds_give_the_mean_of_two_trainings_and_the_record_and_card_say_so(tiny_model: Path, tmp_path: Path) -> None:
    pairs, chunks = corpus()
    short = {"max_steps": 3, "average": [0.0], "lay_questions": 0}
    alone = [
        train_model(pairs, chunks, settings(**short), str(tiny_model), tmp_path / f"{seed}", tmp_path / "checkpoints", seed)
        for seed in (3, 4)
    ]
    both = train(tiny_model, tmp_path / "both", seeds=2, **short)
    apart = [weights(result.model_dir) for result in alone]
    assert any(not np.array_equal(weight, apart[1][name]) for name, weight in apart[0].items())
    for name, weight in weights(both.model_dir).items():
        np.testing.assert_allclose(weight, (apart[0][name] + apart[1][name]) / 2, atol=1e-6, err_msg=name)
    assert not list((tmp_path / "both" / "checkpoints").iterdir())

    record, expected = both.record.as_json(), [result.record.as_json() for result in alone]
    assert [found["seed"] for found in record["seeds"]] == [3, 4]
    assert [found["step"] for found in record["seeds"]] == [other["chosen"]["step"] for other in expected]
    for point, left, right in zip(record["loss"], *(other["loss"] for other in expected), strict=True):
        assert point["loss"] == pytest.approx((left["loss"] + right["loss"]) / 2)
    assert expected[0]["seeds"] == []
    card = (both.model_dir / "README.md").read_text()
    steps = ", ".join(f"step {found['step']} of seed {found['seed']}" for found in record["seeds"])
    assert f"a checkpoint of each of 2 trainings ({steps}), the mean of their weights" in card


CHILD = """
    import os, signal, sys
    from pathlib import Path
    import torch
    from tests.training.test_train import corpus, settings
    from finetrieve.training.train import train_model

    model, place, killed = sys.argv[1], Path(sys.argv[2]), sys.argv[3]

    def report(done, total, details=""):
        print("step", done, details, flush=True)
        if f"{details} step {done}" == killed:
            os.kill(os.getpid(), signal.SIGKILL)

    torch.set_num_threads(1)
    pairs, chunks = corpus()
    options = settings(checkpoint_seconds=1e-3, max_steps=6, seeds=2, average=[0.0], lay_questions=0)
    train_model(pairs, chunks, options, model, place / "model", place / "checkpoints", 3, report)
"""


@pytest.mark.slow
def test_a_training_killed_in_its_second_seed_goes_on_there(warm_python: WarmPython, tiny_model: Path, tmp_path: Path) -> None:
    def run(place: Path, killed: str = "") -> list[str]:
        done = warm_python.run(["-c", textwrap.dedent(CHILD), str(tiny_model), str(place), killed], dict(os.environ), ROOT)
        assert done.returncode == (-9 if killed else 0), done.stderr
        return [line for line in done.stdout.splitlines() if line.startswith("step")]

    whole = run(tmp_path / "whole")
    assert [line for line in whole if line.startswith("step 6")] == ["step 6 training 1 of 2", "step 6 training 2 of 2"]
    assert run(tmp_path / "killed", "training 2 of 2 step 4")[-1] == "step 4 training 2 of 2"
    assert not (tmp_path / "killed" / "model").exists()
    rest = run(tmp_path / "killed")
    assert "training 2 of 2" in rest[0] and 1 < int(rest[0].split()[1]) <= 4
    expected = weights(tmp_path / "whole" / "model")
    for name, weight in weights(tmp_path / "killed" / "model").items():
        np.testing.assert_allclose(weight, expected[name], atol=1e-6, err_msg=name)
    records = [json.loads((tmp_path / run / "model" / "training_record.json").read_text()) for run in ("whole", "killed")]
    assert records[0] == records[1]
