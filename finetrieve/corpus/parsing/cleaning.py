"""Markdown as people publish it made Markdown worth retrieving: words and code stay, the site around them goes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import yaml

from finetrieve.corpus.parsing.markdown import Block, blocks, code_lines, fenced

MAX_FRONT_MATTER = 20_000
"""Characters; what is longer is no front matter."""
MAX_TITLE_WORDS = 25
MIN_DESCRIPTION_WORDS = 3
"""A front matter's description with fewer repeats the title."""

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
COMMENTS = (("<!--", "-->"), ("{/*", "*/}"))
TEMPLATE_TAG = re.compile(r"\{%.{0,500}?%\}|\{\{[<%].{0,500}?[%>]\}\}")
CODE_OR_TEMPLATE_TAG = re.compile(rf"{CODE_SPAN.pattern}|{TEMPLATE_TAG.pattern}")
TAG_TITLE = re.compile(r"(?:title|label|header)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
SHORTCODE = re.compile(r"(?<![\w:]):[a-z0-9]+(?:[_+-][a-z0-9]+)*:(?![\w:])")
EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\ufe0f\u200d\u20e3]+")
HEADING_ANCHOR = re.compile(r"\s*\{:?\s*#[^{}]*\}\s*$|\s*\{#[^{}]*\}\s*$|\s*[¶]\s*$")

BOX = re.compile(r"[\u2500-\u259f]")
FRAME_LINE = re.compile(r"^[\s\u2500-\u259f+=|\-]*$")
CELL_BORDER = re.compile(r"[\u2502\u2503\u2551\u2575-\u257b]")
ASCII_FRAME = re.compile(r"^\s*\+(?:[-=]+\+)+\s*$")
HASH = re.compile(r"(?=.*\d)[0-9a-fA-F-]{4,}")
"""A cell with a UUID or a part of one carries no words."""
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
    r"zenml scarf|\[toc\]|\[\[_?toc_?\]\]"
    r")\W*$",
    re.IGNORECASE,
)
CONTENTS_HEADING = re.compile(r"^(?:table of )?contents?$|^on this page$|^in this (?:page|article|section)$|^toc$", re.IGNORECASE)
SURELY_MARKDOWN = re.compile(
    r"^#{2,6} \S|^\s*(?:```|~~~)|\]\(|^\|[ :|-]+\|\s*$|\A#{1,6} [^\n]+\n\s*\n|^<(?:p|div|table|ul|h\d|pre)\b", re.MULTILINE
)
LIST_MARKER = re.compile(r"^\s*(?:>\s*)*(?:[*+-]|\d{1,3}[.)])\s+")
HEADING = re.compile(r"^(#{1,6})[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$")
ADMONITION = re.compile(r"^(\s*)(?:!!!|\?\?\?\+?|===\+?!?)\s+(?:[\w\- ]+?)?\s*(?:\"([^\"]*)\")?\s*$")
CONTAINER = re.compile(r"^\s*:{3,}\s*(?:\{?[\w-]+\}?)?(?:\[([^\]]*)\]|\s+([^{]*))?(?:\{[^}]*\})?\s*$")
FENCE = re.compile(r"\s*(?:>\s*)*(?:(?:[*+-]|\d+[.)])\s+)?(?:`{3,}|~{3,})")
SITE_CODE = re.compile(
    r"(?:import\s.+\sfrom\s+['\"].*|import\s+['\"].*|export\s+(?:default|const|function|let|var)\b.*|--8<--.*)$"
)
DUMB_ALTERNATIVE = re.compile(r"https?:|\.(?:png|jpe?g|svg|gif)$|badge|logo|screenshot", re.IGNORECASE)
KEPT_BREAK = re.compile(r"(?:  |\\|>|%\}|\|)$|^\s*(?::::|<|\{%|import |export )")
KEPT_LINE = re.compile(r"\s*(?::::|<[a-zA-Z/]|\{%|\||import |export |\[[^\]]+\]:)")
"""Where a line end inside a paragraph means something."""
SITE_STEP = re.compile(r"^(?:Previous|Next)[A-Z][\w ,/'()&-]{2,60}$")
"""What is left of the links to the pages before and after: `PreviousEvaluation in practice`."""
ALERT = re.compile(r"^(\s*(?:>\s*)+)\[!\w+\][+-]?\s*")


