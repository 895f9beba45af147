"""What a person does once a retrain has run: reads its lineage in a browser, promotes, asks; and what must be found nowhere."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from finetrieve.argilla_server.probe import free_port
from finetrieve.evaluation.arms import ARMS
from tests.conftest import ROOT
from tests.fakes.llm import LlmServer
from tests.pipelines.test_retrain import STEPS, ran, write_config, write_docs
from tests.warm_python import WarmPython

pytestmark = pytest.mark.slow

KEY = "sk-planted-4f9c2d7e81b6a350"
SECRET_KEY = "sk-planted-secret-90ab12cd34ef"
FILE_KEY = "sk-planted-dotenv-77aa66bb55cc"
PLANTED = (KEY, SECRET_KEY, FILE_KEY)


class Trained(NamedTuple):
    """A retrain that has run in a home of its own, with keys planted wherever a person keeps them."""

    home: Path
    folder: Path
    environment: dict[str, str]
    output: str
    errors: str
    metrics: dict[str, Any]
    warm: WarmPython

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.warm.run([ROOT / "run.py", *arguments], self.environment, self.folder)


def llm_recipe(label: str, server: LlmServer, **keys: str) -> dict[str, Any]:
    return {"name": "triplet", "label": label, "provider": "openai", "model": "gpt-4o-mini", "base_url": server.openai, **keys}


@pytest.fixture(scope="module")
def trained(warm_python: WarmPython, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("retrain")
    home = folder / "home"
    home.mkdir()
    environment = {
        **os.environ,
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "ZENML_CONFIG_PATH": str(home / "zenml"),
        "ZENML_LOCAL_STORES_PATH": str(home / "zenml-stores"),
        "OPENAI_API_KEY": KEY,
    }
    (folder / ".env").write_text(f"OPENAI_API_KEY={FILE_KEY}\n")
    plant = f"from zenml.client import Client; Client().create_secret('planted', {{'key': '{SECRET_KEY}'}})"
    planted = warm_python.run(["-c", plant], environment, folder)
    assert planted.returncode == 0, planted.stderr
    write_docs(folder / "docs")
    (folder / "scratch").mkdir()
    config = write_config(folder / "config.yaml", bill=True)
    with LlmServer(key="") as server:
        settings = yaml.safe_load(config.read_text())
        recipes = [{"name": "rules"}, llm_recipe("one", server), llm_recipe("two", server, api_key_secret="planted.key")]
        config.write_text(yaml.safe_dump({**settings, "generation": {"recipes": recipes}}))
        arguments = ["--pipeline", "retrain", "--config", config, "--docs", "docs", "--out", "out"]
        own = {**environment, "TMPDIR": str(folder / "scratch")}
        done = warm_python.run([ROOT / "run.py", *arguments], own, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    metrics = json.loads((folder / "out" / "metrics.json").read_text())
    return Trained(home, folder, environment, done.stdout, done.stderr, metrics, warm_python)


# 1. The run.


def test_a_first_run_does_everything_and_leaves_what_it_promises(trained: Trained) -> None:
    metrics, out = trained.metrics, trained.folder / "out"
    assert "Traceback" not in trained.errors
    scratch = [path.name for path in (trained.folder / "scratch").iterdir()]
    assert [name for name in scratch if not name.startswith("torchinductor")] == []
    assert ran(trained.output) == STEPS
    assert trained.output.startswith("  retrain: documents, model and settings are in order. Starting ZenML ...\n")
    assert {"eval_sets", "training", "generation", "corpus", "verdict"} <= set(metrics)
    [generated] = metrics["eval_sets"].values()
    assert generated["kind"] == "generated"
    assert set(generated["arms"]) == {name for name, arm in ARMS.items() if not arm.needs_reranker}
    assert metrics["verdict"]["arm"] in generated["arms"] and metrics["verdict"]["next"]
    assert (out / "model" / "late" / "modules.json").is_file()
    assert {"value", "low", "high"} <= set(generated["arms"]["finetuned"]["ndcg@10"])
    assert (out / "report.html").read_text().lstrip().lower().startswith("<!doctype html>")
    assert (out / "model" / "model.safetensors").is_file()


# 2. The registry.


def test_versions_are_listed_promoted_exported_and_rolled_back(trained: Trained) -> None:
    listed = trained.command("models").stdout
    assert re.search(r"^1 +\d{4}-\d\d-\d\d", listed, re.M) and "12 documents" in listed
    arm = trained.metrics["verdict"]["arm"]
    value = trained.metrics["eval_sets"]["generated"]["arms"][arm]["ndcg@10"]["value"]
    assert f"{value:.3f} [" in listed

    if not re.search(r"^1 .* production$", listed, re.M):
        promoted = trained.command("models", "promote", "1", "--yes", "--why", "it is the first")
        assert promoted.returncode == 0, promoted.stderr
        assert "Promoted by hand" in " ".join(trained.command("models").stdout.split())
    assert trained.command("models", "promote", "1").returncode == 2
    refused = trained.command("models", "rollback")
    assert refused.returncode == 2 and "first version" in refused.stderr
    assert re.search(r"models demote [\w-]+:1`", refused.stderr)

    shown = trained.command("models", "show", "1").stdout
    assert "python run.py --pipeline retrain" in shown and "(sha256 53aa51172d14)" in shown
    opening = (trained.folder / "out" / "report.html").read_text().split("</header>")[0]
    assert "by run retrain-" in opening and re.search(r"<b>[\w-]+:1 → (?:staging|production|archived)\.</b>", opening)

    exported = trained.command("models", "export", "--to", "exported", "--dims", "128", "--precision", "int8")
    assert exported.returncode == 0, exported.stderr
    assert (trained.folder / "exported" / "model.safetensors").is_file()
    for directory in ("out/model", "exported"):
        card = (trained.folder / directory / "README.md").read_text()
        assert "model-index:" in card and "- Command: python run.py --pipeline retrain" in card and "- Decision: " in card
    late = trained.folder / "exported" / "late"
    assert json.loads((late / "settings.json").read_text())["dims"] == 128
    assert (late / "token_idf.json").is_file()
    again = trained.command("models", "export", "--to", "exported")
    assert again.returncode == 2 and "empty folder" in again.stderr
    unknown = trained.command("models", "compare", "1", "7")
    assert unknown.returncode == 2 and "no version '7'" in unknown.stderr


# 3. Questions.


def test_a_question_is_answered_by_both_models(trained: Trained) -> None:
    done = trained.command("ask", "how do I replace the pump?", "-k", "2")
    assert done.returncode == 0, done.stderr
    assert "base model (embedded)" in done.stdout and "The pump" in done.stdout and "cosine" in done.stdout


@pytest.fixture
def browser(chromium: Any) -> Iterator[Any]:
    """A page in a profile of its own."""
    context = chromium.new_context(viewport={"width": 1600, "height": 1100})
    yield context.new_page()
    context.close()


def test_the_page_answers_in_a_browser_and_runs_no_script(trained: Trained, browser: Any) -> None:
    port, errors = free_port(), trained.folder / "serve-errors"
    command = [ROOT / "run.py", "ask", "--serve", "--port", str(port)]
    with trained.warm.running(command, trained.environment, trained.folder, errors) as (server, output):
        assert any("Ask at" in line for line in output), errors.read_text()
        browser.goto(f"http://127.0.0.1:{port}/")
        browser.get_by_placeholder("how do I ...?").fill("how do I clean the <b>door</b>?")
        browser.get_by_role("button", name="Ask").click()
        for side in ("trained", "base"):
            found = browser.locator(f"#{side} li")
            found.first.wait_for(timeout=20_000)
            assert "door" in found.first.inner_text() and "cosine" in found.first.inner_text()
        assert browser.locator("b").count() == 0
        assert browser.get_by_placeholder("how do I ...?").input_value() == "how do I clean the <b>door</b>?"
        browser.screenshot(path=trained.folder / "ask.png")
        os.kill(server.pid, signal.SIGTERM)
        server.wait(30)


# 4. Lineage.


@pytest.fixture(scope="module")
def dashboard(trained: Trained) -> Iterator[str]:
    """The address of the last run's page on a dashboard of its own."""
    done = trained.command("dashboard", "--no-browser", "--port", str(free_port()))
    assert done.returncode == 0, done.stderr
    assert "no password" in done.stdout
    yield re.findall(r"http://127\.0\.0\.1:\S+/runs/\S+", done.stdout)[-1]
    stopped = trained.command("dashboard", "--stop")
    assert stopped.returncode == 0, stopped.stderr


