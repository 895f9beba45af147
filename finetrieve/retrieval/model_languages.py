"""Whether a model's vocabulary has the words of a language: one without them reads it letter by letter, and finds little."""

from __future__ import annotations

from typing import TYPE_CHECKING

import regex

from finetrieve.core.text import count_words

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MULTILINGUAL = ("ibm-granite/granite-embedding-107m-multilingual", "Snowflake/snowflake-arctic-embed-m-v2.0")
"""Base models that read many languages, to name where one does not."""
LETTERS_PER_TOKEN = {"latin": 2.7, "other": 1.3}
"""English models have about 3.3 on English, 2.0 to 2.4 on other Latin languages and at most 1.0 on other scripts;
multilingual ones 3 and more, and 1.5 and more (Chinese, whose characters are words)."""
TOKENS_PER_WORD = 1.5
"""Of a Latin language: languages of short words, such as Vietnamese, have few letters per token under any model."""
UNKNOWN_SHARE = 0.02


def reads(tokenizer: Tokenizer, text: str) -> bool:
    """Returns whether the tokenizer cuts a text into pieces that can mean something, rather than into letters."""
    tokens = tokenizer.encode(text, add_special_tokens=False).tokens
    letters = regex.findall(r"[\p{L}\p{M}]", text)
    if not tokens or not letters:
        return True
    if sum(token in ("[UNK]", "<unk>") for token in tokens) > UNKNOWN_SHARE * len(tokens):
        return False
    latin = len(regex.findall(r"\p{Latin}", text)) > len(letters) / 2
    if len(letters) / len(tokens) >= LETTERS_PER_TOKEN["latin" if latin else "other"]:
        return True
    return latin and len(tokens) / max(count_words(text), 1) <= TOKENS_PER_WORD
