"""Fine-tuning of the base model on query-chunk pairs; dev chooses the checkpoint and the averaging."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from datasets.utils import logging as datasets_logging
from transformers.utils import logging as transformers_logging

from finetrieve.core.errors import InputError
from finetrieve.core.logging import get_logger
from finetrieve.core.model_directory import ModelDirectory
from finetrieve.core.paths import scratch_folder
from finetrieve.core.progress import Progress, reporter
from finetrieve.core.rows import Chunk, Pair, RankedChunk
from finetrieve.core.tables import to_rows
from finetrieve.core.training_record import ChosenModel, TrainingRecord
from finetrieve.evaluation.guard import compare_lay_scores, guard_questions
from finetrieve.retrieval.encoder import load_encoder
from finetrieve.training.api_reference import gentler, is_api_reference
from finetrieve.training.averaging import Weights, choose_share, copy_weights
from finetrieve.training.base_card import base_model_card
from finetrieve.training.checkpoints import checkpoint_root, clear_disk_errors, run_folder, training_fingerprint
from finetrieve.training.dev import dev_set
from finetrieve.training.frozen_layers import freeze_layers
from finetrieve.training.learning_curve import point_of, train_on_parts
from finetrieve.training.losses import LOSSES
from finetrieve.training.model_card import model_card
from finetrieve.training.resources import set_dropout, set_training_attention
from finetrieve.training.seeds import SeedTraining, train_seeds
from finetrieve.training.teacher_lists import has_teacher_lists, teacher_lists
from finetrieve.training.trainer import TrainingRun, fit, make_plan
from finetrieve.training.untitled import is_untitled

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from finetrieve.training.settings import TrainingSettings

logger = get_logger(__name__)


@dataclass(frozen=True)
class TrainingResult:
    """A trained model and how it came about."""

    model_dir: Path
    record: TrainingRecord


def train_model(
    pairs: Sequence[Pair],
    chunks: Sequence[Chunk],
    settings: TrainingSettings,
    base_model: str,
    out_dir: Path,
    checkpoint_root: Path,
    seed: int,
    on_progress: Progress | None = None,
    ranking_lists: Sequence[RankedChunk] = (),
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
        seed: Decides the batches and the dropout; of several trainings the first one's.
        on_progress: Told (steps done, steps in all), and of several trainings which one it is.
        ranking_lists: Lists of chunks whose order is learnt, by the losses that can.

    Raises:
        InputError: Nothing to train on, no model, no space, or another process is at this very training.
    """
    train_pairs = [pair for pair in pairs if pair.split == "train"]
    if not train_pairs:
        raise InputError(
            "No query is left to train on. Lower split.dev and split.test, loosen the filters, or give more documents."
        )
    fingerprint = training_fingerprint(pairs, chunks, settings, base_model, seed, ranking_lists)
    api_reference, untitled, given = is_api_reference(train_pairs, chunks), is_untitled(train_pairs, chunks), settings
    if api_reference and settings.api_reference == "gentle":
        settings = gentler(settings)
    for note in filter(None, (lists_note(settings, ranking_lists), hardness_note(settings, train_pairs), teacher_note(settings))):
        logger.warning(note)

    def train_part(part: Sequence[Pair], alone: TrainingSettings, scratch: Path, shown: Progress | None) -> Path:
        return train_model(part, chunks, alone, base_model, scratch / "model", checkpoint_root, seed, shown).model_dir

    with run_folder(checkpoint_root, fingerprint) as folder, clear_disk_errors(checkpoint_root), _quiet():
        curve = train_on_parts(pairs, chunks, given, seed, folder, train_part, on_progress)
        started = time.monotonic()
        # 1. Train, from each seed, with the best checkpoint kept beside the one that a crash goes on from.
        plan = make_plan(train_pairs, chunks, settings, _untrained(base_model, settings))
        dev = dev_set(pairs, chunks, settings.dev_chunks, seed)
        taught = list[RankedChunk]()
        if settings.ranking_lists and has_teacher_lists(settings):
            most = settings.seeds * plan.steps * settings.ranking_lists
            shown_there = reporter("Scoring by the teacher") if on_progress else None
            taught = teacher_lists(train_pairs, chunks, settings, base_model, most, seed, shown_there)
        lists = [*ranking_lists, *taught]

        def train_one(own_seed: int, own_folder: Path, shown: Progress | None) -> tuple[SeedTraining, Weights]:
            trained = _untrained(base_model, settings)
            run = TrainingRun(own_folder, dev, plan, LOSSES.get(settings.loss).uses_late)
            loss = fit(trained, train_pairs, chunks, settings, base_model, own_seed, run, shown, lists)
            return SeedTraining(own_seed, run.best_step(), loss, run.history), run.best_weights() or copy_weights(trained)

        tuned = train_seeds(train_one, range(seed, seed + settings.seeds), folder, on_progress)

        # 2. Choose how much of the base model stays, and see what general understanding the training cost.
        if on_progress:
            logger.info("Choosing how much of the base model stays ...")
        base, model = load_encoder(base_model), load_encoder(base_model, max_tokens=settings.max_tokens)
        averaging, share = choose_share(model, base, base_model, tuned.weights, settings, dev, tuned.ndcg, untitled)
        questions = guard_questions()
        guard = compare_lay_scores(questions.base_ndcg(base, base_model), questions.ndcg(model), seed)

        # 3. Save what was chosen, whole or not at all.
        record = TrainingRecord(
            base_model=str(base_model),
            base=base_model_card(base_model),
            loss_name=settings.loss,
            n_pairs=len(train_pairs),
            n_chunks=len({pair.chunk_id for pair in train_pairs}),
            n_negatives=sum(bool(pair.negative_query) for pair in train_pairs) if LOSSES.get(settings.loss).uses_negatives else 0,
            n_ranking_lists=0 if lists_note(settings, ranking_lists) else len({row.query for row in ranking_lists}),
            teacher=settings.teacher if settings.distil and LOSSES.get(settings.loss).uses_late else None,
            n_teacher_lists=len({row.query for row in taught}),
            n_dev_queries=len(dev.queries) if dev else 0,
            **asdict(plan),
            seeds=tuned.seeds,
            loss=tuned.loss,
            dev=tuned.dev,
            averaging=averaging,
            chosen=ChosenModel(step=tuned.step, base_share=share),
            dev_is=dev.asked_by if dev else "none",
            guard=guard,
            api_reference=api_reference,
            untitled=untitled,
            learning_curve=[*curve, point_of(1.0, pairs, dev, model)] if curve and dev else [],
            device=str(model.device.type),
            seconds=round(time.monotonic() - started, 1),
        )
        with clear_disk_errors(out_dir.parent):
            _save(model, base_model, record, out_dir)
    return TrainingResult(out_dir, record)


