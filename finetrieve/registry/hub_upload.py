"""A folder sent to the Hugging Face Hub in one commit: all of it or nothing, and what is there already is not sent again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from finetrieve.core.errors import InputError
from finetrieve.core.failures import error_line

HUB_PREFIX = "hf:"
OURS = ("data/", "corpus/")
"""Folders of a dataset whose files are deleted there when they are no longer sent."""
_ID = re.compile(r"[\w.\-]+/[\w.\-]+")

Kind = Literal["dataset", "model"]


@dataclass(frozen=True)
class Sent:
    """What became of an upload."""

    url: str
    commit: str


def hub_id(target: str) -> str | None:
    """Returns the id of `hf:OWNER/NAME`, or None for a folder.

    Raises:
        InputError: It begins as a Hub id and is none.
    """
    if not target.startswith(HUB_PREFIX):
        return None
    name = target.removeprefix(HUB_PREFIX)
    if not _ID.fullmatch(name):
        raise InputError(f"--to '{target}' is no repository on the Hub; expected hf:OWNER/NAME.")
    return name


def files_of(folder: Path) -> list[tuple[str, int]]:
    """Returns the files of a folder, by their path inside it, with their sizes in bytes."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(path.relative_to(folder).as_posix(), path.stat().st_size) for path in found]


def what_is_sent(files: Sequence[tuple[str, int]], repository: str, kind: Kind, private: bool, notes: Sequence[str]) -> str:
    """Returns what a person is asked about, in lines."""
    width = max(len(name) for name, _ in files)
    listed = [f"  {name:{width}}  {size:>12,} bytes" for name, size in files]
    total = sum(size for _, size in files)
    head = f"To the {kind} {repository} on the Hub, {'private' if private else 'PUBLIC'}: {len(files)} files, {total:,} bytes."
    return "\n".join([head, *listed, *notes])


def send_folder(folder: Path, repository: str, kind: Kind, private: bool, message: str) -> Sent:
    """Returns where the folder's files are, after sending them; the same files again make no new commit.

    An upload that was cut off goes on: files that arrived are not sent again, and nothing is visible before the commit.

    Args:
        folder: What is sent.
        repository: `OWNER/NAME`; it is made where there is none.
        kind: `dataset` or `model`.
        private: Whether only its owner may see it.
        message: Of the commit.

    Raises:
        InputError: The Hub cannot be reached or refuses, or a repository that should be private is public.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

    api = HfApi()
    try:
        try:
            info = api.repo_info(repository, repo_type=kind)
            if private and not info.private:
                raise InputError(f"The {kind} {repository} exists and is public. Give --public, or another name.")
        except RepositoryNotFoundError:
            api.create_repo(repository, repo_type=kind, private=private, exist_ok=True)
        files = [name for name, _ in files_of(folder)]
        there = api.list_repo_files(repository, repo_type=kind)
        gone = [name for name in there if name.startswith(OURS) and name not in files]
        operations: list[CommitOperationAdd | CommitOperationCopy | CommitOperationDelete] = [
            CommitOperationAdd(path_in_repo=name, path_or_fileobj=str(folder / name)) for name in files
        ]
        operations += [CommitOperationDelete(path_in_repo=name) for name in gone]
        made = api.create_commit(repository, operations, commit_message=message, repo_type=kind)
    except OfflineModeIsEnabled:
        raise InputError(f"HF_HUB_OFFLINE is set, so nothing can be sent to {repository}. Unset it, or give a folder.") from None
    except HfHubHTTPError as error:
        raise InputError(_refused(error, repository, kind)) from None
    except (ConnectionError, TimeoutError, OSError) as error:
        raise InputError(
            f"Cannot reach the Hub ({error_line(error, 200)}). Run the same command again: it goes on where it was."
        ) from None
    return Sent(str(made.commit_url), str(made.oid))


def _refused(error: Exception, repository: str, kind: Kind) -> str:
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return f"The Hub does not let you write to the {kind} {repository} (HTTP {status}). Set HF_TOKEN to a token that may."
    return f"The Hub refused the {kind} {repository}: {error_line(error, 200)}"
