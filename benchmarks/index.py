"""A large corpus indexed, saved, loaded and searched: processor seconds, megabytes on disk and in memory, milliseconds per query.

`python benchmarks/index.py [--chunks 100000] [--tokens 80] [--dims 128] [--engines saved parquet lancedb qdrant]`: chunks of
random words with random vectors, so what is measured is our own work and the engines', not the model's encoding. `saved` is the
folder that `Index.save` writes; the others are the files that `finetrieve index` writes, and the engines that it loads. Each
stage runs in a process of its own. Seconds are those of the processor, of all threads, so that a busy machine does not change
them; "peak" is the largest resident set, with mapped files; loading counts BM25. A query has 10 tokens; the first is not counted.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from finetrieve.core.arrays import FloatMatrix  # noqa: E402
from finetrieve.core.rows import Chunk, embedded_text  # noqa: E402
from finetrieve.core.text_table import table_lines  # noqa: E402
from finetrieve.engines.base import ENGINES, Engine  # noqa: E402
from finetrieve.engines.fused_search import Ask, FusedSearch  # noqa: E402
from finetrieve.engines.vector_files import (  # noqa: E402
    FOLDER,
    TEXTS,
    Stored,
    StoredVectors,
    read_blocks,
    read_chunks,
    write_texts,
    write_vectors,
)
from finetrieve.retrieval.base_model import resolve_base_model  # noqa: E402
from finetrieve.retrieval.bm25 import Bm25  # noqa: E402
from finetrieve.retrieval.encoder import Role, unit_rows  # noqa: E402
from finetrieve.retrieval.fusion import FUSED, fuse  # noqa: E402
from finetrieve.retrieval.hybrid_index import Queries, SearchIndex, build_index  # noqa: E402
from finetrieve.retrieval.late_interaction import TokenVectors, TokenWriter  # noqa: E402
from finetrieve.retrieval.saved_index import read_index, save_index  # noqa: E402
from finetrieve.retrieval.search import Searcher  # noqa: E402

DENSE_DIMS = 384
WORDS = 20_000
QUERY_TOKENS = 10
TEXTS_AT_ONCE = 1_000
SAVED = "saved"


class RandomVectors:
    """A model whose vectors are random unit vectors; each word is a token.

    Args:
        dims: Of token vectors.
    """

    def __init__(self, dims: int) -> None:
        self._dims, self._generator = dims, np.random.default_rng(0)

    def embed(self, texts: Sequence[str], role: Role) -> FloatMatrix:  # noqa: ARG002
        """Returns unit vectors `(n_texts, DENSE_DIMS)`."""
        return unit_rows(self._generator.normal(size=(len(texts), DENSE_DIMS)).astype(np.float32))

    def embed_tokens(self, texts: Sequence[str], role: Role) -> TokenVectors:  # noqa: ARG002
        """Returns a vector for each word."""
        writer = TokenWriter()
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            words = [text.split() for text in texts[start : start + TEXTS_AT_ONCE]]
            ids = np.array([int(word[1:]) if word[1:].isdigit() else 0 for text in words for word in text], np.int32)
            vectors = unit_rows(self._generator.standard_normal((len(ids), self._dims), dtype=np.float32)).astype(np.float16)
            writer.add(
                TokenVectors(vectors, ids, np.concatenate([[0], np.cumsum([len(text) for text in words])]).astype(np.int64))
            )
        return writer.done()


def main() -> None:
    """Prints a row per engine."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--tokens", type=int, default=80, help="of a chunk")
    parser.add_argument("--dims", type=int, default=128, help="of a token's vector")
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--engines", nargs="+", default=[SAVED, "parquet", "lancedb"], choices=[SAVED, *ENGINES.names()])
    parser.add_argument("--folder", type=Path, help="where the files go; by default a temporary folder")
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.stage:
        print(json.dumps(STAGES[args.stage.partition(":")[0]](args, args.stage.partition(":")[2])))
        return
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        if set(args.engines) != {SAVED}:
            written = run_stage("write", folder)
            facts = f"{written['seconds']:.1f} s, peak {written['peak']:,.0f} MB, {written['disk']:,.0f} MB on disk"
            print(f"Parquet files of {args.chunks:,} chunks: {facts}", flush=True)
        rows = [("engine", "index s", "peak MB", "on disk MB", "load s", "peak MB", "dense ms", "late ms", "fused ms")]
        for name in args.engines:
            made, found = run_stage(f"build:{name}", folder), run_stage(f"search:{name}", folder)
            cells = [f"{made['seconds']:.1f}", f"{made['peak']:,.0f}", f"{made['disk']:,.0f}", f"{found['seconds']:.1f}"]
            cells += [
                f"{found['peak']:,.0f}",
                *(f"{found[way]:.1f}" if way in found else "" for way in ("dense", "late", "fused")),
            ]
            rows.append((name, *cells))
        print("\n".join(table_lines(rows)))


