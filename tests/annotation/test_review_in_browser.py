"""A person reviews what we pushed, in a real browser, and the pull sees it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from finetrieve.annotation.client import Connection, Server, find_workspace
from finetrieve.annotation.dataset import dataset_url, ensure_dataset
from finetrieve.annotation.pull import pull
from finetrieve.annotation.push import push
from finetrieve.argilla_server import account
from finetrieve.core.rows import Annotation
from tests.annotation.rows import chunk
from tests.annotation.test_review_with_server import DIMENSIONS, NOBODY_LISTENS, records

pytestmark = pytest.mark.slow

HOSTILE = "<img src=http://192.0.2.1/pixel.png onerror=\"document.title='taken over'\"> ![x](http://192.0.2.1/y.png) cover {}"


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    found = chromium.new_page(viewport={"width": 1440, "height": 900})
    found.set_default_timeout(20_000)
    yield found
    found.close()


def sign_in(page: Any, server: Connection, home: Path) -> None:
    signed = account(home)
    page.goto(server.url)
    page.locator("input[type=text]").fill(signed.username)
    page.locator("input[type=password]").fill(signed.password)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{server.url}/")


def answering(page: Any) -> Any:
    """Waits for the answer that the next action sends."""
    return page.expect_response(lambda answer: "/responses" in answer.url and answer.request.method in ("POST", "PUT"))


def test_what_a_person_does_in_the_browser_is_what_the_pull_sees(page: Any, server: Connection, server_home: Path) -> None:
    # 1. Four records, the hostile one last: the link shows the most useful first.
    with Server(server) as found:
        workspace = find_workspace(found)
        dataset = ensure_dataset(found, workspace, "reviewed in a browser", DIMENSIONS, 1)
        rows = [*records([1], negative_query="how do I reach the valve"), *records([2, 3]), *records([4], text=HOSTILE)]
        ids = {row.external_id for row in rows}
        push(found, dataset, rows, ids, {row.chunk_id for row in rows}, NOBODY_LISTENS)
        url = dataset_url(found, dataset)

        sign_in(page, server, server_home)
        finished: list[str] = []
        page.on("requestfinished", lambda request: finished.append(request.url))
        page.on("request", lambda request: finished.append(request.url) if "192.0.2.1" in request.url else None)
        page.goto(url)

        # 2. The first is good as it is: two keys.
        page.get_by_text("Open cover 1 to reach it.").wait_for()
        page.locator("label", has_text="Good").wait_for()
        page.wait_for_timeout(500)
        page.keyboard.press("1")
        with answering(page):
            page.keyboard.press("Enter")

        # 3. The second is corrected, and brings two queries of the person's own.
        page.get_by_text("Open cover 2 to reach it.").wait_for()
        boxes = page.locator("[contenteditable=true]")
        boxes.nth(0).click()
        page.keyboard.press("Control+A")
        page.keyboard.type("part 2 is stuck")
        page.locator("label", has_text="Fixable").click()
        boxes.nth(1).click()
        page.keyboard.type("cover won't open")
        page.keyboard.press("Shift+Enter")
        page.keyboard.type("where is part 2")
        with answering(page):
            page.get_by_role("button", name="Submit").click()

        # 4. The third is not their subject.
        page.get_by_text("Open cover 3 to reach it.").wait_for()
        with answering(page):
            page.get_by_role("button", name="Discard").click()

        # 5. The fourth shows what it is, and does nothing.
        page.get_by_text("document.title='taken over'").wait_for()
        page.wait_for_timeout(500)
        assert page.title() != "taken over"
        assert [address for address in finished if "192.0.2.1" in address] == []

        pulled = {
            row.id if row.status != "human" else row.query: row
            for row in pull(found, workspace, dataset["name"], [chunk(f"c{n}") for n in (1, 2, 3, 4)], NOBODY_LISTENS).annotations
        }
    assert {name: (row.status, row.query) for name, row in pulled.items()} == {
        "t1": ("confirmed", "how do I reach part 1"),
        "t2": ("edited", "part 2 is stuck"),
        "t3": ("rejected", "how do I reach part 3"),
        "cover won't open": ("human", "cover won't open"),
        "where is part 2": ("human", "where is part 2"),
    }
    confirmed: Annotation = pulled["t1"]
    assert confirmed.negative_query == "how do I reach the valve"