def _untrained(base_model: str, settings: TrainingSettings) -> SentenceTransformer:
    """Returns the base model, made ready for training."""
    model = load_encoder(base_model, max_tokens=settings.max_tokens)
    set_dropout(model, settings.dropout)
    set_training_attention(model)
    freeze_layers(model, settings.frozen_layers)
    return model


def train_on_tables(
    pairs: pa.Table,
    chunks: pa.Table,
    settings: TrainingSettings,
    seed: int,
    ranking_lists: pa.Table | None = None,
    free_texts: pa.Table | None = None,
    label: str = "Training",
) -> tuple[ModelDirectory, TrainingRecord]:
    """Returns the model that dev chose and the record of its training; a run that was cut off continues.

    Args:
        pairs: Rows are `Pair`.
        chunks: Rows are `Chunk`.
        settings: How to train.
        seed: Decides the batches and the dropout.
        ranking_lists: Rows are `RankedChunk`.
        free_texts: Texts of one's own pairs that are no chunks; rows are `Chunk`.
        label: In front of the progress.
    """
    texts = [table for table in (chunks, free_texts) if table is not None]
    result = train_model(
        to_rows(pairs, Pair),
        [chunk for table in texts for chunk in to_rows(table, Chunk)],
        settings,
        settings.base_model,
        scratch_folder() / "model",
        checkpoint_root(),
        seed,
        reporter(label),
        to_rows(ranking_lists, RankedChunk) if ranking_lists is not None else [],
    )
    return ModelDirectory(result.model_dir), result.record


