"""All sets of pairs of a configuration, read and matched to the chunks of its documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from finetrieve.core.corpus import Corpus
from finetrieve.core.errors import InputError
from finetrieve.core.own_data_report import PairsReport
from finetrieve.core.rows import Chunk, LabelledPair, Reject
from finetrieve.own_data.matching import ChunkFinder, match_labels
from finetrieve.own_data.pair_files import read_pairs
from finetrieve.own_data.pair_rows import Label
from finetrieve.own_data.personal_data import personal_data_in
from finetrieve.own_data.settings import PairSettings
from finetrieve.own_data.teacher import Teacher


@dataclass(frozen=True)
class OwnPairs:
    """What the sets gave."""

    pairs: list[LabelledPair]
    free_texts: list[Chunk]
    unmatched: list[Reject]
    report: PairsReport


def load_own_pairs(sets: Sequence[PairSettings], corpus: Corpus, base_model: str) -> OwnPairs:
    """Returns the pairs of all sets with their chunks.

    Args:
        sets: Where they are.
        corpus: The documents.
        base_model: Chooses among the chunks that a label can mean.

    Raises:
        InputError: A set cannot be read, or none of its answers is in the documents.
    """
    finder, teacher = ChunkFinder(corpus), Teacher(corpus, base_model)
    chunk_ids = corpus.chunks.column("id").to_pylist()
    found = {}
    for item in sets:
        read = read_pairs(item)
        labels, personal = without_personal_data(read) if item.personal_data == "leave_out" else (read, {})
        matches = match_labels(labels, item.label, finder, chunk_ids, teacher.best_of, item.unmatched == "keep")
        if not labels:
            raise InputError(f"Every query in '{item.path or item.dataset}' holds personal data: {_counted(personal)}.")
        if not any(pair.score > 0 for pair in matches.pairs):
            raise InputError(
                f"None of the {len(labels):,} answers in '{item.path or item.dataset}' is in the documents. "
                f"{matches.unmatched[0].reason}. Give the documents that the pairs are about with --docs, or set the pairs' "
                "unmatched to keep."
            )
        found[item.label] = replace(matches, report=matches.report.model_copy(update={"personal_data": personal}))
    return OwnPairs(
        [pair for matches in found.values() for pair in matches.pairs],
        [chunk for matches in found.values() for chunk in matches.free_texts],
        [row for matches in found.values() for row in matches.unmatched],
        PairsReport(sets={name: matches.report for name, matches in found.items()}),
    )


def without_personal_data(labels: Sequence[Label]) -> tuple[list[Label], dict[str, int]]:
    """Returns the labels whose queries hold none, and what was found in the others."""
    found = [personal_data_in(label.query) for label in labels]
    kept = [label for label, kind in zip(labels, found, strict=True) if kind is None]
    return kept, dict(Counter(kind for kind in found if kind is not None))


def _counted(personal: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} {number:,}" for kind, number in personal.items())
