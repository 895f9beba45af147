"""What is recorded where several base models were trained under one protocol: what each scored and cost, and which one won."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from finetrieve.core.record import Interval, Record, Text


class BaseModelTrial(Record):
    """One base model, trained and evaluated on what all of them were."""

    base_model: Text
    """As the configuration names it."""
    name: Text = ""
    """With its revision, where it has one."""
    winner: bool = False
    error: Text = ""
    """Why it has no figures; the others have theirs all the same."""
    arms: Mapping[Text, Interval] = {}
    """Arm -> nDCG@10 on the headline set, before (`base`) and after training (`finetuned`)."""
    arm: Text = ""
    """Its headline arm."""
    delta: float | None = None
    """nDCG@10 of its headline arm against the winner's, question by question; None of the winner."""
    low: float | None = None
    high: float | None = None
    seconds: float | None = None
    """Of the training."""
    evaluation_seconds: float | None = None
    model_bytes: int | None = None
    """Of the trained model's files."""
    dims: int | None = None
    """Of its dense vectors."""
    bytes_per_chunk: float | None = None
    """As its storage costs recommend to store vectors."""
    ms_per_query: float | None = None
    """Of searching by these, encoding included."""


class BaseModelOutcome(Record):
    """What became of the evaluation of one base model."""

    base_model: Text
    error: Text = ""
    """Why there is none; empty where there is one."""
    seconds: float = 0.0


class BaseModelComparison(Record):
    """All of them, the best first, those without figures last."""

    eval_set: Text = ""
    """The headline set."""
    n_queries: int = 0
    trials: Sequence[BaseModelTrial] = ()
