"""The git command, which never asks anybody anything: what a ref means, and the files of one commit; errors in one line."""

from __future__ import annotations

import difflib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from finetrieve.core.errors import InputError, UnreachableError
from finetrieve.core.secrets import mask_logins, mask_secrets

LOOK_SECONDS = 60
"""For a question about refs."""
FETCH_SECONDS = 1800
COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_OPTIONS = (
    "core.hooksPath=/dev/null", "core.fsmonitor=false", "core.autocrlf=false", "advice.detachedHead=false", "gc.auto=0",
    "maintenance.auto=false", "http.lowSpeedLimit=1", "http.lowSpeedTime=30", "filter.lfs.smudge=", "filter.lfs.process=",
    "filter.lfs.required=false", "submodule.recurse=false", "init.defaultBranch=main",
)  # fmt: skip
_LOGIN = re.compile(
    r"authentication failed|could not read (?:username|password)|terminal prompts disabled|permission denied|"
    r"invalid (?:username|credentials)|error: 40[13]|host key verification failed|authentication required"
)
_NETWORK = re.compile(
    r"could ?n[o']t (?:resolve|connect)|connection (?:refused|reset|timed out|closed)|timed out|network is unreachable|"
    r"no route to host|failed to connect|error: 5\d\d|early eof|too slow|temporary failure|empty reply|remote end hung up"
)
_NO_REPOSITORY = re.compile(
    r"does not appear to be a git repository|not found|does not exist|not valid: is this a git repository"
)


def find_commit(repository: str, ref: str | None) -> str:
    """Returns the commit that a branch, a tag or the default branch is at; a whole commit is itself.

    Raises:
        InputError: There is no such repository or ref, or a login is wanted.
        UnreachableError: Its server does not answer.
    """
    if ref is not None and COMMIT.fullmatch(ref):
        return ref
    wanted = ["HEAD"] if ref is None else [f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}", f"refs/heads/{ref}", ref]
    lines = _run(repository, "ls-remote", "--", repository, *wanted).splitlines()
    listed = {name: commit for commit, _, name in (line.partition("\t") for line in lines)}
    for name in wanted:
        if name in listed:
            return listed[name]
    shown = mask_logins(repository)
    if ref is None:
        raise InputError(f"The git repository '{shown}' has no commit yet, or no default branch. Name a branch as the ref.")
    if re.fullmatch(r"[0-9a-f]{7,39}", ref):
        raise InputError(f"No branch or tag '{ref}' in '{shown}'. If it is a commit, write all its 40 digits.")
    raise InputError(f"No branch or tag '{ref}' in '{shown}'.{_near(repository, ref)}")


def fetch_files(repository: str, commit: str, ref: str | None, patterns: list[str], target: Path) -> None:
    """Writes the files of a commit that match patterns as in `.gitignore` below `target`, which is an empty folder.

    Only this commit is fetched, and of its files only these, where the server can do that.

    Raises:
        InputError: There is no such commit.
        UnreachableError: The server does not answer.
    """

    def git(*arguments: str) -> str:
        return _run(repository, "-C", str(target), *arguments, seconds=FETCH_SECONDS)

    def begin() -> None:
        git("init", "-q", "--template=")
        git("config", "remote.origin.url", repository)
        git("config", "core.sparseCheckout", "true")
        info = target / ".git" / "info"
        info.mkdir(exist_ok=True)
        (info / "sparse-checkout").write_text("\n".join(patterns) + "\n", encoding="utf-8")

    begin()
    try:
        git("fetch", "-q", "--depth=1", "--no-tags", "--filter=blob:none", "origin", commit)
        git("checkout", "-q", "--detach", commit)
    except UnreachableError:
        raise
    except InputError:
        # An old server gives out whole branches and tags only; among them is the commit. It is begun anew: what a server without
        # filters left out, git would ask it for again and again.
        shutil.rmtree(target / ".git")
        begin()
        git("fetch", "-q", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*")
        _check_commit(git, repository, commit, ref)
        git("checkout", "-q", "--detach", commit)
    shutil.rmtree(target / ".git")


def _check_commit(git: Callable[..., str], repository: str, commit: str, ref: str | None) -> None:
    try:
        git("cat-file", "-e", f"{commit}^{{commit}}")
    except InputError:
        named = f" ('{ref}')" if ref not in (None, commit) else ""
        raise InputError(f"No commit {commit}{named} in '{mask_logins(repository)}'. Correct the ref.") from None


def _near(repository: str, ref: str) -> str:
    lines = _run(repository, "ls-remote", "--heads", "--tags", "--refs", "--", repository).splitlines()
    names = [line.split("\t", 1)[1].split("/", 2)[2] for line in lines if line.count("/") >= 2]
    near = difflib.get_close_matches(ref, names, n=3) or names[-3:]
    return f" There are: {', '.join(near)}." if near else " It has none."


def _run(repository: str, *arguments: str, seconds: int = LOOK_SECONDS) -> str:
    """Returns what git prints."""
    options = [part for option in _OPTIONS for part in ("-c", option)]
    shown = mask_logins(repository)
    try:
        process = subprocess.Popen(
            ["git", *options, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=_environment(),
            start_new_session=True,  # without a terminal to ask at, and with its helpers in one group
        )
    except FileNotFoundError:
        raise InputError(f"To read '{shown}' the command 'git' is needed, which is not installed. Install git.") from None
    with process:
        try:
            out, errors = process.communicate(timeout=seconds)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise UnreachableError(f"The git repository '{shown}' did not answer within {seconds} s. Try later.") from None
            raise
    if process.returncode == 0:
        return out.decode(errors="replace")
    raise _explained(shown, errors.decode(errors="replace"))


def _environment() -> dict[str, str]:
    """Returns the environment without what points to another repository, and with what keeps git from asking."""
    kept = {
        key: value for key, value in os.environ.items() if key not in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
    }
    return {
        "GIT_ASKPASS": "true",
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=20",
        **kept,
        "GIT_TERMINAL_PROMPT": "0",
        "GCM_INTERACTIVE": "never",
        "SSH_ASKPASS_REQUIRE": "never",
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "LC_ALL": "C",
    }


def _explained(shown: str, stderr: str) -> InputError:
    lines = [line.strip() for line in stderr.splitlines() if line.strip() and not line.startswith(("warning:", "hint:"))]
    text = mask_secrets(mask_logins(" ".join(lines)))
    said = text.removeprefix("fatal: ").removeprefix("error: ")[:200]
    lowered = text.lower()
    if _LOGIN.search(lowered):
        return InputError(
            f"The git repository '{shown}' wants a login, and nobody is asked for one here ({said}). Let git have it: a "
            "credential helper, ~/.netrc or an SSH key."
        )
    if _NETWORK.search(lowered):
        return UnreachableError(f"The git repository '{shown}' is out of reach ({said}). Check its address and the network.")
    if _NO_REPOSITORY.search(lowered):
        return InputError(f"No git repository at '{shown}', or it needs a login ({said}). Correct its address.")
    return InputError(f"git cannot read '{shown}': {said or 'it failed without a word'}.")
