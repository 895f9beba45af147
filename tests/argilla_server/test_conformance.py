"""Our search engine against the search-engine tests of argilla-server's own source package."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from filelock import FileLock

from finetrieve.argilla_server.environment import environment_path
from tests.conftest import ROOT

VERSION = "2.8.0"
TOOLS = ("pytest==7.4.4", "pytest-asyncio==0.21.2", "pytest-mock==3.14.0", "factory-boy==3.2.1", "faker", "iniconfig", "pluggy")

NOT_APPLICABLE = {
    "test_create_index_for_dataset": "looks at Elasticsearch's mapping",
    "test_create_index_for_dataset_with_fields": "looks at Elasticsearch's mapping",
    "test_create_index_for_dataset_with_metadata_properties": "looks at Elasticsearch's mapping",
    "test_create_index_for_dataset_with_questions": "looks at Elasticsearch's mapping",
    "test_create_metadata_property": "looks at Elasticsearch's mapping",
    "test_configure_metadata_property": "looks at Elasticsearch's mapping",
    "test_create_dataset_index_with_vectors": "looks at Elasticsearch's mapping",
    "test_annotators_limits": "looks at Elasticsearch's mapping",
    "test_annotator_limits_increasing_default_fields_limit": "looks at Elasticsearch's mapping",
    "test_create_index_with_existing_index": "expects Elasticsearch's own error; there is no index that could exist twice",
    "test_index_records": "looks at Elasticsearch's documents",
    "test_index_records_with_none_field_values": "looks at Elasticsearch's documents",
    "test_index_records_with_suggestions": "looks at Elasticsearch's documents",
    "test_index_records_with_metadata": "looks at Elasticsearch's documents",
    "test_index_records_with_vectors": "looks at Elasticsearch's documents",
    "test_delete_records": "looks at Elasticsearch's documents",
    "test_update_record_response": "looks at Elasticsearch's documents",
    "test_delete_record_response": "looks at Elasticsearch's documents",
}
SKIPPED_BY_ITSELF = 3
"""The OpenSearch module's tests, which run on OpenSearch only."""


@pytest.fixture(scope="session")
def suite(server_environment: Path) -> Path:
    """Returns a folder with the source package's tests and, in `tools`, what they need; fetched once and kept."""
    folder = environment_path().with_name(f"argilla-server-tests-{VERSION}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / ".ready").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            fetch(server_environment, folder)
            (folder / ".ready").touch()
    return folder


def fetch(python: Path, folder: Path) -> None:
    pip = [str(python), "-m", "pip", "--quiet", "--no-input", "--disable-pip-version-check"]
    source = ["download", "--no-deps", "--no-binary", "argilla-server", f"argilla-server=={VERSION}", "--dest", str(folder)]
    tools = ["install", "--no-deps", "--target", str(folder / "tools"), *TOOLS]
    for step in (source, tools):
        done = subprocess.run([*pip, *step], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"The source package of argilla-server cannot be fetched here: {done.stderr.strip()[-300:]}")
    [archive] = folder.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    (folder / f"argilla_server-{VERSION}" / "tests").rename(folder / "tests")


@pytest.mark.slow
def test_the_search_engine_passes_every_applicable_test_of_the_servers_own_suite(
    suite: Path, server_environment: Path, tmp_path: Path
) -> None:
    shutil.copytree(suite / "tests", tmp_path / "tests")
    shutil.copy(ROOT / "tests/argilla_server/conformance_conftest.py", tmp_path / "tests/unit/search_engine/conftest.py")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("ARGILLA_", "PYTEST_"))},
        "ARGILLA_HOME_PATH": str(tmp_path / "home"),
        "ARGILLA_SEARCH_ENGINE": "elasticsearch",  # the tests skip themselves for names they do not know
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": os.pathsep.join(map(str, (tmp_path, suite / "tools", ROOT / "finetrieve/argilla_server"))),
    }
    unwanted = " and ".join(f"not {name}" for name in ("test_annotators_limits", "test_annotator_limits"))
    command = [str(server_environment), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml", "results.xml"]
    done = subprocess.run(
        [*command, "-k", unwanted, "tests/unit/search_engine"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    passed, failed, skipped = outcomes(tmp_path / "results.xml", done.stdout + done.stderr)
    assert {name for name in failed if name not in NOT_APPLICABLE} == set()
    assert set(passed) & NOT_APPLICABLE.keys() == set(), "These pass: they are applicable after all."
    assert (len(passed), len(skipped)) == (92, SKIPPED_BY_ITSELF)


def outcomes(results: Path, output: str) -> tuple[list[str], list[str], list[str]]:
    """Returns the names of the passed, failed and skipped tests, one for each set of parameters."""
    assert results.exists(), output
    passed, failed, skipped = [], [], []
    for case in ET.parse(results).iter("testcase"):
        found = {child.tag for child in case}
        kind = failed if found & {"failure", "error"} else skipped if "skipped" in found else passed
        kind.append(case.attrib["name"].partition("[")[0])
    return passed, failed, skipped
