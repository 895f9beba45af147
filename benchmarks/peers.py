"""The product's training beside two published recipes: the same pairs, base model and evaluation, each query towards its chunk.

    python benchmarks/peers.py [FOLDER ...] [--pairs FOLDER] [--only NAME ...] [--seed N] [--max-steps N] [--save FILE]

Each FOLDER is a set (`bench_sets.py`); without any, those in the folder that FINETRIEVE_BENCH_DATA names. The pairs are what the
product generates for the documents, or with `--pairs` the judged questions of another folder in BEIR's layout: each goes to the
chunk of its document that the base model's late score ranks first.

- ours: `train_model` with the configuration's settings. Of its pairs a tenth chooses; the others train on that tenth too.
- zenml: ZenML's guide to fine-tuning embeddings. Matryoshka over MNRL, 4 epochs of batch 4 x 16 accumulated, 2e-5 falling as a
  cosine, warmup 0.1, fp32 on a CPU. Of triplets it would take the negatives; pairs have none.
- llamaindex: LlamaIndex's example. MNRL, 2 epochs of batch 10, `fit`'s defaults: 2e-5 falling linearly, warmup 0.1.
- dense_fp32: `train_model` for the single vector alone, as it was before late interaction: cached MNRL in fp32, with the steps,
  batches and looks at dev that `ours` has. What its seconds say is what training for both ways of searching costs.

A peer's model is one for dense search and for a hybrid; ours is one for late interaction too. Seconds are those of training
alone, one after the other in one process.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import psutil
from bench_sets import WAYS, Corpus, Task, bench_folders, corpus_of, evaluated, pairs_of, questions_of, split_of, task_of
from quality_tables import METRIC, aligned

from finetrieve.app.config import DEFAULT_CONFIG, Config, load_config
from finetrieve.app.run_metadata import code_commit
from finetrieve.core.errors import InputError
from finetrieve.core.rows import Chunk, GeneratedQuery, Pair, embedded_text
from finetrieve.evaluation.bootstrap import difference, resampled_means
from finetrieve.evaluation.eval_sets import DEV, EvalSet, load_eval_set
from finetrieve.evaluation.metrics import METRICS
from finetrieve.evaluation.pair_sets import generated_eval_set
from finetrieve.evaluation.settings import EvalSetSettings

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

OURS = "ours"
COLUMNS = ("finetuned", "hybrid_finetuned", "late_finetuned", "fused_finetuned")
UNTRAINED = ("bm25", "base", "hybrid_base", "late_base", "fused_base")
SAMPLES = 10_000
WARMUP = 0.1

Row = dict[str, Any]
"""`set`, `name`, `n_pairs`, `seconds`, `cpu_seconds`, `arms` (nDCG@10); of a peer
`ours_minus_peer` (dense; delta, low, high)."""


@dataclass(frozen=True)
class Material:
    """What all of them train on and are asked."""

    task: Task
    pairs: list[Pair]
    chunks: list[Chunk]
    """That the pairs name."""
    questions: EvalSet
    config: Config


def main() -> None:
    """Prints a table per set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER")
    parser.add_argument("--pairs", type=Path, metavar="FOLDER", help="train on this set's judged questions")
    parser.add_argument("--config", type=Path, default=DEFAULT_CONFIG)
    parser.add_argument("--only", nargs="+", choices=list(RECIPES), default=list(RECIPES))
    parser.add_argument("--seed", type=int)
    parser.add_argument("--max-steps", type=int, help="cut every training short: to see that it runs")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write everything as JSON")
    given = parser.parse_args()
    rows = list[Row]()
    for folder in bench_folders(given.folders):
        with tempfile.TemporaryDirectory(prefix="finetrieve-peers-") as name:
            material = material_of(folder, given.pairs, given.config, given.seed, given.max_steps, Path(name))
            rows += compare(material, given.only, given.max_steps, Path(name))
        print(f"\n{aligned(table_of([row for row in rows if row['set'] == material.task.name]))}", flush=True)
        if given.save:
            facts = {"commit": code_commit(), "machine": machine(), "max_steps": given.max_steps, "rows": rows}
            given.save.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def machine() -> str:
    """Returns what the seconds were measured on."""
    return f"{platform.machine()}, {psutil.cpu_count()} cores"


# 1. What they train on.


