"""Markdown prose, which is what stands between the code blocks, without links, images, tags and lines of the site around it."""

from __future__ import annotations

import re

MAX_TITLE_WORDS = 25
HTML_TAGS = (
    "a|abbr|address|article|aside|audio|b|big|blockquote|body|br|button|caption|center|cite|code|col|colgroup|dd|del|details|dfn|div|dl|dt|em|"
    "embed|figcaption|figure|font|footer|form|h[1-6]|head|header|hr|html|i|iframe|img|input|ins|kbd|label|li|link|main|mark|meta|nav|"
    "noscript|object|ol|option|p|param|path|picture|pre|q|s|samp|script|section|select|small|source|span|strike|strong|style|sub|summary|"
    "sup|svg|table|tbody|td|template|textarea|tfoot|th|thead|time|title|tr|track|tt|u|ul|var|video"
)
TAG = re.compile(rf"</?(?:{HTML_TAGS})(?:\s[^<>]*)?/?>", re.IGNORECASE)
"""Only tags that HTML has: `<NAME>` and `<your-token>` are words."""
JSX_TAG = re.compile(r"</?([A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9.]*)((?:\s[^<>]*)?)/?>")
CODE_SPAN = re.compile(r"(`+)(?!`)([^`]|(?!\1)`)+?\1(?!`)")
IMAGE = re.compile(r"!\[([^\[\]]*)\](?:\([^()\s]*(?:\([^()]*\)[^()\s]*)*(?:\s+[\"'(][^\"']*[\"')])?\s*\)|\[[^\[\]]*\])")
LINK = re.compile(r"(?<!\\)\[([^\[\]]*)\]\(\s*(?:<[^<>]*>|[^()\s]*(?:\([^()]*\)[^()\s]*)*)(?:\s+(?:\"[^\"]*\"|'[^']*'))?\s*\)")
REFERENCE_LINK = re.compile(r"(?<![\\\]])\[([^\[\]]+)\]\[[^\[\]]*\]")
REFERENCE = re.compile(r"^ {0,3}\[[^\[\]]+\]:\s+\S+.*$", re.MULTILINE)
AUTOLINK = re.compile(r"<((?:https?|ftp|mailto):[^<>\s]+)>")
BARE_URL = re.compile(r"(?:https?|ftp)://([^\s<>()\[\]\"'`*]+)")
TEMPLATE_TAG = re.compile(r"\{%.{0,500}?%\}|\{\{[<%].{0,500}?[%>]\}\}")
CODE_OR_TEMPLATE_TAG = re.compile(rf"{CODE_SPAN.pattern}|{TEMPLATE_TAG.pattern}")
TAG_TITLE = re.compile(r"(?:title|label|header)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
SHORTCODE = re.compile(r"(?<![\w:]):[a-z0-9]+(?:[_+-][a-z0-9]+)*:(?![\w:])")
EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\ufe0f\u200d\u20e3]+")
HEADING_ANCHOR = re.compile(r"\s*\{:?\s*#[^{}]*\}\s*$|\s*\{#[^{}]*\}\s*$|\s*[¶]\s*$")
WIDE_GAP = re.compile(r"[ \t]{3,}")
BOILERPLATE = re.compile(
    r"^\W*(?:"
    r"edit (?:this|on|the) (?:page|github|gitlab|file)(?: (?:on|in) \w+)?|"
    r"(?:view|see|show|open)(?: the)?(?: page)? source(?: on \w+)?|"
    r"improve this (?:page|doc)|skip to (?:main )?content|"
    r"was this (?:page|article|section) helpful\W*(?:yes|no)?\W*(?:yes|no)?|(?:last|page) (?:updated?|modified)\b.{0,40}|"
    r"(?:back to|return to|go to) (?:the )?(?:top|home)|table of contents|on this page|in this (?:page|article)|"
    r"copy(?: to clipboard| code)?|(?:previous|next|prev)(?: (?:page|topic|section))?|"
    r"toggle (?:navigation|menu|table of contents).{0,30}|print this page|share this page|"
    r"(?:click|press) to (?:copy|expand)|all rights reserved|powered by (?:gitbook|mkdocs|sphinx|docusaurus|readme)\b.{0,40}|"
    r"(?:built|made|created) with (?:mkdocs|sphinx|docusaurus|gitbook)\b.{0,60}|©.{0,100}|copyright (?:©|\(c\)).{0,100}|"
    r"\[toc\]|\[\[_?toc_?\]\]"
    r")\W*$",
    re.IGNORECASE,
)
LIST_MARKER = re.compile(r"^\s*(?:>\s*)*(?:[*+-]|\d{1,3}[.)])\s+")
HEADING = re.compile(r"^(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$")
CONTAINER = re.compile(r"^\s*:{3,}\s*(?:\{?[\w-]+\}?)?(?:\[([^\]]*)\]|\s+([^{]*))?(?:\{[^}]*\})?\s*$")
SITE_CODE = re.compile(
    r"(?:import\s.+\sfrom\s+['\"].*|import\s+['\"].*|export\s+(?:default|const|function|let|var)\b.*|--8<--.*)$"
)
DUMB_ALTERNATIVE = re.compile(r"https?:|\.(?:png|jpe?g|svg|gif)$|badge|logo|screenshot", re.IGNORECASE)
SITE_STEP = re.compile(r"^(?:Previous|Next)[A-Z][\w ,/'()&-]{2,60}$")
"""What is left of the links to the pages before and after: `PreviousEvaluation in practice`."""
ALERT = re.compile(r"^(\s*(?:>\s*)+)\[!\w+\][+-]?\s*")