def lists_note(settings: TrainingSettings, ranking_lists: Sequence[RankedChunk]) -> str:
    """Returns what becomes of lists that a loss cannot learn, in a sentence; nothing where it can, or there are none."""
    queries, learns = len({row.query for row in ranking_lists}), LOSSES.get(settings.loss).uses_lists
    if not queries or (learns and settings.ranking_lists):
        return ""
    why = "training.ranking_lists is 0" if learns else f"the loss '{settings.loss}' has no part for it"
    more = "Raise it to learn the order." if learns else "`training.loss: joint` learns it."
    return (
        f"The order of the chunks of {queries:,} queries (query logs, negatives, several answers) is not learnt, since {why}; "
        f"their sure answers are still trained on as pairs. {more}"
    )


def hardness_note(settings: TrainingSettings, pairs: Sequence[Pair]) -> str:
    """Returns that no hard negative is there to count more, in a sentence; nothing where there is one, or none is asked for."""
    if settings.hardness.mode != "hard_negatives" or any(pair.negative_query for pair in pairs):
        return ""
    return (
        "training.hardness.mode hard_negatives changes nothing: no query has a negative, which recipe `triplet` writes. "
        "in_batch_negatives weighs the other chunks of a step."
    )


def teacher_note(settings: TrainingSettings) -> str:
    """Returns that nothing of a teacher is learnt, in a sentence; nothing where something is, or there is none."""
    if settings.teacher is None:
        return ""
    loss = LOSSES.get(settings.loss)
    if not loss.uses_late:
        return (
            f"training.teacher '{settings.teacher}' teaches nothing to the loss '{settings.loss}'. Choose `training.loss: joint`."
        )
    if not settings.distil:
        return (
            f"training.teacher '{settings.teacher}' teaches nothing, since nothing is distilled: training.distil is 0, or the "
            "documents are API reference, where `training.api_reference: as_prose` changes that."
        )
    if has_teacher_lists(settings) and not settings.ranking_lists:
        return (
            f"training.teacher '{settings.teacher}' is a cross-encoder and teaches nothing, since training.ranking_lists is 0. "
            "Raise it, or leave the teacher out."
        )
    return ""


def _save(model: SentenceTransformer, base_model: str, record: TrainingRecord, out_dir: Path) -> None:
    """Writes the model with its card and its record; the directory appears when it is whole, in place of an older one."""
    model.max_seq_length = load_encoder(base_model).max_seq_length
    part, old = out_dir.with_name(f".{out_dir.name}.part"), out_dir.with_name(f".{out_dir.name}.old")
    for leftover in (part, old):
        shutil.rmtree(leftover, ignore_errors=True)
    # How long it took is no part of the model: the same training gives the same files.
    lasting = record.model_dump(exclude={"seconds"}, exclude_unset=True)
    try:
        part.mkdir(parents=True)
        model.save_pretrained(str(part), create_model_card=False)
        (part / "README.md").write_text(model_card(record), encoding="utf-8")
        (part / "training_record.json").write_text(json.dumps(lasting, indent=1), encoding="utf-8")
        if out_dir.exists():
            out_dir.replace(old)
        part.replace(out_dir)
    finally:
        for leftover in (part, old):
            shutil.rmtree(leftover, ignore_errors=True)


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
