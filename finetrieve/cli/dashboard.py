"""`python run.py dashboard`: ZenML's dashboard on this machine, at the page of the last run."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from finetrieve.core.errors import InputError

if TYPE_CHECKING:
    from zenml.models import PipelineRunResponse

_PORT = 8237
_SECONDS = 90
"""Starting takes about 20 on two cores."""
_SURVEY = "finished_onboarding_survey"
_POLICY = "ZENML_SERVER_SECURE_HEADERS_CSP"
_OWN_HOST = {
    "default-src": "",
    "script-src": "'unsafe-inline' 'unsafe-eval'",
    "style-src": "'unsafe-inline'",
    **dict.fromkeys(("connect-src", "img-src", "font-src", "frame-src", "base-uri", "form-action"), ""),
}
"""What the dashboard's pages may load: from the server itself alone, where ZenML's own policy lets them ask other hosts for
pictures of people and tools. ZenML takes quotes off both ends of a directive, so each begins and ends without one."""


@click.command("dashboard")
@click.option("--port", type=click.IntRange(1, 65535), default=_PORT, show_default=True, help="On 127.0.0.1.")
@click.option("--run", "run_name", metavar="NAME", help="Open this run's page instead of the last one's.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option("--stop", is_flag=True, help="Stop it.")
def command(port: int, run_name: str | None, no_browser: bool, stop: bool) -> None:
    """Start ZenML's dashboard on this machine and open the page of the last run. Works offline."""
    if stop:
        from zenml.zen_server.deploy.deployer import LocalServerDeployer

        LocalServerDeployer().remove_server()
        click.echo("ZenML's dashboard is stopped.")
    else:
        _open(port, run_name, not no_browser)


def _open(port: int, run_name: str | None, browser: bool) -> None:
    from zenml.utils.dashboard_utils import get_server_dashboard_url

    from finetrieve.app.stale_runs import close_stale_runs

    close_stale_runs()
    run = _last_run() if run_name is None else _named_run(run_name)
    address = get_server_dashboard_url()
    if address is None:
        address = _start(port)
        click.echo(
            "ZenML's dashboard runs on this machine; nothing of yours leaves it. There is no password: "
            "it signs you in as 'default'."
        )
        click.echo("`python run.py dashboard --stop` stops it.")
    else:
        click.echo(f"ZenML is connected to the server {address}: sign in there as you do on `zenml login`.")
    page = f"{address}/projects/{run.project.name}/runs/{run.id}" if run else f"{address}/projects/default/pipelines"
    which = "Last run" if run_name is None else "Run"
    click.echo(f"{f'{which}, {run.name} ({run.status}):' if run else 'No run yet:'} {page}")
    if browser and not _show(page):
        click.echo(f"There is no browser here.{_from_elsewhere(page)}")


def _from_elsewhere(page: str) -> str:
    """Returns how another machine reaches a page of this one; the dashboard may run on another port than a command asks for."""
    parts = urlsplit(page)
    if parts.hostname not in ("127.0.0.1", "localhost"):
        return " Open that address on another machine."
    return f" To look from another machine: ssh -L {parts.port}:127.0.0.1:{parts.port} THIS-MACHINE"


def _show(page: str) -> bool:
    """Opens a page in the browser, whose own words are not shown, and returns whether there is one."""
    desktop = sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    opener = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    if not desktop or opener is None:
        return False
    subprocess.Popen([opener, page], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    return True


def _start(port: int) -> str:
    """Returns the address of the local server, started where it does not run; the client stays on the database itself."""
    from zenml.client import Client
    from zenml.config.global_config import GlobalConfiguration
    from zenml.enums import ServerProviderType
    from zenml.utils.server_utils import get_local_server
    from zenml.zen_server.deploy.deployer import LocalServerDeployer
    from zenml.zen_server.deploy.deployment import LocalServerDeploymentConfig

    # The first page would otherwise be a survey that asks for a name, an address and consent to mail, on every fresh machine.
    client = Client()
    metadata = {**client.active_user.user_metadata, _SURVEY: True}
    client.update_user(client.active_user.id, updated_metadata=metadata, updated_email_opt_in=False)
    # A store that ZenML's own command line made has its pages report every visit, and look for news elsewhere.
    client.update_server_settings(
        updated_name=client.get_settings().server_name,  # without it, ZenML writes that there is none, and fails
        updated_enable_analytics=GlobalConfiguration().analytics_opt_in,
        updated_enable_announcements=False,
        updated_enable_updates=False,
    )
    running = get_local_server()
    if running is not None and running.status is not None and running.status.url:
        return str(running.status.url)
    _check_free(port)
    os.environ.setdefault(_POLICY, "; ".join(f"{name} data: 'self' {more} blob:" for name, more in _OWN_HOST.items()))
    config = LocalServerDeploymentConfig.model_validate({"provider": ServerProviderType.DAEMON, "port": port})
    server = LocalServerDeployer().deploy_server(config, timeout=_SECONDS)
    if server.status is None or not server.status.url:
        raise RuntimeError(f"ZenML's dashboard did not start on port {port}; try another --port, or `zenml logs`")
    return str(server.status.url)


def _check_free(port: int) -> None:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            raise InputError(f"Port {port} cannot be used ({error.strerror}); give another --port.") from None


def _last_run() -> PipelineRunResponse | None:
    from zenml.client import Client

    runs = Client().list_pipeline_runs(sort_by="desc:created", size=1, hydrate=True).items
    return runs[0] if runs else None


def _named_run(name: str) -> PipelineRunResponse:
    from zenml.client import Client

    runs = Client().list_pipeline_runs(name=name, size=1, hydrate=True).items
    if not runs:
        raise InputError(f"ZenML has no run '{name}'. `python run.py models` names the run of every version.")
    return runs[0]
