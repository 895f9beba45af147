"""The report's pictures: inline SVG that needs no script, scales to any width and keeps its letters' size.

Widths are per cent of the plot, heights are pixels, so a phone shows the same letters as a desk. Colours come from the page's
style sheet by class: `mark-base`, `mark-finetuned`, `mark-bm25`, ...; each way of searching has a shape: dense vectors dots,
hybrids diamonds, late interaction squares, the fusion of all triangles, what reorders another's first chunks rings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from finetrieve.core.html import element

Point = tuple[float, float]

ROW = 34
"""Height of a row of a picture with rows, in pixels."""
LABELS = 138
"""Room for the labels at the left of rows, in pixels; the style sheet leaves it as the margin of `.rows` and `.bars`."""
HEADING = 26
"""Height of a heading between rows, in pixels."""
PLOT_HEIGHT = 150
_DIGITS = 3


@dataclass(frozen=True)
class IntervalRow:
    """A value with its interval."""

    label: str
    value: float
    low: float
    high: float
    mark: str
    """`bm25`, `base`, `finetuned`, `hybrid_base`, ...: colour and shape."""
    shown: str
    """The value as it stands at the right."""
    group: str = ""
    """A heading above the first row that has it."""
    best: bool = False
    """Drawn in bold."""


@dataclass(frozen=True)
class BarRow:
    """A share of the whole."""

    label: str
    share: float
    """0..1"""
    shown: str
    before: float = 0.0
    """The share of the row above, drawn pale behind it."""


@dataclass(frozen=True)
class Series:
    """A line through points, left to right."""

    label: str
    points: Sequence[Point]
    mark: str
    dots: bool = True
    ringed: Point | None = None
    """A point that is marked by a ring."""


@dataclass(frozen=True)
class Axis:
    """A range of values and where its ticks are."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Returns where a value lies, 0..1; what lies outside is put at the edge."""
        return min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))

    def label(self, value: float) -> str:
        """Returns a tick in as many decimals as the ticks need."""
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else self.high - self.low
        return f"{value:,.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"


def axis_of(values: Iterable[float], low: float | None = None, high: float | None = None, ticks: int = 5) -> Axis:
    """Returns an axis around values with round ticks."""
    known = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    least, most = min(known), max(known)
    spread = most - least or abs(most) or 1.0
    least, most = least - spread * 0.06, most + spread * 0.06
    least = max(low, least) if low is not None else least
    most = min(high, most) if high is not None else most
    step = _round_step((most - least) / ticks)
    first, last = math.ceil(least / step - 1e-9), math.floor(most / step + 1e-9)
    return Axis(least, most, tuple(round(index * step, 10) for index in range(first, last + 1)))


def _round_step(rough: float) -> float:
    size: float = 10.0 ** math.floor(math.log10(rough))
    return next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.75)


# 1. Pictures with rows: labels at the left, values at the right.


