"""A container in a warm Python: `container.py ROOT HOST MODULE ARGUMENTS` does there what `python -m MODULE ARGUMENTS` does.

The process gives itself what `unshare` gives another command (see `tests/fakes/kubernetes.py`): a file system and a host name of
its own. What ZenML read of its environment while it was imported it reads again.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import subprocess
import sys
from pathlib import Path

# A container's view: all of this machine's folders, an /app of its own, a host name of its own.
MOUNTS = """
root=$1 host=$2; shift 2
mount -t tmpfs none "$root"
for entry in /*; do
  if [ -L "$entry" ]; then cp -P "$entry" "$root$entry"
  elif [ -d "$entry" ] && [ "$entry" != /app ]; then mkdir "$root$entry"; mount --rbind "$entry" "$root$entry"; fi
done
mkdir "$root/app"
hostname "$host"
"""
_NEW_MOUNTS, _NEW_HOST_NAME, _NEW_USERS = 0x00020000, 0x04000000, 0x10000000
"""Flags of unshare(2)."""


def enter(root: str, host: str) -> None:
    """Makes this process, which has one thread, one in a container.

    Args:
        root: An empty folder.
        host: The host name.

    Raises:
        OSError: The system gives no namespaces.
    """
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_MOUNTS | _NEW_HOST_NAME | _NEW_USERS):
        raise OSError(ctypes.get_errno(), "unshare")
    for name, said in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        Path("/proc/self", name).write_text(said)
    subprocess.run(["sh", "-euc", f"mount --make-rprivate /\n{MOUNTS}", "sh", root, host], check=True)
    os.chroot(root)
    os.chdir("/")


def _read_environment() -> None:
    """Has ZenML say as much as the pod's environment wants, and look for code where the pod has it."""
    from zenml import logger
    from zenml.utils import source_utils

    logger.ZENML_LOGGING_VERBOSITY = os.environ.get("ZENML_LOGGING_VERBOSITY", "INFO")
    logger.init_logging()
    source_utils.set_custom_source_root(None)


if __name__ == "__main__":
    place, name, module, *rest = sys.argv[1:]
    enter(place, name)
    sys.path[0] = "/"
    _read_environment()
    sys.argv = [module, *rest]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
