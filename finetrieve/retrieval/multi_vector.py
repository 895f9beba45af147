"""The encoder as a multi-vector model: late interaction in the save format of sentence-transformers, its weights stored once."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from finetrieve.core.errors import InputError
from finetrieve.retrieval.late_interaction import TokenIdf, TokenVectors, scored_tokens
from finetrieve.retrieval.multi_vector_card import late_card

if TYPE_CHECKING:
    from sentence_transformers import MultiVectorEncoder, SentenceTransformer

LATE_FOLDER = "late"
"""Inside the dense model's directory."""
IDF_FILE = "token_idf.json"
SETTINGS_FILE = "settings.json"
_TEXTS_AT_ONCE = 256

TokenIds = npt.NDArray[np.int64]
VectorPrecision = Literal["fp32", "int8", "binary"]


@dataclass(frozen=True)
class LateSettings:
    """How token vectors are meant to be stored: a point of the storage costs."""

    dims: int | None = None
    """The first numbers of each vector that are kept; None keeps all."""
    precision: VectorPrecision = "fp32"
    pooling: int = 1
    """Neighbouring tokens of a chunk that are stored as their mean."""


def as_multi_vector(encoder: SentenceTransformer) -> MultiVectorEncoder:
    """Returns the multi-vector model that shares the encoder's transformer: unit vectors of all tokens but special ones.

    A text without any other token has no vector.

    Raises:
        ValueError: The model has no vector per token.
    """
    from sentence_transformers import MultiVectorEncoder
    from sentence_transformers.base.modules import Normalize
    from sentence_transformers.multi_vector_encoder.modules import MultiVectorMask

    if not has_token_vectors(encoder):
        raise ValueError(f"Late interaction needs a vector per token; {type(encoder[0]).__name__} gives none.")
    special = [str(token) for token in encoder.tokenizer.all_special_tokens]
    mask = MultiVectorMask(skiplist_words=special, skiplist_tasks=["query", "document"])
    return MultiVectorEncoder(
        modules=[encoder[0], mask, Normalize(module_input_name="token_embeddings")],
        similarity_fn_name="meanmaxsim",
        prompts=_prompts(encoder),
        device=str(encoder.device),
    )


def has_token_vectors(encoder: SentenceTransformer) -> bool:
    """Returns whether the model begins with a transformer, which gives a vector per token."""
    from sentence_transformers.base.modules import Transformer

    return isinstance(encoder[0], Transformer)


def _prompts(encoder: SentenceTransformer) -> dict[str, str]:
    """Returns the prompts under the names by which a multi-vector model looks for them; some models say `passage`."""
    found = {name: text for name, text in encoder.prompts.items() if text is not None}
    if not found.get("document") and found.get("passage"):
        found["document"] = found["passage"]
    return found


def chunk_tokens(encoder: SentenceTransformer, texts: Sequence[str]) -> list[TokenIds]:
    """Returns the tokens of each chunk as the encoder reads it, with its prompt and the special ones, `(n_tokens,)` each.

    Args:
        encoder: A loaded model.
        texts: The chunks as they are embedded.
    """
    prompt, found = _prompts(encoder).get("document") or None, list[TokenIds]()
    for start in range(0, len(texts), _TEXTS_AT_ONCE):
        read = encoder.preprocess(list(texts[start : start + _TEXTS_AT_ONCE]), prompt=prompt)
        found += [ids[mask.bool()].numpy() for ids, mask in zip(read["input_ids"], read["attention_mask"], strict=True)]
    return found


def token_idf(encoder: SentenceTransformer, chunks: Sequence[TokenIds]) -> TokenIdf:
    """Returns how rare each token is among the chunks, from what `chunk_tokens` gave."""
    special = list(encoder.tokenizer.all_special_ids)
    parts = [tokens[compared(tokens, special)].astype(np.int32) for tokens in chunks]
    ids = np.concatenate(parts) if parts else np.zeros(0, np.int32)
    starts = np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
    return TokenIdf(TokenVectors(np.zeros((len(ids), 0), np.float16), ids, starts))


