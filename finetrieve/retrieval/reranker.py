"""Rerankers: cross-encoders, which read a query and a text together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from finetrieve.core.errors import InputError
from finetrieve.retrieval.base_model import resolve_base_model

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

FloatMatrix = npt.NDArray[np.float32]


class Reranker(Protocol):
    """What scores pairs of a query and a text."""

    def scores(self, pairs: Sequence[tuple[str, str]]) -> FloatMatrix:
        """Returns `(n_pairs,)`, higher is better."""


class CrossEncoderReranker:
    """A cross-encoder that scores no pair twice, loaded when it is first asked.

    Args:
        model: A directory or a Hub id.
        batch_size: Pairs per forward pass.

    Raises:
        InputError: The model cannot be found, or, when it is first needed, loaded.
    """

    def __init__(self, model: Path | str, batch_size: int = 64) -> None:
        self._model = resolve_base_model(model)
        self._batch_size = batch_size
        self._encoder: CrossEncoder | None = None
        self._known: dict[tuple[str, str], float] = {}

    def scores(self, pairs: Sequence[tuple[str, str]]) -> FloatMatrix:
        """Returns `(n_pairs,)`, higher is better.

        Raises:
            InputError: The model cannot be loaded, or gives more than one number for a pair.
        """
        new = [pair for pair in dict.fromkeys(pairs) if pair not in self._known]
        if new:
            made = np.asarray(self._loaded().predict(new, batch_size=self._batch_size, show_progress_bar=False))
            if made.ndim != 1:
                raise InputError(
                    f"The reranker '{self._model}' gives {made.shape[1]} numbers for a pair; expected a cross-encoder with one."
                )
            self._known.update(zip(new, made.astype(float).tolist(), strict=True))
        return np.array([self._known[pair] for pair in pairs], dtype=np.float32)

    def _loaded(self) -> CrossEncoder:
        if self._encoder is None:
            from sentence_transformers import CrossEncoder

            try:
                self._encoder = CrossEncoder(str(self._model))
            except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError, ImportError) as error:
                line = (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
                raise InputError(f"The reranker '{self._model}' cannot be loaded: {line}") from None
        return self._encoder
