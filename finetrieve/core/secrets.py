"""Masks secrets in texts that are printed, kept or sent: keys, tokens and passwords."""

from __future__ import annotations

import os
import re

_SECRET_WORDS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL", "WEBHOOK")
_SHORTEST_SECRET = 6
_LIKE_A_KEY = re.compile(r"(?i)\b(?:sk|gsk|hf|key)[-_](?=\S*\d)[\w*.-]{8,}|(?<=bearer )(?=\S*\d)[\w.-]{16,}")
_LOGIN = re.compile(r"(?<=://)[^/\s@'\"]+@")
_MASK = "***"


def mask_secrets(text: str, secret: str = "") -> str:
    """Returns the text without `secret`, the values of environment variables named like secrets, and what looks like a key."""
    values = {value.strip() for name, value in os.environ.items() if any(word in name.upper() for word in _SECRET_WORDS)}
    for value in sorted({secret, *values}, key=len, reverse=True):
        if len(value) >= _SHORTEST_SECRET:
            text = text.replace(value, _MASK)
    return _LIKE_A_KEY.sub(_MASK, text)


def mask_logins(text: str) -> str:
    """Returns the text without user names and passwords in addresses: `https://***@host/`."""
    return _LOGIN.sub(f"{_MASK}@", text)
