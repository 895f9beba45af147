"""Paths that are no files: whatever is named on the command line is refused at once, and nothing waits for a pipe."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from finetrieve.app.config import load_config
from finetrieve.core.errors import InputError
from finetrieve.core.paths import refuse_special_file
from finetrieve.corpus.sources.folder import FolderSource
from finetrieve.corpus.sources.registry import check_source, source_from_argument
from finetrieve.corpus.sources.table_files import FilesSource
from finetrieve.evaluation.eval_sets import check_eval_set
from finetrieve.evaluation.settings import EvalSetSettings
from finetrieve.own_data.pair_files import check_pairs
from finetrieve.own_data.query_files import read_queries
from finetrieve.own_data.settings import PairSettings, QuerySettings

READERS: list[Callable[[Path], object]] = [
    source_from_argument,
    load_config,
    lambda path: check_source(FolderSource(path=str(path))),
    lambda path: check_source(FilesSource(path=str(path))),
    lambda path: check_pairs(PairSettings(path=str(path))),
    lambda path: read_queries(QuerySettings(path=str(path))),
    lambda path: check_eval_set(EvalSetSettings(path=path), []),
]


@pytest.mark.parametrize("name", ["pipe", "pipe.csv", "pipe.jsonl", "pipe.json", "pipe.md", "pipe.yaml"])
@pytest.mark.parametrize("read", READERS)
def test_a_named_pipe_is_called_one_and_not_waited_for(tmp_path: Path, name: str, read: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match=f"{name}' is a named pipe; expected a file or a folder. Save what comes out of it"):
        read(tmp_path / name)


def test_a_socket_and_a_device_are_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket may have a hundred letters
    with socket.socket(socket.AF_UNIX) as server, pytest.raises(InputError, match="'door' is a socket"):
        server.bind("door")
        refuse_special_file(Path("door"))
    with pytest.raises(InputError, match="'/dev/null' is a device"):
        refuse_special_file(Path("/dev/null"))


def test_files_folders_links_to_them_and_what_is_not_there_are_let_through(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("text")
    (tmp_path / "link").symlink_to(tmp_path / "page.md")
    for path in (tmp_path, tmp_path / "page.md", tmp_path / "link", tmp_path / "nowhere", tmp_path / "page.md" / "below"):
        refuse_special_file(path)