@dataclass(frozen=True, slots=True)
class CleanPage:
    """What is left of a page."""

    title: str
    """From the front matter or the first top heading; empty when it has neither."""
    text: str
    contents_only: bool = False
    """Whether the page was little but links: a table of contents."""


def clean_markdown(text: str) -> CleanPage:
    """Returns title and clean Markdown of a Markdown or MDX page."""
    title, body = split_front_matter(text)
    body = _drop_box_drawing(_opened_admonitions(body))
    contents_only = _mostly_links(body)
    body = _outside_code(_with_html_converted(body), _drop_contents_lists)
    body = _outside_code(_unwrapped(body), _clean_prose)
    return CleanPage(title or first_heading(body), tidy(body), contents_only)


def clean_rows_text(text: str) -> str:
    """Returns clean Markdown for a text of unknown kind, such as a row of a table: Markdown, or plain with a stray `#` or `<`."""
    body = _drop_box_drawing(text.replace("\r\n", "\n").replace("\r", "\n"))
    if not SURELY_MARKDOWN.search(body):
        return clean_plain(body)
    return tidy(_outside_code(body, _clean_prose, indented_code=False))


def clean_plain(text: str) -> str:
    """Returns plain text as Markdown that means the same: a `#` starts a comment in it rather than a heading."""
    lines = _drop_box_drawing(text).split("\n")
    kept = [line for line in lines if not BOILERPLATE.match(line) and not SITE_STEP.match(line)]
    return tidy("\n".join(_plain_line(line) for line in kept))


def split_front_matter(text: str) -> tuple[str, str]:
    """Returns the title that YAML or TOML front matter gives, or an empty string, and the text after it with its description."""
    text = text.lstrip("\ufeff\n ")
    for fence in ("---", "+++"):
        if not text.startswith(fence + "\n"):
            continue
        end = re.compile(rf"^(?:{re.escape(fence)}|\.\.\.)\s*$", re.MULTILINE).search(text, len(fence) + 1, MAX_FRONT_MATTER)
        if end is None:
            continue
        head = text[len(fence) + 1 : end.start()]
        if fence == "---" and head.strip() and not re.search(r"^[\w\"'-]+\s*:", head, re.MULTILINE):
            continue
        title, description = _front_matter_words(head, fence)
        body = text[end.end() :].lstrip("\n")
        return title, f"{description}\n\n{body}" if len(description.split()) >= MIN_DESCRIPTION_WORDS else body
    return "", text


def first_heading(text: str) -> str:
    """Returns the words of the first top-level heading, or an empty string."""
    if "# " not in text:
        return ""
    inside = code_lines(text)
    for line, is_code in zip(text.split("\n"), inside, strict=False):
        match = None if is_code else HEADING.match(line)
        if match and len(match[1]) == 1 and plain_words(match[2]):
            return plain_words(match[2])
    return ""


def plain_words(markdown: str) -> str:
    """Returns a heading or a title without its marks: no emphasis, code ticks, links, anchors, emoji or tags."""
    text = HEADING_ANCHOR.sub("", markdown.strip())
    text = LINK.sub(r"\1", IMAGE.sub("", text))
    text = SHORTCODE.sub("", EMOJI.sub("", TAG.sub("", text)))
    text = re.sub(r"\*\*|__(?=\w)|(?<=\w)__|(?<![\w*])\*(?=\S)|(?<=\S)\*(?![\w*])|`", "", text)
    text = re.sub(r"\\([\\`*_{}\[\]()#+.!<>|~-])", r"\1", text)
    return " ".join(" ".join(text.split()).strip(" :—–-|").split(" ")[:MAX_TITLE_WORDS])


def readable_name(name: str) -> str:
    """Returns a file name, path or URL as a title: `setting-up_x.md` -> `Setting up x`."""
    stem = re.sub(r"^[a-z]+://", "", name).split("?")[0].split("#")[0].rstrip("/")
    parts = [part for part in stem.split("/") if part]
    last = re.sub(r"\.(?:mdx?|markdown|rst|html?|txt|ipynb|php|aspx?)$", "", parts[-1], flags=re.IGNORECASE) if parts else name
    if last.lower() in ("readme", "index", "default", "_index") and len(parts) > 1:
        last = parts[-2]
    words = re.sub(r"^\d{1,3}[-_. ]+", "", re.sub(r"[-_\s]+", " ", last)).strip() or last
    return words[:1].upper() + words[1:]


