"""The lowest layers of an encoder, left as they are: they know words, which a fine-tuning on few queries does not better.

A step then needs no backward pass through them (Lee et al., "What Would Elsa Do?", 2019; Howard and Ruder, "ULMFiT", ACL 2018).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from finetrieve.core.errors import InputError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def freeze_layers(model: SentenceTransformer, n_layers: int) -> None:
    """Freezes the word embeddings and the lowest layers of the model's transformer; 0 freezes nothing.

    Args:
        model: What is going to be trained.
        n_layers: Counted from the words up.

    Raises:
        InputError: The model has no such layers, or none would be left to train.
    """
    if not n_layers:
        return
    transformer = getattr(model[0], "auto_model", None)
    layers = _layers(transformer)
    if not layers:
        raise InputError(
            f"training.frozen_layers is {n_layers}, but the layers of this base model cannot be told apart; set it to 0."
        )
    if n_layers >= len(layers):
        raise InputError(
            f"training.frozen_layers is {n_layers}, but the base model has {len(layers)} layers; "
            "expected fewer, so that some are trained."
        )
    assert transformer is not None
    for part in (_word_part(transformer, layers), *layers[:n_layers]):
        part.requires_grad_(False)


def _layers(transformer: nn.Module | None) -> list[nn.Module]:
    """Returns the blocks of a transformer, from the words up: the longest list of like modules in it."""
    lists = [part for part in transformer.modules() if isinstance(part, nn.ModuleList)] if transformer is not None else []
    alike = [part for part in lists if len({type(layer) for layer in part}) == 1]
    return list(max(alike, key=len, default=[]))


def _word_part(transformer: nn.Module, layers: list[nn.Module]) -> nn.Module:
    """Returns what stands below the layers: word embeddings with positions and normalisation, or the words alone where one module
    holds them and the layers.
    """
    words: nn.Module = transformer.get_input_embeddings()  # type: ignore[operator]  # torch's type knows tensors and modules alone
    owner = next((part for part in transformer.children() if words in set(part.modules())), words)
    return words if layers[0] in set(owner.modules()) else owner
