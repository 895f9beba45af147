from __future__ import annotations

import sys
from importlib.metadata import version

import pytest
from zenml.environment import Environment, get_run_environment_dict

from finetrieve.app.run import list_packages_by_metadata


def test_a_run_records_the_installed_packages_without_asking_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Environment, "get_python_packages", Environment.get_python_packages)  # put back after the test
    monkeypatch.setattr(sys, "executable", "/no/python")
    monkeypatch.setenv("PATH", "/nowhere")
    list_packages_by_metadata()
    recorded = get_run_environment_dict()["python_packages"].splitlines()
    assert {f"zenml=={version('zenml')}", f"torch=={version('torch')}"} <= set(recorded)
    assert len(recorded) == len(set(recorded)) > 100