def intervals(title: str, rows: Sequence[IntervalRow], axis: Axis) -> Markup:
    """Returns a dot with whiskers per row, under the headings of their groups."""
    places, headings, y = [], [], 0
    for index, row in enumerate(rows):
        if row.group and (index == 0 or row.group != rows[index - 1].group):
            headings.append(element("text", row.group, x=-LABELS, y=y + HEADING - 8, class_="tick"))
            y += HEADING
        places.append(y)
        y += ROW
    grid = [_vertical(axis.share(tick), y) for tick in axis.ticks]
    ticks = [_tick(axis.label(tick), axis.share(tick), y + 16, odd=index % 2 == 1) for index, tick in enumerate(axis.ticks)]
    marks = [_whisker(row, axis, place + ROW // 2) for row, place in zip(rows, places, strict=True)]
    told = "; ".join(f"{_told_label(row)} {row.shown}, {row.low:.{_DIGITS}f} to {row.high:.{_DIGITS}f}" for row in rows)
    words = [word for row, place in zip(rows, places, strict=True) for word in _words_of(row.label, row.shown, place, row.best)]
    return _picture("rows", title, told, y + 24, *grid, *ticks, *headings, *marks, *words)


def _told_label(row: IntervalRow) -> str:
    return f"{row.group}, {row.label}" if row.group else row.label


def _whisker(row: IntervalRow, axis: Axis, y: int) -> Markup:
    low, value, high = (_per_cent(axis.share(number)) for number in (row.low, row.value, row.high))
    return element(
        "g",
        element("line", x1=low, x2=high, y1=y, y2=y, class_="whisker"),
        element("line", x1=low, x2=low, y1=y - 4, y2=y + 4, class_="whisker"),
        element("line", x1=high, x2=high, y1=y - 4, y2=y + 4, class_="whisker"),
        _mark(value, y, row.mark),
        class_=f"mark-{row.mark}",
    )


_SHAPES = {"hybrid": "M0 -7L7 0L0 7L-7 0Z", "late": "M-5.5 -5.5H5.5V5.5H-5.5Z", "fused": "M0 -7L6.5 5H-6.5Z"}


def _mark(x: str, y: float, mark: str) -> Markup:
    """Returns the shape of a way of searching; all but dots are nested drawings, as corners cannot be given in per cent."""
    way = mark.partition("_")[0]
    if way not in _SHAPES:
        ring = "dot ring" if way.startswith(("rerank", "cross")) else "dot"
        return element("circle", cx=x, cy=y, r=5.5, class_=ring)
    return element("svg", element("path", d=_SHAPES[way], class_="dot"), x=x, y=y, overflow="visible")


def bars(title: str, rows: Sequence[BarRow], mark: str) -> Markup:
    """Returns a bar per row, from the left, over the pale bar of what came in."""
    drawn = []
    for index, row in enumerate(rows):
        y = ROW * index + 7
        for share, kind in ((row.before, "ghost"), (row.share, "bar")):
            if share > 0:
                drawn.append(element("rect", x=0, y=y, width=_per_cent(share), height=ROW - 14, rx=3, class_=kind))
    told = "; ".join(f"{row.label}: {row.shown}" for row in rows)
    words = _row_words((row.label, row.shown) for row in rows)
    return _picture("bars", title, told, ROW * len(rows), element("g", *drawn, class_=f"mark-{mark}"), *words)


def _row_words(rows: Iterable[tuple[str, str]]) -> list[Markup]:
    """Returns labels in the left margin and values in the right one."""
    return [word for index, (label, shown) in enumerate(rows) for word in _words_of(label, shown, ROW * index)]


def _words_of(label: str, shown: str, top: int, strong: bool = False) -> tuple[Markup, Markup]:
    y = top + ROW // 2 + 4
    kind = "label strong" if strong else "label"
    return element("text", label, x=-LABELS, y=y, class_=kind), element("text", shown, x="100%", dx=12, y=y, class_="value")


# 2. Pictures with two axes.


def lines(title: str, series: Sequence[Series], x_axis: Axis, y_axis: Axis, x_labels: Sequence[str] | None = None) -> Markup:
    """Returns lines with dots.

    Args:
        title: What the picture shows.
        series: The lines; the last is drawn on top.
        x_axis: Of the points' first number.
        y_axis: Of the points' second number.
        x_labels: Words for the ticks of `x_axis`, when they are not its numbers.
    """
    drawn = [_line(item, x_axis, y_axis) for item in series]
    told = "; ".join(f"{item.label}: {_summary(item, x_axis)}" for item in series)
    return _two_axes(title, told, drawn, x_axis, y_axis, x_labels)


def _summary(item: Series, x_axis: Axis) -> str:
    ends = item.points if len(item.points) <= 6 else [item.points[0], item.points[-1]]
    return ", ".join(f"{y:.{_DIGITS}f} at {x_axis.label(x)}" for x, y in ends)


def _line(item: Series, x_axis: Axis, y_axis: Axis) -> Markup:
    places = [(x_axis.share(x), 1 - y_axis.share(y)) for x, y in item.points]
    path = _stretched("M" + "L".join(f"{100 * x:.2f} {100 * y:.2f}" for x, y in places), "line")
    dots = [_mark(_per_cent(x), round(PLOT_HEIGHT * y, 1), item.mark) for x, y in places] if item.dots else []
    if item.ringed is not None:
        x, y = x_axis.share(item.ringed[0]), 1 - y_axis.share(item.ringed[1])
        dots.append(element("circle", cx=_per_cent(x), cy=round(PLOT_HEIGHT * y, 1), r=10.5, class_="halo"))
    return element("g", path, *dots, class_=f"mark-{item.mark}")


def histograms(title: str, samples: Sequence[tuple[str, Sequence[float], str]], x_axis: Axis) -> Markup:
    """Returns histograms over each other: (label, values, mark), the last on top. Heights are shares of each sample."""
    most = max((len(values) for _, values, _ in samples), default=0)
    bins = min(36, max(8, round(1.5 * math.sqrt(most))))
    shares = [_binned(values, x_axis, bins) for _, values, _ in samples]
    top = max((max(heights) for heights in shares), default=0.0) or 1.0
    y_axis = Axis(0.0, top * 1.05, ())
    drawn = []
    for (_, _, mark), heights in zip(samples, shares, strict=True):
        outline = _outline(heights, y_axis.share)
        drawn.append(element("g", _stretched(f"{outline}L100 100Z", "area"), _stretched(outline, "line"), class_=f"mark-{mark}"))
    told = "; ".join(f"{label}: mean {sum(values) / len(values):.2f}" for label, values, _ in samples if len(values))
    return _two_axes(title, told, drawn, x_axis, y_axis, None)


def _binned(values: Sequence[float], axis: Axis, bins: int) -> list[float]:
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, int(axis.share(value) * bins))] += 1
    return [count / max(1, len(values)) for count in counts]