def run_stage(stage: str, folder: str) -> dict[str, float]:
    """Returns what a stage measured, in a process of its own."""
    command = [sys.executable, __file__, *sys.argv[1:], "--stage", stage, "--folder", folder]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{stage} failed:\n{done.stderr}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


# Stages.


def write(args: argparse.Namespace, _: str) -> dict[str, float]:
    """Writes the Parquet files."""
    chunks = make_chunks(args)
    start = time.process_time()
    write_vectors(args.folder / FOLDER, chunks, RandomVectors(args.dims), stored(args))
    return measured(start, args.folder / FOLDER)


def build(args: argparse.Namespace, name: str) -> dict[str, float]:
    """Fills an engine, or saves an index."""
    target = args.folder / name
    if name == SAVED:
        chunks = make_chunks(args)
        start = time.process_time()
        texts = [embedded_text(chunk) for chunk in chunks]
        index = build_index(texts, RandomVectors(args.dims), bm25=Bm25.of_chunks(chunks), with_tokens=True)
        save_index(target, chunks, Searcher(index, FUSED), Path(resolve_base_model("embedded")), {})
        return measured(start, target)
    start = time.process_time()
    if name == "parquet":
        return measured(start, args.folder / FOLDER)
    target.mkdir()
    ENGINES.get(name).build(target, read_blocks(args.folder / FOLDER, stored(args)), stored(args))
    write_texts(target / TEXTS, args.folder / FOLDER)
    return measured(start, target)


def search(args: argparse.Namespace, name: str) -> dict[str, float]:
    """Opens an engine and searches."""
    model, start = RandomVectors(args.dims), time.process_time()
    if name == SAVED:
        index = read_index(args.folder / name).searcher.index
        loaded = measured(start, args.folder)
        return loaded | {way: timed(args, model, work(index)) for way, work in _SAVED_WAYS.items()} | {"peak": peak()}
    folder = args.folder if name == "parquet" else args.folder / name
    engine: Engine = ENGINES.get(name)(folder, stored(args))
    fused = FusedSearch(read_chunks(folder), FUSED)
    loaded = measured(start, args.folder)

    def asked(query: Queries) -> dict[str, Ask]:
        dense, late = query.vectors[0], scaled(query)
        return {"dense": lambda k, among: engine.dense(dense, k, among), "late": lambda k, among: engine.late(late, k, among)}

    ways = {
        "dense": timed(args, model, lambda query: engine.dense(query.vectors[0], 10)),
        "late": timed(args, model, lambda query: engine.late(scaled(query), 10)),
        "fused": timed(args, model, lambda query: fused.search(query.texts[0], 10, asked(query))),
    }
    engine.close()
    return loaded | ways | {"peak": peak()}


STAGES: dict[str, Callable[[argparse.Namespace, str], dict[str, float]]] = {"write": write, "build": build, "search": search}
_SAVED_WAYS: dict[str, Callable[[SearchIndex], Callable[[Queries], Any]]] = {
    "dense": lambda index: index.dense,
    "late": lambda index: index.late,
    "fused": lambda index: lambda query: fuse(index.parts(query), FUSED),
}


def stored(args: argparse.Namespace) -> StoredVectors:
    """Returns whole vectors of both kinds."""
    return StoredVectors(Stored(DENSE_DIMS), Stored(args.dims))


def make_chunks(args: argparse.Namespace) -> list[Chunk]:
    """Returns chunks of random words, rare and frequent ones."""
    numbers = np.random.default_rng(2).zipf(1.3, size=(args.chunks, args.tokens)) % WORDS
    texts = [" ".join(f"w{number}" for number in row) for row in numbers.tolist()]
    return [Chunk(f"c{row}", f"d{row // 8}", "", "", "", text, args.tokens, row % 8) for row, text in enumerate(texts)]


def timed(args: argparse.Namespace, model: RandomVectors, work: Callable[[Queries], Any]) -> float:
    """Returns the median milliseconds of a query."""
    taken = []
    numbers = np.random.default_rng(3).integers(WORDS, size=(args.queries + 1, QUERY_TOKENS))
    for row in numbers.tolist():
        text = " ".join(f"w{number}" for number in row)
        tokens = model.embed_tokens([text], "query")
        query = Queries([text], model.embed([text], "query"), tokens, np.ones(len(tokens.ids), np.float32))
        start = time.process_time()
        work(query)
        taken.append(time.process_time() - start)
    return 1000 * float(np.median(taken[1:]))


def scaled(query: Queries) -> FloatMatrix:
    """Returns the token vectors, each as long as its share of the score."""
    assert query.tokens is not None
    return np.asarray(query.tokens.vectors / QUERY_TOKENS, np.float32)


def measured(start: float, folder: Path) -> dict[str, float]:
    """Returns seconds since the start, the peak of memory, and what a folder takes."""
    seconds = time.process_time() - start
    disk = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    return {"seconds": seconds, "peak": peak(), "disk": disk}


def peak() -> float:
    """Returns the largest resident set of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


if __name__ == "__main__":
    main()
