"""The places documents come from, by name, and the one way to read, check and fingerprint them."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Protocol

from finetrieve.core.errors import InputError, unknown_name
from finetrieve.core.rows import Document, Skipped
from finetrieve.corpus.settings import FilesSource, FolderSource, HubSource, PackageSource, PypiSource

SOURCES: dict[str, tuple[str, str]] = {
    "folder": (
        "documentation files in a folder: Markdown, MDX, reStructuredText, HTML, plain text, notebooks",
        "finetrieve.corpus.sources.folder:Folder",
    ),
    "files": (
        "a JSONL, JSON, CSV or Parquet file with a document a row; a BEIR corpus",
        "finetrieve.corpus.sources.table_files:Files",
    ),
    "package": (
        "the API documentation of an installed Python package, parsed from its source",
        "finetrieve.corpus.sources.package:Package",
    ),
    "pypi": ("the documentation in the source package of a project on PyPI", "finetrieve.corpus.sources.pypi:Pypi"),
    "hub": ("a dataset on the Hugging Face Hub, or a directory of the same layout", "finetrieve.corpus.sources.hub:Hub"),
}
"""Name -> (one line for people, `module:class`); the class takes the settings and is a `Source`."""

AnySource = FolderSource | FilesSource | PackageSource | PypiSource | HubSource


@dataclass(frozen=True, slots=True)
class SourceRead:
    """What a source delivered: its documents in their order, and what became no document."""

    documents: list[Document]
    skipped: list[Skipped] = field(default_factory=list)


class Source(Protocol):
    """Where documents come from."""

    def read(self) -> SourceRead:
        """Returns every document, cleaned; raises `InputError` for what the user got wrong."""
        ...

    def check(self) -> list[str]:
        """Returns the ids of the documents to expect, without the work of cleaning them; raises as `read` does."""
        ...

    def fingerprint(self) -> str:
        """Returns a hash of the contents and names of what `read` would read."""
        ...


def open_source(settings: AnySource) -> Source:
    """Returns the source that the settings name."""
    if settings.name not in SOURCES:
        raise unknown_name("source", settings.name, SOURCES)
    module, _, name = SOURCES[settings.name][1].partition(":")
    source: Source = getattr(importlib.import_module(module), name)(settings)
    return source


def read_source(settings: AnySource) -> SourceRead:
    """Returns the documents of a source and what was skipped.

    Raises:
        InputError: Nothing is readable, or the settings do not fit what is there.
    """
    result = open_source(settings).read()
    if not result.documents:
        raise InputError(f"No documents in {place(settings)}: {summary(result.skipped)}.")
    return result


def check_source(settings: AnySource) -> list[str]:
    """Returns the ids of the documents that a source will deliver, after every check that needs no long work.

    A dataset that has to be fetched from the Hub answers with no ids; a document that turns out to have no text is still listed.

    Raises:
        InputError: For each mistake that can be found by reading: a missing path, an empty folder, invalid JSON, a missing
            column, an id given twice.
        UnreachableError: The documents have to be fetched, and no answer comes.
    """
    return open_source(settings).check()


def fingerprint(settings: AnySource) -> str:
    """Returns a SHA-256 over the contents and names of what the source would read, for use in a cache key."""
    return open_source(settings).fingerprint()


def place(settings: AnySource) -> str:
    """Returns where the documents come from, as people would say it."""
    if isinstance(settings, PackageSource):
        return f"the package '{settings.package}'"
    if isinstance(settings, PypiSource):
        return f"'{settings.folder}' of {settings.package} {settings.version}"
    if isinstance(settings, HubSource):
        return f"the dataset '{settings.path or settings.dataset}'"
    return f"'{settings.path}'"


def summary(skipped: list[Skipped], shown: int = 3) -> str:
    """Returns what was seen and why nothing came of it, in one line."""
    if not skipped:
        return "nothing is there"
    examples = "; ".join(f"{item.source}: {item.reason}" for item in skipped[:shown])
    more = len(skipped) - shown
    return f"{examples}; and {more} more" if more > 0 else examples
