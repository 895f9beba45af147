"""Fine-tuning: sentence-transformers' trainer over query-chunk pairs; dev chooses the checkpoint and the averaging."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from datasets import Dataset
from datasets.utils import logging as datasets_logging
from safetensors.torch import load_file, save
from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from transformers import PrinterCallback, TrainerCallback
from transformers.utils import logging as transformers_logging

from finetrieve.core.errors import InputError
from finetrieve.core.rows import Chunk, Pair, embedded_text
from finetrieve.curation.filters import normalised_query
from finetrieve.evaluation.guard import guard_questions, guard_record
from finetrieve.retrieval.encoder import load_encoder, resolve_base_model
from finetrieve.retrieval.multi_vector import token_idf
from finetrieve.training.api_reference import gentler, is_api_reference
from finetrieve.training.batches import BatchRules, PairBatches, Row, count_batches
from finetrieve.training.checkpoints import (
    clear_disk_errors,
    last_checkpoint,
    mark_complete,
    run_folder,
    training_fingerprint,
    write_atomically,
)
from finetrieve.training.dev import DevSet, dev_set, nearest_within
from finetrieve.training.lay_questions import choosing_questions, practised_pairs
from finetrieve.training.learning_curve import point_of, trained_on_parts
from finetrieve.training.losses import JOINT, LossPlan, build_loss, encodes_chunks_once, trained_dims, uses_negatives
from finetrieve.training.model_card import model_card
from finetrieve.training.resources import batch_fits, choose_mini_batch, choose_precision, set_dropout, set_training_attention

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from transformers import TrainerControl, TrainerState

    from finetrieve.training.settings import TrainingSettings

LIKE_THE_BEST = 0.01
"""Of nDCG@10 on dev: a smaller lead is chance."""

Weights = dict[str, torch.Tensor]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class TrainingResult:
    """A trained model and how it came about."""

    model_dir: Path
    record: dict[str, Any]
    """`loss` per step, `dev` per evaluation, `averaging` per share, `chosen`, seconds, sizes, precision and device."""


def train_model(
    pairs: Sequence[Pair],
    chunks: Sequence[Chunk],
    settings: TrainingSettings,
    base_model: str,
    out_dir: Path,
    checkpoint_root: Path,
    seed: int,
    on_progress: Progress | None = None,
) -> TrainingResult:
    """Returns the model that dev chose, saved in `out_dir`.

    A training that was cut off goes on from its last whole checkpoint under `checkpoint_root`; another one, of other pairs,
    settings, base model or code, starts anew.

    Args:
        pairs: `train` ones are trained on, `dev` ones choose; `test` ones are not looked at.
        chunks: The corpus that the pairs name.
        settings: How to train.
        base_model: `embedded`, a directory or a Hub id.
        out_dir: The model's directory; one that exists is replaced when the new one is whole.
        checkpoint_root: Where unfinished trainings lie.
        seed: Decides the batches and the dropout.
        on_progress: Told (steps done, steps in all).

    Raises:
        InputError: Nothing to train on, no model, no space, or another process is at this very training.
    """
    train_pairs = [pair for pair in pairs if pair.split == "train"]
    if not train_pairs:
        raise InputError(
            "No query is left to train on. Lower split.dev and split.test, loosen the filters, or give more documents."
        )
    fingerprint = training_fingerprint(pairs, chunks, settings, base_model, seed)
    api_reference = is_api_reference(train_pairs, chunks)
    if api_reference and settings.api_reference == "gentle":
        settings = gentler(settings)
    with run_folder(checkpoint_root, fingerprint) as folder, clear_disk_errors(checkpoint_root), _quiet():
        curve = trained_on_parts(pairs, chunks, settings, base_model, checkpoint_root, seed, folder, on_progress)
        started = time.monotonic()
        # 1. Train, with the best checkpoint kept beside the one that a crash goes on from.
        model = load_encoder(base_model, max_tokens=settings.max_tokens)
        set_dropout(model, settings.dropout)
        set_training_attention(model)
        plan = _plan(train_pairs, chunks, settings, model)
        run = _Run(folder, dev_set(pairs, chunks, settings.dev_chunks, seed), plan, settings.loss == JOINT)
        loss_curve = _fit(model, train_pairs, chunks, settings, base_model, seed, run, on_progress)

        # 2. Choose how much of the base model stays, and see what general understanding the training cost.
        final = run.best_weights() or _copy(model)
        base = load_encoder(base_model)
        averaging, share = _choose_share(model, base, final, settings, run)
        questions = guard_questions()
        guard = guard_record(questions.ndcg(base), questions.ndcg(model), seed)

        # 3. Save what was chosen, whole or not at all.
        record = {
            "base_model": str(base_model),
            "loss_name": settings.loss,
            "n_pairs": len(train_pairs),
            "n_chunks": len({pair.chunk_id for pair in train_pairs}),
            "n_negatives": sum(bool(pair.negative_query) for pair in train_pairs) if uses_negatives(settings.loss) else 0,
            "n_dev_queries": len(run.dev.queries) if run.dev else 0,
            **asdict(plan),
            "loss": loss_curve,
            "dev": run.history,
            "averaging": averaging,
            "chosen": {"step": run.best_step(), "base_share": share},
            "dev_is": ("human" if run.dev.by_people else "generated") if run.dev else "none",
            "guard": guard,
            "api_reference": api_reference,
            "learning_curve": [*curve, point_of(1.0, pairs, run.dev, model)] if curve and run.dev else [],
            "device": str(model.device.type),
            "seconds": round(time.monotonic() - started, 1),
        }
        with clear_disk_errors(out_dir.parent):
            _save(model, base_model, record, out_dir)
    return TrainingResult(out_dir, record)


@dataclass(frozen=True)
class Plan:
    """What follows from the settings on this machine."""

    steps: int
    steps_per_epoch: int
    batch_size: int
    mini_batch_size: int
    fits_memory: bool
    """Whether the activations of a whole batch may be kept, which spares computing them twice."""
    precision: str
    evaluate_at: tuple[int, ...]
    """Steps after which dev is looked at."""


def _plan(pairs: Sequence[Pair], chunks: Sequence[Chunk], settings: TrainingSettings, model: SentenceTransformer) -> Plan:
    rules = _rules(settings)
    per_epoch = count_batches(_rows(pairs, chunks), rules)
    steps = min(settings.max_steps, max(1, round(per_epoch * settings.epochs)))
    evaluations = min(settings.evaluations, steps)
    return Plan(
        steps=steps,
        steps_per_epoch=per_epoch,
        batch_size=rules.batch_size,
        mini_batch_size=settings.mini_batch_size or choose_mini_batch(model, settings.max_tokens, settings.batch_size),
        fits_memory=batch_fits(model, settings.max_tokens, settings.batch_size),
        precision=choose_precision(settings.precision, model.device),
        evaluate_at=tuple(round(steps * (index + 1) / evaluations) for index in range(evaluations)),
    )


def _rules(settings: TrainingSettings) -> BatchRules:
    at_once = settings.queries_at_once if encodes_chunks_once(settings.loss) else 1
    return BatchRules(settings.batch_size, at_once, settings.same_document)


def _rows(pairs: Sequence[Pair], chunks: Sequence[Chunk]) -> list[Row]:
    """Returns the pairs by numbers; chunks of equal text have one number, so that none is the other's negative."""
    texts, documents, queries = _Numbers(), _Numbers(), _Numbers()
    by_id = {chunk.id: chunk for chunk in chunks}
    return [
        Row(
            queries.of(normalised_query(pair.query)),
            texts.of(embedded_text(by_id[pair.chunk_id])),
            documents.of(by_id[pair.chunk_id].doc_id),
        )
        for pair in pairs
    ]


