"""Search by the model in production and by its base model, in the documents that it was trained for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetrieve.core.errors import InputError
from finetrieve.core.rows import Chunk, embedded_text
from finetrieve.evaluation.result import EvaluationResult, FusionRecord, SetResult
from finetrieve.evaluation.verdict import best_untrained
from finetrieve.retrieval.bm25 import Bm25
from finetrieve.retrieval.fusion import FUSED, HYBRID, Fusion, fusion_from
from finetrieve.retrieval.hybrid_index import build_index
from finetrieve.retrieval.search import SearchableCorpus, Searcher
from finetrieve.retrieval.vector_cache import CachedEmbedder

if TYPE_CHECKING:
    from finetrieve.core.progress import Progress
    from finetrieve.registry.versions import Version

TRAINED, BASE = "trained", "base"
LONGEST_QUESTION = 1_000
"""Characters."""
MOST_PASSAGES = 50
"""That one answer has of each side."""


@dataclass(frozen=True)
class SearchComparison:
    """The trained model and its base model, searching the same chunks."""

    corpus: SearchableCorpus
    names: Mapping[str, str]
    """Side -> what people call it."""
    note: str
    """What one should know of the answers."""
    methods: Mapping[str, str] = field(default_factory=dict)
    """Side -> by what it searches."""
    name: str = ""
    """What people call the documents: the model's name in the registry."""
    measured: str = ""
    """What was measured of the trained model, in a sentence."""
    answers: str = TRAINED
    """The side that is in production: BASE where a person took the trained model out."""


def load_comparison(reference: str | None, progress: Progress | None = None, model: str | None = None) -> SearchComparison:
    """Returns the models with their documents; the documents are embedded once and kept.

    Args:
        reference: A version; None takes the one in production, or the newest one where none is.
        progress: Told how far embedding is.
        model: Its model, where there are several.

    Raises:
        InputError: There is no such version, or its files are gone.
    """
    from finetrieve.registry.listing import measured_words
    from finetrieve.registry.versions import chunks_of, load_model, metrics_of

    version, note, answering = find_served(reference, model)
    chunks = chunks_of(version)
    methods = choose_methods(metrics_of(version), str(version.record.get("eval_set")))
    base = str(version.record.get("base_model", "embedded"))
    places: dict[str, Path | str] = {TRAINED: load_model(version).path, BASE: base}
    bm25 = Bm25.of_chunks(chunks)
    searchers = {name: load_searcher(place, chunks, bm25, methods[name].fusion, progress) for name, place in places.items()}
    names = {TRAINED: f"{version.label} ({version.stage})", BASE: f"base model ({base})"}
    if methods[BASE].arm == "bm25":
        names[BASE] = "no model"
    described = {side: f"by {method.description}" for side, method in methods.items()}
    corpus = SearchableCorpus(chunks, searchers)
    return SearchComparison(corpus, names, note, described, version.model, measured_words(version), answering)


def checked_question(text: str, name: str = "The question") -> str:
    """Returns the question without surrounding space.

    Args:
        text: What is asked.
        name: What the mistake calls it.

    Raises:
        InputError: It is empty or too long.
    """
    question = " ".join(text.split())
    if not question:
        raise InputError(f"{name} is empty; expected 1 to {LONGEST_QUESTION:,} characters.")
    if len(question) > LONGEST_QUESTION:
        raise InputError(f"{name} has {len(question):,} characters; at most {LONGEST_QUESTION:,} are read.")
    return question


def checked_count(text: str) -> int:
    """Returns how many passages are wanted.

    Raises:
        InputError: It is no number from 1 to `MOST_PASSAGES`.
    """
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MOST_PASSAGES:
        raise InputError(f"k is '{text[:20]}'; expected a number from 1 to {MOST_PASSAGES}.")
    return int(text)


def answers_as_json(comparison: SearchComparison, question: str, k: int, *, pages: bool = False) -> dict[str, Any]:
    """Returns the answers of both sides with what people call them and by what they search, the best first.

    Args:
        comparison: What answers.
        question: What is asked.
        k: How many chunks are wanted.
        pages: Rank whole documents, each by its best chunk and a little of all.
    """
    found = comparison.corpus.search(question, k, pages=pages)
    sides = {
        side: {
            "name": comparison.names[side],
            "method": comparison.methods.get(side, ""),
            "hits": [{**asdict(hit), "document": hit.document} for hit in found[side]],
        }
        for side in (TRAINED, BASE)
    }
    return {"question": question, "note": comparison.note, **sides}


