"""What is left of a Markdown page: its words and its code, without the site around them."""

from __future__ import annotations

import time

import pytest

from finetrieve.corpus.parsing.cleaning import clean_markdown, clean_row, readable_name
from finetrieve.corpus.parsing.prose import plain_words


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("See [the guide](guide.md) and [x][1].\n\n[1]: http://x.y", "See the guide and x."),
        ("A [wiki page](https://en.wikipedia.org/wiki/Foo_(bar) 'title').", "A wiki page."),
        ("Open https://example.com/a/b?utm=1#x now.", "Open example.com/a/b now."),
        ("[![build](https://img.shields.io/x.svg)](https://ci)\n\nText.", "Text."),
        ("![A diagram of how requests travel](x.png)", "A diagram of how requests travel"),
        ("![logo](x.png)\n\nText.", "Text."),
        (
            '<figure><img referrerpolicy="no-referrer" src="https://static.scarf.sh/a.png"><figcaption></figcaption></figure>\n\nEnd.',
            "End.",
        ),
        (
            '<figure><img src="https://static.scarf.sh/a.png" alt="ZenML Scarf"><figcaption><p>Stacks</p></figcaption></figure>',
            "Stacks",
        ),
        ('{% hint style="info" %}\nMind the gap.\n{% endhint %}', "Mind the gap."),
        ("Write `{% csrf_token %}` there. {% endtab %}", "Write `{% csrf_token %}` there."),
        ('{% tab title="Python" %}\nWords.\n{% endtab %}', "**Python**\n\nWords."),
        ("<!-- a comment\nover lines -->\nText.", "Text."),
        ("Set <NAME> to <your-token>.", "Set <NAME> to <your-token>."),
        ('<mark style="color:purple;">**Pro**</mark>**:** good', "**Pro:** good"),
        ("Press <kbd>Ctrl</kbd> and <b>wait</b>.", "Press Ctrl and **wait**."),
        ("Use `<b>` and `[x](y)` as they are.", "Use `<b>` and `[x](y)` as they are."),
        ("> [!NOTE]\n> Mind this.", "> Mind this."),
        (":::tip Careful\nDo it slowly.\n:::", "**Careful**\n\nDo it slowly."),
        ("<CodeGroup>\n\n```\nnpm\n```\n\n</CodeGroup>\n\nText.", "```\nnpm\n```\n\nText."),
        (
            "Give <App> a name.\n\n```\n<App>\n</App>\n```\n\nA <Key> and\n\n```\nx\n```\n\na <Value>.",
            "Give <App> a name.\n\n```\n<App>\n</App>\n```\n\nA <Key> and\n\n```\nx\n```\n\na <Value>.",
        ),
        ("import Tabs from '@theme/Tabs';\n\n<Tabs>\n\nText.\n\n</Tabs>", "Text."),
        ("[Home](/) > [Guide](/guide) > Page\n\nText.", "Text."),
        ("## Title {#anchor}\n\nText.", "## Title\n\nText."),
        ("## :rocket: ⭐ Start\n\nText.", "## Start\n\nText."),
        ("&lt;tag&gt; &amp; more", "<tag> & more"),
        ("a\n\n## Table of contents\n\n* [A](#a)\n* [B](#b)\n\n## A\n\nText.", "a\n\n## A\n\nText."),
        ("One paragraph over\ntwo lines.\n\n- an item\n  goes on", "One paragraph over two lines.\n\n- an item goes on"),
        ("<table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td>2</td></tr></table>", "| A | B |\n| --- | --- |\n| 1 | 2 |"),
        ('!!! note "Mind"\n    Indented words.\n\nAfter.', "**Mind**\n\nIndented words.\n\nAfter."),
    ],
)
def test_site_markup_goes_and_words_stay(raw: str, expected: str) -> None:
    assert clean_markdown(raw).text == expected


