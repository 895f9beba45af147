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

_RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_NUMBERS = {
    **{name: str(number) for number, name in enumerate(_NAMES.split("|")[:12], 1)},
    **{name: str(number) for number, name in enumerate(_NAMES.split("|")[12:])},
}
_EXAMPLE = (
    "Give five fields in UTC (minute, hour, day of the month, month, day of the week), such as '0 3 * * 1' for Mondays at 3."
)


def check_cron(expression: str) -> str:
    """Returns the cron line, its spaces tidied and Sunday as 0.

    Raises:
        InputError: It is not one, or names a day that never comes.
    """
    fields = expression.split()
    if any("=" in field for field in fields):
        raise InputError(f"--schedule '{expression}' names a time zone, which a cron line cannot: it is in UTC. {_EXAMPLE}")
    if len(fields) > FIELDS:
        raise InputError(f"--schedule got {len(fields)} fields where a cron line has {FIELDS}; put it in quotes. {_EXAMPLE}")
    if len(fields) < FIELDS:
        raise InputError(f"--schedule '{expression}' has {len(fields)} of the {FIELDS} fields of a cron line. {_EXAMPLE}")
    fields[4:] = [_with_sunday_as_0(field) for field in fields[4:]]
    line = " ".join(fields)
    strange = [field for field in fields if not _FIELD.fullmatch(field)]
    if strange:
        raise InputError(f"--schedule '{expression}' is no cron line: '{strange[0]}' is not understood. {_EXAMPLE}")
    problem = next(filter(None, map(_field_problem, fields, _RANGES)), "")
    if problem:
        raise InputError(f"--schedule '{expression}' is no cron line: {problem}. {_EXAMPLE}")
    try:
        next_time(line)
    except CroniterBadDateError:
        raise InputError(f"--schedule '{expression}' never comes: no date fits it. {_EXAMPLE}") from None
    except (CroniterError, ValueError) as error:
        raise InputError(f"--schedule '{expression}' is no cron line: {error}. {_EXAMPLE}") from None
    return line


def _with_sunday_as_0(field: str) -> str:
    """Returns a field of days in which Sunday is 0: as 7, which cron knows, Kubernetes refuses it."""
    return re.sub(r"(?<![\d/-])(?:([0-6])-)?7(?![\d/-])", lambda match: f"{match[1]}-6,0" if match[1] else "0", field)


def _field_problem(field: str, limits: tuple[int, int]) -> str:
    """Returns what is wrong with a field for one orchestrator or another, though croniter takes it; or an empty string."""
    low, high = limits
    for part in field.lower().split(","):
        span, _, step = part.partition("/")
        if step and (not step.isascii() or not step.isdigit() or not 1 <= int(step) <= high):
            return f"the step in '{part}' is not from 1 to {high}"
        if step and not ("*" in span or "-" in span):
            return f"'{part}' steps from one value, which not every scheduler takes; write '{span}-{high}/{step}'"
        ends = [_NUMBERS.get(end, end) for end in span.split("-")]
        if span == "*":
            continue
        if len(ends) > 2 or not all(end.isascii() and end.isdigit() for end in ends):
            return f"'{part}' is not understood"
        if not all(low <= int(end) <= high for end in ends):
            return f"'{part}' is out of range {low} to {high}"
        if len(ends) == 2 and int(ends[0]) > int(ends[1]):
            return f"the range '{part}' ends before it begins; write it as two, such as '{ends[0]}-{high},{low}-{ends[1]}'"
    return ""


def next_time(line: str, after: datetime | None = None) -> datetime:
    """Returns when a cron line fires next, in UTC; after now unless another time is given."""
    found: datetime = croniter(line, after or datetime.now(UTC)).get_next(datetime)
    return found
