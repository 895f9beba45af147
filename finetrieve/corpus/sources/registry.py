"""The sources that a configuration can name, and the one way to read, check and fingerprint them."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated

from pydantic import ValidationError

from finetrieve.core.code_hash import plugin_hash
from finetrieve.core.errors import InputError
from finetrieve.core.paths import refuse_special_file
from finetrieve.core.plugins import NamedSettings, Registry
from finetrieve.core.secrets import mask_logins
from finetrieve.core.settings import Settings
from finetrieve.corpus.parsing.readers.base import readers_by_suffix
from finetrieve.corpus.settings import ChunkSettings
from finetrieve.corpus.sources.base import FetchingReader, SamplingReader, Source, SourceRead, summary

SOURCES: Registry[Source] = Registry(
    "source",
    "finetrieve.sources",
    Source,
    [
        "finetrieve.corpus.sources.folder:FolderSource",
        "finetrieve.corpus.sources.table_files:FilesSource",
        "finetrieve.corpus.sources.package:PackageSource",
        "finetrieve.corpus.sources.pypi:PypiSource",
        "finetrieve.corpus.sources.web:WebSource",
        "finetrieve.corpus.sources.git:GitSource",
        "finetrieve.corpus.sources.hub:HubSource",
    ],
)
SourceSettings = Annotated[Source, NamedSettings(SOURCES)]


class CorpusSettings(Settings):
    """Which documents are read, and how they are cut."""

    source: SourceSettings
    chunks: ChunkSettings


def read_source(source: Source) -> SourceRead:
    """Returns the documents of a source and what was skipped.

    Raises:
        InputError: Nothing is readable, or the settings do not fit what is there.
    """
    result = source.reader().read()
    if not result.documents:
        raise InputError(f"No documents in {source.place}: {summary(result.skipped)}.")
    return result


def check_source(source: Source) -> list[str]:
    """Returns the ids of the documents that a source will deliver, after every check that needs no long work.

    A dataset that has to be fetched from the Hub answers with no ids; a document that turns out to have no text is still listed.

    Raises:
        InputError: For each mistake that can be found by reading: a missing path, an empty folder, invalid JSON, a missing
            column, an id given twice.
        UnreachableError: The documents have to be fetched, and no answer comes.
    """
    return source.reader().check()


def reach_source(source: Source) -> list[str]:
    """Returns the ids of a source's documents as `check_source` does; but what has to be fetched is only asked for, and has none.

    Raises:
        InputError: As `check_source`.
    """
    reader = source.reader()
    return reader.reach() if isinstance(reader, FetchingReader) else reader.check()


def sample_texts(source: Source, limit: int) -> list[str]:
    """Returns the texts of at most so many documents, or none where a source has to fetch or build them first."""
    reader = source.reader()
    return reader.sample(limit) if isinstance(reader, SamplingReader) else []


def fingerprint(source: Source) -> str:
    """Returns a SHA-256 over the contents and names of what the source would read, for use in a cache key.

    The code of a source and of readers of files that are not this project's counts as well.
    """
    contents, code = source.reader().fingerprint(), plugin_hash([type(source), *readers_by_suffix().values()])
    return hashlib.sha256(f"{contents}\0{code}".encode()).hexdigest() if code else contents


def source_from_argument(docs: str | Path) -> Source:
    """Returns the settings of the source that `--docs` means.

    `git+ADDRESS`, or what ends in `.git`, is `git`, with `@REF` and `#FOLDER` behind it; an address on the web is `web`; all else
    is a path.

    Raises:
        InputError: There is no such path, no source reads it, or the address is none.
    """
    text = str(docs)
    from finetrieve.corpus.sources.git import GitSource, git_settings

    repository = git_settings(text)
    if repository is not None and (text.startswith("git+") or not Path(text).is_file()):
        return _from_argument(GitSource, **repository)
    if re.match(r"[A-Za-z][\w+.-]*://", text):
        from finetrieve.corpus.sources.web import WebSource

        if text.lower().startswith(("http://", "https://")):
            return _from_argument(WebSource, start=text)
        raise InputError(
            f"Cannot read documents at '{mask_logins(text)}': give --docs a path or an address that begins with https://."
        )
    return source_from_path(Path(docs))


def _from_argument(kind: type[Source], **settings: str) -> Source:
    try:
        return kind.model_validate(settings)
    except ValidationError as error:
        said = error.errors()[0]
        reason = said.get("ctx", {}).get("error", said["msg"])
        raise InputError(f"--docs '{mask_logins(next(iter(settings.values())))}': {reason}") from None


def source_from_path(path: Path) -> Source:
    """Returns the settings of the source that `--docs PATH` means.

    A folder with a BEIR `corpus.jsonl` is `files`. One with a page of documentation in it, however deep, is `folder`; without one
    a dataset's directory (`data/train-00000-of-00001.parquet`) is `hub`, a folder of tables `files`. A file goes by its ending.

    Raises:
        InputError: There is no such path, or no source reads a file of this kind.
    """
    from finetrieve.corpus.parsing.api_file import API_SUFFIXES
    from finetrieve.corpus.sources.folder import FolderSource, describes_api, document_suffixes
    from finetrieve.corpus.sources.hub import HubSource
    from finetrieve.corpus.sources.table_files import BEIR_CORPUS, TABLE_SUFFIXES, FilesSource, tables_in

    text = str(path)
    refuse_special_file(path)
    try:
        if path.is_dir():
            if (path / BEIR_CORPUS).is_file():
                return FilesSource(path=text)
            if not _pages_in(path):
                if any((path / "data").glob("*.parquet")):
                    return HubSource(path=text)
                if tables_in(path):
                    return FilesSource(path=text)
            return FolderSource(path=text)
        exists = path.exists()
    except OSError as error:
        raise InputError(f"Cannot read the documents at '{path}': {error.strerror}.") from None
    if not exists:
        raise InputError(f"No such file or folder: '{path}'. Give --docs a folder of documentation, a corpus.jsonl or a table.")
    suffix = path.suffix.lower()
    if suffix in API_SUFFIXES and describes_api(path):
        return FolderSource(path=text)
    if suffix in TABLE_SUFFIXES:
        return FilesSource(path=text)
    if suffix in document_suffixes():
        return FolderSource(path=text)
    known = ", ".join([*document_suffixes(), *TABLE_SUFFIXES])
    kind = f"'{suffix}' files" if suffix else "files without an ending"
    raise InputError(f"Cannot read '{path}': no source reads {kind}. Kinds that are read: {known}.")


def _pages_in(folder: Path) -> list[Path]:
    """Returns the pages of documentation below a folder; README files beside tables only describe them."""
    from finetrieve.corpus.sources.folder import FolderSource

    reader = FolderSource(path=str(folder)).reader()
    return [path for path in reader.pages() if path.stem.lower() != "readme"]


def unread_beside(source: Source) -> str:
    """Returns what else lies in the folder of a source and how to take it instead, in a sentence; nothing where all is read."""
    from finetrieve.corpus.sources.folder import FolderSource
    from finetrieve.corpus.sources.table_files import FilesSource, tables_in

    if not isinstance(source, FolderSource | FilesSource) or not Path(source.path).expanduser().is_dir():
        return ""
    folder = Path(source.path).expanduser()
    if isinstance(source, FolderSource):
        tables = tables_in(folder) or sorted((folder / "data").glob("*.parquet"))
        taken, left, how = "the pages of documentation", tables, f"give --docs {tables[0]}" if tables else ""
    else:
        taken, left = "the tables", _pages_in(folder)
        how = "give --docs the folder that they are in, or source.name 'folder'"
    names = ", ".join(path.relative_to(folder).as_posix() for path in left[:3]) + (", ..." if len(left) > 3 else "")
    what = "table" if isinstance(source, FolderSource) else "page"
    number = f"{len(left):,} {what}{'s' if len(left) > 1 else ''}"
    return f"Read of '{source.path}': {taken}. Not read: {number} ({names}); to read these instead, {how}." if left else ""
