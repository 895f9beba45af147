"""What a configuration says about where documents come from and how they are cut."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from finetrieve.core.errors import InputError
from finetrieve.core.paths import ConfigPath

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
"""The files that the `folder` source reads, and the format of each."""
TABLE_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
"""The files that the `files` source reads."""
BEIR_CORPUS = "corpus.jsonl"


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Pages(_Settings):
    """Which documentation files of a folder are read, and how."""

    include: list[str] = []
    """Patterns as in `.gitignore`; with any, only files that match one are read."""
    exclude: list[str] = []
    """Patterns as in `.gitignore` for files to leave out."""
    max_file_mb: float = Field(default=20, gt=0)
    """Larger files are skipped without being read, in MB."""
    txt_format: Literal["text", "restructuredtext", "markdown"] = "text"
    """What `.txt` files hold: some projects' are reStructuredText, such as Django's."""

    @field_validator("include", "exclude")
    @classmethod
    def _patterns_are_valid(cls, patterns: list[str]) -> list[str]:
        from pathspec import GitIgnoreSpec

        for pattern in patterns:
            try:
                GitIgnoreSpec.from_lines([pattern])
            except ValueError:
                raise ValueError(f"'{pattern}' is no pattern as in .gitignore, such as 'guide/**/*.md'.") from None
        return patterns


class FolderSource(_Pages):
    """A folder of documentation files, or one such file."""

    name: Literal["folder"] = "folder"
    path: ConfigPath = Field(min_length=1)
    follow_links: bool = False
    """Whether symbolic links that lead out of the folder are read."""


class PypiSource(_Pages):
    """The documentation in the source package (sdist) of a project on PyPI, or on the index that pip is configured with."""

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


class _Columns(_Settings):
    """Which columns of a table hold a document; each is found by its usual names when not given."""

    text_column: str | list[str] | None = None
    """One column, or several that are joined."""
    title_column: str | None = None
    url_column: str | None = None
    id_column: str | None = None


class FilesSource(_Columns):
    """A JSONL, JSON, CSV or Parquet file with a document a row, or a folder of them, such as a BEIR folder."""

    name: Literal["files"] = "files"
    path: ConfigPath = Field(min_length=1)


PackageSection = Literal["parameters", "attributes", "returns", "raises", "examples", "notes", "methods"]
PACKAGE_SECTIONS: tuple[PackageSection, ...] = get_args(PackageSection)


class PackageSource(_Settings):
    """The API documentation of an installed Python package, parsed from its source."""

    name: Literal["package"] = "package"
    package: str = Field(min_length=1, pattern=r"^[A-Za-z_][\w.\-]*$")
    """Import name, such as `sklearn`, or a part of a package, such as `sklearn.cluster`."""
    include: list[str] = []
    """Public modules or objects to read with everything below them; all when empty."""
    exclude: list[str] = []
    """Public modules or objects to leave out with everything below them."""
    sections: list[PackageSection] = list(PACKAGE_SECTIONS)
    """What is read of an object besides its description; fewer make a smaller corpus of as many documents."""


class HubSource(_Columns):
    """A dataset on the Hugging Face Hub, or a directory with the files of one."""

    name: Literal["hub"] = "hub"
    dataset: str | None = Field(default=None, pattern=r"^[\w.\-]+(/[\w.\-]+)?$")
    """Hub id, such as `zenml/rag_qa_embedding_questions_0_60_0`."""
    path: ConfigPath | None = None
    """A directory of the same layout on this machine, in place of `dataset`."""
    config: str | None = None
    split: str = Field(default="train", min_length=1)
    revision: str | None = None

    @model_validator(mode="after")
    def _one_place(self) -> HubSource:
        if (self.dataset is None) == (self.path is None):
            raise ValueError("give 'dataset' (a Hub id) or 'path' (a directory of the same layout), one of the two.")
        return self


SourceSettings = Annotated[FolderSource | FilesSource | PackageSource | PypiSource | HubSource, Field(discriminator="name")]


class ChunkSettings(_Settings):
    """How documents are cut into chunks and which of those are duplicates."""

    max_tokens: int = Field(default=128, ge=32, le=8192)
    """Tokens of title, section and text together, as the model reads them."""
    overlap_tokens: int = Field(default=24, ge=0)
    """Tokens that a chunk may repeat of the one before it in the same section, in whole sentences."""
    min_tokens: int = Field(default=24, ge=0)
    """Sections with less text than this are joined with their neighbours where they fit."""
    near_duplicate_threshold: float = Field(default=0.9, gt=0, le=1)
    """Share of word triples (Jaccard, 0..1) from which two chunks count as the same; 1 finds exact copies only."""

    @model_validator(mode="after")
    def _overlap_leaves_room(self) -> ChunkSettings:
        if self.overlap_tokens * 2 > self.max_tokens:
            raise ValueError(f"overlap_tokens {self.overlap_tokens} is over half of max_tokens {self.max_tokens}; give less.")
        if self.min_tokens > self.max_tokens:
            raise ValueError(f"min_tokens {self.min_tokens} is over max_tokens {self.max_tokens}; give less.")
        return self


def source_from_path(path: Path) -> FolderSource | FilesSource | HubSource:
    """Returns the settings of the source that `--docs PATH` means.

    A folder with a BEIR `corpus.jsonl` or with nothing but tables is `files`, any other folder is `folder`, a dataset's directory
    (`data/train-00000-of-00001.parquet`) is `hub`; a file goes by its ending.

    Raises:
        InputError: There is no such path, or no source reads a file of this kind.
    """
    text = str(path)
    try:
        if path.is_dir():
            if (path / BEIR_CORPUS).is_file():
                return FilesSource(path=text)
            if not _any_document(path):
                if any((path / "data").glob("*.parquet")):
                    return HubSource(path=text)
                if any(child.suffix.lower() in TABLE_SUFFIXES for child in path.iterdir()):
                    return FilesSource(path=text)
            return FolderSource(path=text)
        exists = path.exists()
    except OSError as error:
        raise InputError(f"Cannot read the documents at '{path}': {error.strerror}.") from None
    if not exists:
        raise InputError(f"No such file or folder: '{path}'. Give --docs a folder of documentation, a corpus.jsonl or a table.")
    suffix = path.suffix.lower()
    if suffix in TABLE_SUFFIXES:
        return FilesSource(path=text)
    if suffix in DOCUMENT_SUFFIXES:
        return FolderSource(path=text)
    known = ", ".join([*DOCUMENT_SUFFIXES, *TABLE_SUFFIXES])
    kind = f"'{suffix}' files" if suffix else "files without an ending"
    raise InputError(f"Cannot read '{path}': no source reads {kind}. Kinds that are read: {known}.")


def _any_document(folder: Path) -> bool:
    """Whether there is any documentation file beside or directly below the tables; README files only describe them."""
    for pattern in ("*", "*/*"):
        for path in folder.glob(pattern):
            if path.suffix.lower() in DOCUMENT_SUFFIXES and path.stem.lower() != "readme" and not path.name.startswith("."):
                return True
    return False
