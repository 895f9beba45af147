"""Arrays that pass between modules: their types, and scores as shares."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatMatrix = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


def softmax(scores: FloatMatrix) -> FloatMatrix:
    """Returns the shares of scores `(..., n)`, which sum up to 1 over the last axis."""
    raised = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares: FloatMatrix = raised / raised.sum(axis=-1, keepdims=True)
    return shares