def plain_words(markdown: str) -> str:
    """Returns a heading or a title without its marks: no emphasis, code ticks, links, anchors, emoji or tags."""
    text = HEADING_ANCHOR.sub("", markdown.strip())
    text = LINK.sub(r"\1", IMAGE.sub("", text))
    text = SHORTCODE.sub("", EMOJI.sub("", TAG.sub("", text)))
    text = re.sub(r"\*\*|__(?=\w)|(?<=\w)__|(?<![\w*])\*(?=\S)|(?<=\S)\*(?![\w*])|`", "", text)
    text = re.sub(r"\\([\\`*_{}\[\]()#+.!<>|~-])", r"\1", text)
    return " ".join(" ".join(text.split()).strip(" :—–-|").split(" ")[:MAX_TITLE_WORDS])


def clean_prose(prose: str) -> str:
    """Returns the words of a run of Markdown that is no code."""
    prose = _drop_site_lines(prose)
    parts: list[str] = []
    at = 0
    for span in CODE_SPAN.finditer(prose):  # What is quoted as code keeps every character.
        parts += [prose[at : span.start()], f"\ue000{len(parts) // 2}\ue001"]
        at = span.end()
    spans = [span[0] for span in CODE_SPAN.finditer(prose)]
    text = _clean_words("".join([*parts, prose[at:]]))
    text = re.sub("\ue000(\\d+)\ue001", lambda match: spans[int(match[1])], text)
    return "\n".join(_own_lines(text))


def clean_plain_prose(text: str) -> str:
    """Returns plain text as Markdown that means the same, a line a line."""
    return "\n".join(_plain_line(line) for line in _own_lines(text))


def _own_lines(text: str) -> list[str]:
    """Returns the lines that are the page's own rather than the site's."""
    return [line for line in text.split("\n") if not BOILERPLATE.match(line) and not SITE_STEP.match(line)]


def _drop_site_lines(prose: str) -> str:
    """Returns the prose without lines that build the site: MDX imports, template tags (their titles stay), breadcrumbs."""
    lines = []
    for line in prose.split("\n"):
        stripped = line.strip()
        if SITE_CODE.match(stripped) or _is_breadcrumb(stripped):
            continue
        if stripped.startswith(":::"):
            match = CONTAINER.match(line)
            line = f"**{(match[1] or match[2]).strip()}**" if match and (match[1] or match[2] or "").strip() else ""
        if "[!" in line:
            line = ALERT.sub(r"\1", line)
        lines.append(CODE_OR_TEMPLATE_TAG.sub(_tag_title, line) if "{" in line else line)
    return "\n".join(lines)


def _tag_title(match: re.Match[str]) -> str:
    if match[0].startswith("`"):  # Quoted as code it is what the page is about.
        return match[0]
    title = TAG_TITLE.search(match[0])
    words = (title[1] or title[2] or "").strip() if title else ""
    return f"**{words}**" if words else ""


def _is_breadcrumb(line: str) -> bool:
    """Whether a line is only links between separators: `[Home](/) > [Guide](/guide) > Page`."""
    if line.count("](") < 2 or len(line) > 1000 or LIST_MARKER.match(line):
        return False
    rest = LINK.sub("", IMAGE.sub("", line)).strip()
    return bool(re.fullmatch(r"(?:\s*(?:>|»|›|/|\||→|·|•|&gt;|::)\s*)+(?:[\w ]{0,60})", rest))