def tidy(text: str) -> str:
    """Returns the text without trailing blanks and runs of empty lines."""
    text = re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


# 1. Whole text: what has to be seen before the Markdown parser.


def _front_matter_words(head: str, fence: str) -> tuple[str, str]:
    """Returns title and description."""
    fields: object = None
    if fence == "---":
        try:
            fields = yaml.safe_load(head)
        except (yaml.YAMLError, ValueError, RecursionError):
            fields = None
    if not isinstance(fields, dict):
        fields = dict(re.findall(r"^(title|description)\s*[:=]\s*[\"']?(.+?)[\"']?\s*$", head, re.MULTILINE))
    title, description = fields.get("title"), fields.get("description")
    return (
        plain_words(str(title)) if isinstance(title, str | int | float) else "",
        " ".join(description.split()) if isinstance(description, str) else "",
    )


def _opened_admonitions(text: str) -> str:
    """Returns the text with MkDocs' indented admonitions and tabs moved to the left: CommonMark would take them for code."""
    if "!!!" not in text and "???" not in text and "\n=== " not in text:
        return text
    lines, depth = [], [0]
    for line in text.split("\n"):
        indent = len(line) - len(line.lstrip(" "))
        while line.strip() and len(depth) > 1 and indent < depth[-1]:
            depth.pop()
        line = line[depth[-1] :] if line.strip() else line
        match = ADMONITION.match(line)
        if match and not line.strip().startswith("====") and (match[2] or "===" not in line):
            depth.append(depth[-1] + len(match[1]) + 4)
            lines += ["", f"**{match[2]}**" if match[2] else "", ""]
        else:
            lines.append(line)
    return "\n".join(lines)


def _drop_box_drawing(text: str) -> str:
    """Returns the text with drawn frames gone and the words of their cells kept, a row a line: `TYPE | aws`."""
    if not BOX.search(text) and "+--" not in text and "+==" not in text:
        return text
    kept: list[str] = []
    after_frame = False
    for line in text.split("\n"):
        if ASCII_FRAME.match(line) or (BOX.search(line) and FRAME_LINE.match(line)):
            after_frame = True
            continue
        if after_frame and not line.strip():
            continue  # Copied terminals have an empty line between the lines of a table.
        if BOX.search(line):
            after_frame = True
            line = _cells(line)
            if not line or (kept and kept[-1] == line):
                continue
        else:
            after_frame = False
        kept.append(line)
    return "\n".join(kept)


def _cells(line: str) -> str:
    if not CELL_BORDER.search(line):
        # A directory tree: its branches become spaces, so that the names stay where they were.
        return BOX.sub(" ", line).rstrip()
    cells = (" ".join(BOX.sub(" ", cell).split()) for cell in CELL_BORDER.split(line))
    return " | ".join(cell for cell in cells if re.search(r"\w", cell) and not HASH.fullmatch(cell))


def _mostly_links(text: str) -> bool:
    """Whether hardly a word stands outside of links: a table of contents."""
    links = LINK.findall(text)
    if len(links) < 8:
        return False
    rest = [line for line in IMAGE.sub("", LINK.sub("", text)).split("\n") if not HEADING.match(line)]
    outside = len(re.findall(r"\w{2,}", " ".join(rest)))
    inside = sum(len(re.findall(r"\w{2,}", label)) for label in links)
    return outside < 0.15 * inside


def _with_html_converted(text: str) -> str:
    """Returns the text with HTML tables and preformatted blocks outside of code made Markdown, and comments gone."""

    def convert(prose: str) -> str:
        for opening, closing in COMMENTS:
            prose = _without_spans(prose, opening, closing)
        for name in ("table", "pre"):
            prose = _replace_elements(prose, name)
        return prose

    return _outside_code(text, convert) if "<" in text or "{/*" in text else text