def material_of(
    folder: Path, pairs_from: Path | None, config_path: Path, seed: int | None, max_steps: int | None, scratch: Path
) -> Material:
    """Returns pairs and questions of a set.

    Raises:
        SystemExit: Nobody asked about the folder, or the pairs' questions are the set's.
    """
    task = task_of(folder, scratch / "sets")
    if task.eval_set is None:
        raise SystemExit(f"{folder} has no questions: expected a folder in BEIR's layout.")
    raw = load_config(config_path, task.docs, (str(task.eval_set),)).model_dump(mode="json")
    raw["seed"] = raw["seed"] if seed is None else seed
    raw["training"] |= {"max_steps": max_steps} if max_steps else {}
    config = Config.model_validate(raw)
    corpus = corpus_of(task.docs, config.chunks, config.training.base_model)
    questions = questions_of(task, corpus, config)
    assert questions is not None
    if pairs_from is None:
        return Material(task, pairs_of(task, corpus, config, scratch), corpus.chunks, questions, config)
    pairs, chunks = given_pairs(pairs_from, config, task.eval_set, scratch)
    return Material(task, pairs, chunks, questions, config)


def given_pairs(folder: Path, config: Config, held_out: Path, scratch: Path) -> tuple[list[Pair], list[Chunk]]:
    """Returns the judged questions of a folder as pairs with their chunks, a tenth of the documents for dev.

    Args:
        folder: In BEIR's layout; `qrels/train.tsv` where there is one.
        config: How documents are cut and pairs are split.
        held_out: The evaluation set: none of its questions is trained on.
        scratch: Where vectors may be kept.
    """
    from finetrieve.retrieval.base_model import load_tokenizer
    from finetrieve.retrieval.hybrid_index import build_index
    from finetrieve.retrieval.vector_cache import CachedEmbedder

    base = config.training.base_model
    split = "train" if (folder / "qrels" / "train.tsv").is_file() else None
    found = load_eval_set(EvalSetSettings(path=folder, split=split), [], [], [], config.chunks, load_tokenizer(base))
    texts = [embedded_text(chunk) for chunk in found.chunks]
    index = build_index(texts, CachedEmbedder(base, folder=scratch / "vectors"), with_tokens=True)
    queries = index.prepare(list(found.queries.values()))

    def late_scores(query: int, rows: Sequence[int]) -> npt.NDArray[np.float32]:
        found: npt.NDArray[np.float32] = index.late_of(queries.part(query, query + 1), np.array([rows], dtype=np.int64))[0]
        return found

    triplets = [
        GeneratedQuery(f"{query}/{row}", found.chunks[row].id, found.queries[query], None, "given", "given", folder.name)
        for query, row in answering_chunks(found, late_scores)
    ]
    # Near copies of documents are not looked for: dev only chooses, and nothing is reported on it.
    corpus = Corpus(found.chunks, [], [])
    human = split_of(triplets, corpus, config, held_out)
    return [pair for pair in human if pair.provenance != "human"], found.chunks


def answering_chunks(eval_set: EvalSet, score: Callable[[int, Sequence[int]], npt.NDArray[np.float32]]) -> list[tuple[str, int]]:
    """Returns (query id, row of the chunk) for each relevant document: its chunk with the best score, the first of equals.

    Args:
        eval_set: Documents without chunks are left out.
        score: Takes the number of a query and rows of chunks, returns a score for each of them.
    """
    rows_of: dict[str, list[int]] = {}
    for row, chunk in enumerate(eval_set.chunks):
        for unit in eval_set.units_of(chunk):
            rows_of.setdefault(unit, []).append(row)
    found = []
    for number, query in enumerate(eval_set.queries):
        for document, relevance in eval_set.qrels[query].items():
            rows = rows_of.get(document, []) if relevance > 0 else []
            if rows:
                found.append((query, rows[int(np.argmax(score(number, rows)))] if len(rows) > 1 else rows[0]))
    return found


# 2. The trainings.


def ours(material: Material, out: Path, max_steps: int | None) -> None:  # noqa: ARG001 (in the settings already)
    """Trains as the product does."""
    _trained_by_us(material, out, {})


def dense_fp32(material: Material, out: Path, max_steps: int | None) -> None:  # noqa: ARG001 (in the settings already)
    """Trains the single vector alone, in fp32."""
    _trained_by_us(material, out, {"loss": "cached_mnrl", "precision": "fp32"})


