"""What lies in a folder of documentation and is none: other people's files, built sites, templates, lists for machines."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from finetrieve.core.own_output import FOLDER_MARKS

FOREIGN_FOLDERS = {
    "node_modules", "bower_components", "jspm_packages", "__pycache__", "venv", "virtualenv", "site-packages", "dist-packages",
    "vendor", "third_party", "third-party", "thirdparty",
}  # fmt: skip
BUILT_FOLDERS = {"_build", "_site", "_book"}
TEMPLATE_FOLDERS = {"_templates", "_layouts", "_includes", "_sass", "archetypes"}
SITE_FILES = ("objects.inv", "searchindex.js", ".buildinfo", "search/search_index.json")
"""What generators of sites leave in the folder that they write."""
MACHINE_FILES = {
    "robots.txt", "ads.txt", "app-ads.txt", "cmakelists.txt", "top_level.txt", "sources.txt", "entry_points.txt",
    "dependency_links.txt",
}  # fmt: skip
_TEMPLATE = re.compile(r"\{%-?\s*(?:extends|block|macro)\b|\{\{-?\s*(?:define|template|block|partial|range)\b")
_QUOTED = re.compile(r"<(pre|code|tt|kbd|samp|textarea)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
_REQUIREMENT = re.compile(
    r"\s*(?:-[rce]\s+\S+|--\S+.*|[A-Za-z0-9][\w.-]*(?:\[[\w,.-]+\])?\s*(?:[=~<>!]=?|@|;).*|[a-z0-9][\w.-]*)\s*(?:#.*)?"
)
_PINNED = re.compile(r"[=~<>!]=|^\s*-[rce]\s", re.MULTILINE)
_ROBOTS = re.compile(r"\s*(?:user-agent|(?:dis)?allow|sitemap|crawl-delay|host)\s*:.*", re.IGNORECASE)
MACHINE_SHARE = 0.9
"""Of a text file's lines that are none of a comment: so many of a form that only programs read make it a list for them."""


def folder_objection(folder: Path, wanted: Collection[str]) -> str:
    """Returns why a folder below the one that is read is not entered, or an empty string.

    Args:
        folder: Never the one that is read: whoever names a folder means it.
        wanted: Names in the patterns of files to read; a folder among them is entered.
    """
    name = folder.name
    if name in wanted:
        return ""
    if name.startswith("."):
        return "a hidden folder"
    if any((folder / mark).is_file() for mark in FOLDER_MARKS):
        return "written by Finetrieve"
    if name in FOREIGN_FOLDERS or (folder / "pyvenv.cfg").is_file():
        return "a folder of other people's files"
    if name in TEMPLATE_FOLDERS:
        return "a folder of page templates"
    if name in BUILT_FOLDERS or any((folder / site_file).is_file() for site_file in SITE_FILES):
        return "a built site; give that folder itself to read it"
    return ""


def text_objection(name: str, text: str) -> str:
    """Returns why a file that looks like a page is none, or an empty string.

    Args:
        name: The file's, without its folder.
        text: What is in it. With front matter it is a page, whatever its generator fills in.
    """
    lowered = name.lower()
    if lowered in MACHINE_FILES:
        return "a file for programs"
    if lowered.endswith((".html", ".htm")) and not text.startswith("---") and _TEMPLATE.search(_QUOTED.sub("", text)):
        return "a template for pages, with placeholders in their place"
    if lowered.endswith(".txt"):
        lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        if _share(_ROBOTS, lines) >= MACHINE_SHARE:
            return "rules for crawlers"
        named = re.match(r"(?:.*[-_.])?(?:requirements|constraints|reqs?)\b", lowered) is not None
        if _share(_REQUIREMENT, lines) >= MACHINE_SHARE and (named or _PINNED.search("\n".join(lines))):
            return "a list of packages to install"
    return ""


def _share(form: re.Pattern[str], lines: list[str]) -> float:
    return sum(form.fullmatch(line) is not None for line in lines) / len(lines) if lines else 0.0
