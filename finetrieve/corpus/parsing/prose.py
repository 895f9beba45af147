"""Words without marks: titles, plain text, addresses as people say them, and what alternative texts are worth."""

from __future__ import annotations

import re

IMAGE = re.compile(r"!\[([^\[\]]*)\](?:\([^()\s]*(?:\([^()]*\)[^()\s]*)*(?:\s+[\"'(][^\"']*[\"')])?\s*\)|\[[^\[\]]*\])")
LINK = re.compile(r"(?<!\\)\[([^\[\]]*)\]\(\s*(?:<[^<>]*>|[^()\s]*(?:\([^()]*\)[^()\s]*)*)(?:\s+(?:\"[^\"]*\"|'[^']*'))?\s*\)")
SIMPLE_TAG = re.compile(
    r"</?(?:a|b|br|code|em|font|i|img|kbd|mark|small|span|strong|sub|sup|u|wbr)(?:\s[^<>]*)?/?>", re.IGNORECASE
)
BARE_URL = re.compile(r"(?:https?|ftp)://([^\s<>()\[\]\"'`*]+)")
SHORTCODES = re.compile(r"^(?::[a-z0-9]+(?:[_+-][a-z0-9]+)*:\s*)+(?=\S)")
"""Names of emoji in front of a title: `:rocket: Start`."""
EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\ufe0f\u200d\u20e3]+")
HEADING_ANCHOR = re.compile(r"\s*\{:?\s*#[^{}]*\}\s*$|\s*\{#[^{}]*\}\s*$")
EDGE_MARKS = re.compile(r"\s*[¶]\s*$|[\ue000-\uf8ff]")
"""What sites put beside a heading to be linked to, and the private characters of icon fonts."""
WIDE_GAP = re.compile(r"[ \t]{3,}")
HEADING = re.compile(r"^(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$")
PICTURE_FILE = re.compile(r"^\S*\.(?:png|jpe?g|svg|gif|webp)$|^(?:https?:)?//", re.IGNORECASE)
REMOTE = re.compile(r"^(?:https?:)?//", re.IGNORECASE)
WORD = re.compile(r"[^\W_]+")


def plain_words(markdown: str) -> str:
    """Returns a heading or a title without its marks: no emphasis, code ticks, links, anchors, emoji or tags."""
    text = EDGE_MARKS.sub("", HEADING_ANCHOR.sub("", markdown.strip()))
    text = LINK.sub(r"\1", IMAGE.sub("", text))
    text = _without_emoji(SIMPLE_TAG.sub("", text))
    text = re.sub(r"\*\*|__(?=\w)|(?<=\w)__|(?<![\w*])\*(?=\S)|(?<=\S)\*(?![\w*])|`", "", text)
    text = re.sub(r"\\([\\`*_{}\[\]()#+.!<>|~-])", r"\1", text)
    return " ".join(text.split()).strip(" :—–-|")


def heading_words(text: str) -> str:
    """Returns the words of a heading, code marked as such, without emoji that only decorate and without an anchor."""
    return " ".join(_without_emoji(EDGE_MARKS.sub("", HEADING_ANCHOR.sub("", text))).split()).strip(" ")


def clean_plain_prose(text: str) -> str:
    """Returns plain text as Markdown that means the same, a line a line."""
    return "\n".join(_plain_line(line) for line in text.split("\n"))


def says_something(words: str, source: str) -> bool:
    """Whether the alternative text of a picture is worth reading.

    Four words of any picture, two of the documentation's own: badges and counters come from elsewhere and have short names.
    """
    count = len(WORD.findall(words))
    return not PICTURE_FILE.search(words) and count >= (4 if REMOTE.match(source.strip()) else 2)


def short_url(url: str) -> str:
    """Returns a URL, given from its host on, as people say it: host and path, without query."""
    path = re.split(r"[?#]", url)[0]
    tail = re.search(r"[.,;:!]+$", url)
    shown = path.rstrip("/.,;:!") if len(path) <= 60 else path.split("/")[0]
    return shown + (tail[0] if tail else "")


def _without_emoji(text: str) -> str:
    """Returns a title without emoji and their names where words are left."""
    rest = SHORTCODES.sub("", EMOJI.sub("", text).strip())
    return rest if WORD.search(rest) else text


def _plain_line(line: str) -> str:
    line = line.lstrip() if line.startswith("    ") else line
    if HEADING.match(line):
        line = line.lstrip("# ")
    return WIDE_GAP.sub(" ", BARE_URL.sub(lambda match: short_url(match[1]), line))