def _trained_by_us(material: Material, out: Path, changed: Mapping[str, Any]) -> None:
    from finetrieve.training.train import train_model

    settings = material.config.training.model_copy(update=dict(changed))
    checkpoints, seed = out.parent / "checkpoints", material.config.seed
    train_model(material.pairs, material.chunks, settings, settings.base_model, out, checkpoints, seed)


def zenml(material: Material, out: Path, max_steps: int | None) -> None:
    """Trains as ZenML's guide does."""
    from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss, MultipleNegativesRankingLoss

    settings = {
        "num_train_epochs": 4,
        "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": 16,
        "lr_scheduler_type": "cosine",
        "batch_sampler": "no_duplicates",
    }

    def loss(model: SentenceTransformer) -> Any:
        return MatryoshkaLoss(model, MultipleNegativesRankingLoss(model), matryoshka_dims=[384, 256, 128, 64])

    _trained(material, out, settings, loss, max_steps)


def llamaindex(material: Material, out: Path, max_steps: int | None) -> None:
    """Trains as LlamaIndex's `SentenceTransformersFinetuneEngine` does by default."""
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss

    settings = {
        "num_train_epochs": 2,
        "per_device_train_batch_size": 10,
        "lr_scheduler_type": "linear",
        "weight_decay": 0.01,
        "max_grad_norm": 1.0,
    }
    _trained(material, out, settings, MultipleNegativesRankingLoss, max_steps)


RECIPES: dict[str, Callable[[Material, Path, int | None], None]] = {
    OURS: ours,
    "dense_fp32": dense_fp32,
    "zenml": zenml,
    "llamaindex": llamaindex,
}