def compared(tokens: TokenIds, special_ids: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Returns which tokens of one text late interaction compares, `(n_tokens,)`."""
    import torch

    ids = torch.from_numpy(tokens)[None]
    return scored_tokens(ids, torch.ones_like(ids), special_ids)[0].numpy()


# 1. Saving.


def save_late(
    model_dir: Path,
    texts: Sequence[str] | None = None,
    settings: LateSettings | None = None,
    measured: Mapping[str, Any] | None = None,
) -> bool:
    """Writes `late/` into a dense model's directory, which `MultiVectorEncoder(model_dir / "late")` loads.

    The weights are the dense model's own file under a second name (a hard link), since `modules.json` may not point outside its
    folder; they are copied where the file system has no hard links. Returns False where the model has no vector per token.

    Args:
        model_dir: The dense model, saved.
        texts: The chunks that are searched, as they are embedded: their IDF weights are written beside the model.
        settings: How the token vectors are to be stored; None leaves them whole.
        measured: What these settings were measured to cost and score.

    Raises:
        InputError: The settings ask for more numbers than a vector has.
    """
    from finetrieve.retrieval.encoder import load_encoder

    encoder = load_encoder(model_dir, device="cpu")
    if not has_token_vectors(encoder):
        return False
    model = as_multi_vector(encoder)
    dim = int(model.get_embedding_dimension() or 0)
    stored = _within(settings or LateSettings(), dim)
    late = model_dir / LATE_FOLDER
    shutil.rmtree(late, ignore_errors=True)  # of an earlier time, perhaps with other settings
    _save_quietly(model, late)
    _share_weights(model_dir, late)
    if texts is not None:
        _write_json(late / IDF_FILE, _idf_record(token_idf(encoder, chunk_tokens(encoder, texts))))
    if settings is not None:
        _write_json(late / SETTINGS_FILE, {**asdict(stored), **({"measured": dict(measured)} if measured else {})})
    card = late_card(dim, stored.dims or dim, stored.precision, stored.pooling, texts is not None)
    (late / "README.md").write_text(card, encoding="utf-8")
    return True


def _within(settings: LateSettings, dim: int) -> LateSettings:
    """Returns the settings with the number of dimensions filled in."""
    if settings.dims is not None and settings.dims > dim:
        raise InputError(f"{settings.dims} dimensions were asked for, but a token's vector has {dim} numbers.")
    return replace(settings, dims=settings.dims or dim)


def _save_quietly(model: MultiVectorEncoder, late: Path) -> None:
    from transformers.utils import logging as transformers_logging

    had_bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model.save_pretrained(str(late), create_model_card=False)
    finally:
        if had_bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _share_weights(model_dir: Path, late: Path) -> None:
    """Puts the dense model's weights in the place of a copy that says the same."""
    for copy in late.glob("*.safetensors"):
        own = model_dir / copy.name
        if not own.is_file() or not _holds(own, copy):
            continue
        link = copy.with_name(f".{copy.name}.link")
        try:
            os.link(own, link)
        except OSError:  # no hard links here: the copy stays
            return
        link.replace(copy)


def _holds(whole: Path, part: Path) -> bool:
    """Returns whether a weights file has every tensor of another; published models may have some more, and another order."""
    import torch
    from safetensors import safe_open

    with safe_open(str(whole), "pt") as own, safe_open(str(part), "pt") as other:
        names = set(other.keys())
        return names <= set(own.keys()) and all(torch.equal(own.get_tensor(name), other.get_tensor(name)) for name in names)


def _idf_record(idf: TokenIdf) -> dict[str, Any]:
    """Returns the weight of each token that a chunk has, and that of all others."""
    weights = idf.as_dict()
    absent = np.array([max(weights, default=0) + 1], np.int32)
    return {
        "unseen": round(float(idf.weights(absent)[0]), 5),
        "weights": {str(token): weight for token, weight in weights.items()},
    }


def _write_json(path: Path, record: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(record) + "\n", encoding="utf-8")
