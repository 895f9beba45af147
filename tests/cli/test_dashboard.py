from __future__ import annotations

import time
from pathlib import Path

import pytest

from finetrieve.cli.dashboard import _from_elsewhere, _show


@pytest.mark.skipif("sys.platform != 'linux'", reason="how Linux finds a browser")
def test_a_browser_is_opened_without_its_words_and_none_is_tried_where_there_is_no_screen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    opener, opened = tmp_path / "xdg-open", tmp_path / "opened"
    opener.write_text(f"#!/bin/sh\necho no method available >&2\necho $1 > {opened}\n")
    opener.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not _show("http://127.0.0.1:1/")
    monkeypatch.setenv("DISPLAY", ":0")
    assert _show("http://127.0.0.1:1/")
    for _ in range(100):
        if opened.exists() and opened.read_text():
            break
        time.sleep(0.1)
    assert opened.read_text() == "http://127.0.0.1:1/\n"
    assert capfd.readouterr() == ("", "")


def test_another_machine_is_sent_to_the_port_that_the_dashboard_listens_on() -> None:
    assert _from_elsewhere("http://127.0.0.1:8731/projects/x").endswith("ssh -L 8731:127.0.0.1:8731 THIS-MACHINE")
    assert "ssh" not in _from_elsewhere("https://zenml.example.com/projects/x")
