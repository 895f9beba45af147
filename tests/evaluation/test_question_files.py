"""Questions in a CSV, TSV or JSONL file: what spreadsheets export, how pages are named, mistakes answered with their line."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Literal

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from finetrieve.core.errors import InputError
from finetrieve.core.rows import Chunk
from finetrieve.corpus.settings import ChunkSettings
from finetrieve.evaluation.dev_questions import human_dev_pairs
from finetrieve.evaluation.eval_sets import EvalSet, check_eval_set, fingerprint, load_eval_set, read_questions
from finetrieve.evaluation.question_files import ids_without_ending, named_documents
from finetrieve.evaluation.settings import EvalSetSettings

DOCUMENTS = ["guide/reset.md", "guide/cards.md", "cards.rst", "widgets.md", "widgets.html", "faq.md"]
CHUNKS = [Chunk(f"{doc}#0", doc, doc, "", "", f"About {doc}", 8, 0) for doc in DOCUMENTS]
RESET, WIDGET = "How do I reset the phone?", "What is a widget, and why?"
EXPECTED = {RESET: {"guide/reset.md": 1}, WIDGET: {"widgets.md": 1, "faq.md": 1}}
TABLE = f'question,page\n{RESET},guide/reset.md\n"{WIDGET}",widgets.md\n"{WIDGET}",faq.md\n'
SEMICOLONS = f"\ufeffQuestion;Page\r\n{RESET};guide/reset.md\r\n{WIDGET};widgets.md\r\n{WIDGET};faq.md\r\n;\r\n"
ROWS = [
    {"query": RESET, "doc_id": "guide/reset.md"},
    {"query": WIDGET, "doc_id": "widgets.md"},
    {"query": WIDGET, "doc_id": "faq.md"},
]
EXPORTS = {
    "commas": ("q.csv", TABLE.encode()),
    "semicolons, BOM, CRLF, capitals": ("q.csv", SEMICOLONS.encode()),
    "tabs": ("q.tsv", SEMICOLONS.replace(";", "\t").encode()),
    "UTF-16, as Excel's Unicode text": ("q.txt", SEMICOLONS.removeprefix("\ufeff").replace(";", "\t").encode("utf-16")),
    "JSONL": ("q.jsonl", "".join(json.dumps(row) + "\n" for row in ROWS).encode()),
    "comments and blank lines": ("q.csv", f'# "one, two",x.md\n\n{TABLE}# Why?,x.md\n'.encode()),
    "other columns": ("q.csv", TABLE.replace("\n", ",x\n").replace("page,x", "Document,who", 1).encode()),
    "rows that are there twice": ("q.csv", f"{TABLE}{RESET},guide/reset.md\nhow do I reset the phone,guide/reset\n".encode()),
    "a cell of two lines": ("q.csv", TABLE.replace("widget, and", "widget,\nand").encode()),
}


def test_weights_and_questions_without_an_answer_are_read(tmp_path: Path) -> None:
    text = f'question,page,weight\n{RESET},guide/reset.md,120\n"{WIDGET}",widgets.md,2.5\n"{WIDGET}",faq.md,\nWhere is the moon?,none,\n'
    found = _load(_write(tmp_path, text))
    assert {found.queries[query]: weight for query, weight in found.weights.items()} == {RESET: 120.0, WIDGET: 2.5}
    assert list(found.unanswerable.values()) == ["Where is the moon?"]
    assert _answers(found) == EXPECTED and found.notes == ()
    assert "Where is the moon?" in read_questions(EvalSetSettings(path=tmp_path / "questions.csv")).values()  # never trained on


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("Why?,faq.md,0,", "the weight '0' is no number above 0"),
        ("Why?,faq.md,nan,", "the weight 'nan' is no number above 0"),
        ("Why?,faq.md,2,\nWhy?,widgets.md,3,", "weighs 3 here, 2 above"),
        ("Why?,none,,dev", "cannot be a dev question"),
        ("Why?,none,,\nWhy?,faq.md,,", "has a page here, 'none' elsewhere"),
    ],
)
def test_a_weight_or_a_missing_answer_that_makes_no_sense_is_said_with_its_line(tmp_path: Path, rows: str, said: str) -> None:
    with pytest.raises(InputError, match=r"questions.csv line [23]: ") as error:
        _load(_write(tmp_path, f"question,page,weight,split\n{rows}\nHow?,faq.md,,\n"))
    assert said in str(error.value)


def _load(path: Path, split: str | None = None, checked: bool = False) -> EvalSet:
    settings = EvalSetSettings(path=path, split=split)
    return load_eval_set(settings, CHUNKS, (), DOCUMENTS, ChunkSettings(), Tokenizer(WordLevel()), checked=checked)


def _write(tmp_path: Path, text: str, name: str = "questions.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def _answers(found: EvalSet) -> dict[str, dict[str, int]]:
    return {text: found.qrels[query] for query, text in found.queries.items()}


@pytest.mark.parametrize(("name", "content"), EXPORTS.values(), ids=EXPORTS)
def test_a_file_is_read_however_it_was_exported(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    check_eval_set(EvalSetSettings(path=path), DOCUMENTS)
    found = _load(path)
    assert (found.name, found.kind, found.unit, found.notes) == ("q", "human", "document", ())
    assert _answers(found) == EXPECTED


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("written", ["NFC", "NFD"])
def test_a_page_with_an_umlaut_is_found_in_either_form_of_unicode(
    on_disk: Literal["NFC", "NFD"], written: Literal["NFC", "NFD"]
) -> None:
    document = unicodedata.normalize(on_disk, "guide/Brücken.md")
    for name in ("guide/Brücken.md", "./guide/Brücken", "https://acme.example/guide/Brücken.md"):
        page = unicodedata.normalize(written, name)
        assert named_documents(page, {document, "faq.md"}, ids_without_ending([document])) == [document]


@pytest.mark.parametrize("page", ["guide/reset", "./guide/reset.md", "docs/guide/reset.md", "/guide/reset", "guide\\reset.md"])
def test_a_page_may_be_named_in_other_ways_where_one_document_is_meant(tmp_path: Path, page: str) -> None:
    assert _answers(_load(_write(tmp_path, f"question,page\nHow?,{page}\n"))) == {"How?": {"guide/reset.md": 1}}


@pytest.mark.parametrize(
    "page", ["https://acme.example/guide/reset.md", "https://acme.example/guide/reset#how", "http://acme.example/guide/reset/"]
)
def test_a_page_may_be_named_by_its_address(tmp_path: Path, page: str) -> None:
    assert _answers(_load(_write(tmp_path, f"question,page\nHow?,{page}\n"))) == {"How?": {"guide/reset.md": 1}}


def test_scores_and_splits_are_read(tmp_path: Path) -> None:
    rows = ["A?,faq.md,2,test", "A?,cards.rst,0,", "B?,faq.md,,Dev", "B?,cards,1.0,dev"]
    path = _write(tmp_path, "\n".join(["question,page,score,split", *rows]))
    found = _load(path)
    assert _answers(found) == {"A?": {"faq.md": 2, "cards.rst": 0}}
    assert found.dev is not None and _answers(found.dev) == {"B?": {"faq.md": 1, "cards.rst": 1}}
    assert _answers(_load(path, "dev")) == {"B?": {"faq.md": 1, "cards.rst": 1}}
    assert sorted(read_questions(EvalSetSettings(path=path)).values()) == ["A?", "B?"]
    pairs = human_dev_pairs([EvalSetSettings(path=path)], CHUNKS)
    assert [(pair.query, pair.chunk_id) for pair in pairs] == [("B?", "faq.md#0"), ("B?", "cards.rst#0")]


def test_a_question_keeps_its_id_when_others_come_and_go(tmp_path: Path) -> None:
    before = _load(_write(tmp_path, TABLE)).queries
    after = _load(_write(tmp_path, TABLE.replace("page\n", "page\nNew?,faq.md\n", 1))).queries
    assert before.items() < after.items()


def test_fingerprint_follows_the_content(tmp_path: Path) -> None:
    settings = EvalSetSettings(path=_write(tmp_path, TABLE))
    before = fingerprint(settings)
    settings.path.touch()
    assert fingerprint(settings) == before
    _write(tmp_path, TABLE + "New?,faq.md\n")
    assert fingerprint(settings) != before


def test_a_page_that_turned_out_to_have_no_text_cannot_be_found(tmp_path: Path) -> None:
    found = _load(_write(tmp_path, "question,page\nA?,faq\nA?,empty.md\n"), checked=True)
    assert found.notes[-1] == "1 relevant documents have no text and cannot be found, by any arm: empty.md."


MISTAKES = {
    "no page column": ("question,url\nA?,b\n", r"no column 'page' \(or doc_id or document\)\. Columns seen: question, url\."),
    "no question column": ("text;page\nA?;faq.md\n", r"no column 'question' \(or query\)\. Columns seen: text, page\."),
    "no header": ("A?,faq.md\n", r"no column 'question' .* Columns seen: a\?, faq\.md\."),
    "a column twice": ("question,page,page\nA?,faq.md,x\n", "the column 'page' is there twice"),
    "empty file": ("", "has no questions"),
    "header alone": ("question,page\n", "has no questions"),
    "empty question": ("question,page\nA?,faq.md\n,faq.md\n", r"line 3: the question is empty"),
    "empty page": ('question,page\n"A\nB?",faq.md\nA?,\n', r"line 4: the page is empty"),
    "unquoted comma": ("question,page\nWhy, then?,faq.md\n", r"line 2: 3 cells, but the header has 2; put quotation marks"),
    "unquoted commas": (
        "question,page\nWhy, then?,faq.md\nA?,faq.md\nAnd, now?,faq.md\n",
        r"line 2: .*contains ','\. Rows below it with the same mistake: 1\.$",
    ),
    "open quotation": ('question,page\nA?,faq.md\n"B?,faq.md\n', r"line 3: not valid CSV .* quotation marks"),
    "unknown pages": (
        "question,page\nA?,guide/rest.md\nB?,x\nC?,guide/rest.md\n",
        r"line 2: page 'guide/rest\.md' is not among the 6 documents that are read\. Nearest: 'guide/reset\.md'.* 1 more page is unknown\.$",
    ),
    "swapped columns": (
        "question,page\nguide/reset,How do I reset it?\nfaq.md,What is it?\n",
        r"line 2: the columns look swapped: the question is 'guide/reset', which is a document, and the page is 'How do I reset it\?'",
    ),
    "ambiguous page": ("question,page\nA?,widgets\n", r"line 2: page 'widgets' can be 'widgets\.html', 'widgets\.md'"),
    "broken score": ("question,page,score\nA?,faq.md,0.5\n", r"line 2: the score '0\.5' is no whole number"),
    "other scores": ("question,page,score\nA?,faq.md,1\nA?,faq,2\n", r"line 3: .* has the score 2 here and 1 before"),
    "unknown split": ("question,page,split\nA?,faq.md,train\n", r"line 2: unknown split 'train'\. Choose one of: dev, test\."),
    "two splits": ("question,page,split\nA?,faq.md,dev\na,faq.md,test\n", r"line 3: the question 'a' is in 'test' here"),
    "nothing relevant": ("question,page,score\nA?,faq.md,0\n", "no query has a relevant document"),
}


@pytest.mark.parametrize(("text", "problem"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_answered_in_one_line(tmp_path: Path, text: str, problem: str) -> None:
    settings = EvalSetSettings(path=_write(tmp_path, text))
    with pytest.raises(InputError, match=problem) as error:
        check_eval_set(settings, DOCUMENTS)
    assert "\n" not in str(error.value)


def test_a_mistake_in_a_json_line_is_answered(tmp_path: Path) -> None:
    for line, problem in (
        ("{", "line 1: not valid JSON"),
        ("[]", "line 1: expected an object .* found a list"),
        ('{"question": "A?", "page": ["faq.md"]}', "line 1: 'page' is a list, expected text; write a row for each"),
        ('{"question": null, "page": "faq.md"}', "line 1: the question is empty"),
        ('{"_id": "1", "text": "A?"}', "is a file of a BEIR folder; give the folder"),
    ):
        with pytest.raises(InputError, match=problem):
            check_eval_set(EvalSetSettings(path=_write(tmp_path, line, "q.jsonl")), DOCUMENTS)


def test_a_file_that_is_not_unicode_says_how_to_export_it(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_bytes("question,page\nWo fährt es?,faq.md\n".encode("cp1252"))
    with pytest.raises(InputError, match="is not UTF-8 text; export it as 'CSV UTF-8'"):
        check_eval_set(EvalSetSettings(path=tmp_path / "q.csv"), DOCUMENTS)


def test_a_split_that_the_file_lacks_names_those_it_has(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no split 'dev'\. Choose one of: test\."):
        check_eval_set(EvalSetSettings(path=_write(tmp_path, TABLE), split="dev"), DOCUMENTS)
