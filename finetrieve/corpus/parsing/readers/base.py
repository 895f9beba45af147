"""Readers of files that are no text, or that need more than their text: a class for each format, found by name."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import ClassVar

from finetrieve.core.plugins import Registry
from finetrieve.corpus.parsing.page import CleanPage


class FileReader:
    """Reads the files of one format. Each format is a subclass, whose module imports nothing heavy."""

    name: ClassVar[str]
    """Of the format, as messages and the registry call it."""
    description: ClassVar[str]
    """What it reads, in one line."""
    suffixes: ClassVar[tuple[str, ...]]
    """Endings of its files, in lower case with the dot."""
    packages: ClassVar[tuple[str, ...]] = ()
    """Modules that have to be installed."""
    extra: ClassVar[str] = "documents"
    """The extra of this project that installs them."""

    def read(self, path: Path, root: Path) -> CleanPage:
        """Returns the file as a page: its title, its text as Markdown, and what was taken out.

        Args:
            path: The file.
            root: The folder of the documentation; nothing outside of it is read.

        Raises:
            ValueError: The file is not what its ending says, is encrypted, or has no text.
            OSError: The file cannot be read.
        """
        raise NotImplementedError

    @classmethod
    def missing(cls) -> str:
        """Returns why no file of this format is read here, or an empty string."""
        if all(importlib.util.find_spec(package) for package in cls.packages):
            return ""
        suffix = cls.suffixes[0]
        return f"{suffix} needs the extra '{cls.extra}', which is not installed: pip install -e '.[{cls.extra}]'"


READERS: Registry[FileReader] = Registry(
    "reader",
    "finetrieve.readers",
    FileReader,
    [
        "finetrieve.corpus.parsing.readers.pdf:PdfReader",
        "finetrieve.corpus.parsing.readers.docx:DocxReader",
        "finetrieve.corpus.parsing.readers.epub:EpubReader",
        "finetrieve.corpus.parsing.readers.asciidoc:AsciiDocReader",
    ],
)


def readers_by_suffix() -> dict[str, type[FileReader]]:
    """Returns the ending of a file, such as `.pdf` -> the class that reads it, whether or not what it needs is installed."""
    return {suffix: reader for reader in READERS.classes().values() for suffix in reader.suffixes}
