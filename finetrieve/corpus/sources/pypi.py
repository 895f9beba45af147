"""The documentation in the source package of a project on PyPI: fetched once, verified, unpacked into the user's cache."""

from __future__ import annotations

import difflib
import hashlib
import tarfile
from dataclasses import replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from finetrieve.core.cache_folder import made_whole
from finetrieve.core.errors import InputError
from finetrieve.core.failures import error_line
from finetrieve.core.logging import get_logger
from finetrieve.core.package_index import PackageFile, normalized, open_index, short_hash
from finetrieve.core.paths import user_cache
from finetrieve.corpus.sources.base import PageSource, SourceRead
from finetrieve.corpus.sources.folder import Folder, FolderSource, document_suffixes

logger = get_logger(__name__)

ARCHIVE_HASH = "sdist.sha256"
UNPACKED = "unpacked"


class PypiSource(PageSource):
    """The documentation in the source package (sdist) of a project on PyPI, or on the index that pip is configured with."""

    description: ClassVar[str] = "the documentation in the source package of a project on PyPI"
    identity_keys: ClassVar[tuple[str, ...]] = ("package",)

    name: Literal["pypi"] = "pypi"
    package: str = Field(pattern=r"^[A-Za-z0-9]([\w.\-]*[A-Za-z0-9])?$")
    """Name of the project, such as `django`."""
    version: str = Field(pattern=r"^[A-Za-z0-9][\w.!+\-]*$")
    """One exact version, such as `6.1.3`: the same documents on every machine."""
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """Of the source package; when given, no other file is accepted."""
    folder: str = Field(default="docs", min_length=1)
    """Folder inside the source package; `.` reads all of it."""

    @field_validator("folder")
    @classmethod
    def _folder_is_inside(cls, folder: str) -> str:
        if PurePosixPath(folder).is_absolute() or ".." in PurePosixPath(folder).parts:
            raise ValueError(f"found '{folder}'; expected a folder inside the source package, such as 'docs'.")
        return PurePosixPath(folder).as_posix()

    def reader(self) -> Pypi:
        """Returns what reads the documents."""
        return Pypi(self)

    @property
    def place(self) -> str:
        """Where the documents come from, as people would say it."""
        return f"'{self.folder}' of {self.package} {self.version}"


class Pypi:
    """Reads the `pypi` source."""

    def __init__(self, settings: PypiSource) -> None:
        self.settings = settings

    def read(self) -> SourceRead:
        """Returns a document for each page; its id is the path in `folder`, its source the path in the source package."""
        found = self._pages.read()
        inside = PurePosixPath(f"{self.settings.package}-{self.settings.version}", self.settings.folder)
        return SourceRead([replace(page, source=str(inside / page.id)) for page in found.documents], found.skipped)

    def check(self) -> list[str]:
        """Returns the relative paths of the pages; the source package is fetched first where it is not in the cache."""
        return self._pages.check()

    def fingerprint(self) -> str:
        """Returns a hash of the source package's hash and the pages' names: what is unpacked of it cannot differ."""
        key = [(self._package / ARCHIVE_HASH).read_text(), self.settings.folder, self.settings.txt_format, *self._pages.check()]
        return hashlib.sha256("\0".join(key).encode(errors="surrogateescape")).hexdigest()

    @cached_property
    def _package(self) -> Path:
        return fetch_package(self.settings)

    @cached_property
    def _pages(self) -> Folder:
        root = self._package / UNPACKED
        folder = root / self.settings.folder
        if not folder.is_dir():
            raise InputError(_no_folder(self.settings, root))
        shared = self.settings.model_dump(include={"include", "exclude", "max_file_mb", "txt_format"})
        return Folder(FolderSource(path=str(folder), **shared))


def fetch_package(settings: PypiSource) -> Path:
    """Returns the cached folder of a source package: `unpacked/` with its documentation, and `sdist.sha256`.

    It appears as a whole or not at all, whatever is killed, and of two processes that fetch at once either's will do.

    Raises:
        InputError: The index has no such version, or what it sends is not what it or the settings say.
        UnreachableError: It is not in the cache, and the index does not answer.
    """
    folder = user_cache() / "finetrieve" / "pypi" / f"{normalized(settings.package)}-{settings.version}"
    if not folder.is_dir():
        _fetch(settings, folder)
    seen = (folder / ARCHIVE_HASH).read_text()
    if settings.sha256 not in (None, seen):
        raise InputError(f"{_hash_differs(settings, seen)} It is in the cache at '{folder}'.")
    return folder


# 1. From the index into the cache.


def _fetch(settings: PypiSource, target: Path) -> None:
    logger.info(f"fetching the source package of {settings.package} {settings.version}")
    with made_whole(target) as ready:
        archive = ready / "sdist.tar.gz"
        with open_index(f"The source package of {settings.package} {settings.version}") as index:
            file = _source_package(index.files(settings.package, "Correct `source.package`."), settings)
            seen = index.download(file, archive)
        if settings.sha256 not in (None, seen):
            raise InputError(_hash_differs(settings, seen))
        _unpack(archive, ready / UNPACKED, file.name)
        archive.unlink()
        (ready / ARCHIVE_HASH).write_text(seen)


def _source_package(files: list[PackageFile], settings: PypiSource) -> PackageFile:
    """Returns the file to fetch; sdists are named by the project, a dash, and the version."""
    from packaging.utils import InvalidSdistFilename, parse_sdist_filename
    from packaging.version import InvalidVersion, Version

    try:
        wanted = Version(settings.version)
    except InvalidVersion:
        raise InputError(f"'{settings.version}' is no version. Give `source.version` as the index does, such as 6.1.3.") from None
    found = {}
    for file in files:
        try:
            _, version = parse_sdist_filename(file.name)
        except (InvalidSdistFilename, InvalidVersion):
            continue
        if file.name.endswith(".tar.gz"):
            found[version] = file
    if wanted in found:
        return found[wanted]
    latest = ", ".join(str(version) for version in sorted(found, reverse=True)[:3]) or "none"
    raise InputError(
        f"No source package of {settings.package} {settings.version} on the package index. The latest there: {latest}."
    )


# 2. What is in it.


def _unpack(archive: Path, target: Path, name: str) -> None:
    """Writes the documentation in an archive, and the folders, below `target`; no link, no device, nothing outside."""
    target.mkdir()
    suffixes = document_suffixes()
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                inside = PurePosixPath(member.name)
                wanted = member.isdir() or (member.isfile() and inside.suffix.lower() in suffixes)
                if ".." in inside.parts or inside.is_absolute():
                    raise InputError(f"{name} is no proper source package: its member '{member.name}' leads out of it.")
                if wanted and len(inside.parts) > 1:
                    # The first folder of an sdist carries its name and version.
                    tar.extract(member.replace(name="/".join(inside.parts[1:])), target, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise InputError(f"Cannot unpack {name}: {error_line(error)}.") from None


def _no_folder(settings: PypiSource, root: Path) -> str:
    """Returns what is wrong with `source.folder`, with the nearest folders that exist."""
    known = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_dir())
    near = difflib.get_close_matches(settings.folder, known, n=3) or [name for name in known if "/" not in name]
    package = f"{settings.package} {settings.version}"
    return f"No folder '{settings.folder}' in the source package of {package}. There are: {', '.join(near)}."


def _hash_differs(settings: PypiSource, seen: str) -> str:
    expected = short_hash(settings.sha256 or "")
    package = f"{settings.package} {settings.version}"
    return (
        f"The source package of {package} has sha256 {short_hash(seen)}, but `source.sha256` is {expected}. "
        "Correct it, or find out why it differs."
    )
