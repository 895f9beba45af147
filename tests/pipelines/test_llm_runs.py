"""The command line with an LLM: what failed is asked for again although ZenML has the step in its cache."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.conftest import RunCommand, needs
from tests.fakes.llm import LlmServer
from tests.pipelines.test_retrain import THINGS, write_config, write_docs

pytestmark = needs("openai")
PAGES = 10


@pytest.mark.slow
def test_running_again_asks_for_what_failed_and_then_for_nothing(warm_command: RunCommand, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for number in range(PAGES):
        text = f"To lock drawer {number} of the cabinet, turn its key until it clicks. You can open drawer {number} with any spare key."
        (docs / f"{number}.md").write_text(f"# Drawer {number}\n\n{text}\n", encoding="utf-8")
    template = tmp_path / "ask.jinja2"
    template.write_text("{{ style_says }}\n\n{{ text }}\n", encoding="utf-8")
    with LlmServer(answers="quick", stubborn={"refusal": 0.4}) as server:
        recipe = {"name": "triplet", "provider": "openai", "model": "gpt-4o-mini", "base_url": server.openai, "asks": 1}
        config = tmp_path / "config.yaml"
        generation = {
            "recipes": [{**recipe, "template": template.name, "api_key_env": "LOOPBACK_KEY"}],
            "answers": str(tmp_path / "answers"),
            "max_failed_share": 0.9,
        }
        source = {"name": "folder", "path": str(docs)}
        plain = {"source": source, "chunks": {"min_tokens": 8}, "generation": generation, "filters": [{"name": "duplicates"}]}
        config.write_text(yaml.safe_dump(plain), encoding="utf-8")

        def run() -> tuple[str, dict[str, int]]:
            server.reset()
            done = warm_command("--pipeline", "generate", "--config", config, LOOPBACK_KEY=server.key)
            assert done.returncode == 0, done.stderr[-3000:]
            assert server.key not in done.stdout + done.stderr
            return done.stdout, {name: server.stats()[name] for name in ("requests", "answered")}

        said, first = run()
        failed = PAGES - first["answered"]
        assert first["requests"] == PAGES and 0 < failed < PAGES
        assert f"{failed} requests failed (refusal {failed}); running again asks only for those" in said
        server.configure(stubborn={})
        _, second = run()
        assert second == {"requests": failed, "answered": failed}
        _, third = run()
        assert third["requests"] == 0
        held = [path for path in tmp_path.rglob("*") if path.is_file() and server.key.encode() in path.read_bytes()]
        assert not held


@pytest.mark.slow(minutes=2)
@pytest.mark.usefixtures("scored_base")
def test_the_report_says_that_queries_written_like_those_of_a_log_are_nearer_to_them(
    warm_command: RunCommand, tmp_path: Path
) -> None:
    docs, config = write_docs(tmp_path / "docs"), write_config(tmp_path / "config.yaml", small=True)
    asked = tmp_path / "asked.txt"
    asked.write_text(
        "".join(f"{thing} {what}\n" for thing in THINGS for what in ("loud", "parts")) + "mail jane.doe@example.org\n"
    )
    with LlmServer(answers="quick") as server:
        recipe = {"name": "triplet", "provider": "openai", "model": "gpt-4o-mini", "base_url": server.openai}
        plain = yaml.safe_load(config.read_text())
        found = {}
        for name, examples in (("before", []), ("after", "query_logs")):
            plain["generation"] = {
                "recipes": [{**recipe, "api_key_env": "LOOPBACK_KEY", "examples": examples}],
                "answers": str(tmp_path / "answers"),
            }
            config.write_text(yaml.safe_dump(plain), encoding="utf-8")
            arguments = (
                "--pipeline",
                "retrain",
                "--config",
                config,
                "--docs",
                docs,
                "--queries",
                asked,
                "--out",
                tmp_path / name,
            )
            done = warm_command(*arguments, LOOPBACK_KEY=server.key)
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
            found[name] = json.loads((tmp_path / name / "metrics.json").read_text())["queries"]["differences"]
    before, after = found["before"], found["after"]
    assert before["real"] == after["real"] and after["real"]["words"] == 2
    assert before["generated"]["words"] > 6 and before["generated"]["questions"] == 1
    assert after["generated"]["words"] <= 3 and after["generated"]["keywords"] == 1
    assert after["nearest_generated"] > before["nearest_generated"]
    held = [path for path in tmp_path.rglob("*") if path.is_file() and path != asked and b"jane.doe" in path.read_bytes()]
    assert not held
