"""The training itself: sentence-transformers' trainer, with checkpoints by the clock and dev scores on the way."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from datasets import Dataset
from safetensors.torch import load_file, save
from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
from transformers import PrinterCallback, TrainerCallback

from finetrieve.core.errors import InputError
from finetrieve.core.rows import Chunk, Pair, RankedChunk, embedded_text
from finetrieve.core.text import normalise_query
from finetrieve.core.training_record import DevPoint, LossPoint
from finetrieve.retrieval.multi_vector import chunk_tokens, token_idf
from finetrieve.retrieval.vector_cache import CachedEmbedder
from finetrieve.training.averaging import Weights, copy_weights
from finetrieve.training.batches import BatchRules, Neighbours, PairBatches, Row, count_batches
from finetrieve.training.checkpoints import last_checkpoint, mark_complete, write_atomically
from finetrieve.training.dev import DevSet
from finetrieve.training.hard_chunks import near_chunks
from finetrieve.training.lay_questions import practised_pairs
from finetrieve.training.losses import LOSSES, LossPlan, build_loss, trained_dims
from finetrieve.training.ranked_lists import ranked_texts
from finetrieve.training.resources import batch_fits, choose_mini_batch, choose_precision

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from transformers import TrainerControl, TrainerState

    from finetrieve.training.settings import TrainingSettings

LIKE_THE_BEST = 0.01
"""Of nDCG@10 on dev: a smaller lead is chance."""

Progress = Callable[[int, int], None]


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


def make_plan(pairs: Sequence[Pair], chunks: Sequence[Chunk], settings: TrainingSettings, model: SentenceTransformer) -> Plan:
    """Returns how many steps of what size a training takes, and when dev is looked at."""
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
    at_once = settings.queries_at_once if LOSSES.get(settings.loss).encodes_chunks_once else 1
    return BatchRules(settings.batch_size, at_once, settings.same_document, settings.hard_chunks)


def _rows(pairs: Sequence[Pair], chunks: Sequence[Chunk]) -> list[Row]:
    """Returns the pairs by numbers; chunks of equal text have one number, so that none is the other's negative."""
    texts, documents, queries = _Numbers(), _Numbers(), _Numbers()
    by_id = {chunk.id: chunk for chunk in chunks}
    return [
        Row(
            queries.of(normalise_query(pair.query)),
            texts.of(embedded_text(by_id[pair.chunk_id])),
            documents.of(by_id[pair.chunk_id].doc_id),
        )
        for pair in pairs
    ]


def _neighbours(pairs: Sequence[Pair], chunks: Sequence[Chunk], base_model: str) -> Neighbours:
    """Returns which chunks of the pairs look alike to the base model, by the numbers that `_rows` gives them."""
    by_id = {chunk.id: chunk for chunk in chunks}
    first: dict[str, Chunk] = {}
    for pair in pairs:
        first.setdefault(embedded_text(by_id[pair.chunk_id]), by_id[pair.chunk_id])
    vectors = CachedEmbedder(base_model, precision="auto").embed(list(first), "document")
    return near_chunks(vectors, [(chunk.doc_id, chunk.section) for chunk in first.values()])


