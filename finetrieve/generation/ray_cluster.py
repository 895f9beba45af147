"""Runs a generation on a Ray cluster: distilabel's RayPipeline, with a coordinator on the machine that started it.

The steps run on any node; run state, response cache, chunks and keys stay with one process, the coordinator, on the machine of
the run. SQLite's write-ahead log works on no network file system, so the nodes share no directory: they ask the coordinator.
They need the project's dependencies; the project's own code is sent to them.

Keys travel from the driver to the coordinator and from there to a step's process as the argument and the result of a call, and
stay in memory: a `runtime_env`, which Ray's dashboard, state API and log files show, has none, nor has the pickled step. Between
machines Ray's calls are encrypted only if the cluster runs with RAY_USE_TLS=1.
"""

from __future__ import annotations

import logging
import math
import os
import signal
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import ray
import ray.exceptions
from distilabel.constants import SIGINT_HANDLER_CALLED_ENV_NAME
from distilabel.pipeline.base import set_pipeline_running_env_variables
from distilabel.pipeline.ray import RayPipeline
from distilabel.pipeline.step_wrapper import _StepWrapper
from distilabel.utils.logging import setup_logging
from ray.util.queue import Queue
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from finetrieve.core.errors import InputError
from finetrieve.generation.chunk_context import ChunkContext, ContextFile
from finetrieve.generation.distilabel_guard import QUIET, end_log_listener
from finetrieve.generation.llm.response_cache import ResponseCache
from finetrieve.generation.recipes.base import BATCH_SIZE, ON_COORDINATOR, RunResources
from finetrieve.generation.run_state import RunState

_CODE = Path(__file__).resolve().parents[1]
_CONNECT_SECONDS = 3.0
_CHECK_SECONDS = 0.3
_END_SECONDS = 30.0
_OBJECT_STORE_BYTES = 256 * 2**20

_coordinator: Any = None
"""The coordinator, in a process that runs a step."""


# 1. The coordinator, and what the steps see of it.


