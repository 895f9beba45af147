"""A dataset of the Hugging Face Hub, or a directory with the files of one, as documents."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from finetrieve.core.errors import InputError
from finetrieve.core.failures import error_line
from finetrieve.core.paths import ConfigPath
from finetrieve.corpus.sources.base import SourceRead, TableSource
from finetrieve.corpus.sources.table_files import (
    TABLE_SUFFIXES,
    Columns,
    RawRow,
    documents_of_rows,
    files_fingerprint,
    find_columns,
    ids_of,
    raw_row,
    raw_rows,
    unique_ids,
)

if TYPE_CHECKING:
    from datasets import Dataset

DESCRIPTIONS = {"dataset_infos.json", "dataset_info.json", "state.json"}
"""Files of a dataset that describe it and hold no rows."""
OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")


class HubSource(TableSource):
    """A dataset on the Hugging Face Hub, or a directory with the files of one."""

    description: ClassVar[str] = "a dataset on the Hugging Face Hub, or a directory of the same layout"
    identity_keys: ClassVar[tuple[str, ...]] = ("path", "dataset")

    name: Literal["hub"] = "hub"
    dataset: str | None = Field(default=None, pattern=r"^[\w.\-]+(/[\w.\-]+)?$")
    """Hub id, such as `zenml/rag_qa_embedding_questions_0_60_0`."""
    path: ConfigPath | None = None
    """A directory of the same layout on this machine, in place of `dataset`."""
    config: str | None = None
    """Which configuration of the dataset, where it has several."""
    split: str = Field(default="train", min_length=1)
    """Which split of the dataset."""
    revision: str | None = None
    """A branch, tag or commit of the dataset; null takes the newest."""

    @model_validator(mode="after")
    def _one_place(self) -> HubSource:
        if (self.dataset is None) == (self.path is None):
            raise ValueError("give 'dataset' (a Hub id) or 'path' (a directory of the same layout), one of the two.")
        return self

    def reader(self) -> Hub:
        """Returns what reads the documents."""
        return Hub(self)

    @property
    def place(self) -> str:
        """Where the documents come from, as people would say it."""
        return f"the dataset '{self.path or self.dataset}'"


class Hub:
    """Reads the `hub` source."""

    def __init__(self, settings: HubSource) -> None:
        self.settings = settings

    def read(self) -> SourceRead:
        """Returns a document for each row with text; its id is the row's, or a hash of what it says."""
        return documents_of_rows(list(self._rows()))

    def check(self) -> list[str]:
        """Returns the ids of the rows of a directory; nothing for a dataset that is still to be fetched."""
        if self.settings.path is None:
            return []
        files = _split_files(self._directory, self.settings.config, self.settings.split)
        rows = list(raw_rows(files, self.settings))
        if not any(row.text.strip() for row in rows):
            raise InputError(f"No rows with text in '{self.settings.path}'.")
        return ids_of(rows)

    def fingerprint(self) -> str:
        """Returns a hash of the directory's tables, or of the dataset's commit on the Hub."""
        settings = self.settings
        if settings.path is not None:
            return files_fingerprint(_split_files(self._directory, settings.config, settings.split))
        commit = hub_commit(str(settings.dataset), settings.revision)
        key = "\0".join((str(settings.dataset), settings.config or "", settings.split, commit))
        return hashlib.sha256(key.encode()).hexdigest()

    @cached_property
    def _directory(self) -> Path:
        directory = Path(str(self.settings.path)).expanduser()
        if not directory.is_dir():
            raise InputError(f"No such directory: '{directory}'. Give a dataset's directory, or its Hub id as 'dataset'.")
        return directory

    def _rows(self) -> Iterator[RawRow]:
        name = self.settings.path or str(self.settings.dataset)
        dataset = load_split(name if self.settings.path is None else str(self._directory), self.settings)
        columns: Columns = find_columns(list(dataset.column_names), self.settings, f"the dataset '{name}'")
        wanted = [*columns.text, *(column for column in (columns.title, columns.url, columns.id) if column)]
        rows = (raw_row(f"row {number}", row, columns) for number, row in enumerate(dataset.select_columns(wanted), start=1))
        yield from rows if columns.id is None else unique_ids(rows)