@pytest.mark.parametrize(
    "code",
    [
        "```python\n# not a heading\nx = [a](b)  # <b>\nprint('https://x.y/z?q=1')\n```",
        "```\n{% if x %}\nimport a from 'b'\n{% endif %}\n```",
        "~~~yaml\nkey: :rocket: # 1\n~~~",
        "1. Do\n\n   ```sh\n   curl https://x.y/z?q=1 | sh\n   ```",
    ],
)
def test_code_keeps_every_character(code: str) -> None:
    assert clean_markdown(f"Before.\n\n{code}\n\nAfter.").text == f"Before.\n\n{code}\n\nAfter."


def test_code_by_indentation_becomes_fenced() -> None:
    assert (
        clean_markdown("Run:\n\n    pip install x\n    pip list\n\nDone.").text
        == "Run:\n\n```\npip install x\npip list\n```\n\nDone."
    )


def test_drawn_tables_keep_the_words_of_their_cells() -> None:
    raw = (
        "┏━━━━━━━━━━┯━━━━━━━━━┓\n\n┃ PROPERTY │ VALUE   ┃\n\n┠──────────┼─────────┨\n\n┃ TYPE     │ 🔶 aws  ┃\n\n"
        "┃ ID       │ ad645002-0cd4-4d4f-ae20-499ce888a00a ┃\n\n┗━━━━━━━━━━┷━━━━━━━━━┛"
    )
    assert clean_row(raw).text == "PROPERTY | VALUE\nTYPE | 🔶 aws\nID"


@pytest.mark.parametrize(
    ("raw", "title", "text"),
    [
        (
            "---\ntitle: From the front\ndescription: What it is about.\n---\n\n# Heading\n\nText.",
            "From the front",
            "What it is about.",
        ),
        ("# ⭐ The `first` heading\n\nText.", "The first heading", "# The `first` heading"),
        ("+++\ntitle = 'Hugo'\n+++\nText.", "Hugo", "Text."),
        ("---\ntitle: [unclosed\n---\nText.", "[unclosed", "Text."),
        ("---\n\nA rule, no front matter.", "", "---"),
        ("```\n# comment\n```\n\nText.", "", "```"),
    ],
)
def test_title_comes_from_front_matter_then_heading(raw: str, title: str, text: str) -> None:
    page = clean_markdown(raw)
    assert (page.title, page.text.split("\n")[0]) == (title, text)


def test_a_page_of_links_is_a_table_of_contents() -> None:
    links = "\n".join(f"* [Chapter {number}](c{number}.md)" for number in range(12))
    assert clean_markdown(f"# Contents\n\n{links}").contents_only
    assert not clean_markdown(f"# Where to go\n\n{'Words that say something. ' * 9}\n\n{links}").contents_only


def test_hash_signs_in_plain_rows_are_comments() -> None:
    assert clean_row("# load the data\ndata = load()").text == "load the data\ndata = load()"


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("guide/setting-up_x.md", "Setting up x"),
        ("guide/README.md", "Guide"),
        ("01-install.rst", "Install"),
        ("https://docs.zenml.io/how-to/aws-service-connector", "Aws service connector"),
    ],
)
def test_names_become_readable_titles(name: str, title: str) -> None:
    assert readable_name(name) == title


def test_plain_words_of_a_heading() -> None:
    assert plain_words("**Bold** [link](x) `code_name` <a id='x'></a> {#y}") == "Bold link code_name"


@pytest.mark.parametrize(
    "hostile",
    [
        ">" * 20_000,
        "[" * 20_000,
        "![" * 20_000,
        pytest.param("<table>" * 5_000, marks=pytest.mark.slow),
        "<!--" * 20_000,
        "`" * 20_001,
        "`a" * 20_000,
        "{%" * 20_000,
        "- " * 5_000 + "x",
        "* a\n" * 10_000,
        "|a" * 20_000,
        "a " * 50_000,
        "**" * 20_000,
        "<" * 20_000,
        "::" * 20_000,
        "https://" * 10_000,
    ],
)
def test_hostile_text_neither_crashes_nor_hangs(hostile: str) -> None:
    start = time.process_time()
    clean_markdown(hostile)
    assert time.process_time() - start < 5
