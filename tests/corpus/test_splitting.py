"""Chunks: along headings, blocks and sentences, within the limit, with nothing lost."""

from __future__ import annotations

import random
import re
from itertools import pairwise

import pytest
from tokenizers import Tokenizer

from finetrieve.core.rows import Chunk, Document, embedded_text
from finetrieve.corpus.chunking import build_chunks
from finetrieve.corpus.sections import sections
from finetrieve.corpus.settings import ChunkSettings
from finetrieve.corpus.splitting import DocumentSplitter

SENTENCE = "The quick brown fox number {} jumps over the lazy dog near the river bank. "


def cut(text: str, tokenizer: Tokenizer, title: str = "Title", **settings: float) -> list[Chunk]:
    given = {"near_duplicate_threshold": 1.0, **settings}
    return build_chunks([Document("doc", title, text, "doc.md")], ChunkSettings.model_validate(given), tokenizer).chunks


def prose(n_sentences: int) -> str:
    return "".join(SENTENCE.format(number) for number in range(n_sentences)).strip()


def test_sections_carry_their_heading_path_without_the_title() -> None:
    text = "# Title\n\nIntro.\n\n## A\n\n### B\n\nText b.\n\n## C\n\nText c.\n\nSetext\n------\n\nText d."
    assert [(section.path, section.text) for section in sections(text, "Title")] == [
        ((), "Intro."),
        (("A", "B"), "Text b."),
        (("C",), "Text c."),
        (("Setext",), "Text d."),
    ]


def test_a_hash_in_code_is_no_heading() -> None:
    assert len(sections("```sh\n# a comment\nls\n```", "T")) == 1


def test_a_heading_without_a_body_is_no_chunk(tokenizer: Tokenizer) -> None:
    chunks = cut(f"## Empty\n\n## Full\n\n{prose(3)}", tokenizer)
    assert [chunk.section for chunk in chunks] == ["Full"]


@pytest.mark.parametrize("max_tokens", [48, 128, 256])
def test_no_chunk_is_over_the_limit_and_no_word_is_lost(tokenizer: Tokenizer, max_tokens: int) -> None:
    code = "```python\n" + "\n".join(f"value_{number} = compute(number={number})  # comment" for number in range(40)) + "\n```"
    items = "\n".join(f"- **term{number}**: {prose(1 + number % 4)}" for number in range(9))
    table = "| a | b |\n| --- | --- |\n" + "\n".join(f"| cell{number} | other{number} |" for number in range(40))
    text = f"{prose(12)}\n\n## Code\n\nDo this:\n\n{code}\n\n## Items\n\n{items}\n\n## Rows\n\n{table}\n\n{'x' * 900}"
    chunks = cut(text, tokenizer, max_tokens=max_tokens, overlap_tokens=16, min_tokens=16)
    assert all(chunk.n_tokens <= max_tokens for chunk in chunks)
    assert all(chunk.n_tokens == len(tokenizer.encode(embedded_text(chunk)).ids) for chunk in chunks)
    found = set(re.findall(r"\w+", " ".join(chunk.text for chunk in chunks)))
    assert {f"value_{number}" for number in range(40)} <= found
    assert {f"cell{number}" for number in range(40)} <= found
    assert {f"term{number}" for number in range(9)} <= found


def test_code_that_fits_stays_whole_and_longer_code_is_fenced_in_each_piece(tokenizer: Tokenizer) -> None:
    short = "```python\nfor item in items:\n    print(item)\n```"
    whole = [chunk for chunk in cut(f"{prose(7)}\n\n{short}\n\n{prose(7)}", tokenizer) if "```" in chunk.text]
    assert len(whole) == 1
    assert short in whole[0].text
    long = "```python\n" + "\n".join(f"print({number})" for number in range(100)) + "\n```"
    pieces = cut(long, tokenizer)
    assert len(pieces) > 1
    assert all(chunk.text.startswith("```python\n") and chunk.text.endswith("\n```") for chunk in pieces)


