"""What the languages of the documents mean for a run, said before it."""

from __future__ import annotations

from pathlib import Path

import pytest

from finetrieve.app.config import Config
from finetrieve.app.language_check import check_languages
from finetrieve.core.errors import InputError
from finetrieve.corpus.chunking import build_chunks
from finetrieve.corpus.settings import ChunkSettings
from finetrieve.corpus.sources.registry import read_source
from finetrieve.generation.chunk_context import build_contexts
from finetrieve.generation.recipes.rules import write_queries
from finetrieve.retrieval.base_model import load_tokenizer
from tests.core.languages import MANUAL

FOREIGN = ["de", "fr", "es", "fi", "ru", "ar", "ja", "zh", "ko", "th"]


def docs(folder: Path, *codes: str, recipe: str = "rules") -> Config:
    for number, code in enumerate(codes):
        heading = MANUAL[code].split(".")[0].split("。")[0][:40]
        (folder / f"{number}.md").write_text(f"# {heading}\n\n{MANUAL[code]}\n", encoding="utf-8")
    (folder / "code.md").write_text("# API\n\n```python\nreset(1)\n```\n")
    recipes = [{"name": recipe}] if recipe == "rules" else [{"name": recipe, "model": "m", "provider": "ollama"}]
    return Config.model_validate({"source": {"name": "folder", "path": str(folder)}, "generation": {"recipes": recipes}})


def test_english_documents_are_not_worth_a_word(tmp_path: Path) -> None:
    assert check_languages("retrain", docs(tmp_path, "en", "en")) == []


@pytest.mark.parametrize("code", FOREIGN)
def test_documents_in_which_the_rules_cannot_write_are_refused_with_what_to_do(tmp_path: Path, code: str) -> None:
    with pytest.raises(InputError, match=r"'rules' writes queries in English only.*none would be written.*configs/llm\.yaml"):
        check_languages("retrain", docs(tmp_path, code, code))


def test_of_a_mixed_corpus_it_is_said_how_much_stays_without_queries_and_what_the_model_cannot_read(tmp_path: Path) -> None:
    unwritten, unreadable = check_languages("generate", docs(tmp_path, "en", "en", "de", "ja"))
    assert "2 of the 5 documents that were looked at (40%) are in German and Japanese and get no queries" in unwritten
    assert "base model 'embedded' has few words of German and Japanese" in unreadable
    assert "multilingual" in unreadable
    (alone,) = check_languages("evaluate", docs(tmp_path, "en", "en", "de", "ja"))
    assert alone == unreadable


def test_an_llm_writes_in_any_language(tmp_path: Path) -> None:
    (note,) = check_languages("retrain", docs(tmp_path, "ja", "ja", recipe="triplet"))
    assert "base model" in note


def test_the_rules_put_no_english_frame_around_foreign_words(tmp_path: Path) -> None:
    config = docs(tmp_path, "en", *FOREIGN)
    chunks = build_chunks(read_source(config.source).documents, ChunkSettings(), load_tokenizer("embedded")).chunks
    written = {
        chunk.title: write_queries(context, 1, 6).queries for chunk, context in zip(chunks, build_contexts(chunks), strict=True)
    }
    titles = {title for title, queries in written.items() if queries}
    assert titles <= {MANUAL["en"][:40], "API"}
    assert {chunk.language for chunk in chunks} == {"en", *FOREIGN}
