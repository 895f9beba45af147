"""What `retrain` gives on people's questions, beside everything that needs no training: time, memory and the verdict with it.

    python benchmarks/quality.py [FOLDER ...] [--config FILE] [--seeds N] [--quick] [--no-sign] [--forgetting]
                                 [--learning-curve] [--save FILE]
    python benchmarks/quality.py --compare A B

Each FOLDER is a set: documents, and questions that are only evaluated on (`bench_sets.py` says in which layouts); without any,
those in the folder that FINETRIEVE_BENCH_DATA names. Every number of a set is from the `metrics.json` of a `retrain` with nothing
but --docs and --eval-set, in a ZenML and a cache of its own, so that nothing is there already.

A second `retrain` without the questions tells what a user without any is told: whether the generated test questions have the sign
of people's questions asked of the same model. `--forgetting` asks each model the other sets; `--learning-curve` trains on 25% and
50% of the queries too.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from bench_sets import ROOT, WAYS, Corpus, Task, bench_folders, corpus_of, evaluated, pairs_of, questions_of, task_of
from quality_tables import (
    METRIC,
    Run,
    aligned,
    compared,
    comparison,
    forgetting_table,
    learning_table,
    left_out_of,
    record_of,
    sign_of,
    table_of,
)

from finetrieve.app.config import DEFAULT_CONFIG, Config, load_config
from finetrieve.app.run_metadata import code_commit
from finetrieve.core.errors import InputError
from finetrieve.evaluation.eval_sets import EvalSet

QUICK: dict[str, dict[str, Any]] = {"training": {"max_steps": 12}, "evaluation": {"bill": False}}
"""What the cheap variant changes."""
_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for."""

    config: Path | None
    seeds: int
    quick: bool
    sign: bool
    forgetting: bool
    learning_curve: bool


