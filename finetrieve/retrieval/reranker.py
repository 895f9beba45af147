"""Rerankers: cross-encoders, which read a query and a text together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from finetrieve.core.arrays import FloatMatrix
from finetrieve.core.errors import InputError
from finetrieve.core.plugins import Registry
from finetrieve.retrieval.base_model import fetch_model, resolve_base_model

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder


class Reranker:
    """What scores pairs of a query and a text; a class of your own is made without arguments, once for an evaluation."""

    description: ClassVar[str] = ""
    """One line for people."""

    def scores(self, pairs: Sequence[tuple[str, str]]) -> FloatMatrix:
        """Returns `(n_pairs,)`, higher is better."""
        raise NotImplementedError


RERANKERS = Registry("reranker", "finetrieve.rerankers", Reranker, [])
"""Rerankers of other packages, by entry point or dotted name."""
_DOTTED = re.compile(r"[\w.]+:\w+")


def reranker_class(reference: str) -> type[Reranker] | None:
    """Returns the class of an entry point or a dotted name; None for what names a cross-encoder, a directory or a Hub id.

    Raises:
        InputError: The class cannot be loaded.
    """
    is_plugin = reference in RERANKERS.names() or _DOTTED.fullmatch(reference)
    return RERANKERS.get(reference) if is_plugin else None


def load_reranker(reference: str, batch_size: int) -> Reranker:
    """Returns the reranker that a configuration names.

    Raises:
        InputError: It cannot be found or loaded.
    """
    found = reranker_class(reference)
    return found() if found is not None else CrossEncoderReranker(reference, batch_size)


class CrossEncoderReranker(Reranker):
    """A cross-encoder that scores no pair twice, loaded when it is first asked.

    Args:
        model: A directory or a Hub id.
        batch_size: Pairs per forward pass.
        logits: Whether scores are the model's own numbers, also where its configuration squeezes them into 0..1.

    Raises:
        InputError: The model cannot be found, or, when it is first needed, loaded.
    """

    description = "a cross-encoder of sentence-transformers"

    def __init__(self, model: Path | str, batch_size: int = 64, *, logits: bool = False) -> None:
        self._model = resolve_base_model(model)
        self._batch_size, self._logits = batch_size, logits
        self._encoder: CrossEncoder | None = None
        self._known: dict[tuple[str, str], float] = {}

    def scores(self, pairs: Sequence[tuple[str, str]]) -> FloatMatrix:
        """Returns `(n_pairs,)`, higher is better.

        Raises:
            InputError: The model cannot be loaded, or gives more than one number for a pair.
        """
        new = [pair for pair in dict.fromkeys(pairs) if pair not in self._known]
        if new:
            made = self._predicted(new)
            if made.ndim != 1:
                raise InputError(
                    f"The reranker '{self._model}' gives {made.shape[1]} numbers for a pair; expected a cross-encoder with one."
                )
            self._known.update(zip(new, made.astype(float).tolist(), strict=True))
        return np.array([self._known[pair] for pair in pairs], dtype=np.float32)

    def _predicted(self, pairs: list[tuple[str, str]]) -> FloatMatrix:
        import torch

        activation = torch.nn.Identity() if self._logits else None
        encoder = self._loaded()
        return np.asarray(encoder.predict(pairs, batch_size=self._batch_size, show_progress_bar=False, activation_fn=activation))

    def _loaded(self) -> CrossEncoder:
        if self._encoder is None:
            from sentence_transformers import CrossEncoder

            try:
                self._encoder = CrossEncoder(str(fetch_model(self._model)))
            except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError) as error:
                line = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
                raise InputError(f"The reranker '{self._model}' cannot be loaded: {line}") from None
        return self._encoder
