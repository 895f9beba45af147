"""Addresses of web pages: one form for each, and what belongs to the part of a site that is read."""

from __future__ import annotations

import pytest

from finetrieve.corpus.crawling.addresses import Scope, document_id, normalize, part_of_site, suffix_of


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("HTTPS://Docs.Acme.example:443/a/../b/./c#part", "https://docs.acme.example/b/c"),
        ("http://acme.example", "http://acme.example/"),
        ("http://acme.example:8080/%7euser/%c3%a4", "http://acme.example:8080/~user/%C3%A4"),
        ("/ä b?q=ö", "https://base.example/%C3%A4%20b?q=%C3%B6"),
        ("../x", "https://base.example/x"),
        ("?page=2", "https://base.example/docs/?page=2"),
        ("//other.example/x", "https://other.example/x"),
        (" start \n", "https://base.example/docs/start"),
        ("mailto:a@b.c", None),
        ("javascript:void(0)", None),
        ("file:///etc/passwd", None),
        ("https://ada:x@acme.example/", None),
        ("http://[::1", None),
        ("http://acme.example:port/", None),
        ("http://[::1]:8000/a", "http://[::1]:8000/a"),
    ],
)
def test_an_address_has_one_form(link: str, expected: str | None) -> None:
    assert normalize(link, "https://base.example/docs/") == expected
    if expected is not None:
        assert normalize(expected) == expected


@pytest.mark.parametrize(
    ("start", "part"),
    [
        ("https://a.example/", "/"),
        ("https://a.example/docs", "/docs/"),
        ("https://a.example/docs/", "/docs/"),
        ("https://a.example/docs/index.html", "/docs/"),
        ("https://a.example/en/6.0", "/en/6.0/"),
    ],
)
def test_the_part_of_a_site_lies_below_its_start(start: str, part: str) -> None:
    assert part_of_site(start) == part


def test_http_and_https_are_one_site_and_another_port_is_another() -> None:
    scope = Scope.of("https://a.example/docs/", "/docs/")
    assert scope.resolve("http://a.example/docs/x", "https://a.example/") == "https://a.example/docs/x"
    assert scope.objection("https://a.example/docs") == ""
    assert "outside of '/docs/'" in scope.objection("https://a.example/docs-old/x")
    assert scope.objection("https://a.example:8443/docs/x") == scope.objection("https://b.a.example/docs/x") == "on another host"


def test_names_of_pages_are_their_paths() -> None:
    assert document_id("https://a.example/") == "index.html"
    assert document_id("https://a.example/docs/%C3%A4%20b/?x=1") == "docs/ä b/?x=1"
    assert [suffix_of(f"https://a.example/{name}") for name in ("a.HTML", "v1.2", "a/b", "x.tar.gz")] == [".html", "", "", ".gz"]
