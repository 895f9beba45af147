"""llms.txt and llms-full.txt: the pages that a site lists for language models, and those that it gives in one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from finetrieve.corpus.parsing.llms_txt import split_llms_full
from finetrieve.corpus.sources.folder import FolderSource
from finetrieve.corpus.sources.registry import check_source, read_source
from finetrieve.corpus.word_count import UNEXPLAINED

SOURCED = """# Start
Source: https://docs.acme.example/start

Run motor start.

# Not a page
It is a heading of the first level in a page.

```sh
# Stop
Source: https://docs.acme.example/code
```

# Stop

Source: https://docs.acme.example/guide/stop

Pull the red lever.
"""
KEYED = """---
title: Start the motor
url: "https://docs.acme.example/start"
---

Run motor start.

----------

A rule parted these.

-----
title: Stop
description: How one stops it again.
-----
Pull the red lever.
"""


def test_pages_with_their_address_below_the_title_are_told_apart() -> None:
    first, second = split_llms_full(SOURCED)
    assert (first.name, first.address) == ("start", "https://docs.acme.example/start")
    assert (second.name, second.address) == ("stop", "https://docs.acme.example/guide/stop")
    assert "# Not a page" in first.text and "https://docs.acme.example/code" in first.text
    assert second.clean().text == "# Stop\n\nPull the red lever."


def test_pages_with_keys_before_them_are_told_apart() -> None:
    first, second = split_llms_full(KEYED)
    assert (first.name, first.address, first.clean().title) == (
        "start-the-motor",
        "https://docs.acme.example/start",
        "Start the motor",
    )
    assert "A rule parted these." in first.text
    assert second.clean().text.startswith("How one stops it again.") and second.clean().title == "Stop"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("# One\n\nA.\n\n# Two\n\nB.\n\n# One\n\nC.", ["one", "two", "one-2"]),
        ("Before all.\n\n# One\n\nA.", ["before-all", "one"]),
        ("Words without a heading.", ["words-without-a-heading"]),
        ("", []),
    ],
)
def test_a_file_without_marks_is_cut_at_its_headings(text: str, names: list[str]) -> None:
    parts = split_llms_full(text)
    assert [part.name for part in parts] == names
    assert "".join(part.text for part in parts).split() == text.split()


def test_a_file_in_a_folder_is_read_in_its_pages_with_their_addresses(tmp_path: Path) -> None:
    (tmp_path / "llms-full.txt").write_text(SOURCED)
    (tmp_path / "llms.txt").write_text(
        "# Acme\n\n> Motors.\n\n## Docs\n\n- [Start](https://docs.acme.example/start): how one starts it with words that say more\n"
    )
    for path in (tmp_path, tmp_path / "llms-full.txt"):
        read = read_source(FolderSource(path=str(path)))
        found = {page.id: (page.title, page.source) for page in read.documents}
        assert found["llms-full.txt#stop"] == ("Stop", "https://docs.acme.example/guide/stop")
        assert set(found) <= set(check_source(FolderSource(path=str(path))))
        assert not read.words.removed[UNEXPLAINED]
    assert read_source(FolderSource(path=str(tmp_path))).documents[-1].title == "Acme"
