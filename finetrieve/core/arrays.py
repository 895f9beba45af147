"""The types of arrays that pass between modules."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatMatrix = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