def open_node(browser: Any, dashboard: str, name: str) -> None:
    """Opens a step or an artifact of the run as a person does: by its node in the graph."""
    browser.goto(dashboard)
    browser.get_by_text("load_chunks", exact=True).first.wait_for(timeout=60_000)
    browser.get_by_label("Fit view").click()
    browser.wait_for_timeout(1_000)
    browser.locator(".react-flow__node button").filter(has=browser.get_by_text(name, exact=True)).first.click()


def shown(browser: Any, dashboard: str, artifact: str) -> Any:
    """Opens an artifact of the run and returns its picture's frame."""
    open_node(browser, dashboard, artifact)
    browser.get_by_role("tab", name="Visualization").last.click()
    browser.get_by_text("Load Preview").click()
    return browser.frame_locator("iframe").locator("body")


def test_the_dashboard_shows_steps_samples_curves_and_the_report(trained: Trained, dashboard: str, browser: Any) -> None:
    asked, refused = set[str](), set[str]()
    browser.on("response", lambda answer: asked.add(urllib.parse.urlsplit(answer.url).hostname or "127.0.0.1"))
    browser.on("requestfailed", lambda request: refused.add(str(request.failure)) if "127.0.0.1" not in request.url else None)
    leaks = answers_with_a_key(browser)
    chunks = shown(browser, dashboard, "chunks")
    chunks.get_by_text("By source").wait_for(timeout=30_000)
    browser.screenshot(path=trained.folder / "chunks.png")
    nodes = " ".join(browser.locator(".react-flow__node").all_inner_texts())
    assert {"load_chunks", "train_model", "promote", "report", "model_history"} <= set(nodes.split())
    for artifact, words in (
        ("queries", "By style"),
        ("rejected_queries", "rows"),
        ("training_record", "n pairs"),
        ("metrics", "ndcg@10"),
        ("report", "Finetrieve report"),
        ("model_history", "Versions of"),
    ):
        shown(browser, dashboard, artifact).get_by_text(words).first.wait_for(timeout=30_000)
        browser.screenshot(path=trained.folder / f"{artifact}.png")
        assert not shows_a_key(browser), artifact
    assert leaks == []
    assert asked == {"127.0.0.1"} and refused <= {"csp"}


