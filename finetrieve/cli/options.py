"""Options that several commands share, checks of what options are given, and the group whose command without a name is `list`."""

from __future__ import annotations

import json
import shlex
import sys
from contextlib import redirect_stdout
from itertools import takewhile

import click

from finetrieve.core.errors import InputError

_OUTPUT = "finetrieve.json_output"


def _keep_output(context: click.Context, _: click.Parameter, as_json: bool) -> bool:
    """Returns the flag; where it is set, all that is printed but the JSON goes to standard error from now on."""
    if as_json:
        context.meta[_OUTPUT] = sys.stdout
        context.with_resource(redirect_stdout(sys.stderr))
    return as_json


MODEL = click.option("--model", "model", metavar="NAME", help="Which model, where there are several.")
JSON = click.option("--json", "as_json", is_flag=True, callback=_keep_output, help="Print the same facts as JSON, nothing else.")


def filled(_: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """Returns the values of an option.

    Raises:
        InputError: One is empty, as that of a shell's variable that is not set; a path would be the working directory.
    """
    if any(not value.strip() for value in values):
        raise InputError(f"{option.opts[0]} is empty, perhaps because a variable is not set. Give a value, or leave it out.")
    return values


def once(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> str | None:
    """Returns the value of an option with `multiple=True` that is meant once; click alone would take the last one silently.

    Raises:
        InputError: It is given several times, or empty.
    """
    if len(values) > 1:
        raise InputError(f"{option.opts[0]} is given {len(values)} times: {', '.join(values)}. Give it once.")
    return next(iter(filled(context, option, values)), None)


def print_json(value: object) -> None:
    """Prints a value as indented JSON to standard output; dates, paths and ids become text."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    click.echo(text, file=click.get_current_context().meta[_OUTPUT])


def run_again_with(*options: str) -> str:
    """Returns the command that was typed with more options at its end, as a line for the terminal."""
    return f"python run.py {shlex.join([*sys.argv[1:], *options])}"


class ListGroup(click.Group):
    """A group that lists where no command of it is named; options before a command's name count as the command's own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Returns the rest of the arguments, after moving leading options behind the command's name."""
        if ctx.resilient_parsing:  # the shell completes the line
            return super().parse_args(ctx, args)
        leading = list(takewhile(lambda word: word not in self.commands, args))
        if not args or (args[0].startswith("-") and not {"-h", "--help"} & set(leading)):
            args = [*(args[len(leading) :][:1] or ["list"]), *leading, *args[len(leading) + 1 :]]
        return super().parse_args(ctx, args)