class _Numbers:
    """Numbers names in the order in which they come."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def of(self, name: str) -> int:
        return self._numbers.setdefault(name, len(self._numbers))


class TrainingRun:
    """What one training leaves in its folder: the dev scores so far and the best weights."""

    def __init__(self, folder: Path, dev: DevSet | None, plan: Plan, late: bool) -> None:
        self.folder, self.dev, self.plan, self.late = folder, dev, plan, late
        self.history: list[DevPoint] = []

    def resume(self, step: int) -> None:
        """Takes the dev scores up to `step` over from before the crash."""
        try:
            found = [DevPoint.model_validate(entry) for entry in json.loads((self.folder / "dev.json").read_bytes())]
        except (OSError, ValueError):
            found = []
        self.history = [entry for entry in found if entry.step <= step]

    def look(self, model: SentenceTransformer, step: int) -> None:
        """Scores the dev queries, and keeps the weights if none were better."""
        if self.dev is None or any(entry.step == step for entry in self.history):
            return
        entry = DevPoint(step=step, epoch=step / self.plan.steps_per_epoch, ndcg=self.dev.ndcg(model, self.late))
        if self._best_of([*self.history, entry]) == step:
            write_atomically(
                self.folder / "best.safetensors",
                save({name: weight.contiguous() for name, weight in copy_weights(model).items()}),
            )
        self.history = [*self.history, entry]
        write_atomically(self.folder / "dev.json", json.dumps([point.as_json() for point in self.history]).encode())

    def best_step(self) -> int:
        """Returns the last step whose dev score is within LIKE_THE_BEST of the best; the last one without dev queries.

        The learning rate falls to zero towards the end, which makes late weights the steadier ones: an earlier step has to be
        clearly better.
        """
        return self._best_of(self.history)

    def _best_of(self, history: Sequence[DevPoint]) -> int:
        if not history:
            return self.plan.steps
        bar = max(entry.ndcg for entry in history) - LIKE_THE_BEST
        return max(entry.step for entry in history if entry.ndcg >= bar)

    def best_weights(self) -> Weights | None:
        """Returns the weights of `best_step`, or None for those that the model has now."""
        path = self.folder / "best.safetensors"
        return load_file(path) if self.history and path.is_file() else None


class _Watch(TrainerCallback):
    """Saves by the clock, looks at dev when it is time, and tells how far the training is: its loss too, as `step`."""

    def __init__(self, run: TrainingRun, loss: torch.nn.Module, seconds: float, on_progress: Progress | None) -> None:
        self._run, self._loss, self._seconds, self._on_progress = run, loss, seconds, on_progress
        self._saved = time.monotonic()

    def on_train_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:  # noqa: ARG002
        """Runs once, after a checkpoint was loaded: the clock of the progress starts here."""
        if self._on_progress:
            self._on_progress(state.global_step, state.max_steps)

    def on_step_begin(self, args: Any, state: TrainerState, control: TrainerControl, **_: Any) -> None:  # noqa: ARG002
        """Runs before each optimizer step, also before the first one after a checkpoint was loaded."""
        self._loss.step = state.global_step  # type: ignore[assignment]  # torch's type knows tensors and modules alone

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


def fit(
    model: SentenceTransformer,
    pairs: Sequence[Pair],
    chunks: Sequence[Chunk],
    settings: TrainingSettings,
    base_model: str,
    seed: int,
    run: TrainingRun,
    on_progress: Progress | None,
    ranking_lists: Sequence[RankedChunk] = (),
) -> list[LossPoint]:
    """Trains the model in place, from the last checkpoint if there is one, and returns the loss per step."""
    texts = {chunk.id: embedded_text(chunk) for chunk in chunks}
    rows = {"query": [pair.query for pair in pairs], "chunk": [texts[pair.chunk_id] for pair in pairs]}
    if any(pair.negative_query for pair in pairs) and LOSSES.get(settings.loss).uses_negatives:
        # A row without a negative has its own query in the place, which the loss knows for none.
        rows["negative_query"] = [pair.negative_query or pair.query for pair in pairs]
    plan = _loss_plan(model, chunks, settings, base_model, seed, run.plan, ranking_lists)
    loss = build_loss(settings.loss, model, plan, settings.matryoshka_dims)
    trainer = _Trainer(
        model=model,
        args=_arguments(model, pairs, chunks, settings, base_model, seed, run),
        train_dataset=Dataset.from_dict(rows),
        loss=loss,
        callbacks=[_Watch(run, loss, settings.checkpoint_seconds, on_progress)],
    )
    trainer.remove_callback(PrinterCallback)
    checkpoint = last_checkpoint(run.folder)
    run.resume(int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    return [LossPoint(step=int(entry["step"]), loss=entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]


def _loss_plan(
    model: SentenceTransformer,
    chunks: Sequence[Chunk],
    settings: TrainingSettings,
    base_model: str,
    seed: int,
    plan: Plan,
    ranking_lists: Sequence[RankedChunk],
) -> LossPlan:
    if not LOSSES.get(settings.loss).uses_late:
        return LossPlan(settings.scale, plan.mini_batch_size, base_model, contrast=settings.contrast)
    from finetrieve.training.joint_loss import JointPlan

    full = model.get_embedding_dimension() or 0
    texts = [embedded_text(chunk) for chunk in chunks]
    tokens = chunk_tokens(model, texts)
    idf = token_idf(model, tokens)
    joint = JointPlan(
        scale=settings.scale,
        late_scale=settings.late_scale,
        late_weight=settings.late_weight,
        keep_base=settings.keep_base,
        distil=settings.distil,
        distil_alone_from=int(plan.steps * (1 - settings.distil_alone)) if settings.distil_alone else None,
        n_lay=settings.lay_questions,
        dims=tuple(trained_dims(settings.matryoshka_dims, full)[1:]),
        token_dims=tuple(dim for dim in settings.matryoshka_token_dims if dim < full),
        mini_batch_size=plan.mini_batch_size,
        cached=not plan.fits_memory,
        lay_pairs=practised_pairs(),
        lists=ranked_texts(ranking_lists, chunks),
        n_lists=settings.ranking_lists,
    )
    read = dict(zip(texts, tokens, strict=True))
    weights = torch.from_numpy(idf.weights(np.arange(len(model.tokenizer), dtype=np.int32)))
    return LossPlan(settings.scale, plan.mini_batch_size, base_model, joint, weights, settings.teacher, seed, read)


def _arguments(
    model: SentenceTransformer,
    pairs: Sequence[Pair],
    chunks: Sequence[Chunk],
    settings: TrainingSettings,
    base_model: str,
    seed: int,
    run: TrainingRun,
) -> SentenceTransformerTrainingArguments:
    neighbours = _neighbours(pairs, chunks, base_model) if settings.hard_chunks else None
    query_prompt = model.prompts.get("query") or ""
    prompts = {"query": query_prompt, "chunk": model.prompts.get("document") or "", "negative_query": query_prompt}
    return SentenceTransformerTrainingArguments(
        output_dir=str(run.folder),
        max_steps=run.plan.steps,
        per_device_train_batch_size=settings.batch_size,
        batch_sampler=partial(PairBatches, rows=_rows(pairs, chunks), rules=_rules(settings), neighbours=neighbours),
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
