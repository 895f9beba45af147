"""No word lost: what stands in a page stands in its text, or a reason says why not; over pages that the tests make."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest
from tokenizers import Tokenizer

from finetrieve.core.rows import Document
from finetrieve.corpus.chunking import build_chunks
from finetrieve.corpus.parsing.cleaning import clean_plain, readable_name
from finetrieve.corpus.parsing.encoding import decode
from finetrieve.corpus.parsing.formats import to_markdown
from finetrieve.corpus.parsing.page import CleanPage
from finetrieve.corpus.parsing.recurring import drop_recurring_endings
from finetrieve.corpus.parsing.removal import Removal
from finetrieve.corpus.settings import ChunkSettings
from finetrieve.corpus.sources.pages import counted, documents_of_pages
from finetrieve.corpus.word_count import UNEXPLAINED, count_page, count_words
from finetrieve.corpus.word_count import words as words_in
from tests.corpus.made_up_words import Words


def assert_kept(text: str, kind: str, words: Words) -> str:
    page = to_markdown(text, kind)
    lost = [word for word in words.used if word not in f"{page.title} {page.text}"]
    assert not lost, f"lost {lost} of:\n{text}\nread as:\n{page.text}"
    assert unexplained(page) == []
    return page.text


def unexplained(page: CleanPage) -> list[str]:
    explained = "\n".join(removal.text for removal in page.removals)
    left = words_in(page.source) - words_in(f"{page.title}\n{page.text}") - words_in(explained)
    assert bool(left) == bool(count_page(page).removed[UNEXPLAINED])
    return sorted(left)


# 1. HTML: content in elements that often hold the site.

HTML_BLOCKS: list[Callable[[Words], str]] = [
    lambda w: f"<p>{w()}</p>",
    lambda w: f"<aside class='admonition warning'><p>{w()}</p></aside>",
    lambda w: f"<div role='tabpanel' hidden><p>{w()}</p><pre><code>{w(2)}</code></pre></div>",
    lambda w: f"<div class='panel' aria-hidden='true'><p>{w()}</p></div>",
    lambda w: f"<article><header><h2>{w(2)}</h2><p>{w()}</p></header><p>{w()}</p><footer>{w()}</footer></article>",
    lambda w: f"<details><summary>{w(3)}</summary><p>{w()}</p></details>",
    lambda w: f"<button aria-expanded='false'>{w(3)}</button><div hidden>{w()}</div>",
    lambda w: f"<div class='sidebar related'><p>{w()} <a href='/x'>{w(1)}</a></p></div>",
    lambda w: f"<form id='aspnetForm'><p>{w()}</p><div>{w()}</div></form>",
    lambda w: f"<nav><p>{w(8)} <a href='/y'>{w(1)}</a></p></nav>",
    lambda w: f"<dl><dt>{w(1)}</dt><dd><p>{w()}</p><p>{w()}</p></dd><dt>{w(1)}</dt><dd>{w()}</dd></dl>",
    lambda w: f"<table><tr><th>{w(1)}</th><th>{w(1)}</th></tr><tr><td>{w(1)}</td><td><p>{w(2)}</p><p>{w(2)}</p></td></tr></table>",
    lambda w: f"<figure><img src='a.png' alt='{w(3)}'><figcaption>{w()}</figcaption></figure>",
    lambda w: f"<ul><li>{w(2)}<ul><li>{w(2)}</li></ul></li><li><p>{w(2)}</p><pre>{w(2)}\n{w(2)}</pre></li></ul>",
    lambda w: f"<p>Set &lt;{w(1)}&gt; to <code>&lt;{w(1)}&gt;</code> as {w(1)}[{w(1)}][{w(1)}].</p>",
    lambda w: f"<section><h3>{w(2)}<br>{w(2)}</h3>{w()}</section>",
    lambda w: f"<h2>{w(2)}<p>{w()}</p></h2>",
    lambda w: f"<blockquote>{w()}<p>{w()}</p></blockquote>",
    lambda w: f"<footer>{w()}</footer>",
    lambda w: f"<span>{w()}</span><div><span>{w()}</span></div>",
    lambda w: f"<select><option>{w(1)}</option><option>{w(1)}</option></select>",
    lambda w: f"<noscript><p>{w(14)}</p></noscript>",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("frame", ["<main>{}</main>", "<div role='main'>{}</div>", "<main><article>{}</article></main>"])
def test_what_stands_in_the_main_content_of_html_stays(seed: int, frame: str) -> None:
    words = Words(seed)
    blocks = "".join(make(words) for make in random.Random(seed).sample(HTML_BLOCKS, 9))
    site = "<header><a href='/'>Acme</a></header><nav><a href='/a'>Guides</a><a href='/b'>News</a></nav>"
    page = f"<html><head><title>T</title></head><body>{site}{frame.format(f'<h1>{words(2)}</h1>{blocks}')}<footer>Legal</footer></body>"
    text = assert_kept(page, "html", words)
    assert not any(word in text for word in ("Acme", "Guides", "News", "Legal"))


@pytest.mark.parametrize(
    "make",
    [
        lambda w: "".join(f"<article><h2>{w(1)}</h2><p>{w(9)}</p></article>" for _ in range(3)),
        lambda w: f"<div role='main'><p>{w(20)}</p></div><div class='content'><p>{w(20)}</p></div>",
        lambda w: f"<header><h1>{w(2)}</h1><p>{w(6)}</p></header><section><p>{w()}</p></section>",
        lambda w: f"<main></main><div id='root'><h1>{w(2)}</h1><p>{w(4)}</p></div>",
    ],
)
def test_several_articles_and_a_second_part_beside_the_main_content_stay(make: Callable[[Words], str]) -> None:
    words = Words(1)
    assert_kept(make(words), "html", words)


def test_definitions_are_prose_and_code_is_code() -> None:
    page = to_markdown("<dl><dt class='sig'>push(<em>job</em>)</dt><dd><p>One.</p><p>Two.</p><pre>x = 1</pre></dd></dl>", "html")
    assert page.text == "`push(job)`\n\nOne.\n\nTwo.\n\n```\nx = 1\n```"


def test_marks_for_yes_and_no_differ() -> None:
    rows = "<tr><th>Plan</th><th>SSO</th></tr><tr><td>Free</td><td><i class='fa fa-times'></i></td></tr>"
    page = to_markdown(f"<table>{rows}<tr><td>Team</td><td><img src='y.svg' alt='yes'></td></tr></table>", "html")
    assert page.text.split("\n")[2:] == ["| Free | times |", "| Team | yes |"]
    drawn = to_markdown("| a | b |\n|---|---|\n| x | ✗ |\n| y | ✅ |", "markdown").text
    assert "| x | ✗ |" in drawn
    assert "| y | ✅ |" in drawn


def test_controls_of_code_blocks_and_links_within_the_page_go_with_a_reason() -> None:
    html = (
        "<main><h1>T<a class='headerlink' href='#t'>¶</a></h1><ul><li><a href='#a'>Alpha</a></li><li><a href='#b'>Beta</a></li></ul>"
        "<div><pre>run it</pre><button>Copy</button></div><p>Press <button>Copy</button> twice.</p></main>"
    )
    page = to_markdown(html, "html")
    assert page.text == "# T\n\n```\nrun it\n```\n\nPress Copy twice."
    assert {removal.reason for removal in page.removals} >= {
        "links to parts of the same page",
        "controls, such as the copy button of a code block",
    }
    assert count_page(page).removed[UNEXPLAINED] == 0


# 2. Markdown: what looks like markup, directives, and attributes of components.

MARKDOWN_BLOCKS: list[Callable[[Words], str]] = [
    lambda w: f"{w()}.[^{w(1)}]\n\n[^{w(1)}]: {w()}\n\n    {w()}",
    lambda w: f"[{w(1)}]: {w(3)}, {w()}.",
    lambda w: f"Set <{w(1)}> and &lt;{w(1)}&gt; for List<{w(1)}> in {w(1)}[{w(1)}][{w(1)}].",
    lambda w: f"## {w(2)}\n\n{w()}",
    lambda w: f"{w(2)}\n{w(2)}\n======\n\n{w()}",
    lambda w: f"!!! note \"{w(2)}\"\n    {w()}\n\n    - {w()}\n",
    lambda w: f"=== \"{w(1)}\"\n\n    {w()}\n",
    lambda w: f":::tip[{w(2)}]\n{w()}\n:::",
    lambda w: f"```{{note}} {w(2)}\n:class: tip\n\n{w()}\n\n- {w(2)}\n```",
    lambda w: f"```{{figure}} a.png\n:alt: {w(3)}\n\n{w()}\n```",
    lambda w: f"```{{list-table}} {w(2)}\n:header-rows: 1\n\n* - {w(1)}\n  - {w(1)}\n* - {w(2)}\n  - {w(2)}\n```",
    lambda w: f":::{{warning}}\n{w()}\n:::",
    lambda w: f"{w(1)}\n: {w()}\n\n    {w()}\n",
    lambda w: f"<TabItem value=\"x1\" label='{w(2)}'>\n\n{w()}\n\n</TabItem>",
    lambda w: f"<Card title=\"{w(2)}\" description=\"{w()}\" href=\"/q\" />",
    lambda w: f"<ParamField path=\"{w(1)}\" type=\"{w(1)}\" default=\"{w(1)}\" required>\n  {w()}\n</ParamField>",
    lambda w: f"<Note title={{<>Use <Code>{w(1)}</Code> with {w(1)}</>}}>{w()}</Note>",
    lambda w: f"<Tabs items={{['{w(1)}', '{w(1)}']}}>\n  <Tab>\n    {w()}\n  </Tab>\n</Tabs>",
    lambda w: f"<Install command=\"npm install {w(1)}\" />",
    lambda w: f"{{{{< tab \"{w(2)}\" >}}}}\n{w()}\n{{{{< /tab >}}}}",
    lambda w: f"{{{{< figure src=\"a.png\" caption=\"{w(3)}\" >}}}}",
    lambda w: f"{{% hint style=\"info\" %}}\n{w()}\n{{% endhint %}}",
    lambda w: f"{{% tab title=\"{w(2)}\" %}}\n{w()}\n{{% endtab %}}",
    lambda w: f"[[notes/page|{w(2)}]] and [[{w(1)}#{w(1)}]] and ![[a.png|{w(2)}]]",
    lambda w: f"> [!note] {w(2)}\n> {w()}",
    lambda w: f"<details><summary>{w(2)}</summary>\n\n{w()}\n\n</details>",
    lambda w: f"<table><tr><td>{w(1)}</td><td>{w(1)} **{w(1)}** [{w(1)}](x)</td></tr></table>",
    lambda w: f"```python title=\"{w(1)}\"\n# {w(2)}\n{w(2)} = '<b>'\n```",
    lambda w: f"1. {w(2)}\n   ```sh\n   # {w(2)}\n   ```\n2. {w(2)}",
    lambda w: f"- {w(1)}<br/>{w(1)}\n- Previous\n- {w(1)} ![{w(3)}](x.png)",
    lambda w: f"Press ☰ then `<{w(1)}>`.  \n{w(2)} :{w(1)}:",
    lambda w: f"    # {w(2)}\n    {w(2)}",
    lambda w: f"| {w(1)} | {w(1)} |\n|---|---|\n| `{w(1)}` | {w(2)}<br>{w(1)} |",
]  # fmt: skip


@pytest.mark.parametrize("seed", range(40))
def test_words_of_markdown_that_look_like_markup_stay(seed: int) -> None:
    words = Words(seed)
    blocks = [make(words) for make in random.Random(seed).sample(MARKDOWN_BLOCKS, 8)]
    assert_kept(f"# {words(2)}\n\n" + "\n\n".join(blocks) + f"\n\n{words()}\n", "markdown", words)


@pytest.mark.parametrize("make", MARKDOWN_BLOCKS)
def test_each_form_of_markdown_keeps_its_words(make: Callable[[Words], str]) -> None:
    words = Words(3)
    assert_kept(make(words), "markdown", words)


def test_only_code_becomes_code() -> None:
    text = to_markdown("```{note}\nWords of a note.\n```\n\n```{code-block} python\n:linenos:\n\nx = 1\n```", "markdown").text
    assert text == "Words of a note.\n\n```python\nx = 1\n```"


# 3. reStructuredText.

RST_BLOCKS: list[Callable[[Words], str]] = [
    lambda w: f".. csv-table:: {w(2)}\n   :header: \"{w(1)}\", \"{w(1)}\"\n\n   \"{w(1)}\", \"{w(2)}\"\n",
    lambda w: f".. figure:: a.png\n   :alt: {w(3)}\n\n   {w()}\n\n   {w()}\n",
    lambda w: f".. versionchanged:: 2.0\n   {w()}\n",
    lambda w: f".. deprecated:: 3.1 {w()}\n",
    lambda w: f".. only:: html\n\n   {w()}\n",
    lambda w: f".. autofunction:: acme.push\n   :noindex:\n\n   {w()}\n",
    lambda w: f".. glossary::\n\n   {w(1)}\n      {w()}\n\n      {w()}\n",
    lambda w: f".. option:: --{w(1)}\n\n   {w()}\n\n   {w()}\n",
    lambda w: f".. py:function:: push({w(1)})\n\n   {w()}\n\n   :param {w(1)}: {w()}\n   :returns: {w()}\n",
    lambda w: f"{w(1)} [#{w(1)}]_ goes.\n\n.. [#{w(1)}] {w()}\n",
    lambda w: f".. admonition:: {w(2)}\n\n   {w()}\n",
    lambda w: f".. list-table:: {w(2)}\n   :header-rows: 1\n\n   * - {w(1)}\n     - {w(1)}\n   * - {w(2)}\n     - {w(2)}\n",
    lambda w: f".. code-block:: python\n   :caption: {w(2)}\n\n   {w(2)} = 1\n",
    lambda w: f".. tab-set::\n\n   .. tab-item:: {w(1)}\n\n      {w()}\n",
    lambda w: f"See :ref:`{w(1)} <target>` and :class:`{w(1)}` with ``{w(1)}``.\n",
    lambda w: f".. unknownthing:: {w(2)}\n   :option: x\n\n   {w()}\n",
]  # fmt: skip


@pytest.mark.parametrize("make", RST_BLOCKS)
def test_each_directive_of_restructuredtext_keeps_its_words(make: Callable[[Words], str]) -> None:
    words = Words(5)
    body = make(words)
    title = words(2)
    page = to_markdown(f"{title}\n{'=' * len(title)}\n\n{words()}\n\n{body}\n\n{words()}\n", "restructuredtext")
    lost = [word for word in words.used if word not in page.text and f"#{word}]" not in body]
    assert not lost, f"lost {lost}:\n{page.text}"


# 4. A site: what recurs is found by comparing pages.


def site(make: Callable[[int, Words], str], kind: str, n_pages: int = 8) -> tuple[list[str], Words]:
    words = Words(7)
    pages = [(f"p{number}", kind, counted(to_markdown(make(number, words), kind))) for number in range(n_pages)]
    read = documents_of_pages(pages)
    assert read.words.removed[UNEXPLAINED] == 0
    return [document.text for document in read.documents], words


def test_lines_that_most_pages_end_with_stay_on_one_page_only() -> None:
    texts, words = site(
        lambda _, w: (
            f"# {w(2)}\n\n{w(12)}\n\n- Copy\n- Next\n\n{w(9)}\n\n[Edit this page](https://x.y)\n\nWas this page helpful?"
        ),
        "markdown",
    )
    assert sum("Was this page helpful?" in text for text in texts) == 1
    assert not any("Edit this page" in text for text in texts)
    assert all("- Copy\n- Next" in text for text in texts)
    assert all(any(word in text for text in texts) for word in words.used)


def test_rows_cut_out_of_a_site_end_without_its_links() -> None:
    def row(number: int) -> str:
        return f"Words of page {number} that say something.\n\nPreviousPage {number}\n\nNextTopic {number}\n\nLast updated 3 days ago"

    texts = [page.text for page in drop_recurring_endings([clean_plain(row(number)) for number in range(8)])]
    assert texts[0] == row(0)
    assert texts[7] == "Words of page 7 that say something."
    alone = [clean_plain(f"Text {number}.\n\nPreviousRelease is the branch of {number}") for number in range(8)]
    assert [page.text for page in drop_recurring_endings(alone)] == [page.text for page in alone]


@pytest.mark.parametrize(
    "line",
    [
        "*Last updated: 2023-0{}-24*",
        "Last updated on May {}, 2024 by {} Doe",
        "Zuletzt geändert: {}.3.2024",
        "Last updated {} days ago",
    ],
)
def test_lines_with_a_date_that_begin_alike_on_most_pages_stay_on_one_only(line: str) -> None:
    def page(number: int, words: Words) -> str:
        return f"# {words(2)}\n\n{words(12)} in May 2024.\n\nReleased in {2010 + number}: {words(3)}\n\n{words(9)}\n\n{line.format(number + 1, words(1))}"

    texts, _ = site(page, "markdown")
    start = line.strip("*").split("{")[0][:12]
    assert [number for number, text in enumerate(texts) if start in text] == [0]
    assert all(f"Released in {2010 + number}" in text for number, text in enumerate(texts))


def test_a_date_that_few_pages_have_stays() -> None:
    texts, _ = site(lambda number, w: f"# {w(2)}\n\n{w(12)}" + ("\n\nLast updated: 2023-01-02" if number < 3 else ""), "markdown")
    assert sum("Last updated" in text for text in texts) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**One registry** [**is replaced**](https://a.b)**. Please go.**", "registry is replaced"),
        ("**a** **b** and ****c****", "a b and"),
    ],
)
def test_bold_words_beside_one_another_stay_apart(text: str, expected: str) -> None:
    assert expected in " ".join(to_markdown(text, "markdown").text.replace("*", "").split())


@pytest.mark.parametrize("text", ["[" * 100_000, "![a" * 30_000, "[a](b" * 20_000])
def test_brackets_that_never_close_end_in_bounded_time(text: str) -> None:
    start = time.process_time()
    page = to_markdown(f"# T\n\n[A link](x) first.\n\n{text}\n\nLast words.", "markdown")
    assert "Last words." in page.text
    assert time.process_time() - start < 10


def test_a_long_address_that_says_a_word_twice_is_counted_word_by_word() -> None:
    page = to_markdown(
        "See [here](https://github.com/acme/one/blob/main/.github/workflows/two_three_four_five_six.yaml#L87-L99.", "markdown"
    )
    assert unexplained(page) == []


def test_pages_made_from_a_template_keep_what_they_share() -> None:
    texts, _ = site(lambda number, _: f"# Install on {number}\n\nDownload the package and restart the machine.", "markdown")
    assert all("Download the package" in text for text in texts)


GENERATORS = {
    "sphinx": "<div class='related' role='navigation'><h3>Navigation</h3><ul><li><a href='g'>index</a></li></ul></div><div class='document'>"
    "<div class='body' role='main'>{}</div><div class='sphinxsidebar' role='navigation'><h3><a href='i'>Table of Contents</a></h3>"
    "<ul><li><a href='#a'>Part</a></li></ul></div></div><div class='footer' role='contentinfo'>Created using Sphinx</div>",
    "mkdocs": "<header class='md-header'><nav><a href='.'>Acme</a></nav></header><div class='md-container'><main class='md-main'>"
    "<div class='md-sidebar'><nav class='md-nav'><ul><li><a href='a'>Home</a></li></ul></nav></div><div class='md-content'>"
    "<article class='md-content__inner'>{}</article></div></main><footer class='md-footer'>Made with Material</footer></div>",
    "docusaurus": "<div id='__docusaurus'><div class='skip'><a href='#c'>Skip to main content</a></div><nav class='navbar'><a href='/'>Acme</a>"
    "</nav><main><nav aria-label='Breadcrumbs'><ul><li><a href='/'>Home</a></li></ul></nav><article><div class='theme-doc-markdown'>{}</div>"
    "<footer><a href='https://x/edit/a.md'>Edit this page</a></footer></article><nav><a rel='next' href='n'>Next Setup</a></nav></main>"
    "<footer>Copyright Acme</footer></div>",
    "hugo": "<header><nav><a href='/'>Acme</a></nav></header><div class='row'><aside class='td-sidebar'><nav><ul><li><a href='a'>Docs</a></li>"
    "</ul></nav></aside><aside class='td-toc'><a href='https://x/edit'>Edit page</a></aside><main role='main'><div class='td-content'>{}"
    "</div></main></div><footer>Acme authors</footer>",
    "gitbook": "<div class='book'><div class='book-summary'><nav role='navigation'><ul><li><a href='a'>Introduction</a></li><li><a href='b'>"
    "Setup</a></li></ul></nav></div><div class='book-body'><div class='book-header' role='navigation'><a href='.'>Acme</a></div>"
    "<div class='page-wrapper'><div class='page-inner'><section class='markdown-section'>{}</section></div></div>"
    "<a class='navigation-next' href='b'>Next page</a></div></div>",
    "docutils": "<main>{}</main><footer><p>View document source. Generated by Docutils</p></footer>",
}  # fmt: skip


@pytest.mark.parametrize("generator", GENERATORS)
def test_pages_of_each_generator_keep_their_content_and_none_of_the_site(generator: str) -> None:
    def page(_: int, words: Words) -> str:
        content = f"<h1>{words(2)}</h1><p>{words(20)}</p><aside class='note'><p>{words(6)}</p></aside><pre>{words(3)}</pre>"
        return f"<html><head><title>T</title></head><body>{GENERATORS[generator].format(content)}</body></html>"

    texts, words = site(page, "html")
    assert all(any(word in text for text in texts) for word in words.used)
    chrome = [
        text for text in texts if any(word in text for word in ("Acme", "Sphinx", "Next page", "Edit", "Setup", "Docutils"))
    ]
    assert len(chrome) <= 1


# 5. Bytes, names and chunks.


@pytest.mark.parametrize("at", [0, 5, 40_000, 99_999])
def test_a_stray_byte_costs_one_character(at: int) -> None:
    text = "Die Größe der Überschrift läßt sich ändern. " * 2500
    data = text.encode()
    place = len(text[:at].encode())
    assert decode(data[:place] + b"\x92" + data[place:]) == f"{text[:at]}\ufffd{text[at:]}"


def test_bytes_of_another_encoding_are_still_read_as_such() -> None:
    text = "Die Größe läßt sich im Menü ändern und prüfen. " * 40
    assert decode(text.encode("cp1252")) == text
    assert decode("it’s".encode("cp1252")) == "it’s"


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("1.20.md", "1.20"),
        ("notes/v1.2.3.md", "V1.2.3"),
        ("2024-01-15-release.md", "2024-01-15 release"),
        ("404.html", "404"),
        ("03_set-up.md", "Set up"),
        ("2. install.md", "Install"),
    ],
)
def test_versions_and_dates_stay_whole_in_titles(name: str, title: str) -> None:
    assert readable_name(name) == title


@pytest.mark.parametrize("given", ["1.10", "0755", "1_000", "1e3", "No", "2024-01-15", "null"])
def test_a_title_in_front_matter_is_what_is_written(given: str) -> None:
    assert to_markdown(f"---\ntitle: {given}\n---\nWords.", "markdown").title == given


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Über uns\n--------\n\nWords.\n\n### Below\n\nMore.", "Über uns"),
        ("## One\n\nWords.\n\n## Two\n\nMore.", ""),
        ("Words first.\n\n## Part\n\nMore.", ""),
        ("<h1 align='center'>\n  Acme <br/> Gateway\n</h1>\n\nWords.", "Acme Gateway"),
        ("---\nTitle: Billing\n---\nWords.", "Billing"),
        ("---\ntitle: ~\n---\n# Real\n\nWords.", "Real"),
    ],
)
def test_the_title_is_the_heading_that_stands_above_all_others(text: str, title: str) -> None:
    assert to_markdown(text, "markdown").title == title


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("<main><h1>T</h1><p>Take x<sup>2</sup> of it.</p></main>", "html"),
        ("T\n=\n\nUse |sub| here.\n\n.. |sub| replace:: Acme\n", "restructuredtext"),
        ('# T\n\n{{< highlight go "linenos=table" >}}\nrun()\n{{< /highlight >}}', "markdown"),
    ],
)
def test_forms_that_are_written_anew_leave_no_word_without_a_reason(text: str, kind: str) -> None:
    assert unexplained(to_markdown(text, kind)) == []


def test_headings_without_a_body_are_found_in_a_chunk(tokenizer: Tokenizer) -> None:
    text = (
        "# FAQ\n\n## Can I pay?\n\nYes, from ten seats on.\n\n## Is it free for schools?\n\n## Data\n\nIn Europe.\n\n## Last one"
    )
    chunks = build_chunks([Document("d", "FAQ", text, "d")], ChunkSettings(), tokenizer).chunks
    said = " ".join(f"{chunk.section} {chunk.text}" for chunk in chunks)
    assert said.index("ten seats") < said.index("free for schools") < said.index("In Europe") < said.index("Last one")
    only = build_chunks([Document("d", "T", "# T\n\n## One\n\n### Two\n\n## Three", "d")], ChunkSettings(), tokenizer).chunks
    assert all(word in only[0].text for word in ("One", "Two", "Three"))


def test_every_word_read_is_in_a_chunk_or_has_a_reason(tokenizer: Tokenizer) -> None:
    words = Words(11)
    long = "\n\n".join(f"## {words(40)}\n\n{words(300)}\n\n### {words(3)}\n\n{words(5)}" for _ in range(3))
    sources = {"a": f"# {words(2)}\n\n{long}", "b": "# Same\n\nOne text that is said twice in two documents.", "c": "[x](y)"}
    sources["d"] = sources["b"]
    pages = [(name, "markdown", counted(to_markdown(text, "markdown"))) for name, text in sources.items()]
    read = documents_of_pages(pages)
    result = build_chunks(read.documents, ChunkSettings(), tokenizer, read.words)
    report = result.report.words
    assert UNEXPLAINED not in report.removed
    assert report.total == report.kept + sum(report.removed.values())
    assert report.removed["chunks that say the same as another, which stays"] == 9
    said = " ".join(f"{chunk.title} {chunk.section} {chunk.text}" for chunk in result.chunks)
    assert all(word in said for word in words.used)
    assert (
        result.report.words.lines()[0]
        == f"Words: {report.total:,} read, {report.kept:,} in chunks ({report.kept / report.total:.1%})"
    )


def test_a_word_that_goes_without_a_reason_is_seen() -> None:
    counts = count_words("one two two three", "two one", [Removal("a reason", "three")])
    assert (counts.read, counts.kept, dict(counts.removed)) == (4, 2, {"a reason": 1, UNEXPLAINED: 1})


# 6. Copies that are none.


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("60 requests", "600 requests"),
        ("on linux", "on windows"),
        ("is possible", "is not possible"),
        ("in C#", "in C"),
        ("✓", "✗"),
    ],
)
def test_texts_that_differ_in_one_fact_both_stay(left: str, right: str, tokenizer: Tokenizer) -> None:
    frame = "This plan allows {} for each key of the account and whatever is above is answered with an error and a header. " * 2
    documents = [Document(name, "Plan", frame.format(fact, fact), name) for name, fact in (("a", left), ("b", right))]
    report = build_chunks(documents, ChunkSettings(near_duplicate_threshold=0.5), tokenizer).report
    assert (report.duplicates.exact, report.duplicates.near) == (0, 0)


def test_equal_texts_under_different_titles_both_stay(tokenizer: Tokenizer) -> None:
    text = "Download the package, check its sum, run the installer and restart the machine."
    documents = [Document(name, f"Install on {name}", text, name) for name in ("Linux", "Windows")]
    assert {chunk.doc_id for chunk in build_chunks(documents, ChunkSettings(), tokenizer).chunks} == {"Linux", "Windows"}
