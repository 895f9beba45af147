"""How varied generated queries are, and which parts of the documents nobody asks about; in time that a sample bounds."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
from scipy import sparse

from finetrieve.core.generation_report import AttributeCoverage, DiversityReport, TopicCoverage
from finetrieve.core.languages import UNKNOWN, language_of
from finetrieve.core.query_manner import is_question, length_shares
from finetrieve.core.rows import GeneratedQuery, WrittenRow
from finetrieve.core.tables import Rows
from finetrieve.core.text import query_words

SAMPLE = 2000
"""Queries that are compared with each other."""
_LANGUAGE_SAMPLE = 400
_EXAMPLES = 5
_RAREST = 3
_MOST_VALUES = 50
"""An attribute with more values, such as seed words, is no axis of a grid."""


def diversity_report(
    chunks: pa.Table, queries: pa.Table, written: pa.Table, topics: Sequence[str] = ()
) -> DiversityReport | None:
    """Returns the report, or None where nothing was written.

    Distinct-n as in Li et al. (1510.03055); it falls with the number of queries, so it is of a sample of one size.

    Args:
        chunks: The corpus, of `Chunk`.
        queries: Of `GeneratedQuery`.
        written: Of `WrittenRow`.
        topics: Of the chunks, where some were looked for.
    """
    if not queries.num_rows and not written.num_rows:
        return None
    texts = queries["query"].to_pylist()
    repeated = len(texts) - len({hash(tuple(query_words(text))) for text in texts})
    sample = _spread(texts, SAMPLE)
    words = [query_words(text) for text in sample]
    said = {
        "queries": len(texts),
        "sample": len(sample),
        "repeated": repeated,
        "distinct_words": distinct_share(words, 1),
        "distinct_pairs": distinct_share(words, 2),
        "self_similarity": self_similarity(words),
        "words": round(sum(map(len, words)) / len(words), 2) if words else None,
        "questions": round(sum(map(is_question, sample, words)) / len(words), 4) if words else None,
        "lengths": length_shares([len(own) for own in words]),
        "languages": _languages(_spread(sample, _LANGUAGE_SAMPLE)),
        "coverage": _coverage(queries, written),
    }
    asked = _asked(queries)
    covered = {"topics": _topic_coverage(chunks, queries, written, asked, topics)}
    return _places(chunks, asked).model_copy(update={**said, **covered})


def _spread(rows: Sequence[str], most: int) -> Sequence[str]:
    return rows[:: max(1, -(-len(rows) // most))]


def distinct_share(words: Sequence[Sequence[str]], n: int) -> float | None:
    """Returns the share of different n-grams among all of them, or None where there are none."""
    grams = [tuple(own[start : start + n]) for own in words for start in range(len(own) - n + 1)]
    return round(len(set(grams)) / len(grams), 4) if grams else None


def self_similarity(words: Sequence[Sequence[str]]) -> float | None:
    """Returns the mean cosine of each text with the one nearest to it, by words weighted by rarity; None for fewer than two."""
    if len(words) < 2:
        return None
    sets = [set(own) for own in words]
    found = Counter(word for own in sets for word in own)
    column = {word: place for place, word in enumerate(found)}
    rarity = {word: math.log(1 + len(words) / count) for word, count in found.items()}
    lengths = [math.sqrt(sum(rarity[word] ** 2 for word in own)) or 1.0 for own in sets]
    entries = [
        (row, column[word], rarity[word] / length)
        for row, (own, length) in enumerate(zip(sets, lengths, strict=True))
        for word in sorted(own)
    ]
    if not entries:
        return None
    rows, columns, values = zip(*entries, strict=True)
    matrix = sparse.csr_array((np.array(values, dtype=np.float32), (rows, columns)), shape=(len(words), len(column)))
    cosines = (matrix @ matrix.T).toarray()  # (n, n), of a sample
    np.fill_diagonal(cosines, 0.0)
    return round(float(np.minimum(cosines.max(axis=1), 1.0).mean()), 4)


def _languages(sample: Sequence[str]) -> dict[str, float]:
    known = Counter(code for text in sample if (code := language_of(text, guess=False)) and code != UNKNOWN)
    return {code: round(count / known.total(), 4) for code, count in known.most_common(8)}


def _asked(queries: pa.Table) -> set[str]:
    """Returns the chunks that answer a query, alone or with others."""
    asked = set(queries["chunk_id"].to_pylist())
    if "further_chunk_ids" in queries.column_names:
        asked |= {chunk_id for further in queries["further_chunk_ids"].unique().to_pylist() for chunk_id in further.split()}
    return asked


def _topic_coverage(
    chunks: pa.Table, queries: pa.Table, written: pa.Table, asked: Collection[str], topics: Sequence[str]
) -> dict[str, TopicCoverage]:
    if not topics:
        return {}
    chunk_ids = chunks["id"].to_pylist()
    topic_of = dict(zip(chunk_ids, topics, strict=True))
    found = Counter(topics)
    with_query = Counter(topic_of[chunk_id] for chunk_id in chunk_ids if chunk_id in asked)
    asking, other = (Counter(topic_of[chunk_id] for chunk_id in rows["chunk_id"].to_pylist()) for rows in (queries, written))
    return {
        topic: TopicCoverage(chunks=count, chunks_asked=with_query[topic], queries=asking[topic], rows=other[topic])
        for topic, count in sorted(found.items(), key=lambda item: (-item[1], item[0]))
    }


def _places(chunks: pa.Table, asked: Collection[str]) -> DiversityReport:
    """Returns what of the documents is asked about."""
    sections: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    titles: dict[str, str] = {}
    columns = (chunks[name].to_pylist() for name in ("id", "doc_id", "section", "title"))
    for chunk_id, doc_id, section, title in zip(*columns, strict=True):
        counts = sections[doc_id, section]
        counts[0] += 1
        counts[1] += chunk_id in asked
        titles[doc_id] = title
    documents = defaultdict[str, int](int)
    for (doc_id, _), (_, found) in sections.items():
        documents[doc_id] += found
    unasked = sorted((place for place, (_, found) in sections.items() if not found), key=lambda place: -sections[place][0])
    return DiversityReport(
        chunks_asked=round(sum(found for _, found in sections.values()) / chunks.num_rows, 4) if chunks.num_rows else None,
        sections=len(sections),
        sections_unasked=len(unasked),
        documents=len(documents),
        documents_unasked=sum(not found for found in documents.values()),
        unasked_examples=[
            f"{' > '.join(part for part in (titles[doc_id], section) if part) or doc_id} ({sections[doc_id, section][0]})"
            for doc_id, section in unasked[:_EXAMPLES]
        ],
    )


def _coverage(queries: pa.Table, written: pa.Table) -> dict[str, AttributeCoverage]:
    """Returns recipe -> how evenly the combinations of its attributes are filled, of recipes with two attributes or more."""
    rows = defaultdict[str, Counter[tuple[tuple[str, str], ...]]](Counter)
    for recipe, attributes in _attributes(queries, written):
        rows[recipe][tuple(sorted(attributes.items()))] += 1
    return {recipe: found for recipe, counts in rows.items() if (found := _grid(counts)) is not None}


def _attributes(queries: pa.Table, written: pa.Table) -> Iterator[tuple[str, Mapping[str, str]]]:
    for query in Rows(queries, GeneratedQuery):
        style, _, further = query.style.partition(", ")
        named = {"style": style, "manner": further, "persona": query.persona}
        yield query.recipe, {name: value for name, value in named.items() if value}
    for row in Rows(written, WrittenRow):
        yield row.recipe, {name: str(value) for name, value in json.loads(row.attributes).items()}


def _grid(counts: Counter[tuple[tuple[str, str], ...]]) -> AttributeCoverage | None:
    values = defaultdict[str, set[str]](set)
    for combination in counts:
        for name, value in combination:
            values[name].add(value)
    axes = sorted(name for name, own in values.items() if 1 < len(own) <= _MOST_VALUES)
    if len(axes) < 2:
        return None
    joint = Counter[str]()
    for combination, count in counts.items():
        given = dict(combination)
        if all(name in given for name in axes):
            joint[", ".join(given[name] for name in axes)] += count
    return AttributeCoverage(
        attributes={name: len(values[name]) for name in axes},
        combinations=math.prod(len(values[name]) for name in axes),
        seen=len(joint),
        rows=joint.total(),
        rarest=dict(joint.most_common()[: -_RAREST - 1 : -1]),
    )
