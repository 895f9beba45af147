"""What a machine lacks to run a configuration: one finding per part, each with its fix. Changes nothing, shows no secret."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
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

from finetrieve.app.config import DEFAULT_CONFIG, Config, load_config
from finetrieve.app.failures import explain
from finetrieve.core.errors import InputError
from finetrieve.core.paths import ROOT, user_cache
from finetrieve.generation.generation_state import response_cache_directory
from finetrieve.generation.llm.providers.base import PROVIDERS
from finetrieve.generation.recipes.base import Recipe
from finetrieve.own_data.settings import GradeSettings
from finetrieve.retrieval.base_model import hub_commit, resolve_base_model

_GB = 10**9
_NEEDED_GB = 2.0
"""A small corpus's artifacts, a model and its checkpoints."""
_SCARCE_GB = 10.0
_SECONDS = 3.0
_STORE_SECONDS = 15.0
_SKEW_SECONDS = 120.0
_MANY_TIMES = 20
"""The tokens of the default training: on two cores that is more than half an hour."""


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


def check_machine(config: Config) -> Iterator[Finding]:
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
        except Exception as error:  # whatever is broken, the other checks still say what they find
            text = str(error) if isinstance(error, InputError) else explain(error)
            yield Finding(check.__name__.strip("_").replace("_", " "), "FAIL", " ".join(text.split()))


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
    from finetrieve.corpus.sources.registry import reach_source

    count = len(reach_source(config.source))
    place = config.source.place
    return Finding("documents", "ok", f"{count:,} in {place}" if count else f"{place}, to be fetched")


def _base_model(config: Config) -> Finding:
    """Asks the Hub for what is not on this disk, as a run does."""
    wanted = {"training.base_model": config.training.base_model, "training.teacher": config.training.teacher}
    found = []
    for key, name in wanted.items():
        if name is None:
            continue
        try:
            fetched = None if isinstance(resolve_base_model(name), Path) else hub_commit(name)
        except InputError as error:
            instead = "; 'embedded' comes with the installation" if key == "training.base_model" else ""
            return Finding("base model", "FAIL", str(error), f"give {key} a directory or a model that the Hub has{instead}")
        where = "" if fetched is None else ", as the cache has it: the Hub does not answer" if fetched[1] else ", on the Hub"
        found.append(f"'{name}'{where}")
    return Finding("base model", "ok", "; ".join(found))


def _providers(config: Config) -> Finding:
    grading = [item.grades for item in config.query_logs if item.grades is not None]
    used: list[Recipe | GradeSettings] = [*(recipe for recipe in config.generation.recipes if recipe.asks_llm), *grading]
    for asker in used:
        asker.check_requirements()
    variables = {provider.key_env for provider in PROVIDERS.classes().values() if provider.key_env}
    present = sorted(name for name in variables if os.environ.get(name))
    keys = f"keys present: {', '.join(present)}" if present else "no provider key present"
    names = ", ".join(sorted({str(getattr(asker, "provider", asker.row_label)) for asker in used}))
    return Finding("providers", "ok", f"{names} ready; {keys}" if used else f"none needed, rules write the queries; {keys}")


def _disk(config: Config) -> Finding:
    store = os.environ.get("ZENML_LOCAL_STORES_PATH") or os.environ.get("ZENML_CONFIG_PATH") or Path.home() / ".config"
    places = {
        "XDG_CACHE_HOME": user_cache(),
        "ZENML_LOCAL_STORES_PATH": Path(store),
        "TMPDIR": Path(tempfile.gettempdir()),
        "generation.answers": response_cache_directory(config.generation),
    }
    for name, path in places.items():
        there = _existing_parent(path)
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            problem = "cannot be written to" if there.is_dir() else "is a file where a folder is needed"
            return Finding("disk", "FAIL", f"'{there}' {problem}", f"change that, or set {name} to a folder of yours")
    folders = [_existing_parent(path) for path in places.values()]
    free, place = min((shutil.disk_usage(folder).free / _GB, str(folder)) for folder in folders)
    text = f"{free:,.1f} GB free at {place}"
    if free < _NEEDED_GB:
        return Finding("disk", "FAIL", text, f"free some: a run wants {_NEEDED_GB:g} GB, larger corpora more")
    return Finding("disk", "note" if free < _SCARCE_GB else "ok", text)


