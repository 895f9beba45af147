"""A transformer as a network of plain inputs and one output, which is what ONNX exports."""

from __future__ import annotations

from collections.abc import Sequence

import torch


class TokenVectors(torch.nn.Module):
    """Takes the tokenizer's tensors in a fixed order and returns vectors `(n_texts, n_tokens, dim)`."""

    def __init__(self, transformer: torch.nn.Module, inputs: Sequence[str]) -> None:
        super().__init__()
        self._transformer, self._inputs = transformer, inputs

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        """Returns the last layer's vectors."""
        found: torch.Tensor = self._transformer(
            **dict(zip(self._inputs, tensors, strict=True)), return_dict=True
        ).last_hidden_state
        return found
