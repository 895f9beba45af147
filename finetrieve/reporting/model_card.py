"""The card of a model that was evaluated: to what training knew, it adds what was measured, on what, by which run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from finetrieve.core.html import one_line
from finetrieve.core.model_directory import VERSION_LABEL
from finetrieve.core.numbers import counted
from finetrieve.evaluation.formats import METRIC_NAMES, arm_name, is_tuned, ordered_arms, score, span
from finetrieve.evaluation.metrics import HEADLINE
from finetrieve.evaluation.result import EvaluationResult, SetResult
from finetrieve.training.model_card import model_card

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

_DENSE = "finetuned"


def write_card(directory: Path, metrics: EvaluationResult, provenance: Mapping[str, str]) -> None:
    """Writes what was measured into a model's card; one that was not trained in this run keeps the card it has."""
    if metrics.training.chosen is not None:
        (directory / "README.md").write_text(measured_card(metrics, provenance), encoding="utf-8")


def write_published_card(directory: Path, metrics: EvaluationResult, name: str, licence: str = "") -> None:
    """Writes the card of a model that goes to others: what was measured, and nothing of this machine.

    To the card of a model that was not trained in this run the results are added.

    Args:
        directory: The model's.
        metrics: The content of `metrics.json`, with the training's record.
        name: What the model is called beside its results.
        licence: In place of the base model's; empty keeps that.
    """
    from huggingface_hub import ModelCard

    path = directory / "README.md"
    said = path.read_text(encoding="utf-8") if path.is_file() else ""
    if metrics.training.chosen is not None:
        card = ModelCard(measured_card(metrics, {VERSION_LABEL: name}))
    else:
        card = ModelCard(f"{said.rstrip()}\n\n{_measured(metrics, {})}", ignore_metadata_errors=True)
        header = cast("ModelCardData", card.data)
        header.model_name, header.eval_results = name, all_results(metrics) or None
    if licence:
        cast("ModelCardData", card.data).license = licence
    base = str(metrics.training.base_model or "")
    text = str(card)
    path.write_text(text.replace(base, Path(base).name) if Path(base).is_absolute() else text, encoding="utf-8")


def measured_card(metrics: EvaluationResult, provenance: Mapping[str, str]) -> str:
    """Returns the README of an evaluated model.

    Args:
        metrics: The content of `metrics.json`, with the training's record.
        provenance: Label -> version, run, date, command, commit, decision.
    """
    name = one_line(provenance.get(VERSION_LABEL, ""), 80)
    return model_card(metrics.training, name, all_results(metrics), _measured(metrics, provenance))


def all_results(metrics: EvaluationResult) -> list[EvalResult]:
    """Returns what was measured on every set, as the Hub's `model-index` has it."""
    return [result for name, found in metrics.ordered_sets() for result in _results(name, found)]


def _results(name: str, found: SetResult) -> list[EvalResult]:
    """Returns all metrics of the single vectors, and nDCG@10 of the other ways of searching with this model."""
    from huggingface_hub import EvalResult

    wanted = [(_DENSE, metric) for metric in METRIC_NAMES]
    wanted += [(arm, HEADLINE) for arm in ordered_arms(found.arms) if is_tuned(arm) and arm != _DENSE]
    return [
        EvalResult(
            task_type="information-retrieval",
            task_name="Information Retrieval",
            dataset_type="unknown",
            dataset_name=f"{one_line(name, 80)} ({counted(found.n_queries, 'question')}, {found.kind})",
            metric_type=metric.replace("@", "_at_"),
            metric_name=f"{METRIC_NAMES[metric]}, {arm_name(arm)}",
            metric_value=round(found.arms[arm][metric].value, 4),
        )
        for arm, metric in wanted
        if metric in found.arms.get(arm, {})
    ]


def _measured(metrics: EvaluationResult, provenance: Mapping[str, str]) -> str:
    rows = [
        f"| {_cell(name)} | {found.kind}, {counted(found.n_queries, 'question')} | {arm_name(arm)} "
        f"| {score(headline.value)} | {span(headline.low, headline.high)} |"
        for name, found in metrics.ordered_sets()
        for arm in ordered_arms(found.arms)
        if (headline := found.headline(arm))
    ]
    facts = [f"- {label}: {_cell(value)}" for label, value in provenance.items() if value]
    verdict = [_cell(metrics.verdict.sentence), ""] if metrics.verdict.sentence else []
    table = ["| evaluation set | questions | way of searching | nDCG@10 | 95% interval |", "|---|---|---|---|---|", *rows, ""]
    where = ["## Where it comes from", "", *facts, ""] if facts else []
    return "\n".join(["## What was measured", "", *verdict, *(table if rows else []), *where])


def _cell(text: str) -> str:
    return one_line(text, 1_500).replace("|", "\\|").replace("<", "&lt;")