def _clean_words(text: str) -> str:
    text = _drop_images(text)
    text = _convert_tags(text)
    text = REFERENCE.sub("", text)
    for _ in range(2):  # A link around a link's text, such as an image that had text.
        text = LINK.sub(lambda match: match[1], text)
    text = REFERENCE_LINK.sub(r"\1", text)
    text = AUTOLINK.sub(r"\1", text)
    text = BARE_URL.sub(lambda match: _short_url(match[1]), text)
    text = SHORTCODE.sub("", text)
    text = EMOJI.sub("", text)
    text = re.sub(r"\*\*\*\*+|\*\*[ \t]*\*\*", "", text)
    text = re.sub(r"\[\s*\](?!\()", "", text) if "[]" in text or "[ ]" in text else text
    text = text.replace("&nbsp;", " ").replace("\u00a0", " ").replace("\u200b", "").replace("&lt;", "<").replace("&gt;", ">")
    text = text.replace("&amp;", "&").replace("&quot;", '"').replace("&#39;", "'").replace("&#x27;", "'")
    text = re.sub(r"\\([_*\[\]()#+.!<>|~`\"'-])", r"\1", text)
    lines = [_tidy_line(line) for line in text.split("\n")]
    return "\n".join(lines)


def _plain_line(line: str) -> str:
    line = line.lstrip() if line.startswith("    ") else line
    if HEADING.match(line):
        line = line.lstrip("# ")
    return WIDE_GAP.sub(" ", BARE_URL.sub(lambda match: _short_url(match[1]), line))


def _tidy_line(line: str) -> str:
    heading = HEADING.match(line)
    if heading:
        return f"{heading[1]} {plain_words(heading[2])}" if plain_words(heading[2]) else ""
    if re.fullmatch(r"\s*(?:[*+-]|\d+[.)])?\s*[*_|>\s]*", line) and line.strip() and not re.fullmatch(r"\s*([*_-]\s*){3,}", line):
        return ">" if line.strip() == ">" else ""
    line = re.sub(r"^(\s*)([*+-])[ \t]{2,}(?=\S)", r"\1\2 ", line)
    if "|" in line:
        line = re.sub(r"-{4,}", "---", re.sub(r"[ \t]{2,}", " ", line))
    return WIDE_GAP.sub(" ", line.rstrip()) if not line.startswith(" ") else line.rstrip()


def _drop_images(text: str) -> str:
    """Returns the text without images; alternative text that says something stays."""
    if "![" not in text:
        return text

    def alternative(match: re.Match[str]) -> str:
        words = match[1].strip()
        return words if len(words.split()) >= 4 and not DUMB_ALTERNATIVE.search(words) else ""

    return IMAGE.sub(alternative, text)


def _convert_tags(text: str) -> str:
    """Returns the text with HTML and JSX tags gone, code and strong words marked, and breaks where blocks were."""
    if "<" not in text:
        return text
    text = re.sub(r"<(script|style|svg|iframe|video)\b[^<>]*>[^<]*</\1>", "", text, flags=re.IGNORECASE)
    text = re.sub(r"<code>([^<>`\n]+)</code>", r"`\1`", text, flags=re.IGNORECASE)
    text = re.sub(r"</?(?:strong|b)>", "**", text, flags=re.IGNORECASE)
    text = re.sub(r"<summary>\s*(.*?)\s*</summary>", r"\n\n**\1**\n\n", text, flags=re.IGNORECASE)
    text = re.sub(r"<h([1-6])(?:\s[^<>]*)?>(.*?)</h\1>", lambda m: f"\n\n{'#' * int(m[1])} {m[2]}\n\n", text, flags=re.IGNORECASE)
    text = re.sub(r"<li(?:\s[^<>]*)?>", "\n- ", text, flags=re.IGNORECASE)
    text = re.sub(r"<br\s*/?>|</?(?:p|div|figure|details|section|ul|ol)(?:\s[^<>]*)?>", "\n", text, flags=re.IGNORECASE)
    text = TAG.sub("", text)
    if JSX_TAG.search(text):
        closed = set(re.findall(r"</([A-Z]\w*)", text))
        text = JSX_TAG.sub(lambda m: _jsx_title(m) if m[2].strip() or m[1] in closed or m[0].endswith("/>") else m[0], text)
    return text


def _jsx_title(match: re.Match[str]) -> str:
    title = _tag_title(match)
    return f"\n\n{title}\n\n" if title else ""


def _short_url(url: str) -> str:
    """Returns a URL as people say it: host and path, without query."""
    path = re.split(r"[?#]", url)[0]
    tail = re.search(r"[.,;:!]+$", url)
    shown = path.rstrip("/.,;:!") if len(path) <= 60 else path.split("/")[0]
    return shown + (tail[0] if tail else "")