class Coordinator:
    """Keeps run state, responses, chunks and keys of one generation; an actor on the machine that started it."""

    def __init__(self, files: RunResources) -> None:
        self._run_state = RunState(Path(files.run_state))
        self._directory = Path(files.responses)
        self._cache: ResponseCache | None = None
        self._chunks = ContextFile(Path(files.chunks))
        self._keys: dict[str, str] = {}

    def keep(self, keys: dict[str, str]) -> None:
        """Keeps the keys, by environment variable, in memory."""
        self._keys = keys

    def keys(self) -> dict[str, str]:
        """Returns the keys."""
        return self._keys

    def run_state(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Calls a method of the run state."""
        return getattr(self._run_state, method)(*arguments, **named)

    def responses(self, method: str, *arguments: Any) -> Any:
        """Calls a method of the response cache; an InputError is returned: Ray adds a traceback to one that is raised."""
        try:
            self._cache = self._cache or ResponseCache(self._directory)
            return getattr(self._cache, method)(*arguments)
        except InputError as error:
            return error

    def chunks(self, block: int) -> list[ChunkContext]:
        """Returns the chunks of a block."""
        return self._chunks.block(block)


class RemoteRunState:
    """The run state for a step on a Ray cluster: every method is called at the coordinator."""

    def __getattr__(self, method: str) -> Callable[..., Any]:
        """Returns a method that asks the coordinator and waits for the answer."""
        return lambda *arguments, **named: ray.get(_coordinator.run_state.remote(method, *arguments, **named))

    def add(self, *arguments: Any, **named: Any) -> None:
        """Adds to the counts without waiting; the coordinator gets the calls of a process in their order."""
        _coordinator.run_state.remote("add", *arguments, **named)

    def close(self) -> None:
        """Waits until everything is added; the file stays the coordinator's."""
        ray.get(_coordinator.run_state.remote("stop_reason"))


class RemoteResponseCache:
    """The response cache for a step on a Ray cluster: every method is called at the coordinator.

    Raises:
        InputError: It cannot be used.
    """

    def __init__(self) -> None:
        self.peek([])

    def __getattr__(self, method: str) -> Callable[..., Any]:
        """Returns a method that asks the coordinator and waits for the answer."""

        def call(*arguments: Any) -> Any:
            found = ray.get(_coordinator.responses.remote(method, *arguments))
            if isinstance(found, InputError):
                raise found
            return found

        return call

    def close(self) -> None:
        """Leaves the file to the coordinator."""


class RemoteContextFile:
    """The chunks for a step on a Ray cluster: the coordinator reads each block."""

    def block(self, number: int) -> list[ChunkContext]:
        """Returns the chunks of a block."""
        found: list[ChunkContext] = ray.get(_coordinator.chunks.remote(number))
        return found


# 2. A step's process.


class StepRunner:
    """Runs one replica of a step; an actor on any node."""

    def run(self, coordinator: Any, wrapper: _StepWrapper, log_queue: Any, pipeline: str, signature: str) -> str:
        """Returns why the step failed, or an empty string: its exceptions could not all be sent."""
        global _coordinator
        _coordinator = coordinator
        os.environ.update(QUIET)
        os.environ.update(ray.get(coordinator.keys.remote()))
        setup_logging(log_queue=log_queue)
        set_pipeline_running_env_variables(pipeline, signature)
        threading.Thread(target=_pass_on_interrupt, args=(coordinator,), daemon=True).start()
        try:
            wrapper.run()
        except Exception as error:
            return " ".join(str(getattr(error, "subprocess_exception", error)).split()) or type(error).__name__
        finally:
            ray.get(coordinator.run_state.remote("stop_reason"))  # what was added before has arrived then
        return ""


def _pass_on_interrupt(coordinator: Any) -> None:
    """Tells the step of a Ctrl-C as distilabel does on one machine: the signal reaches no other one."""
    while (reason := ray.get(coordinator.run_state.remote("stop_reason"))) is None or reason.kind != "interrupted":
        time.sleep(_CHECK_SECONDS)
    os.environ[SIGINT_HANDLER_CALLED_ENV_NAME] = "1"


# 3. The pipeline.


class RayGeneration(RayPipeline):
    """distilabel's RayPipeline that notices when a step's process is lost, and passes on Ctrl-C.

    distilabel's own waits for ever for an actor that died, and loses the reason why a step did not load.
    """

    def __init__(self, coordinator: Any, run_state: Path, cache_dir: Path) -> None:
        super().__init__(name=f"finetrieve-{uuid.uuid4().hex[:8]}", cache_dir=cache_dir)
        self._coordinator, self._state_path = coordinator, run_state
        self._watchers: list[threading.Thread] = []
        self._interrupts = 0

    @property
    def QueueClass(self) -> Callable[..., Queue]:  # noqa: N802  # distilabel's name
        """Returns what makes a queue: here, so that no other node takes one down with it."""
        here = {"scheduling_strategy": _here(), "num_cpus": 0}

        def queue(maxsize: int = 0, actor_options: dict[str, Any] | None = None) -> Queue:
            return Queue(maxsize, actor_options={**(actor_options or {}), **here})

        return queue

    def run(self, **arguments: Any) -> Any:
        """Returns what distilabel's own does; its log listener ends with it."""
        try:
            return super().run(**arguments)
        finally:
            # Now: once its queue is gone with the cluster, Ray would start a new one to reach it.
            with suppress(ray.exceptions.RayError):
                end_log_listener()

    def _run_step(self, step: Any, input_queue: Any, replica: int) -> None:
        wrapper = _StepWrapper(step, replica, input_queue, self._output_queue, self._load_queue, self._dry_run, ray_pipeline=True)
        runner: Any = ray.remote(StepRunner).options(**_resources(step)).remote()
        run = runner.run.remote(self._coordinator, wrapper, self._log_queue, self.name, self.signature)
        # The runner is kept: an actor that nobody holds is ended.
        watcher = threading.Thread(target=self._watch, args=(run, runner, step.name), daemon=True)
        self._watchers.append(watcher)
        watcher.start()

    def _watch(self, run: Any, _runner: Any, name: str) -> None:
        try:
            failure = ray.get(run)
        except ray.exceptions.RayError as error:
            failure = f"its process on the Ray cluster is lost. What was answered is kept: run again. ({_first_line(error)})"
        if failure:
            self._fail(name, failure)

    def _fail(self, name: str, reason: str) -> None:
        run_state = RunState(self._state_path)
        run_state.stop("error", f"step '{name}': {reason}")
        run_state.close()
        with self._steps_load_status_lock:
            loaded = self._steps_load_status[name] >= 1
        self._load_queue.put({"name": name, "status": "unloaded" if loaded else "load_failed"})
        if loaded:
            self._stop()

    def _handle_keyboard_interrupt(self) -> Any:
        def interrupted(_number: int, _frame: Any) -> None:
            self._interrupts += 1
            if self._interrupts > 1:
                raise KeyboardInterrupt
            # Not here: while steps load, distilabel holds the lock that stopping takes.
            threading.Thread(target=self._interrupt, daemon=True).start()

        return signal.signal(signal.SIGINT, interrupted)

    def _interrupt(self) -> None:
        run_state = RunState(self._state_path)
        run_state.stop("interrupted", "interrupted")
        run_state.close()
        self._stop()

    def _teardown(self) -> None:
        super()._teardown()
        for watcher in self._watchers:
            watcher.join(_END_SECONDS)


def _here() -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)


