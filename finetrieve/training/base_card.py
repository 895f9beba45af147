"""What is known of a base model: its name on the Hub, its revision, and what its own card says of licence and languages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from finetrieve.core.training_record import BaseModelCard
from finetrieve.retrieval.base_model import EMBEDDED, fetch_model, hub_reference, model_revision

_PUBLISHED = {EMBEDDED: "sentence-transformers/all-MiniLM-L6-v2"}
"""The Hub ids of base models that come with the installation."""
_HEADER = re.compile(r"\A---\n(.*?)\n---", re.DOTALL)
_WORD = re.compile(r"[\w.-]{1,60}")


def base_model_card(ref: str) -> BaseModelCard:
    """Returns the card of a base model.

    Args:
        ref: `embedded`, a directory or a Hub id; only a Hub id is named as such.

    Raises:
        InputError: No such model.
    """
    directory = fetch_model(ref)
    is_directory = Path(ref).expanduser().is_dir()
    said = _header(directory / "README.md")
    languages = said.get("language") or []
    return BaseModelCard(
        name="" if is_directory else _PUBLISHED.get(ref, hub_reference(ref)[0]),
        revision=model_revision(ref),
        licence=next(iter(_words([said.get("license")])), ""),
        languages=_words(languages if isinstance(languages, list) else [languages]),
    )


def _header(card: Path) -> dict[str, Any]:
    """Returns the YAML header of a model's README; nothing where it has none that can be read."""
    header = _HEADER.match(card.read_text(encoding="utf-8", errors="replace")) if card.is_file() else None
    try:
        found = yaml.safe_load(header.group(1)) if header else None
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}


def _words(found: list[Any]) -> list[str]:
    return [word for word in map(str, found) if word != "None" and _WORD.fullmatch(word)]
