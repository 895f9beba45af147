"""A question set out of FAQ pages: the answers are the documents, without their questions; the questions are asked.

`python benchmarks/faq_answers.py OUT FILE ...` reads reStructuredText (headings that end in a question mark) and plain text with
numbered headings (`1.2. Which ...?`), and writes a folder in BEIR's layout. People asked such questions in their own words, which
the answers often do not repeat, and nothing but the text says what an answer is about: a hard set for BM25, and for training on
queries by rules. The README's rows are of the FAQs of Python 3.11, Debian 11, Celery 5.7, Salt 3008.5, mypy 2.4 and xarray 0.14,
and of those of SQLAlchemy 2.0.58, beets 2.9, borgbackup 2.0.0b9, Scrapy 2.9, distributed and dask 2026.8, pylint 4.1.4,
Matplotlib 3.9.4, Fabric 3.2.3, Tornado 6.6.1, Django 6.1.3, Cython 3.3.1 and Numba 0.68.1, as their packages carry them.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

FEWEST_WORDS = 15
"""Of an answer: "Yes." answers nothing by itself."""
_RULE = re.compile(r"([=\-~^\"'*#.`+])\1{2,}\s*")
_ROLE = re.compile(r":[\w:+-]+:`([^`<]*?)(?:\s*<[^>]*>)?`")
_DIRECTIVE = re.compile(r"^\.\. .*$|^=+$", re.MULTILINE)
_NUMBERED = re.compile(r"\d+\.\d+(?:\.\d+)?\.\s+")
_CHAPTER = re.compile(r"Chapter\s+\d+")


def main() -> None:
    """Writes the set, and says how many questions it has."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    asked = parser.parse_args()
    found = [pair for path in asked.files for pair in answered(read(path)) if len(pair[1].split()) >= FEWEST_WORDS]
    if not found:
        raise SystemExit("No heading that is a question with an answer below it was found in these files.")
    write(asked.out, found)
    print(f"{len(found)} questions with their answers in {asked.out}")


def read(path: Path) -> str:
    """Returns the text of a file, unpacked where it ends in .gz."""
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8", "replace")


def answered(text: str) -> Iterator[tuple[str, str]]:
    """Yields (question, answer) of a page."""
    lines = text.replace("\N{NO-BREAK SPACE}", " ").split("\n")
    heads = list(_underlined(lines)) or list(_numbered(lines))
    for (_, start, question), (end, *_) in pairwise([*heads, (len(lines), 0, "")]):
        if question.endswith("?"):
            body = [line for line in lines[start:end] if not _CHAPTER.match(line)]
            yield _plain(question), _plain(_DIRECTIVE.sub("", "\n".join(body)))


def _underlined(lines: list[str]) -> Iterator[tuple[int, int, str]]:
    """Yields (where a heading begins, where the text below it begins, the heading)."""
    for number, (line, rule) in enumerate(pairwise(lines)):
        if re.search(r"\w", line) and _RULE.fullmatch(rule) and len(rule.strip()) >= len(line.strip()) - 2:
            yield number, number + 2, line.strip()


def _numbered(lines: list[str]) -> Iterator[tuple[int, int, str]]:
    for number, line in enumerate(lines):
        if _NUMBERED.match(line):
            after = number + 1
            while after < len(lines) and lines[after].strip() and not lines[after].startswith(" "):
                after += 1  # a heading of several lines
            yield number, after, _NUMBERED.sub("", " ".join(part.strip() for part in lines[number:after]))


def _plain(text: str) -> str:
    return _ROLE.sub(r"\1", text).strip()


def write(folder: Path, pairs: list[tuple[str, str]]) -> None:
    """Writes the answers as documents without titles, and the questions with the answer of each."""
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    documents = [{"_id": f"a{number}", "title": "", "text": answer} for number, (_, answer) in enumerate(pairs)]
    questions = [{"_id": f"q{number}", "text": question} for number, (question, _) in enumerate(pairs)]
    for name, rows in (("corpus", documents), ("queries", questions)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    judged = "".join(f"q{number}\ta{number}\t1\n" for number in range(len(pairs)))
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{judged}", encoding="utf-8")


if __name__ == "__main__":
    main()
