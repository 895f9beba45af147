"""HTML, reStructuredText and notebooks as Markdown."""

from __future__ import annotations

import json

import pytest

from finetrieve.corpus.parsing.formats import to_markdown

HTML = """<!DOCTYPE html><html><head><title>Install — Widgets 1.0 documentation</title><style>x{}</style></head><body>
<header><a href="/">Widgets</a></header><nav><ul><li>Home</li></ul></nav>
<main><h1>Install<a class="headerlink" href="#x">¶</a></h1><p>Run <code>pip install widgets</code> in a
<a href="/t">terminal</a>.</p><div class="highlight-python"><pre><span>x</span> = 1
y = 2</pre></div><table><tr><th>Option</th><th>Meaning</th></tr><tr><td>a</td><td>first</td></tr></table>
<script>alert(1)</script></main><aside>Ads</aside><footer>Copyright</footer></body></html>"""

RST = """
==========
Installing
==========

.. toctree::
   a

Use :ref:`the guide <guide>` and :class:`~pkg.mod.Thing`; see `link <http://x.y>`_ and :unknown:`what it says`.

.. note:: Be careful.

.. code-block:: python
   :linenos:

   x = 1

.. include:: /etc/passwd

.. raw:: html

   <b>raw</b>

.. py:function:: spam(a)

   Does spam.

.. mystery:: with words
   :option: x

   And content.

Sub
---

Literally::

    $ run
"""


def test_html_keeps_main_content_code_and_tables() -> None:
    page = to_markdown(HTML, "html")
    assert page.title == "Install"
    assert page.text == (
        "# Install\n\nRun `pip install widgets` in a terminal.\n\n```python\nx = 1\ny = 2\n```\n\n"
        "| Option | Meaning |\n| --- | --- |\n| a | first |"
    )


def test_html_without_heading_takes_its_title_without_the_site() -> None:
    assert to_markdown("<title>Install — Widgets docs</title><p>Text.</p>", "html").title == "Install"


def test_restructuredtext_keeps_the_words_of_unknown_roles_and_directives() -> None:
    page = to_markdown(RST, "restructuredtext")
    assert page.title == "Installing"
    assert page.text == (
        "# Installing\n\nUse the guide and `Thing`; see link and `what it says`.\n\nBe careful.\n\n```python\nx = 1\n```\n\n"
        "`spam(a)`\n\nDoes spam.\n\nwith words\n\nAnd content.\n\n## Sub\n\nLiterally:\n\n```\n$ run\n```"
    )


def test_notebooks_keep_text_code_and_short_outputs() -> None:
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Title\n", "\n", "Text."]},
        {
            "cell_type": "code",
            "metadata": {},
            "execution_count": 1,
            "source": "1 + 1",
            "outputs": [
                {"output_type": "execute_result", "data": {"text/plain": "2"}, "metadata": {}, "execution_count": 1},
                {"output_type": "stream", "name": "stdout", "text": "x" * 5000},
            ],
        },
    ]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}
    page = to_markdown(json.dumps(notebook), "notebook")
    assert (page.title, page.text) == ("Title", "# Title\n\nText.\n\n```python\n1 + 1\n```\n\n```\n2\n```")


@pytest.mark.parametrize("text", ["not json", "[1, 2]", "{}", '{"cells": 3, "nbformat": 4, "nbformat_minor": 0}'])
def test_what_is_no_notebook_raises(text: str) -> None:
    with pytest.raises(Exception, match=r".+"):
        to_markdown(text, "notebook")


@pytest.mark.parametrize("kind", ["html", "restructuredtext", "markdown", "text"])
@pytest.mark.parametrize(
    "text", ["<div>" * 3000 + "words", '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><p>&e;words</p>', "\x01words"]
)
def test_hostile_pages_give_text_or_an_error_and_read_no_file(kind: str, text: str) -> None:
    try:
        page = to_markdown(text, kind)
    except (ValueError, RecursionError):
        return
    assert "root:" not in page.text
