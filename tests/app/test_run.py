from __future__ import annotations

import importlib.metadata
import sys
from importlib.metadata import version

import pytest
from zenml.environment import Environment, get_run_environment_dict
from zenml.utils import source_utils

from finetrieve.app.run import look_packages_up_once


def test_a_run_records_the_installed_packages_without_asking_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Environment, "get_python_packages", Environment.get_python_packages)  # put back after the test
    monkeypatch.setattr(sys, "executable", "/no/python")
    monkeypatch.setenv("PATH", "/nowhere")
    look_packages_up_once()
    recorded = get_run_environment_dict()["python_packages"].splitlines()
    assert {f"zenml=={version('zenml')}", f"torch=={version('torch')}"} <= set(recorded)
    assert len(recorded) == len(set(recorded)) > 100


def test_the_packages_of_classes_are_those_that_zenml_finds_and_are_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    modules = ("torch", "pyarrow.lib", "google.protobuf", "nothing_of_the_kind")
    found_by_zenml = [source_utils._get_package_for_module(module_name=name) for name in modules]
    monkeypatch.setattr(source_utils, "_get_package_for_module", source_utils._get_package_for_module)  # put back after the test
    monkeypatch.setattr(Environment, "get_python_packages", Environment.get_python_packages)
    look_packages_up_once()
    source_utils.resolve(pytest.MonkeyPatch)
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: pytest.fail("looked up again"))
    assert [source_utils._get_package_for_module(module_name=name) for name in modules] == found_by_zenml
    assert found_by_zenml[:2] == ["torch", "pyarrow"]
    assert source_utils.resolve(pytest.MonkeyPatch).package_name == "pytest"