def served_key(reference: str | None, model: str | None) -> str:
    """Returns what changes when another version is promoted, or the one in production is taken out.

    Raises:
        InputError: There is no such version.
    """
    version, note, answering = find_served(reference, model)
    return f"{version.id} {answering} {note}"


def find_served(reference: str | None, model: str | None) -> tuple[Version, str, str]:
    """Returns the version that a reference means, what one should know of it, and the side that is in production.

    Args:
        reference: None, or a model's name and a colon, takes the one in production, or the newest one where none is.
        model: Its model, where there are several.

    Raises:
        InputError: There is no such version.
    """
    from finetrieve.registry.versions import find_version, known_model, taken_out, version_in, versions

    if reference is not None and not reference.endswith(":"):
        return find_version(reference, model), "", TRAINED
    model = known_model(reference.rstrip(":") if reference else model)
    version = version_in("production", model)
    if version is not None:
        return version, "", TRAINED
    found, out = versions(model), taken_out(model)
    if not found:
        raise InputError(f"Model '{model}' has no versions: its runs were cut off before one was registered.")
    newest = found[0]
    if out:
        beside = f"Beside it, to compare: {newest.label}, {newest.stage}."
        note = f"A person took {out.label} out of production, so the base model answers for '{model}' now. {beside}"
        return newest, note, BASE
    return (
        newest,
        f"No version of '{model}' is in production, so the newest one answers: {newest.label}, {newest.stage}.",
        TRAINED,
    )


@dataclass(frozen=True)
class SearchMethod:
    """How one side searches."""

    arm: str
    """As the evaluation calls it."""
    fusion: Fusion
    """How much each part counts; an arm of one part has weight on that part alone."""

    @property
    def description(self) -> str:
        """What is compared, for people."""
        return self.fusion.description


def choose_methods(metrics: EvaluationResult, eval_set: str) -> dict[str, SearchMethod]:
    """Returns how each side searches: the trained model by the verdict's arm, the base model by the best without training.

    Older metrics name no arm: then both are hybrids, as they were.

    Args:
        metrics: The content of `metrics.json`.
        eval_set: The set whose numbers and fusions count.
    """
    found, named = metrics.eval_sets.get(eval_set, SetResult()), metrics.verdict.arm
    arms = {TRAINED: named or "hybrid_finetuned", BASE: (best_untrained(found) if named else None) or "hybrid_base"}
    return {side: SearchMethod(arm, _fusion_of(arm, found.fusion)) for side, arm in arms.items()}


_ONE_PART = {
    "bm25": Fusion(dense=0.0, late=0.0),
    "dense": Fusion(late=0.0, lexical=0.0),
    "late": Fusion(dense=0.0, lexical=0.0),
    "hybrid": HYBRID,
}


def _fusion_of(arm: str, chosen: Mapping[str, FusionRecord]) -> Fusion:
    """Returns an arm's weights: as they were chosen when it was evaluated, or those of its kind.

    What reorders the first chunks of a hybrid searches by the sum of all three parts here, which finds nearly the same.
    """
    method, _, model = arm.rpartition("_")
    if method.startswith(("rerank", "cross")):
        method, arm = "fused", f"fused_{model}"
    return (
        fusion_from(chosen[arm].as_json()) if arm in chosen else _ONE_PART.get(arm if arm == "bm25" else method or "dense", FUSED)
    )


def load_searcher(place: Path | str, chunks: Sequence[Chunk], bm25: Bm25, fusion: Fusion, progress: Progress | None) -> Searcher:
    """Returns a model, by its directory or its name, that searches the chunks; they are embedded once and kept."""
    embedder = CachedEmbedder(place, on_progress=progress)
    texts = [embedded_text(chunk) for chunk in chunks]
    return Searcher(build_index(texts, embedder, bm25=bm25, with_tokens=fusion.late > 0), fusion)
