"""How much memory and time an evaluation with token vectors takes as the corpus grows.

`python benchmarks/late_memory.py [--chunks N ...] [--queries N] [--tokens N] [--model REF]`: one process per size, on chunks of
random words. Without `--model` the vectors are random, so what is measured is the product's own work: writing the token vectors
down, reading them back in blocks, scoring all arms. "peak" is the largest resident set, "on disk" what the token vectors take.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from finetrieve.core.rows import Chunk  # noqa: E402
from finetrieve.evaluation.eval_sets import EvalSet  # noqa: E402
from finetrieve.evaluation.evaluate import evaluate_models  # noqa: E402
from finetrieve.evaluation.settings import EvaluationSettings  # noqa: E402
from finetrieve.retrieval.encoder import Role  # noqa: E402
from finetrieve.retrieval.late_interaction import TokenVectors, TokenWriter  # noqa: E402
from finetrieve.retrieval.vector_cache import CachedEmbedder, Embedder  # noqa: E402

DIM = 384
WORDS = 20_000
QUERY_WORDS = 10
TEXTS_AT_ONCE = 1_000
ARMS = ["bm25", "base", "hybrid_base", "late_base", "fused_base", "rerank20_base", "rerank100_base"]


class RandomVectors:
    """A model whose vectors are random, and the same for the same text."""

    def embed(self, texts: Sequence[str], role: Role) -> npt.NDArray[np.float32]:  # noqa: ARG002
        """Returns unit vectors `(n_texts, DIM)`."""
        vectors = np.random.default_rng(0).normal(size=(len(texts), DIM)).astype(np.float32)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)

    def embed_tokens(self, texts: Sequence[str], role: Role) -> TokenVectors:  # noqa: ARG002
        """Returns a vector for each word."""
        generator, writer = np.random.default_rng(1), TokenWriter()
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            words = [text.split() for text in texts[start : start + TEXTS_AT_ONCE]]
            ids = np.array([int(word[1:]) for text in words for word in text], np.int32)
            vectors = generator.normal(scale=DIM**-0.5, size=(len(ids), DIM)).astype(np.float16)
            starts = np.concatenate([[0], np.cumsum([len(text) for text in words])]).astype(np.int64)
            writer.add(TokenVectors(vectors, ids, starts))
        return writer.done()


def main() -> None:
    """Prints a row per size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", nargs="+", type=int, default=[1_000, 10_000, 100_000])
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--tokens", type=int, default=80, help="of a chunk")
    parser.add_argument("--model", help="a model to encode with in place of random vectors")
    parser.add_argument("--precision", default="auto", choices=("fp32", "auto"))
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.alone:
        _measure(args.chunks[0], args.queries, args.tokens, args.model, args.precision)
        return
    print(f"{'chunks':>10}{'queries':>10}{'seconds':>10}{'peak MB':>10}{'on disk MB':>12}", flush=True)
    for size in args.chunks:
        own = ["--chunks", str(size), "--queries", str(args.queries), "--tokens", str(args.tokens), "--precision", args.precision]
        model = ["--model", args.model] if args.model else []
        subprocess.run([sys.executable, __file__, "--alone", *own, *model], check=True)


def _measure(n_chunks: int, n_queries: int, n_tokens: int, model: str | None, precision: str) -> None:
    generator = np.random.default_rng(2)
    chunks = [Chunk(f"c{row}", f"d{row}", "", "", "", _words(generator, n_tokens), n_tokens, 0) for row in range(n_chunks)]
    answers = generator.integers(n_chunks, size=n_queries)
    queries = {f"q{row}": " ".join(chunks[answer].text.split()[:QUERY_WORDS]) for row, answer in enumerate(answers)}
    qrels = {query: {f"d{answer}": 1} for query, answer in zip(queries, answers, strict=True)}
    eval_set = EvalSet("random", "human", queries, qrels, "document", chunks, n_chunks)
    settings = EvaluationSettings.model_validate(
        {"arms": ARMS, "dimensions": [], "bootstrap_samples": 1_000, "bill": False, "precision": precision}
    )
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        embedder: Embedder = CachedEmbedder(model, folder=Path(folder)) if model else RandomVectors()
        evaluate_models([eval_set], {"base": embedder}, None, settings, seed=1)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    on_disk = n_chunks * n_tokens * DIM * 2 / 1e6
    print(f"{n_chunks:>10,}{n_queries:>10,}{seconds:>10.1f}{peak:>10,.0f}{on_disk:>12,.0f}", flush=True)


def _words(generator: np.random.Generator, n_words: int) -> str:
    return " ".join(f"w{number}" for number in generator.integers(WORDS, size=n_words))


if __name__ == "__main__":
    main()
