"""The environment of the Argilla server: its pins clash with ZenML's, so it lives in a virtual environment of its own."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from finetrieve.core.errors import InputError
from finetrieve.core.failures import is_disk_full
from finetrieve.core.logging import get_logger
from finetrieve.core.paths import user_cache
from finetrieve.core.progress import reporter

logger = get_logger(__name__)

CONSTRAINTS = Path(__file__).with_name("constraints.txt")
SUPPORTED = ((3, 11), (3, 12))


def environment_path() -> Path:
    """Returns where the environment is: `FINETRIEVE_ARGILLA_ENV`, or a folder in the user's cache named after its content."""
    if named := os.environ.get("FINETRIEVE_ARGILLA_ENV"):
        return Path(named).expanduser()
    content = hashlib.sha256(CONSTRAINTS.read_bytes()).hexdigest()[:8]
    version = f"py{sys.version_info.major}{sys.version_info.minor}"
    return user_cache() / "finetrieve" / f"argilla-server-{version}-{content}"


def ensure_environment() -> Path:
    """Returns the interpreter of the server's environment, which is made on first use.

    A mark is written when the install is complete; without it the folder is made anew, so an install that was killed is
    redone. Callers at the same time wait for the first.

    Raises:
        InputError: This Python is not supported, or the packages cannot be fetched.
    """
    if sys.version_info[:2] not in SUPPORTED:
        raise InputError(
            f"The Argilla server needs CPython 3.11 or 3.12, and this is {sys.version.split()[0]}. "
            "Run Finetrieve with one of them, or name a server with ARGILLA_API_URL and ARGILLA_API_KEY."
        )
    path = environment_path()
    interpreter, mark = path / "bin" / "python", path / ".ready"
    if _is_ready(interpreter, mark):
        return interpreter
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_ready(interpreter, mark):
            _install(path, interpreter)
            mark.touch()
    return interpreter


def _is_ready(interpreter: Path, mark: Path) -> bool:
    # The interpreter is a link to one outside, which may be gone.
    return mark.exists() and interpreter.exists()


def _install(path: Path, interpreter: Path) -> None:
    logger.info(f"Making the Argilla server's environment in {path} (once; about 600 MB)")
    shutil.rmtree(path, ignore_errors=True)
    log = path.with_name(f"{path.name}.log")
    with log.open("wb") as handle:
        made = subprocess.run([sys.executable, "-m", "venv", str(path)], stdout=handle, stderr=subprocess.STDOUT, check=False)
    if made.returncode:
        raise InputError(f"Cannot make a virtual environment in {path}: {_first_error(log)} On Debian: apt install python3-venv.")
    if _pip(interpreter, log):
        raise InputError(explain_failure(path, log))


def explain_failure(path: Path, log: Path) -> str:
    """Returns the line for an install that failed: pip's first complaint, and what to do."""
    error = _first_error(log)
    if is_disk_full(error):
        return f"Cannot install the Argilla server: the disk with {path} is full. It needs about 700 MB; free some and try again."
    return (
        f"Cannot install the Argilla server: {error} It is fetched from PyPI once; check the network and run this again, or name "
        f"a server with ARGILLA_API_URL and ARGILLA_API_KEY. Everything pip said: {log}"
    )


def _pip(interpreter: Path, log: Path) -> int:
    """Returns pip's exit code; shows how many of the pinned packages it has fetched."""
    total = sum(1 for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines() if "==" in line)
    report, fetched = reporter("packages fetched"), 0
    command = [str(interpreter), "-m", "pip", "install", "--no-deps", "--no-input", "--disable-pip-version-check"]
    command += ["--progress-bar", "off", "--only-binary", ":all:", "--requirement", str(CONSTRAINTS)]
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    with (
        log.open("ab") as handle,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as pip,
    ):
        assert pip.stdout is not None
        try:
            for line in pip.stdout:
                handle.write(line)
                if line.startswith(b"Collecting "):
                    fetched += 1
                    report(fetched, total)
                elif line.startswith(b"Installing collected"):
                    report(total, total)
                    logger.info("Unpacking them")
        except BaseException:
            pip.terminate()
            raise
    return pip.returncode


def _first_error(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.startswith("ERROR")]
    return (lines[0] if lines else "pip failed.").removeprefix("ERROR: ")[:300]
