"""What a training cost the model of its general understanding, measured without a user: on our own questions in lay words.

The set in `lay_questions` holds documents of nine other kinds; nothing is trained or chosen on it. Generated questions cannot
show such a loss, since they share words with their chunks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from finetrieve.core.code_hash import code_hash
from finetrieve.core.training_record import Guard, GuardDifference
from finetrieve.evaluation.bootstrap import difference, resampled_means
from finetrieve.evaluation.metrics import HEADLINE, METRICS, relevance_of, score_queries
from finetrieve.retrieval.vector_cache import kept_vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

FOLDER = Path(__file__).parent / "lay_questions"
_SAMPLES = 10_000
_WAYS = ("dense", "late")

Scores = dict[str, npt.NDArray[np.float64]]
"""Way of searching -> nDCG@10 of each question."""


@dataclass(frozen=True)
class LayQuestions:
    """Questions with the passages that answer them."""

    queries: Sequence[str]
    texts: Sequence[str]
    answers: Sequence[Sequence[int]]
    """Per question, the rows of `texts` that answer it."""

    def ndcg(self, encoder: SentenceTransformer) -> Scores:
        """Returns nDCG@10 of each question by both ways of searching; the model is left in the mode in which it came."""
        from finetrieve.retrieval.late_interaction import TokenIdf, encode_with_tokens, late_scores

        chunks, tokens = encode_with_tokens(encoder, self.texts, precision="auto")
        queries, query_tokens = encode_with_tokens(encoder, self.queries, role="query", precision="auto")
        columns = {str(row): row for row in range(len(self.texts))}
        relevance = relevance_of([{str(row): 1 for row in rows} for rows in self.answers], columns)
        late = late_scores(query_tokens, tokens, TokenIdf(tokens).weights(query_tokens.ids), "auto")
        found = {"dense": queries @ chunks.T, "late": late}
        return {way: score_queries(scores, relevance)[:, METRICS.index(HEADLINE)] for way, scores in found.items()}

    def base_ndcg(self, encoder: SentenceTransformer, base_model: str) -> Scores:
        """Returns `ndcg` of a base model, which every training of it asks for: computed once, and kept in the user's cache.

        Args:
            encoder: The base model, loaded.
            base_model: `embedded`, a directory or a Hub id: its name, by whose content the scores are kept.
        """
        kept = kept_vectors(base_model, "auto")
        keys = {way: self._key(way, encoder.device.type) for way in _WAYS}
        found = kept.get(list(keys.values()))
        if len(found) == len(keys):
            return {way: np.frombuffer(found[key], dtype="<f8") for way, key in keys.items()}
        scores = self.ndcg(encoder)
        kept.put({key: scores[way].astype("<f8").tobytes() for way, key in keys.items()})
        return scores

    def _key(self, way: str, device: str) -> bytes:
        """Returns what the scores depend on beside the model: the questions, and the code and the device that scored them."""
        asked = [list(self.queries), list(self.texts), [list(rows) for rows in self.answers]]
        return hashlib.sha256(json.dumps([way, device, code_hash(Path(__file__)), asked]).encode()).digest()


def guard_questions() -> LayQuestions:
    """Returns the set that comes with the installation."""
    corpus, queries = (_rows(FOLDER / name) for name in ("corpus.jsonl", "queries.jsonl"))
    row_of = {row["_id"]: number for number, row in enumerate(corpus)}
    answers: dict[str, list[int]] = {row["_id"]: [] for row in queries}
    for line in (FOLDER / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query, document, score = line.split("\t")
        if int(score) > 0:
            answers[query].append(row_of[document])
    texts = [f"{row['title']}\n{row['text']}" for row in corpus]
    return LayQuestions([row["text"] for row in queries], texts, list(answers.values()))


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def compare_lay_scores(base: Scores, tuned: Scores, seed: int) -> Guard:
    """Returns what training cost on the lay questions: it fell where the interval lies below zero for either way of searching."""
    found = {way: _compare(base[way], tuned[way], seed) for way in _WAYS}
    fell = any(entry.high < 0 for entry in found.values())
    n_queries = len(base["dense"])
    spans = ", ".join(
        f"{way} {entry.base:.3f} -> {entry.finetuned:.3f} [{100 * entry.low:+.1f}, {100 * entry.high:+.1f}]"
        for way, entry in found.items()
    )
    asked = f"{n_queries} questions in lay words about other documents"
    sentence = (
        f"On {asked} it fell ({spans} points): it may find less where people do not know the documents' words."
        if fell
        else f"On {asked} nothing clearly fell ({spans} points)."
    )
    return Guard(n_queries=n_queries, ndcg=found, fell=fell, sentence=sentence)


def _compare(base: npt.NDArray[np.float64], tuned: npt.NDArray[np.float64], seed: int) -> GuardDifference:
    means = resampled_means(np.stack([tuned, base], axis=1), _SAMPLES, seed)
    found = difference(tuned, base, means[:, 0], means[:, 1])
    return GuardDifference(base=float(base.mean()), finetuned=float(tuned.mean()), low=found.low, high=found.high)