def _trained(
    material: Material, out: Path, settings: Mapping[str, Any], loss: Callable[[Any], Any], max_steps: int | None
) -> None:
    """Trains on (query, chunk) rows by sentence-transformers' trainer and saves the model."""
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments

    from finetrieve.retrieval.encoder import load_encoder

    texts = {chunk.id: embedded_text(chunk) for chunk in material.chunks}
    used = own_pairs(material.pairs)
    rows = Dataset.from_dict({"query": [pair.query for pair in used], "chunk": [texts[pair.chunk_id] for pair in used]})
    model = load_encoder(material.config.training.base_model)
    per_step = settings["per_device_train_batch_size"] * settings.get("gradient_accumulation_steps", 1)
    steps = max(1, len(used) * settings["num_train_epochs"] // per_step)
    arguments = SentenceTransformerTrainingArguments(
        **{
            "output_dir": str(out.parent / "trainer"),
            "learning_rate": 2e-5,
            "warmup_steps": max(1, round(WARMUP * steps)),
            "max_steps": max_steps or -1,
            "save_strategy": "no",
            "report_to": "none",
            "disable_tqdm": True,
            "use_cpu": model.device.type == "cpu",
            "dataloader_pin_memory": False,
            "seed": material.config.seed,
            **settings,
        }
    )
    SentenceTransformerTrainer(model=model, args=arguments, train_dataset=rows, loss=loss(model)).train()
    model.save_pretrained(str(out), create_model_card=False)


def own_pairs(pairs: Sequence[Pair]) -> list[Pair]:
    """Returns what a peer trains on: all that ours trains on or chooses by, but for people's questions."""
    return [pair for pair in pairs if pair.split in ("train", DEV) and pair.provenance != "human"]


# 3. The scores.


def compare(material: Material, names: Sequence[str], max_steps: int | None, scratch: Path) -> list[Row]:
    """Returns a row for each recipe, after one of what needs no training."""
    dev = generated_eval_set(material.pairs, material.chunks, DEV)
    rows, dense = list[Row](), dict[str, npt.NDArray[np.float64]]()
    for name in names:
        out = scratch / name / "model"
        out.parent.mkdir(parents=True)
        started, computed = time.monotonic(), time.process_time()
        RECIPES[name](material, out, max_steps)
        seconds, cpu = round(time.monotonic() - started, 1), round(time.process_time() - computed, 1)
        shown = COLUMNS if name == OURS else COLUMNS[:2]
        # What needs no training is the same beside every recipe.
        arms = [*(("base",) if rows else UNTRAINED), *shown]
        result = evaluated(material.questions, out, material.config, scratch / "vectors", arms, dev)
        scores = {
            arm: table[METRIC]["value"]
            for arm, table in result.metrics.as_json()["eval_sets"][material.questions.name]["arms"].items()
        }
        dense[name] = result.scored[0].arms["finetuned"][:, METRICS.index(METRIC)]
        if not rows:
            untrained = {arm.replace("base", "finetuned"): scores[arm] for arm in UNTRAINED if arm != "bm25"}
            rows.append({"set": material.task.name, "name": "untrained", "arms": untrained, "bm25": scores["bm25"]})
        facts = {"set": material.task.name, "name": name, "n_pairs": len(own_pairs(material.pairs))}
        rows.append(facts | {"seconds": seconds, "cpu_seconds": cpu, "arms": {arm: scores[arm] for arm in shown}})
        found = ", ".join(f"{arm} {scores[arm]:.3f}" for arm in scores)
        print(f"{material.task.name}, {name}: {found}, {seconds:,.0f} s, {cpu:,.0f} s of CPU", file=sys.stderr, flush=True)
    return [row | _against(row, rows, dense, material.config.seed) for row in rows]


def _against(row: Row, rows: Sequence[Row], dense: Mapping[str, npt.NDArray[np.float64]], seed: int) -> Row:
    """Returns `ours_minus_peer` and `time_ratio` (ours to the peer's) of a peer's row."""
    mine = next((other for other in rows if other["name"] == OURS), None)
    if mine is None or row["name"] not in dense or row["name"] == OURS:
        return {}
    gap = paired_gap(dense[OURS], dense[row["name"]], seed)
    return {"ours_minus_peer": gap, "time_ratio": mine["seconds"] / row["seconds"]}


def paired_gap(scores: npt.NDArray[np.float64], against: npt.NDArray[np.float64], seed: int) -> dict[str, float]:
    """Returns `delta`, `low` and `high` of the mean difference of two columns of scores of the same questions."""
    both = np.stack([scores, against], axis=1)
    means = resampled_means(both, SAMPLES, seed)
    found = difference(both[:, 0], both[:, 1], means[:, 0], means[:, 1])
    return {"delta": found.delta, "low": found.low, "high": found.high}


def table_of(rows: Sequence[Row]) -> list[list[str]]:
    """Returns the table of one set; its first column is the recipe."""
    names = {"finetuned": "dense", "hybrid_finetuned": "hybrid", "late_finetuned": "late", "fused_finetuned": "fused"}
    head = [f"{rows[0]['set']}, nDCG@10", "pairs", *names.values(), "seconds", "ours - it, dense", "our time / its"]
    return [head, *(_cells(row, names) for row in rows)]


def _cells(row: Row, names: Mapping[str, str]) -> list[str]:
    arms = [f"{row['arms'][arm]:.3f}" if arm in row["arms"] else "-" for arm in names]
    label = row["name"] + (f" (BM25 {row['bm25']:.3f})" if "bm25" in row else "")
    seconds = f"{row['seconds']:,.0f}" if "seconds" in row else "-"
    return [
        label,
        str(row.get("n_pairs", "-")),
        *arms,
        seconds,
        shown_gap(row.get("ours_minus_peer")),
        _times(row.get("time_ratio")),
    ]


def cells_by_way(arms: Mapping[str, Sequence[float]], first: Mapping[str, Sequence[float]] | None, seed: int) -> list[str]:
    """Returns for each way of searching the mean score of a table's row, and how far it is from the first row's.

    Args:
        arms: Arm -> nDCG@10 of each question.
        first: Those of the first row; None for that row itself.
        seed: Of the bootstrap.
    """
    cells = list[str]()
    for arm in WAYS.values():
        gap = None if first is None else paired_gap(np.asarray(arms[arm]), np.asarray(first[arm]), seed)
        cells += [f"{np.mean(arms[arm]):.3f}", shown_gap(gap)]
    return cells


def shown_gap(found: Mapping[str, float] | None) -> str:
    """Returns a difference of nDCG@10 with its interval, in points."""
    return f"{100 * found['delta']:+.1f} [{100 * found['low']:+.1f}, {100 * found['high']:+.1f}]" if found else "-"


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"x{ratio:.2f}"


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        raise SystemExit(str(error)) from None
