"""Runs on the same documents: one that split queries and trained, and a later one that ended before its training.

`python tests/fakes/training_and_later_split.py` prints whose pairs `evaluate` takes.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from zenml import pipeline, step

from finetrieve.app.earlier_runs import find_trained_model, find_training_pairs
from finetrieve.app.preflight import Inputs, corpus_tag
from finetrieve.app.zenml_environment import quiet_zenml

INPUTS = Inputs(documents="0123456789abcdef", base_model="", eval_sets=[])


@step
def split_queries(of: str) -> Annotated[str, "pairs"]:
    return of


@step
def train_model(pairs: str) -> Annotated[str, "model"]:
    if pairs == "later":
        raise RuntimeError("interrupted")
    return pairs


@pipeline(name="retrain", enable_cache=False)
def retrain(of: str) -> None:
    train_model(split_queries(of))


if __name__ == "__main__":
    quiet_zenml()
    for of in ("first", "later"):
        with suppress(RuntimeError):
            retrain.with_options(tags=[corpus_tag(INPUTS)])(of=of)
    pairs = find_training_pairs(INPUTS)
    print("model:", find_trained_model(INPUTS).load(), "pairs:", pairs and pairs.load())
