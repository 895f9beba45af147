"""What people are told of a run that nobody watches, through ZenML's alerter and a webhook."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException

from zenml import get_step_context
from zenml.client import Client
from zenml.models import PipelineRunResponse

from finetrieve.app.failures import explain
from finetrieve.core.logging import get_logger
from finetrieve.core.secrets import mask_secrets
from finetrieve.evaluation.result import EvaluationResult
from finetrieve.registry.promotion_rule import PromotionDecision

logger = get_logger(__name__)

WEBHOOK = "FINETRIEVE_WEBHOOK_URL"
"""The environment variable, or the key of a ZenML secret, with the URL that takes `{"text": ...}` (Slack, Mattermost, ...)."""
_SECONDS = 15


def steps_that_ran(run: PipelineRunResponse) -> list[str]:
    """Returns the steps that worked, of those that can come from the cache."""
    return [name for name, found in run.steps.items() if found.status != "cached" and found.config.enable_cache is not False]


def success_message(run: str, ran: list[str], metrics: EvaluationResult, decision: PromotionDecision) -> str:
    """Returns what a finished run has to say: which steps ran again, the verdict, and what became of the model."""
    name = f"Finetrieve, run '{run}'"
    if not ran:
        return f"{name}: neither documents nor annotations changed, so nothing was generated, trained or evaluated."
    return f"{name}: ran {', '.join(ran)}. {metrics.verdict.sentence} {decision.sentence}"


def tell_of_failure(error: BaseException) -> None:
    """Tells that a step failed and why; the pipeline calls it when that happens."""
    context = get_step_context()
    tell(f"Finetrieve, run '{context.pipeline_run.name}' failed in step '{context.step_run.name}': {explain(error)}")


def tell(message: str) -> None:
    """Prints the message and posts it to the stack's alerter and to the webhook, where there are any; never fails the run."""
    text = mask_secrets(message)
    logger.info(text)
    url = os.environ.get(WEBHOOK)
    if url:
        _post(url, text)
    alerter = Client().active_stack.alerter
    if alerter is not None:
        try:
            alerter.post(text)
        except Exception as error:
            logger.warning(f"the alerter '{alerter.name}' took no notice: {type(error).__name__}")


def _post(url: str, text: str) -> None:
    # The URL is a secret itself. urllib, unlike httpx, does not log it; its errors may repeat it, so they are not shown.
    try:
        parts = urllib.parse.urlsplit(url)
    except ValueError:
        parts = urllib.parse.urlsplit("")
    if parts.scheme not in ("http", "https"):
        logger.warning(f"{WEBHOOK} is no http or https URL; nobody was told")
        return
    body = json.dumps({"text": text}).encode()
    try:
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=_SECONDS).close()
    except urllib.error.HTTPError as error:
        logger.warning(f"the webhook at {parts.hostname} answered {error.code}; nobody was told")
    except (OSError, ValueError, HTTPException) as error:
        logger.warning(f"the webhook at {parts.hostname} cannot be reached ({type(error).__name__}); nobody was told")