def _resources(step: Any) -> dict[str, Any]:
    """Returns where a step may run: anywhere, evenly; with a GPU of its own where its model runs in its process."""
    recipe = getattr(step, "recipe", None)  # the step that numbers the chunks has none
    options: dict[str, Any] = {"scheduling_strategy": "SPREAD", "max_restarts": 0}
    if recipe is not None and recipe.wants_gpu and ray.cluster_resources().get("GPU", 0) >= 1:
        options["num_gpus"] = 1
    elif recipe is not None and recipe.gpu_needed_by:
        raise InputError(f"Recipe '{step.name}': {recipe.gpu_needed_by} needs a GPU, and no node of the Ray cluster has one.")
    return options


def remote_resources(resources: RunResources) -> RunResources:
    """Returns what the steps on the nodes share: all of it is with the coordinator."""
    there = dict.fromkeys(("run_state", "responses", "chunks"), ON_COORDINATOR)
    return resources.model_copy(update=there)


def replicas(chunks: int) -> int:
    """Returns how many processes share the work of a recipe that asks nobody: one per node, as far as there are batches."""
    nodes = sum(bool(node["Alive"]) for node in ray.nodes())
    return max(1, min(nodes, math.ceil(chunks / BATCH_SIZE)))


# 4. The cluster.


@contextmanager
def ray_generation(address: str | None, directory: Path, files: RunResources, keys: Mapping[str, str]) -> Iterator[RayGeneration]:
    """Yields an empty pipeline on a Ray cluster: the one at an address, at RAY_ADDRESS, or a new one that ends with the block.

    Args:
        address: `host:port`, or `auto` for the cluster that runs on this machine; None: as RAY_ADDRESS says, or else a new one.
        directory: Where distilabel may write.
        files: What the coordinator keeps, on this machine.
        keys: Environment variable -> key, for the processes that ask a provider.

    Raises:
        InputError: The cluster cannot be used.
    """
    with _cluster(address or os.environ.get("RAY_ADDRESS") or None):
        options: dict[str, Any] = {"scheduling_strategy": _here(), "num_cpus": 0, "max_restarts": 0}
        coordinator: Any = ray.remote(Coordinator).options(**options).remote(files)
        ray.get(coordinator.keep.remote(dict(keys)))
        yield RayGeneration(coordinator, Path(files.run_state), directory / "pipeline")


@contextmanager
def _cluster(address: str | None) -> Iterator[None]:
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    logging.getLogger("ray").setLevel(logging.ERROR)
    quiet: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
    with ExitStack() as stack:
        if address is None or address == "local":
            # Short: Ray puts sockets below it, whose paths may have 107 characters.
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True))
            place: dict[str, Any] = {
                "address": "local",
                "include_dashboard": False,
                "object_store_memory": _OBJECT_STORE_BYTES,
                "_temp_dir": folder,
            }
        else:
            _check_reachable(address)
            place = {"address": address, "runtime_env": {"py_modules": [str(_CODE)], "excludes": ["**/__pycache__/"]}}
        stack.callback(ray.shutdown)
        try:
            ray.init(**place, **quiet)
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            raise InputError(_why_not(address, error)) from None
        yield


def _check_reachable(address: str) -> None:
    """Raises an InputError unless somebody listens at an address: Ray itself tries for a minute."""
    if address == "auto":
        return
    if "://" in address:
        raise InputError(
            f"ray_address '{address}': a run has to start on a machine of the cluster. Give host:port of its head, or auto, "
            "and start the run there, for instance with `ray job submit`."
        )
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise InputError(f"ray_address '{address}' is no address; expected host:port of the cluster's head, or auto.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise InputError(
            f"No Ray cluster answers at '{address}' ({getattr(error, 'strerror', None) or error}). Check generation.ray_address "
            "and RAY_ADDRESS; start one with `ray start --head`, or leave both out for a cluster on this machine."
        ) from None


def _why_not(address: str | None, error: BaseException) -> str:
    """Returns why a cluster that answers cannot be used, or none be started."""
    if address in (None, "local"):
        return f"A Ray cluster cannot be started on this machine: {_first_line(error)}"
    causes = f"{error} {error.__cause__}"
    if "InvalidAuthToken" in causes or isinstance(error, ray.exceptions.AuthenticationError):
        return (
            f"The Ray cluster at '{address}' wants a token: set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN in the environment, "
            "or keep the token in ~/.ray/auth_token."
        )
    return f"The Ray cluster at '{address}' cannot be used from this machine: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
