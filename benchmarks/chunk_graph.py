"""The graph of chunks as a corpus grows: seconds, peak memory and edges, and whether it grows faster than n log n.

    python benchmarks/chunk_graph.py [--chunks 1000 3000 10000] [--model embedded]

Made-up chunks: words by Zipf's law, names that a few chunks share, sections of pages. Each size runs in a process of its own.
The time of the embedding model, which keeps its vectors for every later use, stands apart; without `--model` its place is taken
by vectors of as many dimensions that are alike in groups. Target: 10,000 chunks in 5 minutes and 2 GB on two cores.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import resource
import subprocess
import sys
import time
from typing import Any

import numpy as np

from finetrieve.core.rows import Chunk
from finetrieve.generation.chunk_context import ChunkContext, build_contexts
from finetrieve.generation.chunk_graph.graph import ChunkGraph, entity_links, page_links, section_links, similarity_links
from finetrieve.generation.chunk_graph.graph import shown_text as shown
from finetrieve.generation.chunk_graph.groups import groups_of
from finetrieve.generation.chunk_graph.terms import extract_terms

TERMS, DEGREE, DIM = 12, 6, 384
WORDS = 160
"""Of a chunk."""
PER_PAGE = 8


def main() -> None:
    """Prints a row per size and the growth from size to size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, nargs="+", default=[1000, 3000, 10_000])
    parser.add_argument("--model", help="an embedding model, as recipe `graph` takes it")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one, given.model)))
        return
    names = (
        "chunks",
        "terms s",
        "entities s",
        "vectors s",
        "alike s",
        "groups s",
        "graph s",
        "CPU s",
        "peak MB",
        "edges",
        "parts",
    )
    print("".join(f"{name:>11}" for name in names))
    rows = []
    for size in given.chunks:
        command = [sys.executable, __file__, "--one", str(size), *(["--model", given.model] if given.model else [])]
        rows.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1]))
        print("".join(f"{_shown(rows[-1][name]):>11}" for name in names), flush=True)
    for small, large in itertools.pairwise(rows):
        first, second = small["chunks"], large["chunks"]
        grown = math.log(large["CPU s"] / small["CPU s"]) / math.log(second / first)
        bound = math.log(second * math.log(second) / (first * math.log(first))) / math.log(second / first)
        print(f"{first:,} -> {second:,}: CPU time of the graph grows with n^{grown:.2f}; n log n with n^{bound:.2f}")


def _shown(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def measure(size: int, model: str | None) -> dict[str, Any]:
    """Returns what a graph of so many chunks takes."""
    chunks = made_up(size)
    texts = [shown(chunk) for chunk in chunks]
    marks, busy = [time.perf_counter()], time.process_time()

    def mark() -> None:
        marks.append(time.perf_counter())

    terms = extract_terms(texts, TERMS)
    mark()
    links = [*entity_links(terms, DEGREE), *section_links(chunks), *page_links(chunks)]
    mark()
    before = time.process_time()
    vectors = embedded(texts, model)
    busy += time.process_time() - before
    mark()
    links += similarity_links(vectors, DEGREE, 13)
    mark()
    graph = ChunkGraph.of(size, links)
    groups_of(graph, 4)
    mark()
    spent = np.diff(marks)
    return {
        "chunks": size,
        **dict(zip(("terms s", "entities s", "vectors s", "alike s", "groups s"), map(float, spent), strict=True)),
        "graph s": float(spent.sum() - spent[2]),
        "CPU s": time.process_time() - busy,
        "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "edges": len(graph.links),
        "parts": size - len(graph.neighbours) + _components(graph),
    }


def _components(graph: ChunkGraph) -> int:
    seen: set[int] = set()
    parts = 0
    for start in graph.neighbours:
        parts += start not in seen
        waiting = [start]
        while waiting:
            number = waiting.pop()
            if number not in seen:
                seen.add(number)
                waiting += [other for other, _ in graph.neighbours[number]]
    return parts


def embedded(texts: list[str], model: str | None) -> Any:
    """Returns unit vectors `(n, DIM)` of a model, or made-up ones in groups of about twelve."""
    if model is not None:
        from finetrieve.retrieval.encoder import encode, load_encoder

        return encode(load_encoder(model), texts, 64, role="document", precision="auto")
    rng = np.random.default_rng(5)
    centres = rng.standard_normal((max(2, len(texts) // 12), DIM), dtype=np.float32)
    vectors = centres[rng.integers(len(centres), size=len(texts))] + 0.6 * rng.standard_normal(
        (len(texts), DIM), dtype=np.float32
    )
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def made_up(size: int) -> list[ChunkContext]:
    """Returns chunks of pages with sections; a vocabulary and names that grow with the corpus, as those of a real one do."""
    rng = np.random.default_rng(3)
    vocabulary = 2000 + 30 * round(math.sqrt(size))
    ranks = np.minimum(rng.zipf(1.25, size=(size, WORDS)), vocabulary)
    named = rng.integers(size, size=(size, 6))
    rows = []
    for number in range(size):
        words = [f"w{rank}" for rank in ranks[number].tolist()]
        for place, name in enumerate(named[number].tolist()):
            words[place * 20] = f"Part{name} relief plug"
        text = ". ".join(" ".join(words[start : start + 20]) for start in range(0, WORDS, 20))
        page, place = divmod(number, PER_PAGE)
        rows.append(Chunk(str(number), f"page{page}.md", "", f"Page {page}", f"Section {place}", text, 200, place, "en"))
    return list(build_contexts(rows))


if __name__ == "__main__":
    main()
