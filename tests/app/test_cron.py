from __future__ import annotations

from datetime import UTC, datetime

import pytest

from finetrieve.app.remote.cron import check_cron, next_time
from finetrieve.core.errors import InputError


@pytest.mark.parametrize(
    "line", ["0 3 * * 1", "*/15 8-18 1,15 jan-jun MON", "0 0 29 2 *", "0 9 * * mon-fri", "0-30/10 9 1 * 1", "0 9 31 4,6,7 SUN"]
)
def test_what_kubernetes_takes_is_taken(line: str) -> None:
    assert check_cron(line) == line


@pytest.mark.parametrize(("days", "taken"), [("7", "0"), ("1,7", "1,0"), ("5-7", "5-6,0"), ("mon", "mon")])
def test_sunday_is_0_as_every_scheduler_has_it(days: str, taken: str) -> None:
    line = check_cron(f"0 3 * * {days}")
    assert line == f"0 3 * * {taken}"
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    assert next_time(line, monday) == next_time(f"0 3 * * {days}", monday)


def test_spaces_are_tidied() -> None:
    assert check_cron("  0 3  * * 1 ") == "0 3 * * 1"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", "has 0 of the 5 fields"),
        ("0 3 * *", "has 4 of the 5 fields"),
        ("0 3 README.md run.py README.md run.py 1", "got 7 fields where a cron line has 5; put it in quotes"),
        ("0 0 3 * * 1", "got 6 fields"),
        ("61 3 * * *", "out of range"),
        ("0 3 31 2 *", "never comes"),
        ("weekly on mondays at 3", "'weekly' is not understood"),
        ("0 3 L * *", "'L' is not understood"),
        ("0 3 * * mon#2", "'mon#2' is not understood"),
        ("CRON_TZ=Asia/Tokyo 0 3 * * 1", "names a time zone, which a cron line cannot: it is in UTC"),
        ("TZ=UTC 3 * * 1", "names a time zone"),
        ("0 3 * * 8", "'8' is out of range 0 to 6"),
        ("0 3 * * 5-7/2", "'5-7/2' is out of range"),
        ("0 3 * * 5-1", "ends before it begins; write it as two, such as '5-6,0-1'"),
        ("50-10 3 * * *", "such as '50-59,0-10'"),
        ("5/15 3 * * *", "write '5-59/15'"),
        ("0-10/0 3 * * *", "the step in '0-10/0' is not from 1 to 59"),
        ("0 3 * * 1-2-3", "'1-2-3' is not understood"),
        ("１ 3 * * *", "not understood"),
    ],
)
def test_anything_else_is_answered_in_one_line_with_an_example(line: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        check_cron(line)
    assert expected in str(caught.value)
    assert "'0 3 * * 1'" in str(caught.value) and "\n" not in str(caught.value)


def test_the_next_time_is_in_utc() -> None:
    friday = datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert next_time("0 3 * * 1", friday) == datetime(2026, 11, 23, 3, tzinfo=UTC)