def _outline(heights: Sequence[float], share: Callable[[float], float]) -> str:
    width = 100 / len(heights)
    steps = [f"V{100 * (1 - share(height)):.2f}H{width * (index + 1):.2f}" for index, height in enumerate(heights)]
    return "M0 100" + "".join(steps) + "V100"


def _two_axes(
    title: str, told: str, drawn: Sequence[Markup], x_axis: Axis, y_axis: Axis, x_labels: Sequence[str] | None
) -> Markup:
    words = x_labels if x_labels is not None else [x_axis.label(tick) for tick in x_axis.ticks]
    across = []
    for tick in y_axis.ticks:
        y = PLOT_HEIGHT * (1 - y_axis.share(tick))
        across.append(element("line", x1=0, x2="100%", y1=y, y2=y, class_="grid"))
        across.append(element("text", y_axis.label(tick), x=-8, y=y + 4, class_="tick end"))
    below = [_tick(word, x_axis.share(tick), PLOT_HEIGHT + 18) for tick, word in zip(x_axis.ticks, words, strict=True)]
    edge = element("line", x1=0, x2="100%", y1=PLOT_HEIGHT, y2=PLOT_HEIGHT, class_="edge")
    return _picture("lines", title, told, PLOT_HEIGHT + 26, *across, edge, *drawn, *below)


# 3. What all pictures share.


def _picture(kind: str, title: str, told: str, height: int, *drawn: Markup) -> Markup:
    """Returns the drawing with its title and its content in words, for those who cannot see it."""
    words = (element("title", title), element("desc", told))
    return element("svg", *words, *drawn, role="img", aria_label=f"{title}. {told}", class_=f"picture {kind}", height=height)


def _stretched(path: str, kind: str) -> Markup:
    """Returns a path in a square of 100 by 100 that fills the plot; lines keep their width."""
    drawing = element("path", d=path, class_=kind, vector_effect="non-scaling-stroke")
    return element("svg", drawing, viewBox="0 0 100 100", preserveAspectRatio="none", width="100%", height=PLOT_HEIGHT)


def _vertical(share: float, height: int) -> Markup:
    return element("line", x1=_per_cent(share), x2=_per_cent(share), y1=0, y2=height, class_="grid")


def _tick(word: str, share: float, y: int, odd: bool = False) -> Markup:
    """Returns a label below the plot; the style sheet hides odd ones where there is little room."""
    return element("text", word, x=_per_cent(share), y=y, class_="tick middle odd" if odd else "tick middle")


def _per_cent(share: float) -> str:
    return f"{100 * share:.2f}%"
