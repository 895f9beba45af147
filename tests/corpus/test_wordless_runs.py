"""Runs without words leave a document, and every word around them stays; wide tables say their columns on each piece."""

from __future__ import annotations

import base64
import random
import re

import pytest

from finetrieve.core.rows import Document
from finetrieve.corpus.chunking import build_chunks
from finetrieve.corpus.settings import ChunkSettings
from finetrieve.corpus.wordless_runs import without_wordless_runs
from finetrieve.retrieval.base_model import load_tokenizer

RANDOM = random.Random(5)
ENCODED = base64.b64encode(RANDOM.randbytes(9_000)).decode()
LINES = "\n".join(ENCODED[start : start + 64] for start in range(0, 4_000, 64))
MINIFIED = "".join(f"function f{n}(a,b){{return a[{n}]+b.c({n});}}" for n in range(200))
RUNS = {
    "base64": ENCODED,
    "base64 in lines": LINES,
    "data address": f"![logo](data:image/png;base64,{ENCODED})",
    "PEM": f"-----BEGIN CERTIFICATE-----\n{LINES}\n-----END CERTIFICATE-----",
    "hexadecimal": RANDOM.randbytes(2_000).hex(),
    "minified": MINIFIED,
    "one character": "a" * 21_000,
    "quoted": f"> {ENCODED}",
}


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("frame", ["{}", "```\n{}\n```", "Paste it: {} and save.", "| name | value |\n|---|---|\n| key | {} |"])
def test_a_run_without_words_is_in_no_chunk_and_is_reported_and_the_words_around_it_stay(run: str, frame: str) -> None:
    if "\n" in RUNS[run] and not frame.startswith(("{", "```")):
        return
    text = f"# Logo\n\nThe logo of the product is blue.\n\n{frame.format(RUNS[run])}\n\nUse it in mails only."
    result = build_chunks([Document("logo.md", "Logo", text, "logo.md")], ChunkSettings(), load_tokenizer("embedded"))
    words = " ".join(chunk.text for chunk in result.chunks)
    assert "The logo of the product is blue." in words and "Use it in mails only." in words
    assert max(map(len, re.findall(r"\w+", words))) < 80
    assert len(result.chunks) <= 2
    assert result.report.wordless is not None
    assert result.report.wordless.documents == 1
    assert result.report.wordless.characters > 0.9 * len(RUNS[run].replace("CERTIFICATE", "")) - 200


@pytest.mark.parametrize(
    "text",
    [
        "See https://example.com/" + "/".join(f"part{n}" for n in range(60)) + " for more.",
        "バックアップは毎晩実行されます。" * 40,
        "การตั้งค่ากล้องอยู่ในเมนู" * 40,
        "|" + "-" * 400 + "|",
        "\n".join(f"commit {RANDOM.randbytes(20).hex()}" for _ in range(10)),
        "\n".join(["averyveryverylongidentifierinalistofsuchidentifiers"] * 5),
        "word " * 4_000,
        "word,word;" * 150,
    ],
)
def test_what_people_read_stays_as_it_is(text: str) -> None:
    assert without_wordless_runs(text) == text


@pytest.mark.parametrize("columns", [2, 6, 10])
def test_each_piece_of_a_wide_table_names_its_columns_and_no_word_of_header_or_rows_is_lost(columns: int) -> None:
    header = [f"A rather long column heading number {n} of the table" for n in range(columns)]
    rows = [[f"v{row}c{n}" for n in range(columns)] for row in range(60)]
    text = "\n".join(f"| {' | '.join(cells)} |" for cells in [header, ["---"] * columns, *rows])
    chunks = build_chunks([Document("w.md", "Wide", text, "w.md")], ChunkSettings(), load_tokenizer("embedded")).chunks
    everything = " ".join(chunk.text for chunk in chunks)
    assert set(re.findall(r"\w+", text)) <= set(re.findall(r"\w+", everything))
    for chunk in chunks:
        assert chunk.n_tokens <= ChunkSettings().max_tokens
        if "v" in re.findall(r"[a-z]", chunk.text) and re.search(r"\| v\d+c0 \|", chunk.text):
            first = re.search(r"^\|(.*)\|\n\|[-| ]+\|$", chunk.text, re.MULTILINE)
            assert first, chunk.text
            assert len(first[1].split("|")) == columns