def main() -> None:
    """Runs every set and prints the tables, or compares two saved runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--config", type=Path, help="a configuration in place of the default")
    parser.add_argument("--seeds", type=int, default=1, help="runs per set")
    parser.add_argument("--quick", action="store_true", help="12 steps, no bill, one seed: for daily use")
    parser.add_argument("--no-sign", action="store_true", help="without the second retrain, which has no questions")
    parser.add_argument("--forgetting", action="store_true", help="ask each model the other sets")
    parser.add_argument("--learning-curve", action="store_true", help="train on 25%% and 50%% of the queries too")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write everything as JSON, after every run")
    parser.add_argument("--compare", nargs=2, type=Path, metavar=("A", "B"), help="print two saved runs side by side")
    given = parser.parse_args()
    if given.compare:
        show_comparison(*given.compare)
        return
    seeds = 1 if given.quick else given.seeds
    wanted = Wanted(given.config, seeds, given.quick, not given.no_sign, given.forgetting, given.learning_curve)
    folders = bench_folders(given.folders)
    with tempfile.TemporaryDirectory(prefix="finetrieve-quality-") as scratch:
        tasks = [task_of(folder, Path(scratch) / "sets") for folder in folders]
        show(measure(tasks, wanted, Path(scratch), given.save))


def show(runs: Sequence[Run]) -> None:
    """Prints the tables and the verdicts."""
    for table in (table_of(runs), forgetting_table(runs), learning_table(runs)):
        if table:
            print(f"\n{aligned(table)}")
    print()
    for run in runs:
        print(f"{run['set']}, seed {run['seed']}: {run['verdict']['sentence']}")


def show_comparison(first: Path, second: Path) -> None:
    """Prints two saved runs side by side."""
    old, new = (json.loads(path.read_text(encoding="utf-8")) for path in (first, second))
    print(f"{first.name} ({old['commit']}) -> {second.name} ({new['commit']})")
    for line in left_out_of(old, new):
        print(line)
    print(aligned(compared(old, new)))


# 1. The runs.


def measure(tasks: Sequence[Task], wanted: Wanted, scratch: Path, save: Path | None) -> list[Run]:
    """Returns a record per set and seed; `save` is written after each of them."""
    runs = list[Run]()
    models = dict[str, Path]()
    first_seed = load_config(wanted.config or DEFAULT_CONFIG).seed
    for task in tasks:
        for seed in range(first_seed, first_seed + wanted.seeds):
            place = scratch / f"{task.name}-{seed}"
            config = config_of(task, wanted, seed, scratch)
            started = time.monotonic()
            metrics, peak_mb = retrained(task, task.eval_set, config_file(config, wanted, seed, place), place, use_cache=False)
            run = record_of(metrics, task.name, seed, {"seconds": round(time.monotonic() - started, 1), "peak_mb": peak_mb})
            runs.append(run)
            _save(runs, wanted, save)
            if seed == first_seed:
                models[task.name] = place / "out" / "model"
                run |= _more(task, config, run, wanted, place, scratch)
                _save(runs, wanted, save)
            print(f"{task.name}, seed {seed}: {run['seconds']:.0f} s", file=sys.stderr, flush=True)
    if wanted.forgetting:
        for run in runs:
            if run["seed"] == first_seed:
                others = [task for task in tasks if task.name != run["set"]]
                run["forgetting"] = forgotten(models[run["set"]], others, wanted, scratch)
                _save(runs, wanted, save)
    return runs


def _more(task: Task, config: Config, run: Run, wanted: Wanted, place: Path, scratch: Path) -> dict[str, Any]:
    """Returns `sign` and `learning_curve` of a set, where they are wanted and people asked."""
    if task.eval_set is None or not (wanted.sign or wanted.learning_curve):
        return {}
    corpus = corpus_of(task.docs, config.chunks, config.training.base_model)
    questions = questions_of(task, corpus, config)
    assert questions is not None
    sign = sign_without_people(task, config, questions, wanted, run["seed"], place, scratch) if wanted.sign else None
    curve = learned(task, config, corpus, questions, run, place, scratch) if wanted.learning_curve else None
    return {name: found for name, found in (("sign", sign), ("learning_curve", curve)) if found is not None}


def config_of(task: Task, wanted: Wanted, seed: int, scratch: Path) -> Config:
    """Returns the configuration of a run."""
    whole = load_config(wanted.config or DEFAULT_CONFIG, task.docs, (str(task.eval_set),) if task.eval_set else ())
    changed: dict[str, Any] = whole.model_dump(mode="json") | {"seed": seed}
    for part, values in (QUICK if wanted.quick else {}).items():
        changed[part] |= values
    scratch.mkdir(parents=True, exist_ok=True)
    return Config.model_validate(changed)


def config_file(config: Config, wanted: Wanted, seed: int, place: Path) -> Path | None:
    """Returns the file to pass with --config; None for the default as it is."""
    if not wanted.quick and seed == load_config(wanted.config or DEFAULT_CONFIG).seed:
        return wanted.config
    place.mkdir(parents=True, exist_ok=True)
    path = place / "config.yaml"
    path.write_text(config.as_yaml(), encoding="utf-8")
    return path


def retrained(
    task: Task, eval_set: Path | None, config: Path | None, place: Path, *, use_cache: bool, out: str = "out"
) -> tuple[dict[str, Any], float]:
    """Returns the metrics of a `retrain` of its own, whose results lie in `place/out`, and the peak of its memory in MB."""
    command = [sys.executable, str(ROOT / "run.py"), "--pipeline", "retrain", "--docs", str(task.docs)]
    command += ["--out", str(place / out)]
    command += ["--eval-set", str(eval_set)] if eval_set else []
    command += ["--config", str(config.resolve())] if config else []
    command += [] if use_cache else ["--no-cache"]
    place.mkdir(parents=True, exist_ok=True)
    with (place / f"{out}.log").open("w") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=own_home(place), stdout=log, stderr=subprocess.STDOUT)
        with PeakMemory(process.pid) as memory:
            code = process.wait()
    if code:
        raise SystemExit(f"{task.name}: retrain ended with {code}.\n{(place / f'{out}.log').read_text()[-4000:]}")
    metrics: dict[str, Any] = json.loads((place / out / "metrics.json").read_text(encoding="utf-8"))
    return metrics, memory.peak_mb


def own_home(place: Path) -> dict[str, str]:
    """Returns an environment in which ZenML and the caches are under `place`, but for models from the Hub."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    own = {"XDG_CACHE_HOME": "cache", "ZENML_CONFIG_PATH": "zenml", "ZENML_LOCAL_STORES_PATH": "stores"}
    hub = {"HF_HOME": os.environ.get("HF_HOME") or str(cache / "huggingface")}
    return {**os.environ, **{name: str(place / part) for name, part in own.items()}, **hub}


