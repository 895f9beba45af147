"""Plug-ins: the classes that a configuration can name, found by short name, entry point or dotted name `package.module:Class`."""

from __future__ import annotations

import functools
import importlib
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from pydantic.annotated_handlers import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticKnownError, SchemaValidator, core_schema

from finetrieve.core.errors import InputError, unknown_name

Plugin = TypeVar("Plugin")


_DOTTED: JsonSchemaValue = {
    "type": "object",
    "description": "A class of one's own: `name` is its `package.module:Class`, the other keys are its settings.",
    "properties": {"name": {"type": "string", "pattern": "^[\\w.]+:\\w+$"}},
    "required": ["name"],
}


class Registry(Generic[Plugin]):
    """The classes of one kind. A class says its own name: in the default of its settings' field `name`, or as an attribute.

    Args:
        kind: As messages call it: `recipe`.
        group: Group of the entry points with which an installed package adds classes: `finetrieve.recipes`.
        base: What each class is a subclass of.
        built_in: `module:Class` of each class of ours. Their modules are imported to read the names: they import nothing heavy.
    """

    def __init__(self, kind: str, group: str, base: type[Plugin], built_in: Iterable[str]) -> None:
        self.kind, self.group, self.base, self._built_in = kind, group, base, tuple(built_in)

    def get(self, name: str) -> type[Plugin]:
        """Returns the class of a name.

        Raises:
            InputError: No class has the name, or it cannot be loaded.
        """
        if name in self._built_in_classes:
            return self._built_in_classes[name]
        if ":" in name:
            return self._load(name)
        if (entry := self._entry_points().get(name)) is not None:
            return self._load(entry)
        raise unknown_name(self.kind, name, self.names())

    def __contains__(self, name: object) -> bool:
        """Whether a name can be looked up; a dotted name always can."""
        return isinstance(name, str) and (name in self._built_in_classes or ":" in name or name in self._entry_points())

    def names(self) -> list[str]:
        """Returns the short names that exist, ours first; loads no class of an entry point."""
        return [*self._built_in_classes, *sorted(self._entry_points())]

    def classes(self) -> dict[str, type[Plugin]]:
        """Returns short name -> class.

        Raises:
            InputError: The class of an entry point cannot be loaded.
        """
        return {name: self.get(name) for name in self.names()}

    def descriptions(self) -> dict[str, str]:
        """Returns short name -> the class's one-line `description`; of an entry point that cannot be loaded, why."""
        return {name: self._description(name) for name in self.names()}

    def _description(self, name: str) -> str:
        try:
            return str(getattr(self.get(name), "description", ""))
        except InputError as error:
            return str(error)

    @functools.cached_property
    def _built_in_classes(self) -> dict[str, type[Plugin]]:
        return {plugin_name(found): found for found in map(self._load, self._built_in)}

    def _entry_points(self) -> dict[str, str]:
        return {entry.name: entry.value for entry in metadata.entry_points(group=self.group)}

    def _load(self, dotted: str) -> type[Plugin]:
        """Returns the class at `package.module:Class`; the working directory is looked in as well, as `python -m` does."""
        if (here := str(Path.cwd())) not in sys.path:
            sys.path.append(here)
        module, _, attribute = dotted.partition(":")
        try:
            found = getattr(importlib.import_module(module), attribute)
        except Exception as error:  # whatever a module of somebody else's raises while it is imported
            raise InputError(
                f"The {self.kind} '{dotted}' cannot be loaded ({type(error).__name__}: {error}). "
                "Expected package.module:Class of something that is installed or lies in the working directory."
            ) from error
        if not (isinstance(found, type) and issubclass(found, self.base)):
            raise InputError(f"The {self.kind} '{dotted}' is no subclass of {self.base.__module__}.{self.base.__name__}.")
        return found


def plugin_name(plugin: type) -> str:
    """Returns the short name that a class gives itself."""
    fields = getattr(plugin, "model_fields", {})
    return str(fields["name"].default if "name" in fields else cast(Any, plugin).name)


class NamedSettings:
    """Annotates a field of settings whose key `name` chooses the class: `Annotated[Recipe, NamedSettings(RECIPES)]`.

    The field is validated by the class that the registry has for the name, and dumped with all fields of that class. Errors carry
    the name in their location, as those of a tagged union do.
    """

    def __init__(self, registry: Registry[Any]) -> None:
        self.registry = registry

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Returns the schema of a value that is an instance already, or a mapping with a name."""
        return core_schema.no_info_before_validator_function(self._instance, core_schema.any_schema())

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Returns a JSON schema: one of the classes that exist here, or one by its dotted name with settings of its own."""
        known = [handler(found.__pydantic_core_schema__) for found in self.registry.classes().values()]
        return {"oneOf": [*known, _DOTTED]}

    def _instance(self, value: Any) -> Any:
        if isinstance(value, self.registry.base):
            return value
        if not isinstance(value, dict):
            raise PydanticKnownError("model_attributes_type")
        if "name" not in value:
            raise PydanticKnownError("union_tag_not_found", {"discriminator": "'name'"})
        name = value["name"]
        if name not in self.registry:
            expected = ", ".join(f"'{known}'" for known in self.registry.names())
            raise PydanticKnownError(
                "union_tag_invalid", {"discriminator": "'name'", "tag": str(name), "expected_tags": expected}
            )
        schema = self.registry.get(name).__pydantic_core_schema__
        return SchemaValidator(core_schema.tagged_union_schema({name: schema}, "name")).validate_python(value)
