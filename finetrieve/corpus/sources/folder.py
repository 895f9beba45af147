"""Documentation files in a folder, or one such file, as documents."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from finetrieve.core.errors import InputError
from finetrieve.core.failures import error_line
from finetrieve.core.own_output import is_own_report
from finetrieve.core.paths import ConfigPath, refuse_special_file
from finetrieve.core.rows import Skipped
from finetrieve.corpus.parsing.api_file import API_SUFFIXES
from finetrieve.corpus.parsing.encoding import SNIFFED_BYTES, binary_kind, decode
from finetrieve.corpus.parsing.formats import to_markdown
from finetrieve.corpus.parsing.page import CleanPage
from finetrieve.corpus.parsing.readers.base import FileReader, readers_by_suffix
from finetrieve.corpus.sources.base import PageSource, SourceRead
from finetrieve.corpus.sources.not_documentation import folder_objection, text_objection
from finetrieve.corpus.sources.pages import counted, documents_of_pages

DOCUMENT_SUFFIXES = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".mdx": "markdown",
    ".rst": "restructuredtext",
    ".html": "html",
    ".htm": "html",
    ".txt": "text",
    ".ipynb": "notebook",
}
"""The text files that the `folder` source reads, and the format of each; others have a class in `readers`."""

API = "openapi"
"""Files that describe an API, whatever their ending: OpenAPI, Swagger, JSON Schema."""
LLMS_FULL = "llms-full"
LLMS_FORMATS = {"llms.txt": "markdown", "llms-full.txt": LLMS_FULL}
SEVERAL_PAGES = (API, LLMS_FULL)
"""Kinds of files that hold more than one page."""
SAMPLED_BYTES = 1 << 16
"""Of a file that is only looked at."""
SAMPLED_FILES = 2
"""That are no text, where a folder has nothing else: they have to be read wholly."""


def document_suffixes() -> list[str]:
    """Returns the endings of all files that the `folder` source reads."""
    return [*DOCUMENT_SUFFIXES, *(suffix for suffix in readers_by_suffix() if suffix not in DOCUMENT_SUFFIXES)]


class FolderSource(PageSource):
    """A folder of documentation files, or one such file."""

    description: ClassVar[str] = (
        "documentation files in a folder: Markdown, MDX, reStructuredText, AsciiDoc, HTML, text, notebooks, OpenAPI, "
        "PDF, DOCX, EPUB"
    )
    identity_keys: ClassVar[tuple[str, ...]] = ("path",)

    name: Literal["folder"] = "folder"
    path: ConfigPath = Field(min_length=1)
    """The folder, or the one file."""
    follow_links: bool = False
    """Whether symbolic links that lead out of the folder are read."""

    def reader(self) -> Folder:
        """Returns what reads the documents."""
        return Folder(self)


@dataclass(frozen=True, slots=True)
class _Found:
    name: str
    """POSIX path relative to the folder."""
    path: Path


class Folder:
    """Reads the `folder` source."""

    def __init__(self, settings: FolderSource) -> None:
        self.settings = settings
        self._skipped: list[Skipped] = []
        self._seen: Counter[str] = Counter()

    def read(self) -> SourceRead:
        """Returns a document for each file with text, by path; its id is the path relative to the folder."""
        pages: list[tuple[str, str, CleanPage]] = []
        unread: list[Skipped] = []
        addresses: dict[str, str] = {}
        for found in self._files:
            kind = self._kind(found.name)
            if kind in SEVERAL_PAGES:
                parts = _pages_of(found, kind)
                unread += [part for part in parts if isinstance(part, Skipped)]
                for part in (part for part in parts if not isinstance(part, Skipped)):
                    pages.append((part.name, kind, part.page))
                    addresses[part.name] = part.address
                continue
            page = self._page(found)
            if isinstance(page, Skipped):
                unread.append(page)
            else:
                pages.append((found.name, kind, page))
                unread += [Skipped(found.name, note) for note in page.unread]
        read = documents_of_pages(pages)
        documents = [replace(item, source=addresses.get(item.id) or item.source) for item in read.documents]
        return SourceRead(documents, [*self._skipped, *unread, *read.skipped], read.words)

    def check(self) -> list[str]:
        """Returns the relative paths of the files to read."""
        if not self._files:
            raise InputError(self._nothing_found())
        names = []
        for found in self._files:
            if (kind := self._kind(found.name)) in SEVERAL_PAGES:
                names += [part.name for part in _pages_of(found, kind) if not isinstance(part, Skipped)]
                continue
            try:
                with found.path.open("rb") as file:
                    if self._reader(found.name) or binary_kind(file.read(SNIFFED_BYTES)) is None:
                        names.append(found.name)
            except OSError:
                continue
        if not names:
            raise InputError(self._nothing_found())
        return names

    def pages(self) -> list[Path]:
        """Returns the files to read, as far as their names and sizes tell."""
        return [found.path for found in self._files]

    def fingerprint(self) -> str:
        """Returns a hash of names and contents, in order of names."""
        digest = hashlib.sha256()
        for found in self._files:
            try:
                content = hashlib.sha256(found.path.read_bytes()).hexdigest()
            except OSError:
                content = "unreadable"
            digest.update(f"{found.name}\0{content}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()

    def sample(self, limit: int) -> list[str]:
        """Returns the texts of some files, uncleaned; of a folder without text files, of two of those that it has."""
        texts = []
        for found in self._files[:: max(1, -(-len(self._files) // limit))]:
            with contextlib.suppress(OSError), found.path.open("rb") as file:
                data = file.read(SAMPLED_BYTES)
                if binary_kind(data[:SNIFFED_BYTES]) is None:
                    texts.append(decode(data))
        if not texts:
            pages = map(self._page, self._files[:: max(1, -(-len(self._files) // SAMPLED_FILES))])
            texts = [page.text[:SAMPLED_BYTES] for page in pages if isinstance(page, CleanPage)]
        return texts

    def _page(self, found: _Found) -> CleanPage | Skipped:
        kind, reader = self._kind(found.name), self._reader(found.name)
        try:
            if reader is not None:
                return counted(reader().read(found.path, self._root))
            data = found.path.read_bytes()
            binary = binary_kind(data[:SNIFFED_BYTES])
            if binary:
                return Skipped(found.name, f"holds {binary} rather than text")
            text = decode(data)
            objection = text_objection(found.path.name, text)
            return Skipped(found.name, objection) if objection else counted(to_markdown(text, kind))
        except OSError as error:
            return Skipped(found.name, f"cannot be read: {error.strerror or error}")
        except Exception as error:  # Parsers of strange files raise anything; one page must not end the run.
            return Skipped(found.name, f"cannot be parsed as {kind}: {error_line(error, 160)}")

    @cached_property
    def _files(self) -> list[_Found]:
        root = Path(self.settings.path).expanduser()
        try:
            if root.is_file():
                root, names = root.parent, [root.name]
                entries: Iterator[tuple[str, Path]] = ((name, root / name) for name in names)
                wanted = _Patterns([], [])
            elif root.is_dir():
                next(root.iterdir(), None)
                entries = self._walk(root.resolve())
                wanted = _Patterns(self.settings.include, self.settings.exclude)
            else:
                refuse_special_file(root)
                raise InputError(f"No such folder: '{self.settings.path}'. Give a folder with documentation files.")
        except OSError as error:
            raise InputError(f"Cannot read the folder '{self.settings.path}': {error.strerror}.") from None
        found = (self._candidate(name, path) for name, path in entries if self._is_wanted(name, wanted))
        return sorted((item for item in found if item), key=lambda item: item.name)

    @cached_property
    def _named_folders(self) -> set[str]:
        """Names in the patterns of files to read: folders so called are entered whatever they are."""
        return {part for pattern in self.settings.include for part in pattern.split("/")}

    def _is_wanted(self, name: str, wanted: _Patterns) -> bool:
        if wanted.match(name):
            return True
        self._skip(name, "left out by include and exclude")
        return False

    def _walk(self, root: Path) -> Iterator[tuple[str, Path]]:
        """Yields relative name and path of each file below `root`, links resolved, no file twice and no loop entered."""
        links: list[tuple[str, Path]] = []
        real_files: set[Path] = set()
        folders = [root]
        while folders:
            folder = folders.pop()
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError as error:
                self._skip(folder.relative_to(root).as_posix(), f"cannot be read: {error.strerror}")
                continue
            for entry in entries:
                path = folder / entry.name
                name = path.relative_to(root).as_posix()
                if entry.is_symlink():
                    links.append((name, path))
                elif entry.is_dir():
                    objection = folder_objection(path, self._named_folders)
                    if objection:
                        self._skip(name, objection)
                    else:
                        folders.append(path)
                elif entry.name.startswith("."):
                    self._skip(name, "a hidden file")
                elif entry.is_file():
                    real_files.add(path)
                    yield name, path
        yield from self._walk_links(root, links, real_files)

    def _walk_links(self, root: Path, links: list[tuple[str, Path]], real_files: set[Path]) -> Iterator[tuple[str, Path]]:
        seen = set(real_files)
        for name, path in sorted(links):
            target = _link_target(path)
            if target is None:
                self._skip(name, "a broken link or a loop of links")
            elif not target.is_relative_to(root) and not self.settings.follow_links:
                self._skip(name, "a link that leads out of the folder (set follow_links to read it)")
            elif target.is_dir():
                if root.is_relative_to(target) or target.is_relative_to(root):
                    self._skip(name, "a link to a folder that is read by itself")
                else:
                    for file in sorted(_plain_files(target)):
                        if file not in seen:
                            seen.add(file)
                            yield f"{name}/{file.relative_to(target).as_posix()}", file
            elif target in seen:
                self._skip(name, "a link to a file that is read by itself")
            else:
                seen.add(target)
                yield name, target

    def _candidate(self, name: str, path: Path) -> _Found | None:
        suffix = Path(name).suffix.lower()
        self._seen[suffix or "no ending"] += 1
        objection = self._objection(suffix, path)
        if objection:
            self._skip(name, objection)
            return None
        return _Found(name, path)

    def _objection(self, suffix: str, path: Path) -> str:
        """Returns why a file is not read, as far as its name and size tell, or an empty string."""
        reader = self._readers.get(suffix)
        if reader is not None and (missing := reader.missing()):
            return missing
        if reader is None and suffix not in DOCUMENT_SUFFIXES and suffix not in API_SUFFIXES:
            return f"{suffix or 'a file without an ending'} is no kind of documentation that is read"
        try:
            size = path.stat().st_size
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        if size == 0:
            return "the file is empty (0 bytes)"
        limit = self.settings.max_file_mb
        if size > limit * 1e6:
            return f"{size / 1e6:.0f} MB is over the limit of {limit:g} MB (max_file_mb)"
        if suffix == ".html" and is_own_report(path):
            return "a report of Finetrieve"
        if suffix in API_SUFFIXES and not describes_api(path):
            return f"{suffix} is no kind of documentation that is read, unless it describes an API"
        return ""

    @cached_property
    def _readers(self) -> dict[str, type[FileReader]]:
        return readers_by_suffix()

    def _reader(self, name: str) -> type[FileReader] | None:
        return self._readers.get(Path(name).suffix.lower())

    @cached_property
    def _root(self) -> Path:
        """The folder, or that of the one file."""
        root = Path(self.settings.path).expanduser().resolve()
        return root.parent if root.is_file() else root

    def _kind(self, name: str) -> str:
        suffix = Path(name).suffix.lower()
        if (reader := self._reader(name)) is not None:
            return reader.name
        if suffix in API_SUFFIXES:
            return API
        if Path(name).name.lower() in LLMS_FORMATS:
            return LLMS_FORMATS[Path(name).name.lower()]
        return self.settings.txt_format if suffix == ".txt" else DOCUMENT_SUFFIXES[suffix]

    def _skip(self, name: str, reason: str) -> None:
        self._skipped.append(Skipped(name, reason))

    def _nothing_found(self) -> str:
        path, kinds = self.settings.path, ", ".join(document_suffixes())
        if Path(path).expanduser().is_file():
            reason = self._skipped[0].reason if self._skipped else "it holds binary data"
            return f"Cannot read '{path}' as documentation: {reason}."
        entered = [item for item in self._skipped if (Path(path).expanduser() / item.source).is_dir()]
        if not self._seen and entered:
            beside = f"'{entered[0].source}': {entered[0].reason}"
            return f"No files in the folder '{path}' beside {beside}. Expected documentation: {kinds}."
        if not self._seen:
            patterns = " that include and exclude let through" if self.settings.include or self.settings.exclude else ""
            return f"No files in the folder '{path}'{patterns}. Expected documentation: {kinds}."
        seen = ", ".join(f"{count} {suffix}" for suffix, count in self._seen.most_common(8))
        reasons = [item for item in self._skipped if Path(item.source).suffix.lower() in document_suffixes()]
        why = f" {reasons[0].source}: {reasons[0].reason}." if reasons else ""
        return f"No documentation in the folder '{path}': found {seen}.{why} Kinds that are read: {kinds}."


class _Patterns:
    """Which relative paths are wanted, by patterns as in `.gitignore`."""

    def __init__(self, include: list[str], exclude: list[str]) -> None:
        from pathspec import GitIgnoreSpec

        self._include = GitIgnoreSpec.from_lines(include) if include else None
        self._exclude = GitIgnoreSpec.from_lines(exclude)

    def match(self, name: str) -> bool:
        return (self._include is None or self._include.match_file(name)) and not self._exclude.match_file(name)


@dataclass(frozen=True, slots=True)
class _Part:
    """A page of a file that holds several."""

    name: str
    page: CleanPage
    address: str = ""
    """Where it is on the web, where the file says so."""


def describes_api(path: Path) -> bool:
    """Whether a JSON or YAML file describes an API or a data format, as far as its text tells."""
    from finetrieve.corpus.parsing.api_file import may_describe_api

    try:
        return may_describe_api(path.read_bytes())
    except OSError:
        return False


def _pages_of(found: _Found, kind: str) -> list[_Part | Skipped]:
    from finetrieve.corpus.parsing.llms_txt import split_llms_full
    from finetrieve.corpus.parsing.openapi import api_pages

    try:
        text = decode(found.path.read_bytes())
        if kind == LLMS_FULL:
            return [_Part(f"{found.name}#{part.name}", counted(part.clean()), part.address) for part in split_llms_full(text)]
        return [_Part(f"{found.name}#{name}", counted(page)) for name, page in api_pages(text, found.path.name)]
    except OSError as error:
        return [Skipped(found.name, f"cannot be read: {error.strerror}")]
    except Exception as error:  # As below.
        return [Skipped(found.name, f"cannot be parsed as {kind}: {error_line(error, 120)}")]


def _link_target(path: Path) -> Path | None:
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError):
        return None


def _plain_files(folder: Path) -> Iterator[Path]:
    """Yields the files below a folder outside of the root, links and hidden folders left out."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not folder_objection(Path(place) / name, ())]
        yield from (path for name in names if not (path := Path(place) / name).is_symlink() and not name.startswith("."))