class PeakMemory:
    """Watches a process and all that it started, from another thread; memory that they share counts once.

    Args:
        pid: The process.
    """

    def __init__(self, pid: int) -> None:
        self.peak_mb = 0.0
        self._pid, self._done = pid, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self._pid)
            while not self._done.wait(_POLL_SECONDS):
                family = [process, *process.children(recursive=True)]
                self.peak_mb = max(self.peak_mb, round(sum(map(_own_bytes, family)) / 1e6, 1))


def _own_bytes(process: Any) -> int:
    """Returns the proportional set size where the system knows it, else the resident one; 0 of a process that is gone."""
    with suppress(psutil.Error):
        found = process.memory_full_info()
        return int(getattr(found, "pss", 0) or found.rss)
    return 0


def _save(runs: Sequence[Run], wanted: Wanted, path: Path | None) -> None:
    if path is None:
        return
    machine = f"{platform.machine()}, {psutil.cpu_count()} cores, {psutil.virtual_memory().total / 1e9:.0f} GB"
    config = wanted.config.name if wanted.config else None
    facts = {"commit": code_commit(), "machine": machine, "quick": wanted.quick, "config": config, "runs": list(runs)}
    path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


# 2. What more is asked of a model.


def sign_without_people(
    task: Task, config: Config, questions: EvalSet, wanted: Wanted, seed: int, place: Path, scratch: Path
) -> dict[str, Any] | None:
    """Returns what the generated test questions say of a model that was made without people's, and what people's say of it."""
    file = config_file(config, wanted, seed, place)
    metrics, _ = retrained(task, None, file, place, use_cache=True, out="without-people")
    told = comparison(metrics["eval_sets"].get("generated") or {"comparisons": []}, "finetuned", "base")
    found = evaluated(questions, place / "without-people" / "model", config, scratch / "vectors", ["base", "finetuned"])
    return sign_of(told, comparison(found.metrics.as_json()["eval_sets"][questions.name], "finetuned", "base"))


def learned(
    task: Task, config: Config, corpus: Corpus, questions: EvalSet, run: Run, place: Path, scratch: Path
) -> list[dict[str, Any]]:
    """Returns nDCG@10 of people's questions after training on parts of the queries; the whole is the run's own."""
    from finetrieve.evaluation.eval_sets import DEV
    from finetrieve.evaluation.pair_sets import generated_eval_set
    from finetrieve.training.learning_curve import SHARES, part_of
    from finetrieve.training.train import train_model

    pairs, points = pairs_of(task, corpus, config, place), list[dict[str, Any]]()
    base, dev = config.training.base_model, generated_eval_set(pairs, corpus.chunks, DEV)
    for share in SHARES:
        part, out = part_of(pairs, share), place / f"share-{share}"
        train_model(part, corpus.chunks, config.training, base, out, place / "checkpoints", config.seed)
        table = evaluated(questions, out, config, scratch / "vectors", WAYS.values(), dev).metrics.as_json()["eval_sets"][
            questions.name
        ]
        arms = {arm: table["arms"][arm][METRIC]["value"] for arm in WAYS.values()}
        points.append({"share": share, "n_pairs": sum(pair.split == "train" for pair in part), "arms": arms})
    whole = {arm: run["arms"][arm]["value"] for arm in WAYS.values()}
    return [*points, {"share": 1.0, "n_pairs": run["n_pairs"], "arms": whole}]


def forgotten(model: Path, others: Sequence[Task], wanted: Wanted, scratch: Path) -> dict[str, dict[str, float]]:
    """Returns other set -> nDCG@10 of each arm: what a model does on documents that it was not trained on."""
    found = dict[str, dict[str, float]]()
    for task in others:
        config = config_of(task, wanted, load_config(wanted.config or DEFAULT_CONFIG).seed, scratch)
        questions = questions_of(task, corpus_of(task.docs, config.chunks, config.training.base_model), config)
        if questions is not None:
            table = evaluated(questions, model, config, scratch / "vectors").metrics.as_json()["eval_sets"][questions.name]
            found[task.name] = {arm: scores[METRIC]["value"] for arm, scores in table["arms"].items()}
    return found


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        raise SystemExit(str(error)) from None