def api(dashboard: str) -> Callable[[str], str]:
    """Returns a reader of the dashboard's data, signed in as the dashboard itself signs in."""
    base = re.match(r"http://[^/]+", dashboard)
    assert base is not None
    form = urllib.request.Request(f"{base.group()}/api/v1/login", data=b"username=default&password=")
    token = json.loads(urllib.request.urlopen(form, timeout=30).read())["access_token"]

    def read(path: str) -> str:
        request = urllib.request.Request(f"{base.group()}/api/v1/{path}", headers={"Authorization": f"Bearer {token}"})
        return str(urllib.request.urlopen(request, timeout=60).read().decode())

    return read


def test_runs_and_artifacts_carry_what_one_filters_by(trained: Trained, dashboard: str) -> None:
    read = api(dashboard)
    run = json.loads(read(f"runs/{dashboard.rsplit('/', 1)[1]}"))
    facts = run["metadata"]["run_metadata"]
    expected = {
        "corpus",
        "documents",
        "chunks",
        "queries",
        "generator",
        "base_model",
        "ndcg_at_10",
        "verdict",
        "packages",
        "stage",
        "command",
        "run",
        "started",
        "base_revision",
    }
    assert expected <= set(facts)
    tags = {tag["name"] for tag in run["resources"]["tags"]}
    assert "purpose-retrain" in tags and any(tag.startswith("corpus-") for tag in tags)
    assert {tag.split("-")[0] for tag in tags} >= {"docs", "verdict", "stage"} and run["name"].startswith("retrain-")
    tagged = json.loads(read("artifact_versions?tag=purpose-retrain&size=100"))
    assert tagged["total"] >= 15


# 5. Keys.


def test_planted_keys_are_found_nowhere(trained: Trained, dashboard: str) -> None:
    # They were really used: two recipes wrote with them.
    assert {"one", "two"} <= set(trained.metrics["generation"]["recipes"])
    files = [path for place in (trained.home, trained.folder / "out") for path in place.rglob("*") if path.is_file()]
    assert [path for path in files if path.name != "zenml.db" and holds_a_key(path.read_bytes())] == []
    [store] = [path for path in files if path.name == "zenml.db"]
    assert not holds_a_key(without_the_vault(store, trained.folder / "copy.db"))
    assert not holds_a_key((trained.output + trained.errors).encode())
    read = api(dashboard)
    run = dashboard.rsplit("/", 1)[1]
    pages = [f"runs/{run}?hydrate=true", f"steps?pipeline_run_id={run}&hydrate=true&size=100", f"runs/{run}/logs?source=client"]
    pages += ["artifact_versions?hydrate=true&size=100", "model_versions?hydrate=true", f"runs/{run}/dag", "secrets"]
    assert [page for page in pages if holds_a_key(read(page).encode())] == []


