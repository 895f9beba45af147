"""Cron lines: checked before anything heavy, and when they fire next."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from croniter import CroniterBadDateError, CroniterError, croniter

from finetrieve.core.errors import InputError

FIELDS = 5
"""What every orchestrator takes: minute, hour, day of the month, month, day of the week."""
_NAMES = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat"
# croniter also knows L, #, R and H, which Kubernetes does not.
_FIELD = re.compile(rf"(?:[\d*,/\-]|{_NAMES})+", re.IGNORECASE)
_EXAMPLE = (
    "Give five fields in UTC (minute, hour, day of the month, month, day of the week), such as '0 3 * * 1' for Mondays at 3."
)


def check_cron(expression: str) -> str:
    """Returns the cron line, its spaces tidied.

    Raises:
        InputError: It is not one, or names a day that never comes.
    """
    fields = expression.split()
    if len(fields) > FIELDS:
        raise InputError(f"--schedule got {len(fields)} fields where a cron line has {FIELDS}; put it in quotes. {_EXAMPLE}")
    if len(fields) < FIELDS:
        raise InputError(f"--schedule '{expression}' has {len(fields)} of the {FIELDS} fields of a cron line. {_EXAMPLE}")
    line = " ".join(fields)
    strange = [field for field in fields if not _FIELD.fullmatch(field)]
    if strange:
        raise InputError(f"--schedule '{expression}' is no cron line: '{strange[0]}' is not understood. {_EXAMPLE}")
    try:
        next_time(line)
    except CroniterBadDateError:
        raise InputError(f"--schedule '{expression}' never comes: no date fits it. {_EXAMPLE}") from None
    except (CroniterError, ValueError) as error:
        raise InputError(f"--schedule '{expression}' is no cron line: {error}. {_EXAMPLE}") from None
    return line


def next_time(line: str, after: datetime | None = None) -> datetime:
    """Returns when a cron line fires next, in UTC; after now unless another time is given."""
    found: datetime = croniter(line, after or datetime.now(UTC)).get_next(datetime)
    return found
