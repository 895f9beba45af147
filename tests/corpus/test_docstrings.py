"""Docstrings of the three common styles, as Markdown."""

from __future__ import annotations

import pytest

from finetrieve.corpus.parsing.docstring_markup import inline_markup, rst_to_markdown
from finetrieve.corpus.parsing.docstrings import parse_docstring

NUMPY = """Cluster the rows.

    Read more in the :ref:`User Guide <k_means>`. It is fast.

    Parameters
    ----------
    n_clusters : int, default=8
        How many clusters
        to form.

        - `None` : one
    **kwargs : dict
        More.
    y : Ignored
        Not used, present for API consistency by convention.

    Returns
    -------
    self : object
        Fitted estimator.

    See Also
    --------
    Other : Not this.

    Examples
    --------
    >>> KMeans(2).fit([[1],
    ...               [2]])
    KMeans(n_clusters=2)
    """

GOOGLE = """Does a thing.

    Longer words.

    Args:
        name (str, optional): The name
            of it.
        other: The other.

    Returns:
        What came of it.

    Raises:
        ValueError: If it is wrong.
    """

SPHINX = """Does a thing.

    :param name: The name
        of it.
    :type name: str
    :param int other: The other.
    :returns: What came of it.
    :raises ValueError: If it is wrong.
    """


def test_numpydoc() -> None:
    docstring = parse_docstring(NUMPY)
    assert docstring.summary == "Cluster the rows."
    assert docstring.body.strip() == "It is fast."
    assert dict(docstring.sections) == {
        "Parameters": (
            "- **n_clusters** (int, default=8): How many clusters to form.\n  - `None` : one\n- ****kwargs** (dict): More."
        ),
        "Returns": "- **self** (object): Fitted estimator.",
        "Examples": "```python\nKMeans(2).fit([[1],\n              [2]])\n# KMeans(n_clusters=2)\n```",
    }


@pytest.mark.parametrize(("raw", "kind"), [(GOOGLE, " (str, optional)"), (SPHINX, " (str)")])
def test_google_and_sphinx(raw: str, kind: str) -> None:
    sections = dict(parse_docstring(raw).sections)
    other = " (int)" if kind == " (str)" else ""
    assert sections["Parameters"] == f"- **name**{kind}: The name of it.\n- **other**{other}: The other."
    assert sections["Returns"] == "- What came of it."
    assert sections["Raises"] == "- **ValueError**: If it is wrong."


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (":class:`~a.b.Thing` and :func:`x <a.b.x>`", "`Thing` and `x`"),
        ("``literal`` and `target <http://x.y>`_", "`literal` and target"),
        ("as in [1]_ or [Smith]_", "as in or"),
        (":term:`estimator` and :math:`x^2`", "estimator and x^2"),
        ("*args* stay, a_b stays", "*args* stay, a_b stays"),
    ],
)
def test_inline_markup(raw: str, expected: str) -> None:
    assert inline_markup(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Before.\n\n.. versionadded:: 1.0\n   Words.\n\nAfter.", "Before.\n\nAfter."),
        (".. note::\n    Mind this.", "Mind this."),
        ("Run::\n\n    x = 1\n\nDone.", "Run:\n\n```\nx = 1\n```\n\nDone."),
        (".. code-block:: bash\n\n    ls", "```bash\nls\n```"),
        (".. [1] A reference\n   over lines.\n\nWords.", "Words."),
        ("See :ref:`sphx_glr_auto_examples_x.py`. It works.", "It works."),
    ],
)
def test_directives(raw: str, expected: str) -> None:
    assert rst_to_markdown(raw).strip() == expected


@pytest.mark.parametrize(
    "raw", ["", "x", "Args:", "Parameters\n----------", ":param", ">>> 1", ".. note::", "```\nunclosed", "a\n-", "\n\n"]
)
def test_fragments_do_not_crash(raw: str) -> None:
    parse_docstring(raw)
