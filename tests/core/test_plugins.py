"""Classes that a configuration names: ours, those of installed packages, and those of a file in the working directory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from finetrieve.core.code_hash import plugin_hash
from finetrieve.core.errors import InputError
from finetrieve.core.plugins import NamedSettings, Registry
from tests.installed_package import install_package

OURS = f"{__name__}:Round"
THEIRS = f"""
from {__name__} import Shape

class Square(Shape):
    description = "with corners"
    name: str = "square"
    side: int = 1
"""


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    description: ClassVar[str]
    name: str


class Round(Shape):
    description: ClassVar[str] = "without corners"
    name: Literal["round"] = "round"
    radius: int = 1


def shapes() -> Registry[Shape]:
    return Registry("shape", "finetrieve.shapes", Shape, [OURS])


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module in the working directory, which an installed package names in an entry point as well."""
    monkeypatch.chdir(tmp_path)
    entry_points = "[finetrieve.shapes]\nsquare = their_shapes:Square\nbroken = nowhere:Square\n"
    install_package(tmp_path, monkeypatch, entry_points, their_shapes=THEIRS)
    return tmp_path / "their_shapes.py"


def test_a_class_is_found_by_its_own_name_by_an_entry_point_and_by_a_dotted_name(theirs: Path) -> None:
    assert shapes().get("round") is Round
    assert shapes().get("square").__name__ == "Square"
    assert shapes().get("their_shapes:Square") is shapes().get("square")
    assert shapes().names() == ["round", "broken", "square"]
    assert shapes().descriptions()["square"] == "with corners"
    assert "cannot be loaded (ModuleNotFoundError" in shapes().descriptions()["broken"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("rond", "Unknown shape 'rond'. Did you mean 'round'? Choose one of: broken, round, square."),
        ("their_shapes:Circle", "has no attribute 'Circle'"),
        ("their_shapes:THEIRS", "has no attribute"),
        ("pathlib:Path", "The shape 'pathlib:Path' is no subclass of"),
    ],
)
def test_a_name_that_is_none_says_what_is_wrong(theirs: Path, name: str, says: str) -> None:
    with pytest.raises(InputError, match=re.escape(says)):
        shapes().get(name)


def test_settings_are_validated_and_dumped_by_the_class_that_they_name(theirs: Path) -> None:
    class Drawing(BaseModel):
        shapes: list[Annotated[Shape, NamedSettings(shapes())]]

    raw = {"shapes": [{"name": "round", "radius": 2}, {"name": "square", "side": 3}, {"name": "their_shapes:Square", "side": 4}]}
    drawing = Drawing.model_validate(raw)
    assert drawing.model_dump() == drawing.model_dump(mode="json") == raw
    assert Drawing(shapes=drawing.shapes) == drawing
    with pytest.raises(ValidationError) as found:
        Drawing.model_validate({"shapes": [{"name": "square", "radius": 2}, {"name": "rond"}, {}]})
    assert [(error["type"], error["loc"]) for error in found.value.errors()] == [
        ("extra_forbidden", ("shapes", 0, "square", "radius")),
        ("union_tag_invalid", ("shapes", 1)),
        ("union_tag_not_found", ("shapes", 2)),
    ]


def test_the_source_of_a_class_that_is_not_ours_counts_for_cache_keys(theirs: Path) -> None:
    square = shapes().get("square")
    before = plugin_hash([square])
    assert before and plugin_hash([square, Registry]) == before
    theirs.write_text(THEIRS + "# another comment\n")
    assert plugin_hash([square]) != before
    assert plugin_hash([Registry]) == ""