def load_split(name: str, settings: HubSource) -> Dataset:
    """Returns one split of a dataset by Hub id or directory; both go through the same loading code."""
    import datasets
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    datasets.disable_progress_bars()
    options: dict[str, Any] = {"split": settings.split}
    if settings.config:
        options["name"] = settings.config
    if settings.revision:
        options["revision"] = settings.revision
    try:
        return datasets.load_dataset(name, **options)
    except GatedRepoError:
        raise InputError(f"The dataset '{name}' is gated: accept its terms on the Hub and set HF_TOKEN.") from None
    except RepositoryNotFoundError:
        raise InputError(f"No dataset '{name}' on the Hub, or it is private and HF_TOKEN has no access to it.") from None
    except datasets.exceptions.DatasetNotFoundError as error:
        raise InputError(f"Cannot load the dataset '{name}': {_one_line(error)}") from None
    except (HfHubHTTPError, ConnectionError, TimeoutError) as error:
        raise InputError(
            f"Cannot reach the Hub for the dataset '{name}': {_one_line(error)} {_offline_hint(name, settings)}"
        ) from None
    except (ValueError, OSError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise InputError(f"Cannot load the dataset '{name}' (split '{settings.split}'): {_one_line(error)}") from None


def _split_files(directory: Path, config: str | None, split: str) -> list[Path]:
    """Returns the tables of one split in a dataset's directory: `data/train-00000-of-00001.parquet`, or `train.jsonl`."""
    found = (path for path in sorted(directory.rglob("*")) if path.suffix.lower() in TABLE_SUFFIXES)
    tables = [path for path in found if path.name not in DESCRIPTIONS and not _hidden(path, directory)]
    if not tables:
        raise InputError(f"No tables in the dataset's directory '{directory}': expected data/{split}-00000-of-00001.parquet.")
    of_config = [path for path in tables if config and config in path.relative_to(directory).parts] or tables
    of_split = [path for path in of_config if path.stem.split("-")[0] == split or split in path.relative_to(directory).parts[:-1]]
    named = [path for path in of_config if path.stem.split("-")[0] in ("train", "test", "validation", "dev", "val")]
    if not of_split and named:
        known = ", ".join(sorted({path.stem.split("-")[0] for path in named}))
        raise InputError(f"No split '{split}' in the dataset's directory '{directory}'. Splits: {known}.")
    return of_split or of_config


def _hidden(path: Path, directory: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(directory).parts)


def hub_commit(dataset: str, revision: str | None) -> str:
    """Returns the commit that a revision means now; offline, the one in the local cache, or the revision itself."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        return str(HfApi().dataset_info(dataset, revision=revision, timeout=10).sha)
    except (HfHubHTTPError, OfflineModeIsEnabled, OSError, ValueError):
        from huggingface_hub import constants

        name = f"datasets--{dataset.replace('/', '--')}"
        ref = Path(constants.HF_HUB_CACHE) / name / "refs" / (revision or "main")
        return ref.read_text(encoding="utf-8").strip() if ref.is_file() else revision or "unknown"


def _offline_hint(name: str, settings: HubSource) -> str:
    """Returns why the network was not used, where somebody said so, and how to bring the dataset here."""
    off = [variable for variable in OFFLINE if os.environ.get(variable)]
    why = f"Offline mode is on ({' and '.join(off)}), and the dataset is not in the cache on this machine. " if off else ""
    pinned = f" --revision {settings.revision}" if settings.revision else ""
    return (
        f"{why}Where there is a network, `hf download {name} --repo-type dataset{pinned} --local-dir FOLDER` fetches it: "
        "bring FOLDER here and give it as 'path'."
    )


def _one_line(error: Exception) -> str:
    text = error_line(error, 200)
    return text if text.endswith(".") else f"{text}."
