"""Bytes of unknown origin made text: byte order marks, UTF-8, and a guess for everything else."""

from __future__ import annotations

import codecs
import re

SNIFFED_BYTES = 8192
GUESSED_BYTES = 1 << 16
MAGIC = {
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a ZIP archive or an office document",
    b"\x89PNG": "a PNG picture",
    b"GIF8": "a GIF picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"\x1f\x8b": "gzip data",
    b"PAR1": "Parquet data",
    b"\x7fELF": "a program",
    b"SQLite format 3": "an SQLite database",
}
CONTROL = bytes(byte for byte in range(32) if byte not in b"\t\n\r\f\x08\x1b")
"""Bytes that texts do not have."""
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def binary_kind(head: bytes) -> str | None:
    """Returns what a file is when its first bytes are not text, in words, or None for text."""
    for magic, kind in MAGIC.items():
        if head.startswith(magic):
            return kind
    if _marked_encoding(head) or _utf16_without_mark(head):
        return None
    if b"\x00" in head:
        return "binary data"
    control = len(head) - len(head.translate(None, CONTROL))
    return "binary data" if control > len(head) * 0.1 else None


def decode(data: bytes) -> str:
    """Returns the text of `data` with `\\n` line ends; what cannot be decoded becomes a replacement mark."""
    return _decode_bytes(data).replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").replace("\x0c", "\n")


def guess_encoding(head: bytes) -> str:
    """Returns the likely encoding of a text that begins with `head` and is not UTF-8."""
    from charset_normalizer import from_bytes

    best = from_bytes(head[:GUESSED_BYTES]).best()
    # A few accents in otherwise plain English are too little to go on: a Western guess is then the likeliest.
    # Without zero bytes it is no UTF-16 either, whatever a short text looks like.
    if best is None or not best.encoding or best.encoding == "ascii" or best.encoding.startswith(("utf_16", "utf_32")):
        return "cp1252"
    return best.encoding


def _decode_bytes(data: bytes) -> str:
    marked = _marked_encoding(data)
    if marked:
        return data.decode(marked, errors="replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        if _mostly_utf8(data):
            return data.decode("utf-8", errors="replace")
    return data.decode(_utf16_without_mark(data[:SNIFFED_BYTES]) or guess_encoding(data), errors="replace")


def _mostly_utf8(data: bytes) -> bool:
    """Whether more characters beyond ASCII are UTF-8 than are not: a stray byte then costs one character, not the page.

    A text cut off within its last character is UTF-8 as well. Bytes that look like UTF-8 are rare in other encodings.
    """
    text = data.decode("utf-8", errors="replace")
    strays = text.count("\ufffd")
    wide = sum(len(run) for run in re.findall(r"[^\x00-\x7f\ufffd]+", text))
    cut_off = strays == 1 and text.endswith("\ufffd") and len(data) > 1
    return wide > strays or cut_off


def _marked_encoding(data: bytes) -> str | None:
    return next((encoding for mark, encoding in BYTE_ORDER_MARKS if data.startswith(mark)), None)


def _utf16_without_mark(head: bytes) -> str | None:
    """Western text in UTF-16 has a zero in nearly every other byte."""
    if len(head) < 16:
        return None
    even, odd = head[0::2].count(0) / len(head) * 2, head[1::2].count(0) / len(head) * 2
    if max(even, odd) < 0.7 or min(even, odd) > 0.1:
        return None
    encoding = "utf-16-le" if odd > even else "utf-16-be"
    text = head[: len(head) // 2 * 2].decode(encoding, errors="replace")
    printable = sum(character.isprintable() or character.isspace() for character in text)
    return encoding if printable > 0.95 * len(text) else None