def _existing_parent(path: Path) -> Path:
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
    skew = _clock_skew(server) if server.startswith("http") else None
    if skew is not None and abs(skew) > _SKEW_SECONDS:
        return Finding("clock", "FAIL", f"{shown}, {skew:+.0f} s from the ZenML server's", "set it: tokens depend on it")
    return Finding("clock", "ok", shown)


def torch_file() -> str:
    """Returns a file that was written when the environment was installed."""
    return str(metadata.distribution("torch").locate_file("torch/__init__.py"))


def _clock_skew(url: str) -> float | None:
    """Returns the seconds by which this clock is ahead of a server's, or None where it does not answer."""
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=_SECONDS) as answer:
            date = answer.headers.get("Date")
    except (OSError, ValueError):
        return None
    return time.time() - parsedate_to_datetime(date).timestamp() if date else None


def _argilla(config: Config) -> Finding:
    from finetrieve.annotation.client import Server, find_workspace
    from finetrieve.annotation.connection import named_server

    settings = config.reviewing
    if settings is None:
        return Finding("argilla", "ok", "not used by this configuration")
    connection = named_server(settings)
    if connection is None:
        return Finding("argilla", "ok", "the embedded server, started when it is needed")
    with Server(connection, retry_seconds=_SECONDS) as server:
        find_workspace(server)
    return Finding("argilla", "ok", f"{connection.url} answers and takes the key")


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
    threads = f"none; training runs on the processor, threads: {torch.get_num_threads()}"
    larger = _tokens_at_most(config) / _tokens_at_most(load_config(DEFAULT_CONFIG))
    if larger > _MANY_TIMES:
        text = f"{threads}; that is up to {larger:,.0f} times the tokens of configs/default.yaml, which trains for minutes there"
        return Finding("gpu", "note", text, "use a machine with a GPU, or lower training.max_steps, batch_size and max_tokens")
    return Finding("gpu", "ok", threads)


def _tokens_at_most(config: Config) -> int:
    """Returns how many tokens of chunks a training reads at most."""
    training = config.training
    return training.seeds * training.max_steps * training.batch_size * training.max_tokens


def _zenml(config: Config) -> Finding:  # noqa: ARG001
    from zenml.client import Client

    from finetrieve.app.remote.stacks import run_options

    try:
        client = Client()
        store, name = _without_password(client.zen_store.url), client.active_stack_model.name
        run_options()
    except InputError:
        raise
    except Exception as error:  # whatever the store's client raises: HTTP, SQL, authorization
        fix = "`zenml status` says which server is used, `zenml login URL` signs in"
        return Finding("zenml", "FAIL", f"the store does not answer ({type(error).__name__})", fix)
    problem, fix = _run_for(_STORE_SECONDS, _artifact_store_problem) or ("", "")
    if problem:
        return Finding("zenml", "FAIL", f"stack '{name}': {problem}", fix)
    return Finding("zenml", "ok", f"stack '{name}', store {store}")


def _run_for(seconds: float, look: Callable[[], tuple[str, str] | None]) -> tuple[str, str] | None:
    """Returns the problem and the fix that `look` finds, or that it takes too long: clients of object stores wait for minutes."""
    found: list[tuple[str, str] | None] = []
    looking = threading.Thread(target=lambda: found.append(look()), daemon=True)
    looking.start()
    looking.join(seconds)
    slow = f"the artifact store does not answer in {seconds:g} s"
    return found[0] if found else (slow, "look at its address and the network")


def _artifact_store_problem() -> tuple[str, str] | None:
    """Returns what is wrong with the active stack's artifact store and the fix, or None: it has what the last run put there."""
    from zenml.client import Client
    from zenml.enums import StackComponentType

    client = Client()
    try:
        kept = client.active_stack_model.components[StackComponentType.ARTIFACT_STORE][0]
        newest = client.list_artifact_versions(artifact_store_id=kept.id, sort_by="desc:created", size=1).items
        store = client.active_stack.artifact_store
        there = store.exists(newest[0].uri if newest else store.path)
    except Exception as error:  # whatever the store's client raises: network, credentials, a ZenML secret that is gone
        return f"the artifact store does not answer ({type(error).__name__})", "look at its address, its keys and the network"
    if there or not newest:
        return None
    gone = f"the artifact store {store.path} does not hold what the last run put there"
    return gone, "bring it back, or run with --no-cache, which makes everything anew"


def _without_password(url: str) -> str:
    """Returns a store's address without the password that a database's has."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "sqlite":
        return "on this disk"
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"
