"""A dataset of pairs written for others: Parquet with splits and a card, a BEIR folder, LlamaIndex's or ragas' JSON, Argilla's.

What looks like an e-mail address or a key is masked in every text, and a query with personal data is left out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from finetrieve.annotation.disk_form import write_disk_form
from finetrieve.core.errors import InputError, unknown_name
from finetrieve.core.numbers import counted
from finetrieve.core.rows import Chunk, Pair, heading_path
from finetrieve.evaluation.result import EvaluationResult
from finetrieve.own_data.personal_data import masked, personal_data_in

SPLITS = ("train", "dev", "test")
MASKED = ("e-mail address", "key")
"""What is masked in texts; numbers are not, since documentation is full of them."""


@dataclass(frozen=True)
class Dataset:
    """What is written: pairs, and the chunks that they name."""

    pairs: list[Pair]
    chunks: dict[str, Chunk]
    """Id -> chunk; all of the corpus."""
    left_out: int
    """Pairs with personal data in their query, and pairs with texts that are no chunks."""
    name: str = "pairs"

    def split(self, name: str) -> list[Pair]:
        """Returns the pairs of a side."""
        return [pair for pair in self.pairs if pair.split == name]


def dataset_of(pairs: Sequence[Pair], chunks: Iterable[Chunk]) -> Dataset:
    """Returns what may be given away of pairs and chunks."""
    known = {chunk.id: _masked_chunk(chunk) for chunk in chunks}
    kept = [pair for pair in pairs if pair.chunk_id in known and personal_data_in(pair.query) is None]
    clean = [replace(pair, negative_query=masked(pair.negative_query) if pair.negative_query else None) for pair in kept]
    return Dataset(clean, known, len(pairs) - len(kept))


def _masked_chunk(chunk: Chunk) -> Chunk:
    return replace(
        chunk,
        title=masked(chunk.title, MASKED),
        section=masked(chunk.section, MASKED),
        text=masked(chunk.text, MASKED),
    )


def write_dataset(
    folder: Path, dataset: Dataset, form: str, *, with_chunks: bool, name: str, licence: str, metrics: EvaluationResult
) -> None:
    """Writes the files of a dataset into an empty folder.

    Args:
        folder: Where to.
        dataset: What.
        form: A name of `FORMS`.
        with_chunks: Whether the texts of the chunks are written.
        name: The dataset's, for its card.
        licence: Of the documents, as the Hub writes it (`apache-2.0`); empty says nothing.
        metrics: Of the run, for the card.

    Raises:
        InputError: There is no such form, or it cannot be written without texts.
    """
    if form not in FORMS:
        raise unknown_name("form", form, FORMS)
    if not with_chunks and form in ("llamaindex", "ragas", "argilla"):
        raise InputError(f"The form '{form}' consists of the chunks' texts; for one without them choose hub or beir.")
    FORMS[form](folder, replace(dataset, name=name), with_chunks)
    card = dataset_card(dataset, form, with_chunks, name, licence, metrics)
    (folder / "README.md").write_text(card, encoding="utf-8")


# 1. The forms.


def _write_parquet(folder: Path, dataset: Dataset, with_chunks: bool) -> None:
    for split in SPLITS:
        rows = [_pair_row(pair, dataset.chunks[pair.chunk_id], with_chunks) for pair in dataset.split(split)]
        if rows:
            _parquet(folder / "data" / f"{split}-00000-of-00001.parquet", rows)
    if with_chunks:
        corpus = [
            {"chunk_id": c.id, "doc_id": c.doc_id, "title": c.title, "section": c.section, "text": c.text, "source": c.source}
            for c in dataset.chunks.values()
        ]
        _parquet(folder / "corpus" / "corpus-00000-of-00001.parquet", corpus)


def _pair_row(pair: Pair, chunk: Chunk, with_chunks: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"query": pair.query, "positive": chunk.text, "chunk_id": pair.chunk_id, "doc_id": chunk.doc_id}
    row |= {"negative_query": pair.negative_query, "style": pair.style, "provenance": pair.provenance}
    return row if with_chunks else {key: value for key, value in row.items() if key != "positive"}


def _parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    schema = pa.schema([pa.field(key, pa.string()) for key in rows[0]])
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)


def _write_beir(folder: Path, dataset: Dataset, with_chunks: bool) -> None:
    queries = _query_ids(dataset.pairs)
    _jsonl(folder / "queries.jsonl", ({"_id": identity, "text": query} for query, identity in queries.items()))
    if with_chunks:
        rows = (
            {"_id": chunk.id, "title": heading_path(chunk.title, chunk.section), "text": chunk.text}
            for chunk in dataset.chunks.values()
        )
        _jsonl(folder / "corpus.jsonl", rows)
    (folder / "qrels").mkdir()
    for split in SPLITS:
        lines = [f"{queries[pair.query]}\t{pair.chunk_id}\t1\n" for pair in dataset.split(split)]
        if lines:
            text = "query-id\tcorpus-id\tscore\n" + "".join(dict.fromkeys(lines))
            (folder / "qrels" / f"{split}.tsv").write_text(text, encoding="utf-8")


def _write_llamaindex(folder: Path, dataset: Dataset, with_chunks: bool) -> None:  # noqa: ARG001 (of all forms)
    for split in SPLITS:
        pairs = dataset.split(split)
        queries = _query_ids(pairs)
        relevant: dict[str, list[str]] = {}
        for pair in pairs:
            relevant.setdefault(queries[pair.query], []).append(pair.chunk_id)
        corpus = {chunk.id: chunk.text for chunk in dataset.chunks.values()}
        found = {"queries": {identity: query for query, identity in queries.items()}, "corpus": corpus, "relevant_docs": relevant}
        if pairs:
            text = json.dumps({**found, "mode": "text"}, ensure_ascii=False, indent=1)
            (folder / f"{split}.json").write_text(text, encoding="utf-8")


def _write_ragas(folder: Path, dataset: Dataset, with_chunks: bool) -> None:  # noqa: ARG001 (of all forms)
    for split in SPLITS:
        contexts: dict[str, list[str]] = {}
        styles: dict[str, str] = {}
        for pair in dataset.split(split):
            contexts.setdefault(pair.query, []).append(dataset.chunks[pair.chunk_id].text)
            styles.setdefault(pair.query, pair.style)
        rows = ({"user_input": q, "reference_contexts": texts, "synthesizer_name": styles[q]} for q, texts in contexts.items())
        if contexts:
            _jsonl(folder / f"{split}.jsonl", rows)


def _write_argilla(folder: Path, dataset: Dataset, with_chunks: bool) -> None:  # noqa: ARG001 (of all forms)
    write_disk_form(folder, dataset.name, ((pair, dataset.chunks[pair.chunk_id]) for pair in dataset.pairs))


FORMS = {
    "hub": _write_parquet,
    "beir": _write_beir,
    "llamaindex": _write_llamaindex,
    "ragas": _write_ragas,
    "argilla": _write_argilla,
}
"""The forms, by name; each is called with folder, dataset, and whether the chunks' texts are written."""