class _Numbers:
    """Numbers names in the order in which they come."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def of(self, name: str) -> int:
        return self._numbers.setdefault(name, len(self._numbers))


# 1. Training.


class _Run:
    """What one training leaves in its folder: the dev scores so far and the best weights."""

    def __init__(self, folder: Path, dev: DevSet | None, plan: Plan, late: bool) -> None:
        self.folder, self.dev, self.plan, self.late = folder, dev, plan, late
        self.history: list[dict[str, float]] = []

    def resume(self, step: int) -> None:
        """Takes the dev scores up to `step` over from before the crash."""
        try:
            found = json.loads((self.folder / "dev.json").read_bytes())
        except (OSError, ValueError):
            found = []
        self.history = [entry for entry in found if entry["step"] <= step]

    def look(self, model: SentenceTransformer, step: int) -> None:
        """Scores the dev queries, and keeps the weights if none were better."""
        if self.dev is None or any(entry["step"] == step for entry in self.history):
            return
        entry = {"step": step, "epoch": step / self.plan.steps_per_epoch, "ndcg@10": self.dev.ndcg(model, self.late)}
        if self._best_of([*self.history, entry]) == step:
            write_atomically(self.folder / "best.safetensors", save(_contiguous(model)))
        self.history = [*self.history, entry]
        write_atomically(self.folder / "dev.json", json.dumps(self.history).encode())

    def best_step(self) -> int:
        """Returns the last step whose dev score is within LIKE_THE_BEST of the best; the last one without dev queries.

        The learning rate falls to zero towards the end, which makes late weights the steadier ones: an earlier step has to be
        clearly better.
        """
        return self._best_of(self.history)

    def _best_of(self, history: Sequence[dict[str, float]]) -> int:
        if not history:
            return self.plan.steps
        bar = max(entry["ndcg@10"] for entry in history) - LIKE_THE_BEST
        return int(max(entry["step"] for entry in history if entry["ndcg@10"] >= bar))

    def best_score(self) -> float:
        """Returns nDCG@10 on dev at `best_step`."""
        return next(entry["ndcg@10"] for entry in self.history if entry["step"] == self.best_step())

    def best_weights(self) -> Weights | None:
        """Returns the weights of `best_step`, or None for those that the model has now."""
        path = self.folder / "best.safetensors"
        return load_file(path) if self.history and path.is_file() else None


class _Watch(TrainerCallback):
    """Saves by the clock, looks at dev when it is time, and tells how far the training is."""

    def __init__(self, run: _Run, seconds: float, on_progress: Progress | None) -> None:
        self._run, self._seconds, self._on_progress = run, seconds, on_progress
        self._saved = time.monotonic()

    def on_step_end(
        self,
        args: Any,  # noqa: ARG002 (the trainer passes it by place)
        state: TrainerState,
        control: TrainerControl,
        model: SentenceTransformer | None = None,
        **_: Any,
    ) -> None:
        """Runs after each optimizer step."""
        loss = state.log_history[-1].get("loss", 0.0) if state.log_history else 0.0
        if not math.isfinite(loss):
            raise InputError(
                f"Training diverged: the loss is {loss} after step {state.global_step}. Lower training.learning_rate."
            )
        if self._on_progress:
            self._on_progress(state.global_step, state.max_steps)
        looked = state.global_step in self._run.plan.evaluate_at
        if looked and model is not None:
            self._run.look(model, state.global_step)
        if (looked or time.monotonic() - self._saved > self._seconds) and state.global_step < state.max_steps:
            control.should_save = True

    def on_save(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:  # noqa: ARG002
        """Runs after a checkpoint was written."""
        mark_complete(Path(args.output_dir) / f"checkpoint-{state.global_step}")
        self._saved = time.monotonic()


def _fit(
    model: SentenceTransformer,
    pairs: Sequence[Pair],
    chunks: Sequence[Chunk],
    settings: TrainingSettings,
    base_model: str,
    seed: int,
    run: _Run,
    on_progress: Progress | None,
) -> list[dict[str, float]]:
    """Trains the model in place, from the last checkpoint if there is one, and returns the loss per step."""
    texts = {chunk.id: embedded_text(chunk) for chunk in chunks}
    rows = {"query": [pair.query for pair in pairs], "chunk": [texts[pair.chunk_id] for pair in pairs]}
    if any(pair.negative_query for pair in pairs) and uses_negatives(settings.loss):
        # A row without a negative has its own query in the place, which the loss knows for none.
        rows["negative_query"] = [pair.negative_query or pair.query for pair in pairs]
    trainer = _Trainer(
        model=model,
        args=_arguments(model, pairs, chunks, settings, seed, run),
        train_dataset=Dataset.from_dict(rows),
        loss=build_loss(
            settings.loss, model, _loss_plan(model, chunks, settings, base_model, seed, run.plan), settings.matryoshka_dims
        ),
        callbacks=[_Watch(run, settings.checkpoint_seconds, on_progress)],
    )
    trainer.remove_callback(PrinterCallback)
    checkpoint = last_checkpoint(run.folder)
    run.resume(int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    return [{"step": entry["step"], "loss": entry["loss"]} for entry in trainer.state.log_history if "loss" in entry]


def _loss_plan(
    model: SentenceTransformer, chunks: Sequence[Chunk], settings: TrainingSettings, base_model: str, seed: int, plan: Plan
) -> LossPlan:
    if settings.loss != JOINT:
        return LossPlan(settings.scale, plan.mini_batch_size, base_model)
    from finetrieve.training.joint_loss import JointPlan

    full = model.get_embedding_dimension() or 0
    idf = token_idf(model, [embedded_text(chunk) for chunk in chunks])
    joint = JointPlan(
        scale=settings.scale,
        late_scale=settings.late_scale,
        late_weight=settings.late_weight,
        keep_base=settings.keep_base,
        distil=settings.distil,
        n_lay=settings.lay_questions,
        dims=tuple(trained_dims(settings.matryoshka_dims, full)[1:]),
        token_dims=tuple(dim for dim in settings.matryoshka_token_dims if dim < full),
        mini_batch_size=plan.mini_batch_size,
        cached=not plan.fits_memory,
        lay_pairs=practised_pairs(),
    )
    weights = torch.from_numpy(idf.weights(np.arange(len(model.tokenizer), dtype=np.int32)))
    return LossPlan(settings.scale, plan.mini_batch_size, base_model, joint, weights, settings.teacher, seed)


def _arguments(
    model: SentenceTransformer,
    pairs: Sequence[Pair],
    chunks: Sequence[Chunk],
    settings: TrainingSettings,
    seed: int,
    run: _Run,
) -> SentenceTransformerTrainingArguments:
    query_prompt = model.prompts.get("query") or ""
    prompts = {"query": query_prompt, "chunk": model.prompts.get("document") or "", "negative_query": query_prompt}
    return SentenceTransformerTrainingArguments(
        output_dir=str(run.folder),
        max_steps=run.plan.steps,
        per_device_train_batch_size=settings.batch_size,
        batch_sampler=partial(PairBatches, rows=_rows(pairs, chunks), rules=_rules(settings)),
        learning_rate=settings.learning_rate,
        warmup_steps=max(1, round(run.plan.steps * settings.warmup)) if settings.warmup else 0,
        weight_decay=settings.weight_decay,
        bf16=run.plan.precision == "bf16",
        fp16=run.plan.precision == "fp16",
        use_cpu=model.device.type == "cpu",
        prompts=prompts if any(prompts.values()) else None,
        seed=seed,
        data_seed=seed,
        # Saved by _Watch. Two are kept: the older one serves when the newer is cut off while it is written.
        save_strategy="no",
        save_total_limit=2,
        eval_strategy="no",
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        log_level="error",
        dataloader_pin_memory=False,
    )


class _Trainer(SentenceTransformerTrainer):
    """The trainer without its model card, which encodes examples and asks the Hub for what a checkpoint does not need."""

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Adds none."""

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:  # noqa: ARG002 (the trainer passes it)
        self.model.save_pretrained(str(output_dir), create_model_card=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hides the progress bars of the libraries: there is one of our own."""
    libraries = (datasets_logging, transformers_logging)
    shown = [library for library in libraries if library.is_progress_bar_enabled()]
    for library in shown:
        library.disable_progress_bar()
    try:
        yield
    finally:
        for library in shown:
            library.enable_progress_bar()


# 2. Averaging with the base model (Wortsman et al. 2022, https://arxiv.org/abs/2109.01903).


def _choose_share(
    model: SentenceTransformer, base: SentenceTransformer, tuned: Weights, settings: TrainingSettings, run: _Run
) -> tuple[list[dict[str, float]], float]:
    """Leaves the chosen average in the model; returns what each share that was tried scored, and the share taken.

    Of the shares at which our own lay questions score no less than under the base model, the smallest is taken: generated dev
    queries are made like the training's and always speak for the tuned weights. Where people's dev questions choose, it is the
    largest that scores like the best on them: what they do not ask for is not worth moving away for.
    """
    questions = choosing_questions()
    wanted = {way: float(scores.mean()) - settings.lay_tolerance for way, scores in questions.ndcg(base).items()}
    weights, by_people = _copy(base), run.dev is not None and run.dev.by_people
    tried = list[dict[str, float]]()
    kept = list[float]()
    for share in sorted(set(settings.average)):
        model.load_state_dict(_average(weights, tuned, share))
        lay = {way: float(scores.mean()) for way, scores in questions.ndcg(model).items()}
        entry = {"base_share": share, **{f"lay_{way}": score for way, score in lay.items()}}
        if all(lay[way] >= wanted[way] for way in _used_ways(settings)):
            kept.append(share)
        if run.dev is not None and (by_people or share in kept):
            # Nothing averaged is the best checkpoint, whose score is known.
            entry["ndcg@10"] = run.best_score() if share == 0 else run.dev.ndcg(model, settings.loss == JOINT)
        tried.append(entry)
        if kept and not by_people:
            break
    share = _taken(kept, tried, settings) if by_people else (kept or sorted(settings.average))[-1]
    model.load_state_dict(_average(weights, tuned, share))
    return tried, share


def _used_ways(settings: TrainingSettings) -> tuple[str, ...]:
    return ("dense", "late") if settings.loss == JOINT and settings.late_weight else ("dense",)


def _taken(kept: Sequence[float], tried: Sequence[dict[str, float]], settings: TrainingSettings) -> float:
    """Returns the largest share that scores like the best on people's dev questions, of those that kept the lay ones."""
    allowed = kept or [max(settings.average)]
    scores = {entry["base_share"]: entry["ndcg@10"] for entry in tried if entry["base_share"] in allowed}
    return nearest_within(scores, settings.average_tolerance, wanted=1.0)


def _average(base: Weights, tuned: Weights, share: float) -> Weights:
    """Returns `share` of the base weights and the rest of the tuned ones; whole numbers come from the tuned ones."""
    return {
        name: torch.lerp(weight, base[name].to(weight), share) if weight.is_floating_point() else weight
        for name, weight in tuned.items()
    }


def _copy(model: SentenceTransformer) -> Weights:
    return {name: weight.detach().cpu().clone() for name, weight in model.state_dict().items()}


def _contiguous(model: SentenceTransformer) -> Weights:
    return {name: weight.contiguous() for name, weight in _copy(model).items()}


# 3. Saving.


def _save(model: SentenceTransformer, base_model: str, record: dict[str, Any], out_dir: Path) -> None:
    """Writes the model with its card and its record; the directory appears when it is whole, in place of an older one."""
    model.max_seq_length = load_encoder(base_model).max_seq_length
    part, old = out_dir.with_name(f".{out_dir.name}.part"), out_dir.with_name(f".{out_dir.name}.old")
    for leftover in (part, old):
        shutil.rmtree(leftover, ignore_errors=True)
    # How long it took is no part of the model: the same training gives the same files.
    lasting = {name: value for name, value in record.items() if name != "seconds"}
    try:
        part.mkdir(parents=True)
        model.save_pretrained(str(part), create_model_card=False)
        (part / "README.md").write_text(model_card(record, str(resolve_base_model(base_model))), encoding="utf-8")
        (part / "training_record.json").write_text(json.dumps(lasting, indent=1), encoding="utf-8")
        if out_dir.exists():
            out_dir.replace(old)
        part.replace(out_dir)
    finally:
        for leftover in (part, old):
            shutil.rmtree(leftover, ignore_errors=True)
