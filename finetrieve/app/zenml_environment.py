"""The environment variables that make ZenML quiet and tell it where the code is."""

from __future__ import annotations

import logging
import os
import sys

from finetrieve.core.paths import ROOT

_DEFAULTS = {
    # Opting in stays possible: a value that the user set is left alone.
    "ZENML_ANALYTICS_OPT_IN": "false",
    # ZenML prints the traceback of a failed step by itself; the command line says it in one line.
    "ZENML_LOGGING_VERBOSITY": "CRITICAL",
    "ZENML_ENABLE_REPO_INIT_WARNINGS": "false",
    "ZENML_ENABLE_RICH_TRACEBACK": "false",
    "ZENML_DISABLE_STEP_NAMES_IN_LOGS": "true",
    "AUTO_OPEN_DASHBOARD": "false",
    "TOKENIZERS_PARALLELISM": "false",
    # Threads that wait by spinning make training many times slower as soon as anything else wants the cores.
    "OMP_WAIT_POLICY": "PASSIVE",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
_SOURCE_ROOT = "ZENML_CUSTOM_SOURCE_ROOT"


def quiet_zenml(verbose: bool = False) -> None:
    """Makes ZenML quiet and tells it where the code is; call it before anything imports ZenML, which takes seconds.

    Args:
        verbose: Lets ZenML tell what it does after all.
    """
    if verbose:
        os.environ.setdefault("ZENML_LOGGING_VERBOSITY", "INFO")
    for variable, value in _DEFAULTS.items():
        os.environ.setdefault(variable, value)
    os.environ[_SOURCE_ROOT] = str(ROOT)
    if source_utils := sys.modules.get("zenml.utils.source_utils"):  # it reads the variable when it is imported
        source_utils.set_custom_source_root(str(ROOT))
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # a line for each retry; the failure is said once