def test_no_page_of_the_dashboard_shows_a_planted_key(trained: Trained, dashboard: str, browser: Any) -> None:
    leaks, start, run = answers_with_a_key(browser), dashboard.partition("/projects/")[0], dashboard.partition("?")[0]
    # 1. The pages that list things, each with a word that is there once it has loaded.
    for page, word in (
        (f"{start}/projects/default/pipelines", "retrain"),
        (f"{start}/projects/default/runs", "retrain-"),
        (f"{run}/logs", "generate_queries"),
        (f"{start}/stacks", "default"),
        (f"{start}/settings/secrets", "planted"),
    ):
        browser.goto(page)
        browser.get_by_text(word).first.wait_for(timeout=30_000)
        assert not shows_a_key(browser), page

    # 2. What the run and the step that used the keys say of themselves.
    open_node(browser, dashboard, "generate_queries")
    browser.get_by_text("Cache key").wait_for(timeout=30_000)
    for tab, word in (
        ("Code", "def generate_queries"),
        ("Logs", "logs"),
        ("Metadata", "metadata"),
        ("Configuration", "cache_func"),
    ):
        browser.get_by_role("tab", name=tab).last.click()
        browser.get_by_text(word).last.wait_for(timeout=30_000)
        assert not shows_a_key(browser), tab
    browser.screenshot(path=trained.folder / "step.png")
    assert leaks == []

    # 3. The secret's own page knows it, and does not show it unasked.
    browser.goto(f"{start}/settings/secrets")
    with browser.expect_response(lambda response: "/api/v1/secrets/" in response.url and response.ok, timeout=30_000) as known:
        browser.get_by_role("link", name="planted").first.click()
    assert holds_a_key(known.value.body())
    browser.get_by_text("key", exact=True).first.wait_for(timeout=30_000)
    assert not shows_a_key(browser)
    assert all("/api/v1/secrets/" in address for address in leaks)


def answers_with_a_key(browser: Any) -> list[str]:
    """Returns a list that gets the address of whatever holds a planted key, as the browser loads it."""
    found: list[str] = []

    def look(response: Any) -> None:
        if response.status == 200 and holds_a_key(response.body()):
            found.append(response.url)

    browser.on("requestfinished", lambda request: look(request.response()))
    return found


def shows_a_key(browser: Any) -> bool:
    """Whether a planted key is in the page as it is rendered, or in a frame of it."""
    return any(holds_a_key(frame.content().encode()) for frame in browser.frames)


def without_the_vault(store: Path, copy: Path) -> bytes:
    """Returns ZenML's database without the table in which it keeps its own secrets."""
    with contextlib.closing(sqlite3.connect(store)) as source, contextlib.closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        target.execute("DELETE FROM secret")
        target.commit()
        target.execute("VACUUM")
    return copy.read_bytes()


def holds_a_key(content: bytes) -> bool:
    """Whether a planted key is there, as it is or in base64."""
    forms = [form for key in PLANTED for form in (key.encode(), base64.b64encode(key.encode())[:-4])]
    return any(form in content for form in forms)


@pytest.mark.parametrize("number", [1, 2])
def test_a_notebook_reads_the_run_and_asks_both_models(trained: Trained, number: int) -> None:
    code = (
        "from tests.notebooks import NOTEBOOKS, executed\n"
        f"cells = [cell for cell in executed(NOTEBOOKS[{number - 1}]).cells if cell.cell_type == 'code']\n"
        "for cell in cells:\n"
        "    for output in cell.outputs:\n"
        "        print(output.get('text') or output['data']['text/plain'])"
    )
    done = trained.warm.run(["-c", code], {**trained.environment, "PYTHONPATH": str(ROOT)}, ROOT)
    assert done.returncode == 0, done.stderr
    shown = (
        ("chunks of 12 documents", "queries: {", "dropped: {", "answer, median", "cosine with the answer")
        if number == 1
        else (trained.metrics["verdict"]["sentence"], "bytes per chunk", "epoch", "direction", "base model (embedded)")
    )
    assert [words for words in shown if words not in done.stdout] == []


def test_the_model_in_production_is_loaded_by_the_public_api(trained: Trained) -> None:
    version = re.search(r"^(\S+:\d+) -> ", trained.output, flags=re.M)
    assert version is not None
    trained.command("models", "promote", version.group(1), "--yes")
    code = "from finetrieve import production_model; print(production_model().encode(['how do I start?']).shape)"
    environment = {**trained.environment, "PYTHONPATH": str(ROOT)}
    done = trained.warm.run(["-c", code], environment, trained.folder)
    assert done.stdout.splitlines()[-1:] == ["(1, 384)"], done.stderr
