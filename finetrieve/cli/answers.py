"""`python run.py answers`: what the answer cache of LLM generation holds, and a way to make it smaller."""

from __future__ import annotations

import re
from pathlib import Path

import click

from finetrieve.cli.options import JSON, print_json
from finetrieve.core.errors import InputError

_UNITS = {"h": 3600, "d": 86400, "w": 7 * 86400}


@click.group("answers")
@click.option("--config", "config_path", type=click.Path(path_type=Path), help="The YAML file that names the cache.")
@click.pass_context
def command(context: click.Context, config_path: Path | None) -> None:
    """The answer cache of LLM generation: what it holds and how well it serves; prune it."""
    context.obj = config_path


@command.command("show")
@JSON
@click.pass_obj
def show(config_path: Path | None, as_json: bool) -> None:
    """Print its place, size, hit rate and models."""
    from finetrieve.generation.llm.response_cache import CacheStatistics, ResponseCache

    directory = _directory(config_path)
    exists = directory.exists()
    found = ResponseCache(directory).statistics() if exists else CacheStatistics(0, 0, 0, 0, 0, 0, {})
    if as_json:
        print_json({"directory": directory, **vars(found)})
        return
    if not exists:
        click.echo(f"{directory}: empty; no LLM was asked yet.")
        return
    looked = found.hits + found.misses
    rate = f"{found.hits / looked:.0%} of {looked:,} lookups" if looked else "never looked up"
    click.echo(f"{directory}")
    click.echo(f"  answers   {found.responses:,} in {found.bytes / 1e6:,.1f} MB")
    click.echo(f"  hit rate  {rate}")
    click.echo(f"  tokens    {found.input_tokens:,} read and {found.output_tokens:,} written to get them")
    for model, number in found.models.items():
        click.echo(f"  {number:9,} {model}")


@command.command("prune")
@click.option("--unused-for", metavar="TIME", help="Such as 90d, 12h or 4w.")
@click.option("--model", metavar="PROVIDER/MODEL", help="Only of this model.")
@click.option("--all", "everything", is_flag=True, help="Every answer.")
@click.pass_obj
def prune(config_path: Path | None, unused_for: str | None, model: str | None, everything: bool) -> None:
    """Delete answers: those that no run used for so long, of one model, or all."""
    from finetrieve.generation.llm.response_cache import ResponseCache

    directory = _directory(config_path)
    if not (unused_for or model or everything):
        raise InputError("Say what to delete: --unused-for 90d, --model PROVIDER/MODEL, or --all.")
    if everything and (unused_for or model):
        raise InputError("--all deletes every answer; leave --unused-for and --model out.")
    seconds = _seconds(unused_for) if unused_for else None
    if not directory.exists():
        click.echo("0 answers deleted: there is no cache yet.")
        return
    click.echo(f"{ResponseCache(directory).prune(seconds, model):,} answers deleted.")


def _directory(config_path: Path | None) -> Path:
    from finetrieve.app.config import DEFAULT_CONFIG, load_config
    from finetrieve.generation.generation_state import response_cache_directory

    return response_cache_directory(load_config(config_path or DEFAULT_CONFIG).generation)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([hdw])", text.strip())
    if match is None:
        raise InputError(f"--unused-for '{text}' is no time; expected a number with h, d or w, such as 90d.")
    return float(match.group(1)) * _UNITS[match.group(2)]
