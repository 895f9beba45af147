"""What a machine lacks to run a configuration: one finding per part, each with its fix. Changes nothing, shows no secret."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
import tomllib
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from pipelines.config import ROOT, Config
from steps.errors import InputError
from steps.generation.providers.registry import PROVIDERS, check_provider
from steps.generation.settings import TripletRecipe
from steps.retrieval.encoder import check_base_model

_GB = 10**9
_NEEDED_GB = 2.0
"""A small corpus's artifacts, a model and its checkpoints."""
_SCARCE_GB = 10.0
_SECONDS = 3.0
_SKEW_SECONDS = 120.0


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    part: str
    state: str
    """`ok`, `note` (works, with less) or `FAIL`."""
    text: str
    fix: str = ""

    def line(self, width: int) -> str:
        """Returns the finding as one line, its part padded to `width`."""
        return f"{self.state:4}  {self.part:{width}}  {self.text}{f' -> {self.fix}' if self.fix else ''}"


def findings(config: Config) -> Iterator[Finding]:
    """Yields what each check finds, as soon as it is known; the slow ones come last."""
    checks: list[Callable[[Config], Finding]] = [
        _python,
        _packages,
        _documents,
        _base_model,
        _providers,
        _disk,
        _clock,
        _argilla,
        _gpu,
        _zenml,
    ]
    for check in checks:
        try:
            yield check(config)
        except InputError as error:
            yield Finding(check.__name__.strip("_").replace("_", " "), "FAIL", " ".join(str(error).split()))


def _python(config: Config) -> Finding:  # noqa: ARG001  # every check has the same signature
    found = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] < (3, 13):
        return Finding("python", "ok", found)
    return Finding("python", "FAIL", f"{found}; 3.11 or 3.12 is needed", "install it and run make with PYTHON=python3.11")


def _packages(config: Config) -> Finding:  # noqa: ARG001
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wrong = [problem for line in project["dependencies"] if (problem := _problem(Requirement(line)))]
    if wrong:
        return Finding("packages", "FAIL", "; ".join(wrong), "pip install -c constraints.txt -e .")
    shown = ("zenml", "argilla", "distilabel", "sentence-transformers", "torch")
    return Finding("packages", "ok", ", ".join(f"{name} {metadata.version(name)}" for name in shown))


def _problem(wanted: Requirement) -> str:
    try:
        version = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return f"{wanted.name} is missing"
    return "" if wanted.specifier.contains(version, prereleases=True) else f"{wanted.name} {version} is not {wanted.specifier}"


def _documents(config: Config) -> Finding:
    from steps.chunks.sources import check_source, place

    count = len(check_source(config.source))
    return Finding(
        "documents", "ok", f"{count:,} in {place(config.source)}" if count else f"{place(config.source)}, to be fetched"
    )


def _base_model(config: Config) -> Finding:
    check_base_model(config.training.base_model)
    return Finding("base model", "ok", f"'{config.training.base_model}'")


def _providers(config: Config) -> Finding:
    used = [recipe for recipe in config.generation.recipes if isinstance(recipe, TripletRecipe)]
    for recipe in used:
        check_provider(recipe.provider, recipe.api_key_env, recipe.api_key_secret is not None, recipe.base_url is not None)
    variables = {provider.key_env for provider in PROVIDERS.values() if provider.key_env}
    present = sorted(name for name in variables if os.environ.get(name))
    keys = f"keys present: {', '.join(present)}" if present else "no provider key present"
    names = ", ".join(sorted({recipe.provider for recipe in used}))
    return Finding("providers", "ok", f"{names} ready; {keys}" if used else f"none needed, rules write the queries; {keys}")


def _disk(config: Config) -> Finding:  # noqa: ARG001
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    store = Path(os.environ.get("ZENML_LOCAL_STORES_PATH") or os.environ.get("ZENML_CONFIG_PATH") or Path.home() / ".config")
    places = {_existing(path) for path in (cache, store, Path(tempfile.gettempdir()))}
    closed = [str(path) for path in places if not os.access(path, os.W_OK | os.X_OK)]
    if closed:
        return Finding("disk", "FAIL", f"{', '.join(closed)} cannot be written to", "change its owner, or set XDG_CACHE_HOME")
    place, free = min(((path, shutil.disk_usage(path).free / _GB) for path in places), key=lambda item: item[1])
    text = f"{free:,.1f} GB free at {place}"
    if free < _NEEDED_GB:
        return Finding("disk", "FAIL", text, f"free some: a run wants {_NEEDED_GB:g} GB, larger corpora more")
    return Finding("disk", "note" if free < _SCARCE_GB else "ok", text)


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path


