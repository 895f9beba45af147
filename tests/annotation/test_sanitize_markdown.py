from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from finetrieve.annotation.sanitize_markdown import sanitize_markdown

HOSTILE = [
    "<script>alert(1)</script>",
    "a <img src=http://evil/x.png onerror=alert(1)> b",
    "![pixel](http://evil/x.png)",
    "![pixel][ref]\n\n[ref]: http://evil/x.png",
    "\\`<img src=x>`",
    "`a\n`<img src=x>`",
    "| a |\n|---|\n| `x|<img src=y>` |",
    "<script>\n</script>\n    <img src=x>",
    "<div>\n\n    <img src=x>\n\n</div>",
    "<!-- \n\n```\n<img src=x>\n```\n-->",
    "```\nno end <img src=x>",
    "- item\n\n      <img src=x>",
    "> <iframe src=x></iframe>",
    "[x]: <http://a>\n<svg onload=alert(1)>",
    "<http://evil>",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_of_a_text_is_html_or_an_image(text: str) -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse(sanitize_markdown(text))
    kinds = {token.type for block in tokens for token in (block, *(block.children or ()))}
    assert not kinds & {"html_block", "html_inline", "image"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Use `List<int>` or <b>.", "<p>Use <code>List&lt;int&gt;</code> or &lt;b&gt;.</p>\n"),
        ("```python\nif a < b:\n    pass\n```", '<pre><code class="language-python">if a &lt; b:\n    pass\n</code></pre>\n'),
        ("Tom & **Jerry** 1 < 2", "<p>Tom &amp; <strong>Jerry</strong> 1 &lt; 2</p>\n"),
        ("日本語 🎉 مرحبا", "<p>日本語 🎉 مرحبا</p>\n"),
    ],
)
def test_it_reads_as_it_was_written(text: str, shown: str) -> None:
    assert MarkdownIt("commonmark").render(sanitize_markdown(text)) == shown


def test_what_turns_or_breaks_a_page_goes() -> None:
    assert sanitize_markdown("a\u202eb\x00c\ud800") == "ab\ufffdc?"
