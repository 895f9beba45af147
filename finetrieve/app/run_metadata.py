"""Metadata that a run is recorded with: the git commit of the code, and what the person who started it asked for."""

from __future__ import annotations

import shlex
import subprocess
import sys

from finetrieve.core.paths import ROOT
from finetrieve.core.secrets import mask_secrets
from finetrieve.core.settings import Settings


class RunMetadata(Settings):
    """What is recorded with a run beside its settings and inputs."""

    commit: str = ""
    """The git commit of this project, with `+changes` where files differ from it; empty outside a repository."""
    command: str = ""
    """What was typed, without secrets; empty where no command line started the run."""
    promote_anyway: bool = False
    """The trained model goes into production whatever the promotion rule says."""


def code_commit() -> str:
    """Returns the short commit of this project's checkout, or an empty string."""
    commit = _git("rev-parse", "--short=12", "HEAD")
    return f"{commit}+changes" if commit and _git("status", "--porcelain", "--untracked-files=no") else commit


def typed_command() -> str:
    """Returns the command line of this process as one would type it again, its secrets masked."""
    return f"python run.py {shlex.join(map(mask_secrets, sys.argv[1:]))}"


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
