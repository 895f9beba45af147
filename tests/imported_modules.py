"""What a piece of code imports, as a new Python sees it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def imported(code: str, *names: str) -> set[str]:
    """Returns which of some modules a new Python has imported once it has run the code."""
    program = f"{code}\nimport sys\nprint(*{set(names)!r} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    return set(told.stdout.split())
