"""`finetrieve completion SHELL`: the script with which a shell completes commands, options and pipelines."""

from __future__ import annotations

import click

_PROGRAM = "finetrieve"


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the script with which a shell completes the command `finetrieve`, which `pip install -e .` installs.

    \b
    eval "$(finetrieve completion bash)"        in ~/.bashrc
    eval "$(finetrieve completion zsh)"         in ~/.zshrc, after `autoload -Uz compinit && compinit`
    finetrieve completion fish | source         in ~/.config/fish/config.fish
    """
    from click.shell_completion import get_completion_class

    from finetrieve.cli.main import main

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(main, {}, _PROGRAM, f"_{_PROGRAM.upper()}_COMPLETE").source())