def _clock(config: Config) -> Finding:  # noqa: ARG001
    """A clock that is behind breaks TLS, tokens and schedules; installed files cannot be from the future."""
    now = time.time()
    newest = max(path.stat().st_mtime for path in (ROOT / "pyproject.toml", Path(torch_file())))
    shown = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    if newest - now > _SKEW_SECONDS:
        return Finding(
            "clock", "FAIL", f"{shown}, before the time of files on this disk", "set it, for example with chronyd or ntpd"
        )
    server = os.environ.get("ZENML_STORE_URL", "")
    skew = _skew(server) if server.startswith("http") else None
    if skew is not None and abs(skew) > _SKEW_SECONDS:
        return Finding("clock", "FAIL", f"{shown}, {skew:+.0f} s from the ZenML server's", "set it: tokens depend on it")
    return Finding("clock", "ok", shown)


def torch_file() -> str:
    """Returns a file that was written when the environment was installed."""
    return str(metadata.distribution("torch").locate_file("torch/__init__.py"))


def _skew(url: str) -> float | None:
    """Returns the seconds by which this clock is ahead of a server's, or None where it does not answer."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=_SECONDS) as answer:
            date = answer.headers.get("Date")
    except (OSError, ValueError):
        return None
    return time.time() - parsedate_to_datetime(date).timestamp() if date else None


def _argilla(config: Config) -> Finding:
    from steps.annotation.connection import url_of_environment

    settings = config.annotation
    url = (settings.url if settings is not None else None) or url_of_environment()
    if settings is None or not settings.enabled:
        return Finding("argilla", "ok", "not used by this configuration")
    if url is None:
        return Finding("argilla", "ok", "the embedded server, started when it is needed")
    host = urllib.parse.urlsplit(url).hostname
    try:
        urllib.request.urlopen(f"{url.rstrip('/')}/api/v1/status", timeout=_SECONDS).close()
    except urllib.error.HTTPError as error:
        return Finding("argilla", "FAIL", f"{host} answers {error.code}: no Argilla server", "check annotation.url")
    except (OSError, ValueError) as error:
        return Finding(
            "argilla", "FAIL", f"{host} does not answer ({type(error).__name__})", "check annotation.url and the network"
        )
    if not settings.secret and not os.environ.get(settings.api_key_env):
        return Finding("argilla", "FAIL", f"{host} answers; no key", f"set {settings.api_key_env}, or annotation.secret")
    return Finding("argilla", "ok", f"{host} answers; a key is present")


def _gpu(config: Config) -> Finding:
    import torch

    wanted = config.training.precision in ("bf16", "fp16")
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / _GB
        return Finding("gpu", "ok", f"{torch.cuda.get_device_name(0)}, {memory:.0f} GB")
    if torch.backends.mps.is_available():
        return Finding("gpu", "ok", "Apple GPU")
    if shutil.which("nvidia-smi"):
        fix = "pip install torch from https://download.pytorch.org/whl/cu128, or what fits the driver (`nvidia-smi`)"
        return Finding("gpu", "FAIL" if wanted else "note", f"there is one, but torch {torch.__version__} does not use it", fix)
    if wanted:
        return Finding("gpu", "FAIL", f"none, and training.precision is {config.training.precision}", "set it to auto")
    return Finding("gpu", "ok", f"none: training on {torch.get_num_threads()} CPU threads")


def _zenml(config: Config) -> Finding:  # noqa: ARG001
    from pipelines.session import quiet_zenml

    quiet_zenml()
    from zenml.client import Client

    from pipelines.stacks import run_options

    try:
        client = Client()
        store, name = _shown(client.zen_store.url), client.active_stack_model.name
        run_options()
    except InputError:
        raise
    except Exception as error:  # whatever the store's client raises: HTTP, SQL, authorization
        fix = "`zenml status` says which server is used, `zenml login URL` signs in"
        return Finding("zenml", "FAIL", f"the store does not answer ({type(error).__name__})", fix)
    return Finding("zenml", "ok", f"stack '{name}', store {store}")


def _shown(url: str) -> str:
    """Returns a store's address without the password that a database's has."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "sqlite":
        return "on this disk"
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"
