from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from finetrieve.annotation.client import Connection
from finetrieve.app.config import Config, load_config
from finetrieve.app.doctor import Finding, check_machine
from tests.conftest import ROOT, RunCommand

KEY = "sk-planted-0123456789"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text("# Page\n\nText.")
    return tmp_path / "docs"


@pytest.fixture
def settings(docs: Path, tmp_path: Path) -> Path:
    """A configuration file that asks for the folder `docs` and nothing else."""
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump({"source": {"name": "folder", "path": str(docs)}}))
    return path


def found(part: str, docs: Path, **settings: object) -> Finding:
    config = Config.model_validate({"source": {"name": "folder", "path": str(docs)}, **settings})
    return next(finding for finding in check_machine(config) if finding.part == part)


def test_packages_are_held_against_what_the_project_asks_for(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found("packages", docs).state == "ok"
    monkeypatch.setattr("finetrieve.app.doctor.metadata.version", lambda name: "0.1" if name == "zenml" else "99")
    finding = found("packages", docs)
    assert finding.state == "FAIL" and "zenml 0.1 is not ==0.98.0" in finding.text and "constraints.txt" in finding.fix


def test_documents_and_model_that_are_not_there_are_named(docs: Path) -> None:
    assert found("documents", docs).text == f"1 in '{docs}'"
    missing = found("documents", docs / "none")
    assert missing.state == "FAIL" and str(docs / "none") in missing.text
    assert found("base model", docs, training={"base_model": str(docs)}).state == "FAIL"


def test_a_base_model_that_cannot_be_had_fails_as_a_run_would(docs: Path) -> None:
    nowhere = found("base model", docs, training={"base_model": "finetrieve-tests/no-such-model"})
    assert nowhere.state == "FAIL" and "could not be fetched from the Hugging Face Hub" in nowhere.text
    assert "training.base_model" in nowhere.fix and "embedded" in nowhere.fix
    teacher = found("base model", docs, training={"teacher": "finetrieve-tests/no-such-teacher"})
    assert teacher.state == "FAIL" and "training.teacher" in teacher.fix


def test_settings_for_a_gpu_are_noted_where_there_is_none(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr("finetrieve.app.doctor.shutil.which", lambda name: None)
    training = load_config(ROOT / "configs" / "gpu.yaml").training.model_dump(mode="json")
    noted = found("gpu", docs, training=training)
    assert noted.state == "note" and "222 times the tokens" in noted.text and "max_steps" in noted.fix
    assert found("gpu", docs).state == "ok"


def test_a_provider_without_its_key_is_named_and_no_key_is_shown(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = {"name": "triplet", "provider": "openai", "model": "gpt-x"}
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    without = found("providers", docs, generation={"recipes": [recipe]})
    assert without.state == "FAIL" and "OPENAI_API_KEY" in without.text
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    ready = found("providers", docs, generation={"recipes": [recipe]})
    assert ready.state == "ok" and "openai ready" in ready.text and "OPENAI_API_KEY" in ready.text
    assert KEY not in ready.line(10)


def test_a_full_disk_and_one_that_cannot_be_written_fail(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finetrieve.app.doctor.shutil.disk_usage", lambda path: type("Usage", (), {"free": 10**8})())
    assert found("disk", docs).state == "FAIL" and found("disk", docs).text.startswith("0.1 GB free")


def test_a_clock_behind_the_files_of_this_disk_fails(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found("clock", docs).state == "ok"
    monkeypatch.setattr("finetrieve.app.doctor.time.time", lambda: 0.0)
    assert found("clock", docs).state == "FAIL"


@pytest.mark.parametrize("variable", ["XDG_CACHE_HOME", "ZENML_LOCAL_STORES_PATH"])
def test_a_place_that_is_no_folder_is_named_with_what_sets_it(
    variable: str, docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(variable, str(tmp_path / "file"))
    finding = found("disk", docs)
    assert finding.state == "FAIL" and str(tmp_path / "file") in finding.text and variable in finding.fix


def test_an_argilla_that_does_not_answer_or_has_no_key_is_named(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ARGILLA_API_KEY", raising=False)
    assert found("argilla", docs).text == "not used by this configuration"
    without = found("argilla", docs, annotation={"enabled": True, "url": "http://127.0.0.1:9"})
    assert without.state == "FAIL" and "ARGILLA_API_KEY" in without.text
    monkeypatch.setenv("ARGILLA_API_KEY", KEY)
    silent = found("argilla", docs, annotation={"enabled": True, "url": "http://127.0.0.1:9"})
    assert silent.state == "FAIL" and "http://127.0.0.1:9" in silent.text and KEY not in silent.line(10)


@pytest.mark.slow
def test_an_argilla_that_refuses_the_key_is_named(docs: Path, server: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGILLA_API_KEY", server.api_key)
    taken = found("argilla", docs, annotation={"enabled": True, "url": server.url})
    assert taken.state == "ok" and "takes the key" in taken.text
    monkeypatch.setenv("ARGILLA_API_KEY", KEY)
    refused = found("argilla", docs, annotation={"enabled": True, "url": server.url})
    assert refused.state == "FAIL" and KEY not in refused.line(10)


def test_a_check_that_breaks_leaves_the_others_standing(docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no such thing")

    monkeypatch.setattr("finetrieve.app.doctor.shutil.disk_usage", broken)
    assert found("disk", docs).state == "FAIL" and "no such thing" in found("disk", docs).text
    assert found("clock", docs).state == "ok"


@pytest.mark.slow
def test_the_command_prints_a_line_each_and_says_by_its_exit_code_whether_all_is_there(
    warm_command: RunCommand, settings: Path
) -> None:
    healthy = warm_command("doctor", "--config", settings, OPENAI_API_KEY=KEY)
    assert healthy.returncode == 0, healthy.stdout
    assert len(healthy.stdout.splitlines()) == 10
    assert "zenml       stack 'default', store on this disk" in healthy.stdout
    assert KEY not in healthy.stdout + healthy.stderr

    settings.write_text(yaml.safe_dump({"source": {"name": "folder", "path": "gone"}}))
    ill = warm_command("doctor", "--config", settings, ZENML_STORE_URL="http://127.0.0.1:9", ZENML_STORE_API_KEY=KEY)
    assert ill.returncode == 1
    failed = [line for line in ill.stdout.splitlines() if line.startswith("FAIL")]
    assert ["documents" in line or "zenml" in line for line in failed] == [True, True]
    assert KEY not in ill.stdout + ill.stderr and "Traceback" not in ill.stderr


@pytest.mark.slow
def test_artifacts_that_are_gone_are_named_by_the_doctor_and_made_anew_by_the_next_run(
    warm_command: RunCommand, own_home: dict[str, str], docs: Path, settings: Path
) -> None:
    stores = Path(own_home["ZENML_LOCAL_STORES_PATH"])
    generate = ("--pipeline", "generate", "--config", settings)
    (docs / "page.md").write_text("# Open the lid\n\nTo open the lid of the pump, press the green button on its left side.")
    assert warm_command(*generate).returncode == 0
    for path in stores.glob("*/load_chunks"):
        shutil.rmtree(path)
    again = warm_command(*generate)
    assert again.returncode == 0, again.stderr
    assert "What load_chunks made is gone" in again.stdout and "it is made anew" in again.stdout
    assert list(stores.glob("*/load_chunks/chunks/*/*/*"))
    [generate_queries] = stores.glob("*/generate_queries")
    shutil.rmtree(generate_queries.parent)
    sick = warm_command("doctor", "--config", settings)
    assert sick.returncode == 1
    assert "does not hold what the last run put there" in sick.stdout and "--no-cache" in sick.stdout
