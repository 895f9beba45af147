"""The package source: public names as users import them, parsed without importing anything."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from finetrieve.core.errors import InputError
from finetrieve.corpus.sources.package import PackageSource
from finetrieve.corpus.sources.registry import check_source, fingerprint, read_source

FILES = {
    "__init__.py": '"""A package that nobody imports who reads its documentation."""\nraise RuntimeError("imported")\n',
    "_core.py": '''
class Engine:
    """Turn fuel into motion.

    Parameters
    ----------
    power : int
        In watts.
    """

    def __init__(self, power: int = 3) -> None: ...

    def start(self, gently=True):
        """Start the engine.

        Returns
        -------
        ok : bool
            Whether it runs.
        """

    def get_params(self, deep=True):
        """Get the parameters of it."""

    def _secret(self):
        """Nothing for users."""


def helper(x: int, *, y=2):
    """Help with everything there is."""


@deprecated("old")
def old():
    """Do it the old way."""
''',
    "parts/__init__.py": "from .._core import *\nfrom ._more import *\n__all__ = ['Engine', 'helper', 'old', 'extra']\n",
    "parts/_more.py": 'def extra():\n    """Do something extra for users."""\n',
    "parts/tests/test_x.py": 'def test_x():\n    """Test the x of it."""\n',
    "plain.py": '"""Tools that need no engine, described here at length."""\n\ndef tool():\n    """Use the tool."""\n',
    "broken.py": "def (:\n",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, content in FILES.items():
        path = tmp_path / "motorparts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "motorparts"


def test_public_names_are_documents_and_nothing_is_imported(package: str) -> None:
    source = PackageSource(package=package)
    read = read_source(source)
    names = [document.id for document in read.documents]
    assert names == [
        "motorparts",
        "motorparts.parts.Engine",
        "motorparts.parts.extra",
        "motorparts.parts.helper",
        "motorparts.plain",
        "motorparts.plain.tool",
    ]
    assert check_source(source) == names
    assert package not in sys.modules
    assert [item.source for item in read.skipped] == ["motorparts.broken"]


def test_a_class_has_signature_parameters_and_methods(package: str) -> None:
    read = read_source(PackageSource(package=package, include=["motorparts.parts.Engine"]))
    (document,) = read.documents
    assert document.text == (
        "Turn fuel into motion.\n\n```python\nmotorparts.parts.Engine(power=3)\n```\n\n"
        "## Parameters\n\n- **power** (int): In watts.\n\n"
        "## start\n\nStart the engine.\n\n`start(gently=True)`\n\n**Returns**\n\n- **ok** (bool): Whether it runs."
    )


def test_sections_that_are_not_wanted_are_left_out(package: str) -> None:
    read = read_source(PackageSource(package=package, include=["motorparts.parts.Engine"], sections=["parameters"]))
    assert "In watts." in read.documents[0].text
    assert "Start the engine." not in read.documents[0].text


def test_include_and_exclude_are_dotted_names(package: str) -> None:
    assert check_source(PackageSource(package=package, include=["motorparts.plain"])) == [
        "motorparts.plain",
        "motorparts.plain.tool",
    ]
    assert check_source(PackageSource(package="motorparts.parts", exclude=["motorparts.parts.extra"])) == [
        "motorparts.parts.Engine",
        "motorparts.parts.helper",
    ]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"package": "motorpart"}, "No installed package 'motorpart'"),
        ({"package": "scikit-learn"}, "is imported as 'sklearn'"),
        ({"package": "motorparts", "include": ["motorparts.plian"]}, "Did you mean 'motorparts.plain'"),
        ({"package": "sys"}, "No installed package|without Python source"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(package: str, settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_source(PackageSource.model_validate(settings))


def test_fingerprint_follows_the_source(package: str, tmp_path: Path) -> None:
    source = PackageSource(package=package)
    before = fingerprint(source)
    (tmp_path / package / "plain.py").write_text('"""Other words."""')
    assert fingerprint(source) != before


def test_the_demo_corpus_names_objects_as_users_import_them() -> None:
    names = check_source(PackageSource(package="sklearn", include=["sklearn.cluster", "sklearn.pipeline"]))
    assert {"sklearn.cluster.KMeans", "sklearn.cluster.DBSCAN", "sklearn.pipeline.make_pipeline"} <= set(names)
    assert not any("._" in name or ".tests" in name for name in names)


def test_fields_attributes_constants_and_the_initializer_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fieldparts.py").write_text('''
LIMIT = 30
"""How many sparks a plug gives per minute."""
SILENT = 1

@dataclass(frozen=True)
class Plug:
    """A spark plug."""

    gap: float = 0.7
    """Millimetres between the electrodes."""
    thread: str
    hidden_value: int = field(default=3, metadata={"x": 1})

class Options(BaseModel):
    retries: int = Field(default=4, description="Attempts before giving up.")
    secret: str = Field(...)

class Colour(Enum):
    """Colours of cables."""
    RED = "red"

class Coil:
    def __init__(self, turns):
        """Wind the coil.

        The wire is cut first.

        Args:
            turns: Rounds of the wire.

        Note:
            Thin wire breaks.
        """
        self.turns = turns
        """Rounds that are on it now."""
        self.quiet = 1

    def __call__(self):
        """Let current flow through it."""
''')
    monkeypatch.syspath_prepend(str(tmp_path))
    texts = {document.id: document.text for document in read_source(PackageSource(package="fieldparts")).documents}
    assert "- **LIMIT** = `30`: How many sparks a plug gives per minute." in texts["fieldparts"]
    assert "SILENT" not in texts["fieldparts"]
    plug = texts["fieldparts.Plug"]
    assert "- **gap** (float) = `0.7`: Millimetres between the electrodes." in plug
    assert "- **thread** (str)" in plug and "- **hidden_value** (int) = `3`" in plug
    assert "- **retries** (int) = `4`: Attempts before giving up." in texts["fieldparts.Options"]
    assert "- **secret** (str)" in texts["fieldparts.Options"]
    assert "- **RED** = `'red'`" in texts["fieldparts.Colour"]
    coil = texts["fieldparts.Coil"]
    for words in (
        "Wind the coil.",
        "The wire is cut first.",
        "Rounds of the wire.",
        "Thin wire breaks.",
        "Rounds that are on it now.",
        "Let current flow",
    ):
        assert coil.count(words) == 1, words
    assert "quiet" not in coil