def _unwrapped(text: str) -> str:
    """Returns the text with each paragraph in one line, as it is shown; lines that are tags or end in a break stay apart."""
    lines = text.split("\n")
    glued = [False] * len(lines)

    def visit(found: Iterable[Block]) -> None:
        for block in found:
            if block.kind == "paragraph":
                for at in range(block.start + 1, block.end):
                    glued[at] = not (KEPT_BREAK.search(lines[at - 1]) or KEPT_LINE.match(lines[at]))
            elif block.kind in ("list", "item"):
                visit(block.children)

    visit(blocks(text))
    out: list[str] = []
    for line, joined in zip(lines, glued, strict=True):
        if joined:
            out[-1] = f"{out[-1].rstrip()} {line.lstrip()}"
        else:
            out.append(line)
    return "\n".join(out)


def _without_spans(text: str, opening: str, closing: str) -> str:
    """Returns the text without what is between two marks, both included; linear, whatever is left open."""
    out, at = list[str](), 0
    while (start := text.find(opening, at)) >= 0 and (end := text.find(closing, start)) >= 0:
        out.append(text[at:start])
        at = end + len(closing)
    return "".join([*out, text[at:]])


def _replace_elements(text: str, name: str) -> str:
    """Returns the text with each whole `<name>...</name>` converted; linear, whatever is left open."""
    lowered, out, at = text.lower(), list[str](), 0
    while (start := lowered.find(f"<{name}", at)) >= 0:
        end = lowered.find(f"</{name}>", start)
        if end < 0:
            break
        end += len(name) + 3
        from finetrieve.corpus.parsing.formats import html_fragment_to_markdown

        out += [text[at:start], "\n\n", html_fragment_to_markdown(text[start:end]), "\n\n"]
        at = end
    return "".join([*out, text[at:]])


def _outside_code(text: str, change: Callable[[str], str], indented_code: bool = True) -> str:
    """Returns the text with `change` applied to each run of lines that is no code; code by indentation becomes fenced."""
    lines = text.split("\n")
    inside = code_lines(text, indented_code)
    out: list[str] = []
    start = 0
    for end in range(1, len(lines) + 1):
        if end < len(lines) and inside[end] == inside[start]:
            continue
        run = "\n".join(lines[start:end])
        out.append(_fenced_if_indented(run) if inside[start] else change(run))
        start = end
    return "\n".join(out)


def _fenced_if_indented(run: str) -> str:
    lines = run.split("\n")
    if FENCE.match(lines[0]):
        return "\n".join([re.sub(r"^(\s*(?:`{3,}|~{3,})\s*[\w+#.-]*).*$", r"\1", lines[0]), *lines[1:]])
    indent = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    if indent != 4:  # Inside a list or a quote, where a fence would have to keep the place.
        return run
    return fenced("\n".join(line[4:] for line in lines).strip("\n"))


# 2. Prose: what stands between the code blocks.


def _clean_prose(prose: str) -> str:
    prose = _drop_site_lines(prose)
    parts: list[str] = []
    at = 0
    for span in CODE_SPAN.finditer(prose):  # What is quoted as code keeps every character.
        parts += [prose[at : span.start()], f"\ue000{len(parts) // 2}\ue001"]
        at = span.end()
    spans = [span[0] for span in CODE_SPAN.finditer(prose)]
    text = _clean_words("".join([*parts, prose[at:]]))
    text = re.sub("\ue000(\\d+)\ue001", lambda match: spans[int(match[1])], text)
    lines = [line for line in text.split("\n") if not BOILERPLATE.match(line) and not SITE_STEP.match(line)]
    return "\n".join(lines)


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


def _drop_contents_lists(text: str) -> str:
    """Returns the text without headings such as `Table of contents` and the list right below them."""
    if not re.search(r"^#{1,6}\s.*(?:contents|on this page|in this|toc)", text, re.IGNORECASE | re.MULTILINE):
        return text
    out, dropping = [], False
    for line in text.split("\n"):
        heading = HEADING.match(line)
        if heading:
            dropping = bool(CONTENTS_HEADING.match(plain_words(heading[2])))
        elif dropping and line.strip() and not LIST_MARKER.match(line):
            dropping = False
        if not dropping:
            out.append(line)
    return "\n".join(out)
