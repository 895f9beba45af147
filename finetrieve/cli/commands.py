"""The commands beside `--pipeline`, by name, loaded when they are called; and how every command ends."""

from __future__ import annotations

import importlib
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

import click
from click.core import ParameterSource

from finetrieve.app.catalogue import PIPELINES
from finetrieve.cli.options import run_again_with
from finetrieve.core.errors import InputError, SeveralModelsError, unknown_name
from finetrieve.core.failures import was_interrupted
from finetrieve.core.logging import get_logger

logger = get_logger(__name__)

FAILED, BAD_INPUT = 1, 2
_INTERRUPTED = "\nInterrupted. Nothing is lost: run the same command again to pick up where it was."
_OF_ALL = ("verbose", "quiet")
"""Options before a command's name that every command heeds."""

COMMANDS: dict[str, tuple[str, str]] = {
    "answers": ("The answer cache of LLM generation: show, prune.", "finetrieve.cli.answers:command"),
    "argilla": ("The embedded annotation server: up, down, status, url, annotator.", "finetrieve.cli.argilla:command"),
    "ask": ("Ask the model in production and its base model, side by side.", "finetrieve.cli.ask:command"),
    "compare": ("Any two models on the same questions.", "finetrieve.cli.compare:command"),
    "completion": ("What completes commands and options in bash, zsh and fish.", "finetrieve.cli.completion:command"),
    "dashboard": ("ZenML's dashboard on this machine, at the last run.", "finetrieve.cli.dashboard:command"),
    "doctor": ("What this machine lacks to run a configuration, with the fix.", "finetrieve.cli.doctor:command"),
    "export": ("The dataset or the model, to a folder or to the Hugging Face Hub.", "finetrieve.cli.export:command"),
    "index": ("The vectors of a version, as files and in a search engine, checked.", "finetrieve.cli.index:command"),
    "init": ("A configuration, an empty question file and a .gitignore for your documents.", "finetrieve.cli.init:command"),
    "models": ("Trained models: list, compare, promote, demote, roll back, export.", "finetrieve.cli.models:command"),
    "schedules": ("What runs on a schedule: list, pause, resume, delete.", "finetrieve.cli.schedules:command"),
    "stack": ("Where pipelines run: list, register from a YAML file, use.", "finetrieve.cli.stack:command"),
}
"""Name -> (one-line description, `module:function` of the click command)."""


_ASK_ZENML = ("ask", "dashboard", "index", "models", "schedules", "stack")
"""Commands that load ZenML first, which takes seconds."""


def announce_start(name: str, quiet: bool) -> None:
    """Says in a terminal what a command is about to do, where nothing else would be said for seconds."""
    if name in _ASK_ZENML and not quiet and not {"-h", "--help"} & set(sys.argv):
        announce("Looking into ZenML's store ...")


def announce(line: str) -> None:
    """Says in a terminal, and nowhere else, what is being done."""
    if sys.stderr.isatty():
        click.echo(line, err=True)


class CommandGroup(click.Group):
    """The group of all commands: imports a command's module only when it is called, and turns errors into exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Returns the names, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  # click's signature
        """Returns the command of a name, or None."""
        if cmd_name not in COMMANDS:
            return None
        module, _, function = COMMANDS[cmd_name][1].partition(":")
        command: click.Command = getattr(importlib.import_module(module), function)
        return command

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Returns the context of a command line; a mistake in it becomes one line."""
        with _in_one_line():
            return super().make_context(*args, **options)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Returns the rest of the arguments; where an option of a command stands before it, says where it belongs."""
        typed = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            name = next((word for word in typed if word in COMMANDS), None)
            command = self.get_command(ctx, name) if name else None
            if name is None or command is None or not _takes(command, error.option_name):
                raise
            raise misplaced(error.option_name, name, command) from None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Returns the command of the first argument.

        Raises:
            InputError: There is none of that name; the nearest one is named.
        """
        if args[0] in PIPELINES:
            raise InputError(f"'{args[0]}' is a pipeline: run it with `python run.py --pipeline {args[0]}`.")
        if args[0] not in COMMANDS:
            raise unknown_name("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the names and descriptions without importing a command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][0]) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command; an error becomes one line and an exit code."""
        with _in_one_line():
            return super().invoke(ctx)


@contextmanager
def _in_one_line() -> Iterator[None]:
    """Makes of an error one line on stderr and the exit code: 2 for a user's mistake, 1 for anything else."""
    try:
        yield
        return
    except click.UsageError as error:
        if isinstance(error, click.exceptions.NoArgsIsHelpError):  # a group without a command prints its help
            raise
        line, code = f"Error: {_usage_line(error)}", BAD_INPUT
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except InputError as error:
        line, code = f"Error: {error}{_with_one(error)}", BAD_INPUT
    except KeyboardInterrupt:
        line, code = _INTERRUPTED, FAILED
    except Exception as error:
        from finetrieve.app.failures import explain

        logger.debug("the traceback of the error", exc_info=True)
        line, code = _INTERRUPTED if was_interrupted(error) else f"Failed: {explain(error)}", FAILED
    click.echo(line, err=True)
    if line == _INTERRUPTED:
        _end_at_once_when_asked_again()
    raise click.exceptions.Exit(code)


def _end_at_once_when_asked_again() -> None:
    """Has a second Ctrl-C end the process: what cleans up at Python's end would answer it with a traceback."""
    with suppress(ValueError):  # not in the main thread, where no signal arrives either
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _usage_line(error: click.UsageError) -> str:
    """Returns what click says of a mistyped command line, and where the command's options and arguments are described."""
    said = re.sub(r"\s*\n\s*", " ", error.format_message())
    if error.ctx is None or getattr(error, "possibilities", None):
        return said
    typed = f"python {error.ctx.command_path}" if error.ctx.command_path.startswith("run.py") else error.ctx.command_path
    return f"{said}{'' if said.endswith('.') else '.'} `{typed} --help` shows what it takes."


def refuse_options_before(context: click.Context, name: str) -> None:
    """Refuses what was typed before a command's name and would do nothing there.

    Raises:
        InputError: An option of pipelines, or one that belongs behind the name.
    """
    group = cast("CommandGroup", context.command)
    for option in group.params:
        source = context.get_parameter_source(option.name or "")
        if source is ParameterSource.COMMANDLINE and option.name not in _OF_ALL and (command := group.get_command(context, name)):
            raise misplaced(option.opts[0], name, command)


def misplaced(option: str, name: str, command: click.Command) -> InputError:
    """Returns the mistake of an option before a command's name: where it belongs, or that it is not the command's."""
    if _takes(command, option):
        return InputError(f"{option} is an option of '{name}' and stands behind it: python run.py {name} {option} ...")
    return InputError(f"{option} says how a pipeline is run, and '{name}' runs none. Leave one of the two out.")


def _takes(command: click.Command, option: str) -> bool:
    """Whether a command, or one of a group's commands, has an option."""
    parts = command.commands.values() if isinstance(command, click.Group) else ()
    return any(option in parameter.opts for parameter in command.params) or any(_takes(part, option) for part in parts)


def _with_one(error: InputError) -> str:
    """Returns the command with one of the models named, where the mistake is that none was."""
    return (
        f" For '{error.names[0]}': {run_again_with('--model', error.names[0])}" if isinstance(error, SeveralModelsError) else ""
    )
