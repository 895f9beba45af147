"""The model in production and its base model, ready to be asked about the documents that it was trained for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from steps.errors import InputError
from steps.retrieval.embedder import CachedEmbedder
from steps.retrieval.fusion import Fusion
from steps.retrieval.search import Corpus, Side
from steps.rows import Chunk, embedded_text
from steps.tables import to_rows

if TYPE_CHECKING:
    from steps.progress import Progress
    from steps.registry.versions import Version

TRAINED, BASE = "trained", "base"
LONGEST_QUESTION = 1_000
"""Characters."""


@dataclass(frozen=True)
class Desk:
    """What answers questions."""

    corpus: Corpus
    names: Mapping[str, str]
    """Side -> what people call it."""
    note: str
    """What one should know of the answers."""


def open_desk(reference: str | None, progress: Progress | None = None) -> Desk:
    """Returns the models with their documents; the documents are embedded once and kept.

    Args:
        reference: A version; None takes the one in production, or the newest one where none is.
        progress: Told how far embedding is.

    Raises:
        InputError: There is no such version, or its files are gone.
    """
    from steps.registry.versions import artifact_of, load_model

    version, note = _version(reference)
    chunks: list[Chunk] = to_rows(artifact_of(version, "chunks").load(), Chunk)
    fusions = _fusions(artifact_of(version, "metrics").load(), str(version.record.get("eval_set")))
    base = str(version.record.get("base_model", "embedded"))
    places: dict[str, Path | str] = {TRAINED: load_model(version).path, BASE: base}
    sides = {name: _side(place, chunks, fusions.get(name, Fusion()), progress) for name, place in places.items()}
    return Desk(Corpus(chunks, sides), {TRAINED: f"{version.label} ({version.stage})", BASE: f"base model ({base})"}, note)


def checked_question(text: str) -> str:
    """Returns the question without surrounding space.

    Raises:
        InputError: It is empty or too long.
    """
    question = " ".join(text.split())
    if not question:
        raise InputError('The question is empty. Ask one: python run.py ask "how do I ...?"')
    if len(question) > LONGEST_QUESTION:
        raise InputError(f"The question has {len(question):,} characters; at most {LONGEST_QUESTION:,} are read.")
    return question


def _version(reference: str | None) -> tuple[Version, str]:
    from steps.registry.versions import find_version, known_model, version_in, versions

    if reference is not None and not reference.endswith(":"):
        return find_version(reference), ""
    model = known_model(reference.rstrip(":") if reference else None)
    version = version_in("production", model)
    if version is not None:
        return version, ""
    newest = versions(model)[0]
    return newest, f"No version of '{model}' is in production, so the newest one answers: {newest.label}, {newest.stage}."


def _fusions(metrics: Mapping[str, Any], eval_set: str) -> dict[str, Fusion]:
    """Returns how each side's hybrid adds up, as dev chose it when the model was evaluated."""
    chosen = (metrics.get("eval_sets") or {}).get(eval_set, {}).get("fusion", {})
    arms = {TRAINED: "hybrid_finetuned", BASE: "hybrid_base"}
    return {side: Fusion(chosen[arm]["name"], chosen[arm]["weight"]) for side, arm in arms.items() if arm in chosen}


def _side(place: Path | str, chunks: list[Chunk], fusion: Fusion, progress: Progress | None) -> Side:
    embedder = CachedEmbedder(place, on_progress=progress)
    return Side(embedder, embedder.embed([embedded_text(chunk) for chunk in chunks], "document"), fusion)
