"""What `retrain` gains on human questions, beside BM25 and the base model: `python benchmarks/quality.py [FOLDER ...]`.

Each FOLDER is a BEIR folder (corpus.jsonl, queries.jsonl, qrels/): its corpus is the documentation, its questions are only
evaluated on. Without arguments, the folders that are known to hold such sets are used when they are there.
Every number comes from the `metrics.json` of a `retrain` with nothing but --docs and --eval-set.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
SETS = ("emanual-s10", "zenml-docs-0.60.0")
ARMS = ("bm25", "base", "finetuned", "hybrid_base", "hybrid_finetuned")


@dataclass(frozen=True)
class Task:
    """Documents, and the human questions about them."""

    name: str
    docs: Path
    eval_set: Path | None


def main() -> None:
    """Runs every set and prints one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, help="BEIR folders")
    parser.add_argument("--config", type=Path, help="a configuration in place of the default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="finetrieve-quality-") as scratch:
        folders = arguments.folders or [DATA / name for name in SETS if (DATA / name).is_dir()]
        if not folders:
            parser.error(f"no sets in {DATA}; name BEIR folders")
        print(f"{'nDCG@10':28}" + "".join(f"{arm:>18}" for arm in ARMS) + f"{'tuned - base':>26}{'tuned - bm25':>26}{'s':>6}")
        for folder in folders:
            run(task_of(folder, Path(scratch)), Path(scratch), arguments.config)


def task_of(folder: Path, scratch: Path) -> Task:
    """Returns the task of a folder; plain documentation is evaluated on `<folder>-human` questions or on generated ones."""
    if (folder / "corpus.jsonl").is_file():
        return Task(folder.name, folder, folder)
    human = folder.parent / "zenml-docs-human" / "queries.jsonl"
    return _pages_with_questions(folder, human, scratch) if human.is_file() else Task(folder.name, folder, None)


def _pages_with_questions(folder: Path, questions: Path, scratch: Path) -> Task:
    """Returns the pages without the two that hold the questions themselves, and the questions as a BEIR folder."""
    docs, eval_set = scratch / folder.name, scratch / f"{folder.name}-human"
    ignored = shutil.ignore_patterns("DATA.md", "how-do-i.md", "faq.md")
    shutil.copytree(folder, docs, ignore=ignored)
    (eval_set / "qrels").mkdir(parents=True)
    rows = [json.loads(line) for line in questions.read_text(encoding="utf-8").splitlines() if line.strip()]
    known = [row for row in rows if (docs / row["page"]).is_file()]
    shutil.copy(questions, eval_set / "queries.jsonl")
    lines = ["query-id\tcorpus-id\tscore", *(f"{row['_id']}\t{row['page']}\t1" for row in known)]
    (eval_set / "qrels" / "test.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return Task(folder.name, docs, eval_set)


def run(task: Task, scratch: Path, config: Path | None) -> None:
    """Retrains on one set and prints a row per evaluation set."""
    out = scratch / f"{task.name}-out"
    command = [sys.executable, str(ROOT / "run.py"), "--pipeline", "retrain", "--docs", str(task.docs), "--out", str(out)]
    command += ["--eval-set", str(task.eval_set)] if task.eval_set else []
    command += ["--config", str(config)] if config else []
    started = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - started
    metrics: dict[str, Any] = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    for table in metrics["eval_sets"].values():
        print(_row(f"{task.name} ({table['kind']}, {table['n_queries']})", table, seconds), flush=True)
        print(f"  fusion {table.get('fusion')}", flush=True)


def _row(label: str, table: dict[str, Any], seconds: float) -> str:
    cells = "".join(f"{_number(table['arms'].get(arm)):>18}" for arm in ARMS)
    return f"{label:28}{cells}{_delta(table, 'base'):>26}{_delta(table, 'bm25'):>26}{seconds:6.0f}"


def _number(scores: dict[str, Any] | None) -> str:
    if scores is None:
        return "-"
    found = scores["ndcg@10"]
    return f"{found['value']:.3f} [{found['low']:.2f},{found['high']:.2f}]"


def _delta(table: dict[str, Any], against: str) -> str:
    for row in table["comparisons"]:
        if (row["arm"], row["against"], row["metric"]) == ("finetuned", against, "ndcg@10"):
            return f"{row['delta']:+.3f} [{row['low']:+.3f},{row['high']:+.3f}]"
    return "-"


if __name__ == "__main__":
    main()
