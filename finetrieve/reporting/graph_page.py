"""The page of a graph of chunks: counts, a picture of the largest groups around the chunks with most links, the strongest links.

Every word is escaped. The picture shows a bounded part of the graph, whatever its size.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import pyarrow as pa
from markupsafe import Markup

from finetrieve.core.html import clean, element
from finetrieve.core.numbers import counted
from finetrieve.core.rows import ChunkLink
from finetrieve.core.tables import Rows
from finetrieve.reporting.artifact_pages import table_page
from finetrieve.reporting.pages import render_page

GROUPS = 6
"""In the picture: the chunks with most links, none a neighbour of another, each with its own."""
AROUND = 8
_WIDTH, _HEIGHT, _RADIUS = 520, 240, 92
"""The labels stand left and right of the circle, each on its own side, where they neither meet nor are cut."""
_LABEL = 26
_COLORS = {"entities": "#2a6fbb", "similarity": "#b3541e", "siblings": "#3b8132", "page link": "#7a3fa0"}
_OTHER = "#666"


def graph_page(links: pa.Table) -> str:
    """Returns the page of a table of `ChunkLink`."""
    if not links.num_rows:
        return table_page(links)
    degrees, kinds = Counter[str](), Counter[str]()
    for link in Rows(links, ChunkLink):
        degrees.update((link.chunk_id, link.other_chunk_id))
        kinds[link.kind] += 1
    around = _strongest_around(links, degrees)
    places = {end: place for own in around.values() for link in own for end, place in _ends(link)}
    counts = [
        element("tr", element("td", clean(kind, 40)), element("td", f"{count:,}", class_="n"))
        for kind, count in kinds.most_common()
    ]
    return render_page(
        "artifact.html.j2",
        body=Markup("").join(
            [
                element("h1", f"{counted(links.num_rows, 'link')} between {counted(len(degrees), 'chunk')}"),
                element("table", *counts),
                element("h2", "The chunks with most links, and their strongest neighbours"),
                element("div", *(_star(hub, own, places, degrees) for hub, own in around.items()), class_="parts"),
                _legend(kinds),
                element("h2", "A sample of the links"),
                _sample(links),
            ]
        ),
    )


def _ends(link: ChunkLink) -> tuple[tuple[str, str], tuple[str, str]]:
    return (link.chunk_id, link.place), (link.other_chunk_id, link.other_place)


def _strongest_around(links: pa.Table, degrees: Mapping[str, int]) -> dict[str, list[ChunkLink]]:
    """Returns the hubs with their strongest links: of the chunks with most links, those that are apart from each other."""
    order = sorted(degrees, key=lambda chunk: (-degrees[chunk], chunk))[: 20 * GROUPS]
    wanted = set(order)
    found = defaultdict[str, list[ChunkLink]](list)
    for link in Rows(links, ChunkLink):
        for end in {link.chunk_id, link.other_chunk_id} & wanted:
            found[end].append(link)
    hubs: dict[str, list[ChunkLink]] = {}
    taken: set[str] = set()
    for chunk in order:
        own = sorted(found[chunk], key=lambda link: -link.weight)[:AROUND]
        if chunk not in taken and len(hubs) < GROUPS:
            hubs[chunk] = own
            taken |= {end for link in own for end in (link.chunk_id, link.other_chunk_id)}
    return hubs


def _star(hub: str, links: Sequence[ChunkLink], places: Mapping[str, str], degrees: Mapping[str, int]) -> Markup:
    """Returns a chunk in the middle of its neighbours; the stronger a link, the thicker its line."""
    middle, centre = _WIDTH / 2, _HEIGHT / 2
    lines, dots = list[Markup](), list[Markup]()
    for place, link in enumerate(links):
        other = link.other_chunk_id if link.chunk_id == hub else link.chunk_id
        angle = 2 * math.pi * place / len(links) - math.pi / 2
        x, y = middle + _RADIUS * math.cos(angle), centre + _RADIUS * math.sin(angle)
        width, color = f"{1 + 4 * link.weight:.1f}", _COLORS.get(link.kind, _OTHER)
        about = element("title", f"{clean(link.kind, 40)} {link.weight:.2f}: {clean(link.shared, 120)}")
        ends = {"x1": f"{middle:.0f}", "y1": f"{centre:.0f}", "x2": f"{x:.0f}", "y2": f"{y:.0f}"}
        lines.append(element("line", about, **ends, stroke=color, stroke_width=width))
        dots.append(_dot(x, y, 5, places[other], _side(x - middle), _label_height(y - centre)))
    label = f"{clean(places[hub], 60)} ({degrees[hub]:,} links)"
    hub_dot = _circle(middle, centre, 8, places[hub])
    size = {"viewBox": f"0 0 {_WIDTH} {_HEIGHT}", "width": _WIDTH, "height": _HEIGHT}
    picture = element("svg", *lines, *dots, hub_dot, **size)
    return element("div", element("h2", label), picture)


def _side(from_middle: float) -> str:
    """Returns how a label stands at its dot: away from the middle."""
    return "middle" if abs(from_middle) < 1 else "start" if from_middle > 0 else "end"


def _label_height(from_centre: float) -> float:
    """Returns how far below its dot a label's foot stands: above the highest dots, below the lowest, else beside."""
    return -9 if from_centre < 1 - _RADIUS else 18 if from_centre > _RADIUS - 1 else 4


def _dot(x: float, y: float, radius: int, place: str, anchor: str, below: float) -> Markup:
    words = clean(place.rpartition(" > ")[2] or place, _LABEL)
    beside = {"middle": 0, "start": radius + 4, "end": -radius - 4}[anchor]
    text = element("text", words, x=f"{x + beside:.0f}", y=f"{y + below:.0f}", text_anchor=anchor)
    return element("g", _circle(x, y, radius, place), text)


def _circle(x: float, y: float, radius: int, place: str) -> Markup:
    return element("circle", element("title", clean(place, 160)), cx=f"{x:.0f}", cy=f"{y:.0f}", r=radius, fill="#777")


def _legend(kinds: Mapping[str, int]) -> Markup:
    swatches = [element("span", f"■ {clean(kind, 40)}  ", style=f"color:{_COLORS.get(kind, _OTHER)}") for kind in sorted(kinds)]
    return element("p", *swatches)


def _sample(links: pa.Table) -> Markup:
    step = max(1, links.num_rows // 15)
    rows = [
        element(
            "tr",
            *(element("td", clean(words, 120)) for words in (link.place, link.other_place, link.kind)),
            element("td", f"{link.weight:.2f}", class_="n"),
            element("td", clean(link.shared, 120)),
        )
        for place, link in enumerate(Rows(links, ChunkLink))
        if place % step == 0
    ][:15]
    head = element("tr", *(element("th", name) for name in ("chunk", "other chunk", "link", "weight", "shared")))
    return element("table", head, *rows)