def test_a_cut_paragraph_repeats_whole_sentences_of_the_chunk_before(tokenizer: Tokenizer) -> None:
    chunks = cut(prose(20), tokenizer, overlap_tokens=24)
    for before, after in pairwise(chunks):
        assert after.text.startswith("The quick brown fox")
        assert before.text.rsplit(". ", 1)[-1] in after.text
    plain = cut(prose(20), tokenizer, overlap_tokens=0)
    assert sum(len(chunk.text) + 1 for chunk in plain) - 1 == len(prose(20))


def test_a_cut_list_item_says_again_what_it_is_about(tokenizer: Tokenizer) -> None:
    chunks = cut(f"- **timeout** (float): {prose(14)}", tokenizer)
    assert len(chunks) > 1
    assert all("**timeout**" in chunk.text for chunk in chunks)


def test_small_sections_join_their_neighbours(tokenizer: Tokenizer) -> None:
    text = "## Options\n\nThere are these.\n\n### Red\n\nIt is red.\n\n### Blue\n\nIt is blue."
    chunks = cut(text, tokenizer)
    assert len(chunks) == 1
    assert all(word in chunks[0].text for word in ("Red", "It is red.", "Blue", "It is blue."))
    assert chunks[0].section == "Options"
    assert len(cut(text, tokenizer, min_tokens=0)) == 3


def test_a_long_title_and_path_leave_room_for_text(tokenizer: Tokenizer) -> None:
    title = " ".join(f"word{number}" for number in range(80))
    chunks = cut(f"## {title}\n\n### {title}\n\n{prose(10)}", tokenizer, title=f"{title} end")
    assert all(chunk.n_tokens <= 128 for chunk in chunks)
    assert all(len(chunk.text.split()) > 10 for chunk in chunks[:-1])


def test_ids_depend_on_document_and_text_only(tokenizer: Tokenizer) -> None:
    first = cut(f"## A\n\n{prose(3)}", tokenizer)
    again = cut(
        f"## Before\n\n{SENTENCE}\n\n## A\n\n{prose(3)}",
        tokenizer,
        min_tokens=0,
    )
    assert first[0].id == again[-1].id
    assert re.fullmatch(r"[0-9a-f]{16,}", first[0].id)
    assert len(cut(f"## A\n\n{prose(3)}\n\n## B\n\n{prose(3)}", tokenizer)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "---",
        "***",
        "#",
        "# Title",
        "```\n```",
        "```",
        "| |\n|-|",
        "> ",
        "- ",
        "字" * 3000,
        "😀" * 500,
        "a" * 5000,
        "\u0301" * 100,
    ],
)
def test_strange_texts_neither_crash_nor_overflow(tokenizer: Tokenizer, text: str) -> None:
    assert all(chunk.n_tokens <= 128 for chunk in cut(text, tokenizer))


@pytest.mark.slow
def test_random_markdown_keeps_the_limit(tokenizer: Tokenizer) -> None:
    generator = random.Random(5)
    pieces = [
        "# H\n",
        "## A b\n",
        "word ",
        "- item\n",
        "  - nested\n",
        "```\n",
        "> q\n",
        "| a | b |\n|---|---|\n| 1 | 2 |\n",
        "\n",
        "\n\n",
        "Sentence one. ",
    ]
    for _ in range(60):
        text = "".join(generator.choice(pieces) for _ in range(200))
        assert all(chunk.n_tokens <= 64 for chunk in cut(text, tokenizer, max_tokens=64))


def test_the_splitter_counts_as_the_model_does(tokenizer: Tokenizer) -> None:
    splitter = DocumentSplitter(tokenizer, 128, 24, 24)
    assert splitter.count(["hello world"]) == [2]
    assert splitter.count_embedded(["hello world", ""]) == [4, 2]


def test_a_short_lead_in_stands_in_the_section_that_it_leads_to(tokenizer: Tokenizer) -> None:
    text = (
        "Page of queues\n==============\n\nA few words.\n\nLimits\n------\n\n"
        + "The queue holds one thousand jobs and no more. " * 5
    )
    chunks = build_chunks([Document("d", "Page of queues", text, "d")], ChunkSettings(), tokenizer).chunks
    assert [(chunk.section, "A few words" in chunk.text) for chunk in chunks] == [("Limits", True)]
