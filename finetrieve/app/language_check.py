"""What the languages of the documents mean for a run: who writes no queries in them, and what cannot read them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from finetrieve.app.config import Config
from finetrieve.core.errors import InputError
from finetrieve.core.languages import document_languages, language_name
from finetrieve.corpus.sources.registry import sample_texts
from finetrieve.generation.recipes.base import Recipe
from finetrieve.retrieval.base_model import load_tokenizer
from finetrieve.retrieval.model_languages import MULTILINGUAL, reads

LOOKED_AT = 100
"""Documents, at most."""
READ_CHARACTERS = 4_000
"""Of each document, for the base model's tokenizer."""
WHAT_TO_DO = "let an LLM write them (configs/llm.yaml, recipe 'triplet'), which writes in the language of the documents"


def check_languages(pipeline: str, config: Config) -> list[str]:
    """Returns what a user should know of the documents' languages, a sentence each; nothing where all are English.

    Raises:
        InputError: No document is in a language in which any recipe writes, so nothing would be written.
    """
    texts = sample_texts(config.source, LOOKED_AT)
    codes = document_languages(texts)
    foreign = Counter(code for code in codes if code not in ("", "en"))
    if not foreign:
        return []
    notes = list(_unwritten(config.generation.recipes, codes, foreign)) if pipeline in ("generate", "retrain") else []
    return notes + [note for note in (_unreadable(config, texts, codes),) if note]


def _unwritten(recipes: Sequence[Recipe], codes: Sequence[str], foreign: Counter[str]) -> Iterator[str]:
    """Yields a sentence where some documents are in languages in which no recipe writes."""
    written = [recipe.languages for recipe in recipes]
    if any(languages is None for languages in written):
        return
    known = frozenset[str]().union(*(languages for languages in written if languages is not None))
    left = Counter({code: number for code, number in foreign.items() if code not in known})
    if not left:
        return
    who, number = " and ".join(f"'{recipe.row_label}'" for recipe in recipes), left.total()
    in_what = f"recipe {who} writes queries in {_names(sorted(known))} only"
    if number == len(codes):
        raise InputError(f"The documents are in {_names(left)}, and {in_what}: none would be written. Instead {WHAT_TO_DO}.")
    yield (
        f"{number} of the {len(codes)} documents that were looked at ({number / len(codes):.0%}) are in {_names(left)} "
        f"and get no queries: {in_what}. For these {WHAT_TO_DO}."
    )


def _unreadable(config: Config, texts: Sequence[str], codes: Sequence[str]) -> str:
    """Returns a sentence where the base model cannot read languages of the documents."""
    tokenizer = load_tokenizer(config.training.base_model)
    found = Counter(
        code
        for code, text in zip(codes, texts, strict=True)
        if code not in ("", "en") and not reads(tokenizer, text[:READ_CHARACTERS])
    )
    if not found:
        return ""
    return (
        f"The base model '{config.training.base_model}' has few words of {_names(found)} and cuts the others into scraps, so it "
        f"finds little: set training.base_model to a multilingual one, such as {' or '.join(MULTILINGUAL)}."
    )


def _names(codes: Sequence[str] | Counter[str]) -> str:
    names = [
        language_name(code) for code in (codes if not isinstance(codes, Counter) else [code for code, _ in codes.most_common()])
    ]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
