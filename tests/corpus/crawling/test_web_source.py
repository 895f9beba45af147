"""The web source against a real HTTP server on this machine."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import ValidationError

from finetrieve.core.errors import InputError, UnreachableError
from finetrieve.core.rows import Skipped
from finetrieve.corpus.chunking import build_corpus
from finetrieve.corpus.crawling import fetching
from finetrieve.corpus.settings import ChunkSettings
from finetrieve.corpus.sources.registry import (
    check_source,
    fingerprint,
    reach_source,
    read_source,
    sample_texts,
    source_from_argument,
)
from finetrieve.corpus.sources.web import WebSource
from finetrieve.corpus.word_count import UNEXPLAINED
from finetrieve.retrieval.base_model import load_tokenizer
from tests.corpus.crawling.site import Headers, Page, Site


def source(site: Site, start: str = "/docs/", **changes: object) -> WebSource:
    return WebSource.model_validate({"start": site.address + start, "delay_seconds": 0, **changes})


def reasons(site: Site, settings: WebSource) -> dict[str, str]:
    return {item.source.removeprefix(site.address): item.reason for item in read_source(settings).skipped}


@pytest.fixture
def docs(site: Site) -> Site:
    site.page("/docs/", "Docs", "Start here and read on.", "start", "guide/stop.html#how", "/blog/", "https://other.example/x")
    site.page("/docs/start", "Start", "Run motor start to start the motor.", "../docs/", "guide/stop.html")
    site.page("/docs/guide/stop.html", "Stop", "Pull the red lever to stop the motor.", "../raw.md", "mailto:a@b.c")
    site.pages["/docs/raw.md"] = Page("# Raw\n\nWords of a *raw* page.\n", "text/plain")
    return site


# 1. Which pages are read.


def test_the_pages_below_a_start_page_are_read_with_their_addresses(docs: Site) -> None:
    read = read_source(source(docs))
    assert [(page.id, page.title, page.source.removeprefix(docs.address)) for page in read.documents] == [
        ("docs/", "Docs", "/docs/"),
        ("docs/guide/stop.html", "Stop", "/docs/guide/stop.html"),
        ("docs/raw.md", "Raw", "/docs/raw.md"),
        ("docs/start", "Start", "/docs/start"),
    ]
    assert "Words of a *raw* page." in read.documents[2].text
    assert not any("Acme footer" in page.text or "To ../docs/" in page.text for page in read.documents)
    assert read.words.read and not read.words.removed[UNEXPLAINED]
    assert read.version.startswith("visited 20")
    said = {item.source.removeprefix(docs.address): item.reason for item in read.skipped}
    assert said == {
        "/blog/": "outside of '/docs/', the part of the site that is read (path_prefix)",
        "other.example": "another host, whose pages are not read",
    }
    assert not docs.asked("/blog/")


def test_ids_fingerprint_and_samples_need_one_visit(docs: Site) -> None:
    settings = source(docs)
    ids = check_source(settings)
    asked = len(docs.requests)
    assert ids == [page.id for page in read_source(settings).documents]
    before = fingerprint(settings)
    assert before == fingerprint(settings) and len(sample_texts(settings, 2)) == 2
    assert len(docs.requests) == asked
    assert fingerprint(settings.model_copy(update={"txt_format": "markdown"})) != before


def test_lines_that_recur_on_the_pages_of_a_site_are_kept_once(docs: Site) -> None:
    for number in range(8):
        docs.pages[f"/docs/{number}.md"] = Page(
            f"# Page {number}\n\nWords of {number} alone, {number} times over.\n\nWas this page helpful?", "text/markdown"
        )
    docs.page("/docs/", "Docs", "Start here.", *(f"{number}.md" for number in range(8)))
    texts = [page.text for page in read_source(source(docs)).documents]
    assert sum("Was this page helpful?" in text for text in texts) == 1


@pytest.mark.parametrize(
    ("changes", "ids"),
    [
        ({"include": ["guide/"]}, ["docs/guide/stop.html"]),
        ({"exclude": ["*.html"]}, ["docs/", "docs/start"]),
        ({"path_prefix": "/docs/guide/", "start": "/docs/guide/stop.html"}, ["docs/guide/stop.html"]),
        ({"start": "/docs/guide/stop.html"}, ["docs/guide/stop.html"]),
        ({"start": "/docs/guide/stop.html", "path_prefix": "/"}, ["docs/guide/stop.html", "docs/raw.md"]),
    ],
)  # fmt: skip
def test_settings_choose_the_pages(docs: Site, changes: dict[str, object], ids: list[str]) -> None:
    start = str(changes.pop("start", "/docs/"))
    assert check_source(source(docs, start, **changes)) == ids


def test_no_more_addresses_are_asked_for_than_allowed(docs: Site) -> None:
    assert len(check_source(source(docs, max_pages=2))) == 2
    assert "over the limit of 2 pages (max_pages)" in reasons(docs, source(docs, max_pages=2)).values()


@pytest.mark.parametrize("packed", [False, True])
def test_a_sitemap_index_is_read_packed_or_not(docs: Site, packed: bool) -> None:
    inner = f"<?xml version='1.0'?><urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'><url><loc>{docs.address}/docs/start</loc></url><url><loc> {docs.address}/docs/raw.md </loc></url><url><loc>https://other.example/x</loc></url></urlset>"
    index = f"<sitemapindex xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'><sitemap><loc>{docs.address}/sub.xml.gz</loc></sitemap><sitemap><loc>/gone.xml</loc></sitemap></sitemapindex>"
    docs.pages["/sitemap.xml"] = Page(gzip.compress(index.encode()) if packed else index, "application/xml")
    docs.pages["/sub.xml.gz"] = Page(gzip.compress(inner.encode()), "application/gzip")
    settings = source(docs, "/sitemap.xml")
    assert check_source(settings) == ["docs/raw.md", "docs/start"]
    assert not docs.asked("/docs/guide/stop.html"), "links are not followed where the pages are listed"
    assert reasons(docs, settings) == {"https://other.example/x": "on another host", "/gone.xml": "answered 404 Not Found"}


def test_a_sitemap_that_would_unpack_to_much_or_expand_entities_is_safe(docs: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    entities = "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><urlset><url><loc>/docs/start&a;</loc></url></urlset>"
    docs.pages["/sitemap.xml"] = Page(entities, "application/xml")
    assert check_source(source(docs, "/sitemap.xml")) == ["docs/start"]
    monkeypatch.setattr("finetrieve.corpus.crawling.crawl.SITEMAP_BYTES", 10_000)
    index = "<sitemapindex><sitemap><loc>/bomb.xml.gz</loc></sitemap></sitemapindex>"
    docs.pages["/index.xml"] = Page(index, "application/xml")
    docs.pages["/bomb.xml.gz"] = Page(gzip.compress(b"<urlset>" + b" " * 1_000_000), "application/gzip")
    with pytest.raises(InputError, match="damaged, or too large when unpacked"):
        check_source(source(docs, "/index.xml"))
    docs.pages["/broken.xml"] = Page("<urlset><url>", "application/xml")
    with pytest.raises(InputError, match="is no well-formed XML"):
        check_source(source(docs, "/broken.xml"))


def test_addresses_with_a_query_are_read_only_when_asked_for(docs: Site) -> None:
    docs.page("/docs/", "Docs", "Start here.", "page?title=A", "page?title=B", "start?highlight=x")
    docs.page("/docs/page?title=A", "A", "Words of A.")
    docs.page("/docs/page?title=B", "B", "Words of B.")
    assert check_source(source(docs)) == ["docs/", "docs/guide/stop.html", "docs/raw.md", "docs/start"]
    assert reasons(docs, source(docs))["/docs/page?title=A"] == "an address with a '?' (set queries to read such)"
    assert "docs/page?title=B" in check_source(source(docs, queries=True))


# 2. What servers answer.


def test_robots_txt_is_heeded_with_wildcards_and_its_delay(docs: Site) -> None:
    docs.pages["/robots.txt"] = Page(
        "User-agent: other\nDisallow: /\n\nUser-agent: Finetrieve\nDisallow: /docs/*.html$\nCrawl-delay: 0.15\n", "text/plain"
    )
    said = reasons(docs, source(docs))
    assert said["/docs/guide/stop.html"] == "the site's robots.txt asks programs not to read it"
    assert not docs.asked("/docs/guide/stop.html")
    gaps = [later - earlier for earlier, later in zip(docs.times[1:], docs.times[2:], strict=False)]
    assert gaps and min(gaps) >= 0.14
    assert docs.headers["/docs/"]["user-agent"].startswith("finetrieve/")


def test_links_that_lead_ever_deeper_end(docs: Site) -> None:
    class Deeper(dict[str, object]):
        def get(self, path: str, default: object = None) -> object:
            body = "<h1>Deep</h1><p>A link in a circle.</p><a href='deep/'>Deeper</a>"
            return Page(body) if path.startswith("/docs/") else super().get(path, default)

    docs.pages = Deeper(docs.pages)  # type: ignore[assignment]
    settings = source(docs)
    assert check_source(settings) == ["docs/", "docs/deep/", "docs/deep/deep/", "docs/deep/deep/deep/"]
    assert reasons(docs, settings)["/docs/deep/deep/deep/deep/"] == "its path repeats itself, as links that lead in circles do"


def test_a_contact_is_told_to_the_site(docs: Site) -> None:
    check_source(source(docs, contact="docs@acme.example"))
    assert docs.headers["/docs/"]["user-agent"].endswith("(reads documentation; docs@acme.example)")


def test_a_site_that_forbids_its_start_or_cannot_say_is_not_read(docs: Site) -> None:
    docs.pages["/robots.txt"] = Page("User-agent: *\nDisallow: /docs/\n", "text/plain")
    with pytest.raises(InputError, match=r"robots\.txt of 127.0.0.1:.* asks programs not to read"):
        check_source(source(docs))
    docs.pages["/robots.txt"] = Page("", status=503)
    with pytest.raises(UnreachableError, match=r"answered 503 Service Unavailable for its robots\.txt"):
        check_source(source(docs))
    assert not docs.asked("/docs/")


def test_redirects_are_followed_on_the_host_and_refused_off_it(docs: Site) -> None:
    docs.pages["/docs"] = Page(status=301, headers={"Location": "/docs/"})
    docs.pages["/docs/old"] = Page(status=302, headers={"Location": "start"})
    docs.pages["/docs/away"] = Page(status=302, headers={"Location": "http://169.254.169.254/secret"})
    docs.pages["/docs/file"] = Page(status=302, headers={"Location": "file:///etc/passwd"})
    docs.pages["/docs/up"] = Page(status=302, headers={"Location": "/blog/"})
    docs.pages["/docs/circle"] = Page(status=302, headers={"Location": "/docs/circle"})
    docs.page("/docs/refresh.html", "Moved", "", head='<meta http-equiv="refresh" content="0; url=start">')
    docs.page("/docs/", "Docs", "Start here.", "old", "away", "file", "up", "circle", "refresh.html")
    settings = source(docs, "/docs")
    read = read_source(settings)
    assert [page.id for page in read.documents] == ["docs/", "docs/guide/stop.html", "docs/raw.md", "docs/start"]
    assert docs.asked("/docs/start") == 1
    said = {item.source.removeprefix(docs.address): item.reason for item in read.skipped}
    assert said == {
        "/docs/away": "sends on to another host, 169.254.169.254",
        "/docs/file": "sends on to another host, file:///etc/passwd",
        "/docs/up": "sends on to what is outside of '/docs/', the part of the site that is read (path_prefix)",
        "/docs/circle": "sends on to itself",
    }


def test_a_start_that_leads_to_another_host_is_refused(docs: Site) -> None:
    docs.pages["/docs/"] = Page(status=301, headers={"Location": "https://docs.other.example/"})
    with pytest.raises(InputError, match=r"sends on to 'https://docs\.other\.example/', on another host\. Give that address"):
        check_source(source(docs))


def test_each_page_that_is_not_read_has_a_reason_and_the_others_are(docs: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "FAILURES_IN_A_ROW", 50)
    bomb = gzip.compress(b"a" * 3_000_000)
    docs.pages |= {
        "/docs/broken": Page("oh", "text/plain", 500),
        "/docs/slow": Page("late", seconds=3),
        "/docs/drip": Page("d" * 200, drip=0.05),
        "/docs/huge": Page("<p>" + "x" * 2_000_000),
        "/docs/bomb": Page(bomb, headers={"Content-Encoding": "gzip"}),
        "/docs/br": Page("x", headers={"Content-Encoding": "br"}),
        "/docs/liar": Page("no gzip", headers={"Content-Encoding": "gzip"}),
        "/docs/binary": Page(b"\x00\x01" * 50),
        "/docs/pdf": Page("%PDF-1.4", "application/pdf"),
        "/docs/empty": Page("   "),
    }
    names = ["broken", "slow", "drip", "huge", "bomb", "br", "liar", "binary", "pdf", "empty", "gone", "logo.png", "start"]
    docs.page("/docs/", "Docs", "Start here.", *names)
    settings = source(docs, timeout_seconds=1, max_page_mb=1)
    said = {name.removeprefix("/docs/"): reason for name, reason in reasons(docs, settings).items()}
    assert said == {
        "broken": "answered 500 Internal Server Error",
        "slow": "did not arrive within 1 s (timeout_seconds)",
        "drip": "did not arrive within 1 s (timeout_seconds)",
        "huge": "over the limit of 1 MB (max_page_mb)",
        "bomb": "over the limit of 1 MB (max_page_mb)",
        "br": "packed as 'br', which was not asked for",
        "liar": "is no gzip data, as its header says",
        "binary": "holds binary data rather than text",
        "pdf": "application/pdf is no kind of page that is read",
        "empty": "the page is empty",
        "gone": "answered 404 Not Found",
        "logo.png": ".png is no page",
    }
    assert docs.asked("/docs/broken") == 3 and not docs.asked("/docs/logo.png")
    assert "docs/start" in check_source(settings)


def test_a_server_that_asks_for_a_pause_gets_it(docs: Site) -> None:
    told: list[float] = []

    def busy(headers: Headers) -> Page:
        told.append(time.monotonic())
        return Page("", status=429, headers={"Retry-After": "1"}) if len(told) == 1 else Page("<h1>Start</h1><p>Now it is here.")

    docs.pages["/docs/start"] = busy
    assert "docs/start" in check_source(source(docs))
    assert told[1] - told[0] >= 0.95


def test_a_server_that_asks_for_a_long_pause_ends_the_visit_which_goes_on_later(docs: Site) -> None:
    docs.pages["/docs/raw.md"] = Page("", status=429, headers={"Retry-After": "9000"})
    with pytest.raises(UnreachableError, match=r"answered 429 .*asks for a pause of 9,000 s"):
        check_source(source(docs))
    docs.pages["/docs/raw.md"] = Page("# Raw\n\nWords.", "text/markdown")
    assert len(check_source(source(docs))) == 4
    assert docs.asked("/docs/start") == 1, "what was fetched is not fetched again"


def test_without_an_answer_it_says_so_and_reads_what_it_has_from_before(docs: Site, caplog: pytest.LogCaptureFixture) -> None:
    settings = source(docs, refresh_hours=1e-9)
    ids = check_source(settings)
    docs.close()
    assert check_source(settings) == ids
    with pytest.raises(UnreachableError, match=r"does not answer: \[Errno 111\] Connection refused\. Check"):
        check_source(settings.model_copy(update={"max_pages": 7}))


# 3. Again, and after a kill.


def test_a_second_visit_asks_only_what_changed(docs: Site) -> None:
    def tagged(headers: Headers) -> Page:
        same = headers.get("if-none-match") == '"v1"'
        return Page(status=304) if same else Page("<h1>Start</h1><p>Words with a tag.", headers={"ETag": '"v1"'})

    def dated(headers: Headers) -> Page:
        day = "Mon, 02 Jan 2023 00:00:00 GMT"
        same = headers.get("if-modified-since") == day
        return Page(status=304) if same else Page("# Raw\n\nWords with a date.", "text/markdown", headers={"Last-Modified": day})

    docs.pages["/docs/start"], docs.pages["/docs/raw.md"] = tagged, dated
    settings = source(docs, refresh_hours=1e-9)
    texts = [page.text for page in read_source(settings).documents]
    before = fingerprint(settings)
    assert texts == [page.text for page in read_source(settings).documents]
    assert docs.headers["/docs/start"]["if-none-match"] == '"v1"'
    docs.page("/docs/guide/stop.html", "Stop", "Push the green lever instead.", "../raw.md")
    assert fingerprint(settings) != before
    assert any("green lever" in page.text for page in read_source(settings).documents)
    docs.pages["/docs/start"] = Page("gone", status=410)
    assert "docs/start" not in check_source(settings)


def test_a_page_that_fails_at_a_later_visit_is_read_as_it_was(docs: Site) -> None:
    settings = source(docs, refresh_hours=1e-9)
    assert "docs/start" in check_source(settings)
    docs.pages["/docs/start"] = Page("", status=503)
    assert "docs/start" in check_source(settings)


VISIT = (
    "import sys; from finetrieve.corpus.sources.web import WebSource; from finetrieve.corpus.sources.registry import check_source; "
    "print(check_source(WebSource(start=sys.argv[1], delay_seconds=0)))"
)


@pytest.mark.slow
def test_a_killed_visit_goes_on_where_it_was(docs: Site) -> None:
    names = [f"p{number}" for number in range(40)]
    docs.page("/docs/", "Docs", "Start here.", *names)
    for name in names:
        docs.page(f"/docs/{name}", name, f"Words of {name}.", seconds=0.03)
    started = [sys.executable, "-c", VISIT, docs.address + "/docs/"]
    for wanted in (10, 25):
        running = subprocess.Popen(started, env=dict(os.environ))
        while sum(docs.asked(f"/docs/{name}") for name in names) < wanted:
            assert running.poll() is None
            time.sleep(0.01)
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert len(check_source(source(docs))) == 41
    asked = [docs.asked(f"/docs/{name}") for name in names]
    assert min(asked) == 1 and sum(asked) <= 42, "only what was under way at a kill is asked for again"


def test_several_processes_at_once_visit_a_site_once(docs: Site) -> None:
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda _: check_source(source(docs)), range(3)))
    assert found == [found[0]] * 3
    assert docs.asked("/docs/start") == 1


# 4. Details.


def test_a_copy_under_another_address_is_read_once_and_a_page_that_differs_is_kept(docs: Site) -> None:
    canonical = f'<link rel="canonical" href="{docs.address}/docs/start">'
    docs.page("/docs/print", "Start", "Run motor start to start the motor.", "../docs/", "guide/stop.html", head=canonical)
    docs.page("/docs/other", "Other", "These words are its own.", head=canonical)
    docs.page("/docs/", "Docs", "Start here.", "start", "print", "other")
    settings = source(docs)
    assert {page.id for page in read_source(settings).documents} == {
        "docs/",
        "docs/start",
        "docs/other",
        "docs/guide/stop.html",
        "docs/raw.md",
    }
    assert (
        Skipped(f"{docs.address}/docs/print", "the same as the page that it names as its canonical address")
        in read_source(settings).skipped
    )


def test_the_charset_of_the_server_counts(docs: Site) -> None:
    docs.pages["/docs/start"] = Page(
        "<h1>開始</h1><p>モーターを始動します。</p>".encode("shift_jis"), "text/html; charset=Shift_JIS"
    )
    assert any("モーターを始動します。" in page.text for page in read_source(source(docs)).documents)


def test_a_single_page_hints_at_the_sitemap(docs: Site, capsys: pytest.CaptureFixture[str]) -> None:
    docs.page("/docs/", "Docs", "Drawn by scripts.")
    docs.pages["/robots.txt"] = Page(f"Sitemap: {docs.address}/all.xml\n", "text/plain")
    check_source(source(docs))
    assert f"perhaps {docs.address}/all.xml" in capsys.readouterr().out


def test_doctor_asks_for_the_start_only(docs: Site) -> None:
    assert reach_source(source(docs)) == []
    assert docs.requests == ["/robots.txt", "/docs/"]
    check_source(source(docs))
    asked = len(docs.requests)
    assert len(reach_source(source(docs))) == 4 and len(docs.requests) == asked
    with pytest.raises(InputError, match="answered 404"):
        reach_source(source(docs, "/nothing"))


def test_docs_takes_the_address_of_a_site(docs: Site) -> None:
    found = source_from_argument(f"{docs.address}/docs/")
    assert isinstance(found, WebSource) and found.start == f"{docs.address}/docs/"
    for address in ("file:///etc/passwd", "ftp://x/y"):
        with pytest.raises(InputError, match="Cannot read documents at"):
            source_from_argument(address)
    with pytest.raises(InputError, match="user name or password") as error:
        source_from_argument("https://ada:geheim@docs.acme.example/")
    assert "geheim" not in str(error.value) and "ada" not in str(error.value)


@pytest.mark.parametrize("start", ["file:///etc/passwd", "docs.acme.example", "https://", "http://[x", "https://a:b@c/"])
def test_a_start_that_is_no_address_is_refused(start: str) -> None:
    with pytest.raises(ValidationError):
        WebSource(start=start)


def test_the_words_of_a_site_are_all_accounted_for(docs: Site) -> None:
    read = read_source(source(docs))
    corpus, report = build_corpus(read, ChunkSettings(), load_tokenizer("embedded"))
    assert report.words and UNEXPLAINED not in report.words.removed
    assert report.version == read.version
    assert all(row.source.startswith(docs.address) for row in corpus.chunk_rows())


def test_a_site_that_dies_midway_is_not_read_as_a_small_one(docs: Site) -> None:
    names = [f"p{number}" for number in range(12)]
    docs.page("/docs/", "Docs", "Start here.", *names)
    for name in names[:3]:
        docs.page(f"/docs/{name}", name, f"Words of {name}.")
    for name in names[3:]:
        docs.pages[f"/docs/{name}"] = Page("", status=502)
    with pytest.raises(UnreachableError, match=r"does not answer for 5 pages in a row: answered 502 Bad Gateway"):
        check_source(source(docs))


def test_the_lock_of_a_host_is_free_again(docs: Site, tmp_path: Path) -> None:
    done = threading.Event()
    check_source(source(docs))
    threading.Thread(target=lambda: (check_source(source(docs, max_pages=9)), done.set()), daemon=True).start()
    assert done.wait(20)


# 5. llms.txt.


def test_the_pages_that_an_llms_txt_lists_are_read(docs: Site) -> None:
    docs.pages["/docs/start.md"] = Page("# Start\n\nRun `motor start`.\n\n[More](guide/stop.html)", "text/plain; charset=utf-8")
    docs.pages["/llms.txt"] = Page(
        f"# Acme\n\n> Motors.\n\n## Docs\n\n- [Start]({docs.address}/docs/start.md): how to start\n- [Raw](/docs/raw.md)\n"
        "- [Elsewhere](https://other.example/a.md)\n",
        "text/plain",
    )
    settings = source(docs, "/llms.txt")
    assert [page.id for page in read_source(settings).documents if page.id != "llms.txt"] == ["docs/raw.md", "docs/start.md"]
    assert not docs.asked("/docs/guide/stop.html"), "what listed pages link to is not followed"
    assert reasons(docs, settings)["https://other.example/a.md"] == "on another host"
    assert "Run `motor start`." in next(page.text for page in read_source(settings).documents if page.id == "docs/start.md")


def test_an_llms_full_txt_is_read_in_its_pages(docs: Site) -> None:
    docs.pages["/llms-full.txt"] = Page(
        f"# Start\nSource: {docs.address}/docs/start\n\nRun it.\n\n# Stop\nSource: {docs.address}/docs/stop\n\nStop it.\n",
        "text/plain",
    )
    settings = source(docs, "/llms-full.txt")
    read = read_source(settings)
    assert [(page.id, page.title, page.source) for page in read.documents] == [
        ("llms-full.txt#start", "Start", f"{docs.address}/docs/start"),
        ("llms-full.txt#stop", "Stop", f"{docs.address}/docs/stop"),
    ]
    assert check_source(settings) == [page.id for page in read.documents]
    assert not read.words.removed[UNEXPLAINED]