def _query_ids(pairs: Iterable[Pair]) -> dict[str, str]:
    return {query: f"q{number}" for number, query in enumerate(dict.fromkeys(pair.query for pair in pairs))}


def _jsonl(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


# 2. The card.


def dataset_card(dataset: Dataset, form: str, with_chunks: bool, name: str, licence: str, metrics: EvaluationResult) -> str:
    """Returns the README of a dataset: what it is, how it was made, how much of what it holds."""
    made = metrics.generation
    header = ["---", "pretty_name: " + json.dumps(name), "tags: [finetrieve, retrieval]"]
    header += [f"license: {licence}"] if licence else []
    if form == "hub":
        header += ["configs:", "- config_name: pairs", "  default: true", "  data_files:"]
        header += [f"  - split: {split}\n    path: data/{split}-*.parquet" for split in SPLITS if dataset.split(split)]
        if with_chunks:
            header += ["- config_name: corpus", "  data_files:", "  - split: corpus\n    path: corpus/corpus-*.parquet"]
    counts = Counter((pair.split, pair.provenance) for pair in dataset.pairs)
    kinds = sorted({pair.provenance for pair in dataset.pairs})
    table = [f"| {split} | " + " | ".join(f"{counts[split, kind]:,}" for kind in kinds) + " |" for split in SPLITS]
    styles = Counter(pair.style for pair in dataset.pairs).most_common(20)
    writers = ", ".join(f"{writer} ({number:,})" for writer, number in made.generators.items()) or "none"
    return "\n".join(
        [
            *header,
            "---",
            "",
            f"# {name}",
            "",
            "Queries with the passages of a documentation that answer them, made by Finetrieve to train and evaluate retrieval.",
            "",
            f"- Documents: {metrics.corpus.documents or 0:,}, cut into {counted(len(dataset.chunks), 'chunk')}"
            f"{'' if with_chunks else ', whose texts are not part of this dataset'}.",
            f"- Written by: {writers}.{f' Cost: {made.cost:.2f}.' if made.cost else ''}",
            f"- Licence of the documents: {licence or 'not stated'}.",
            f"- Left out for personal data, or because their text is no chunk: {counted(dataset.left_out, 'pair')}. "
            "E-mail addresses and keys in texts are masked.",
            f"- {made.split.sentence.removesuffix('.')}, but for pairs that were kept to evaluate on (`held_out`)."
            if made.split.unit in ("", "document")
            else f"- {made.split.sentence}",
            "",
            f"| split | {' | '.join(kinds)} |",
            f"|---|{'---|' * len(kinds)}",
            *table,
            "",
            "| how they ask | pairs |",
            "|---|---|",
            *(f"| {style or 'not said'} | {number:,} |" for style, number in styles),
            "",
        ]
    )
