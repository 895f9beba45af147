"""Trains a small classifier on labelled texts that a recipe wrote: python benchmarks/classify_rows.py stories/rows.jsonl.

The texts' embeddings by a base model, a logistic regression of scikit-learn, and its accuracy on texts of other topics.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click
import numpy as np

ROOT = Path(__file__).resolve().parents[1]


@click.command()
@click.argument("rows", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--text", default="text", show_default=True, help="The column with the text.")
@click.option("--label", default="label", show_default=True, help="The column with the label.")
@click.option("--model", default="embedded", show_default=True, help="embedded, a directory or a Hub id.")
@click.option("--folds", default=5, show_default=True, help="Parts, each classified by what was learnt of the others.")
def main(rows: Path, text: str, label: str, model: str, folds: int) -> None:
    """Prints the accuracy, that of always saying the most frequent label, and that of each label."""
    sys.path.insert(0, str(ROOT))
    from finetrieve.core.errors import InputError

    try:
        print(classify(_read(rows, text, label), model, folds))
    except InputError as error:
        raise SystemExit(str(error)) from None


def classify(rows: list[tuple[str, str, str]], model: str, folds: int) -> str:
    """Returns the report on a classifier that is trained on some topics and asked about others.

    Args:
        rows: Text, label, and topic: the chunk that it was written from.
        model: `embedded`, a directory or a Hub id.
        folds: Parts of the topics.

    Raises:
        InputError: There are too few labels or topics.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold, cross_val_predict

    from finetrieve.core.errors import InputError
    from finetrieve.retrieval.encoder import encode, load_encoder

    texts, labels, topics = (list(column) for column in zip(*rows, strict=True))
    counts = Counter(labels)
    if len(counts) < 2:
        raise InputError(f"All {len(rows)} rows have the label '{labels[0]}'; a classifier needs two.")
    if len(set(topics)) < folds:
        raise InputError(f"The rows are about {len(set(topics))} topics, and {folds} parts are wanted. Give --folds fewer.")
    vectors = encode(load_encoder(model), texts)  # (n_texts, dim)
    classifier = LogisticRegression(max_iter=1000)
    said = cross_val_predict(classifier, vectors, labels, groups=topics, cv=GroupKFold(folds))
    right = np.array(said) == np.array(labels)
    lines = [
        f"{len(rows)} texts, {len(counts)} labels, {len(set(topics))} topics; no topic is in training and in test",
        f"accuracy {right.mean():.3f}; always '{counts.most_common(1)[0][0]}': {max(counts.values()) / len(rows):.3f}",
    ]
    for name, count in counts.most_common():
        own = right[np.array(labels) == name]
        lines.append(f"  {name}: {own.sum()} of {count}")
    return "\n".join(lines)


def _read(path: Path, text: str, label: str) -> list[tuple[str, str, str]]:
    from finetrieve.core.errors import InputError

    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            row: Any = json.loads(line)
            rows.append((str(row[text]), str(row[label]), str(row.get("chunk_id", number))))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InputError(f"{path}, line {number}: expected JSON with '{text}' and '{label}', found {line[:60]!r}.") from None
    if not rows:
        raise InputError(f"{path} has no rows.")
    return rows


if __name__ == "__main__":
    main()
