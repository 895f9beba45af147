"""The web UI of the embedded server in a real browser: what an annotator does in a morning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.annotation_server import Client, Json, all_records, make_dataset, make_records, push
from finetrieve.annotation.client import Connection
from tests.conftest import RunCommand

pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onerror=\"document.title='taken over'\"> <script>document.title='taken over'</script> ![](https://example.com/a.png)"


@pytest.fixture(scope="module")
def dataset(server: Connection) -> Json:
    """Returns 41 records: the most useful one speaks of a turtle, the one most like it too, in Chinese, and one is hostile."""
    client = Client(server.url, server.api_key)
    dataset = make_dataset(client, str(server.workspace), "browsed")
    records = make_records(41)
    for record, text in zip(records, ("a giant turtle", "一只巨大的乌龟", HOSTILE), strict=False):
        record["fields"]["chunk"] = text
    for record in records:
        record["metadata"]["usefulness"] = 0.5
    records[0]["metadata"]["usefulness"] = 1.0
    near = records[0]["vectors"]["chunk-vector"]
    records[1]["vectors"]["chunk-vector"] = [part * 0.9 for part in near]
    push(client, dataset, records)
    return dataset


@pytest.fixture
def page(chromium: Any, server: Connection, server_home: Path, command: RunCommand) -> Iterator[Any]:
    """Returns a page that is signed in with what the command prints."""
    printed = command("argilla", "url", "--home", server_home).stdout
    signed = dict(re.findall(r"(user name|password): +(\S+)", printed))
    page = chromium.new_page(viewport={"width": 1400, "height": 900})
    page.set_default_timeout(20_000)
    page.goto(server.url)
    page.locator("input[type=text]").fill(signed["user name"])
    page.locator("input[type=password]").fill(signed["password"])
    page.keyboard.press("Enter")
    page.wait_for_url(f"{server.url}/")
    yield page
    page.close()


def open_queue(page: Any, server: Connection, dataset: Json, **parameters: str) -> None:
    query = "&".join(f"{name}={value}" for name, value in parameters.items())
    page.goto(f"{server.url}/dataset/{dataset['id']}/annotation-mode?{query}")
    page.get_by_text("Find similar").first.wait_for()


def shown_total(page: Any) -> int:
    return int(page.locator("text=/^of [0-9]+$/").first.inner_text().removeprefix("of "))


def wait_for_total(page: Any, total: int) -> None:
    page.locator(f"text=/^of {total}$/").first.wait_for()


def response_of(server: Connection, dataset: Json, text: str) -> Json | None:
    records = all_records(Client(server.url, server.api_key), dataset)
    [record] = [record for record in records if text in record["fields"]["chunk"]]
    found: list[Json] = record["responses"]
    return found[0] if found else None


def test_find_similar_search_edit_the_suggestion_and_submit(page: Any, server: Connection, dataset: Json) -> None:
    open_queue(page, server, dataset)
    before = shown_total(page)
    page.get_by_text("a giant turtle").first.wait_for()  # the most useful one comes first

    page.get_by_text("Find similar").first.click()
    page.get_by_text("Find", exact=True).click()
    page.get_by_text("一只巨大的乌龟").first.wait_for()
    page.locator("[class*=similarity-score]", has_text="100").first.wait_for()
    page.locator("[class*=similarity-reference][class*=close]").click()
    wait_for_total(page, before)
    page.wait_for_load_state("networkidle")

    page.locator(".search-area__icon.--search").click()
    page.keyboard.type("turtle")
    page.keyboard.press("Enter")
    wait_for_total(page, 1)
    box = page.locator("[contenteditable]").first
    box.click()
    page.keyboard.press("Control+A")
    page.keyboard.type("how big do turtles get?")
    page.locator("label", has_text="fixable").click()
    with page.expect_response(lambda answer: "/responses" in answer.url and answer.request.method == "POST") as sent:
        page.get_by_role("button", name="Submit").click()
    assert sent.value.status == 201

    response = response_of(server, dataset, "a giant turtle")
    assert response is not None
    assert response["status"] == "submitted"
    assert {name: answer["value"] for name, answer in response["values"].items()} == {
        "query": "how big do turtles get?",
        "verdict": "fixable",
    }
    open_queue(page, server, dataset)
    wait_for_total(page, before - 1)


def test_filter_by_metadata_and_discard(page: Any, server: Connection, dataset: Json) -> None:
    records = list(all_records(Client(server.url, server.api_key), dataset))
    of_b = [record for record in records if record["metadata"]["recipe"] == "b" and not record["responses"]]
    open_queue(page, server, dataset)
    page.get_by_text("Filters").first.click()
    page.get_by_text("Metadata", exact=True).first.click()
    page.get_by_text("recipe").first.click()
    page.locator(".checkbox__label", has_text=re.compile(r"^\s*b\s*$")).click()
    wait_for_total(page, len(of_b))
    page.keyboard.press("Escape")
    with page.expect_response(lambda answer: "/responses" in answer.url and answer.request.method == "POST") as sent:
        page.get_by_role("button", name="Discard").click()
    assert sent.value.status == 201
    discarded = [record for record in all_records(Client(server.url, server.api_key), dataset) if record["responses"]]
    assert "b" in {record["metadata"]["recipe"] for record in discarded if record["responses"][0]["status"] == "discarded"}


def test_a_hostile_text_does_nothing_and_no_page_asks_another_host(page: Any, server: Connection, dataset: Json) -> None:
    answered: list[str] = []
    page.on("response", lambda answer: answered.append(answer.url))
    page.on("requestfinished", lambda request: answered.append(request.url))
    open_queue(page, server, dataset, search="onerror~all")
    wait_for_total(page, 1)
    page.wait_for_load_state("networkidle")
    assert page.title() != "taken over"
    assert [url for url in answered if not url.startswith((server.url, "data:", "blob:"))] == []
