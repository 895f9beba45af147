"""The report must be safe to open, say what the numbers say, and leave out what it was not given."""

from __future__ import annotations

import random
import re
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from finetrieve.core.generation_report import GenerationReport
from finetrieve.core.html import clean, element, one_line
from finetrieve.core.split_report import SplitReport
from finetrieve.core.training_record import TrainingRecord
from finetrieve.evaluation.formats import duration, kilobytes, p_value, percent, points
from finetrieve.evaluation.result import EvaluationResult
from finetrieve.reporting import report, summary
from finetrieve.reporting.charts import BarRow, Series, axis_of, bars, histograms, lines
from finetrieve.reporting.report_details import ReportDetails
from finetrieve.reporting.report_making import CURVE_POINTS, generation_view, training_view
from tests.evaluation.many_arms import bill_points, many_arms

HOSTILE = [
    "</style><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</svg></title><iframe src=//evil.example></iframe>",
    "{{ 7 * 7 }}{% include 'x' %}",
    "a\x00b\x1b[31mc\x85",
    "\u202egnirts desrever\u2066",
    "half a pair \ud800",
    "w" * 50_000,
    "😀 שלום العربية 中文",
    "t" + "\u0301" * 200,
    "]]><!--",
]
METRICS = ("ndcg@10", "mrr@10", "recall@1", "recall@5", "recall@10", "recall@100", "map")
VALUES = {"bm25": 0.677, "base": 0.673, "finetuned": 0.771, "hybrid_base": 0.752, "hybrid_finetuned": 0.803}
COMPARED = (("finetuned", "base"), ("hybrid_finetuned", "bm25"), ("finetuned", "bm25"))


def render_report(metrics: dict[str, Any], details: dict[str, Any]) -> str:
    return report.render_report(EvaluationResult.read(metrics), ReportDetails.read(details))


def summary_table(metrics: dict[str, Any]) -> str:
    return summary.summary_table(EvaluationResult.read(metrics))


def _arm(value: float) -> dict[str, Any]:
    return {metric: {"value": value, "low": value - 0.05, "high": value + 0.05} for metric in METRICS}


def _difference(delta: float) -> dict[str, float]:
    return {"delta": delta, "low": delta - 0.04, "high": delta + 0.04, "p": 0.0004}


def _eval_set(kind: str = "human", n_queries: int = 120, values: dict[str, float] = VALUES) -> dict[str, Any]:
    return {
        "n_queries": n_queries,
        "n_documents": 272,
        "n_chunks": 3_841,
        "kind": kind,
        "arms": {arm: _arm(value) for arm, value in values.items()},
        "comparisons": [
            {
                "arm": arm,
                "against": against,
                "metric": metric,
                "delta": delta,
                "low": delta - 0.04,
                "high": delta + 0.04,
                "p": 0.0004,
            }
            for arm, against in COMPARED
            if arm in values and against in values
            for metric in ("ndcg@10", "mrr@10", "recall@10")
            for delta in [values[arm] - values[against]]
        ],
        "dimensions": {
            model: {str(size): _arm(values[model] - loss) for size, loss in ((384, 0.0), (128, 0.02), (64, 0.2))}
            for model in ("base", "finetuned")
            if model in values
        },
        "fusion": {arm: {"name": "z_score", "weight": 0.65} for arm in values if arm.startswith("hybrid")},
    }


def _metrics(**eval_sets: dict[str, Any]) -> dict[str, Any]:
    return {
        "eval_sets": eval_sets or {"generated": _eval_set("generated", 612), "people": _eval_set()},
        "verdict": {
            "eval_set": next(iter(eval_sets), "people"),
            "metric": "ndcg@10",
            "better": True,
            "delta": 0.098,
            "low": 0.061,
            "high": 0.136,
            "sentence": "Fine-tuning made retrieval better.",
        },
        "training": {
            "n_pairs": 5_120,
            "steps": 40,
            "batch_size": 128,
            "seconds": 214.3,
            "device": "cpu",
            "loss": [{"step": step, "loss": 3 / step} for step in range(1, 41)],
            "dev": [{"step": 20, "epoch": 0.5, "ndcg@10": 0.74}, {"step": 40, "epoch": 1.0, "ndcg@10": 0.76}],
            "averaging": [{"base_share": 0.0, "ndcg@10": 0.76}, {"base_share": 0.5, "ndcg@10": 0.78}],
            "chosen": {"step": 40, "base_share": 0.5},
        },
        "generation": {
            "queries": 1_000,
            "queries_per_chunk": 2.5,
            "styles": {"how_to": 700, "what_is": 300},
            "filters": {"length": {"in": 1_000, "kept": 900, "rate": 0.9}, "copies": {"in": 900, "kept": 450, "rate": 0.5}},
            "split": {"documents": {"train": 218, "dev": 27, "test": 27}, "pairs": {"train": 400, "dev": 30, "test": 20}},
        },
        "corpus": {
            "documents": 272,
            "skipped": {"a picture": 2},
            "chunks": 3_841,
            "tokens": {"min": 9, "median": 104, "mean": 97.1, "max": 128, "total": 373_012},
            "duplicates": {"exact": 41, "near": 66, "groups": 90, "examples": []},
        },
    }


def _chunk(title: str = "Stacks", relevant: bool = False) -> dict[str, Any]:
    return {"title": title, "section": "Register", "text": "Combine components.", "score": 0.61, "relevant": relevant}


def _details(name: str = "people") -> dict[str, Any]:
    wrong, right = [_chunk("Secrets")], [_chunk(relevant=True)]
    change = {
        "query": "How do I register a stack?",
        "expected": [{"title": "Stacks", "section": "Register", "text": "Combine components."}],
        "delta": 0.5,
        "base": {"ndcg@10": 0.25, "found": wrong},
        "finetuned": {"ndcg@10": 0.75, "found": right},
    }
    loss = {"delta": -0.5, "base": {"ndcg@10": 0.75, "found": wrong}, "finetuned": {"ndcg@10": 0.25, "found": right}}
    return {
        "examples": {name: {"better": [change], "worse": [{**change, **loss, "query": "what is a registry"}]}},
        "similarities": {
            name: {
                "base": {"relevant": [0.5, 0.6, 0.7], "hardest": [0.6, 0.5, 0.4]},
                "finetuned": {"relevant": [0.7, 0.8, 0.9], "hardest": [0.3, 0.2, 0.1]},
            }
        },
        "rejects": [{"filter": "round_trip", "query": "What is it?", "reason": "its chunk is not within the best 20"}],
        "samples": [{"query": "How do I log in?", "style": "how_to", "title": "Log in", "section": "", "text": "Run login."}],
        "provenance": {"seed": 13, "libraries": "torch==2.8"},
        "config_yaml": "seed: 13\nsource:\n  name: folder\n",
    }


def _leads_away(name: str, value: str | None) -> bool:
    """Whether an attribute is a link that leaves the page: the only links are our own, to the page's sections."""
    return name == "href" and not re.fullmatch(r"#[a-z0-9-]+", str(value))


class _Page(HTMLParser):
    """Collects tags, attributes and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def _hostile(value: Any, word: str) -> Any:
    """Returns the data with the word in place of every text."""
    if isinstance(value, dict):
        return {key: _hostile(item, word) for key, item in value.items()}
    if isinstance(value, list):
        return [_hostile(item, word) for item in value]
    return word if isinstance(value, str) else value


# 1. Safe to open.


@pytest.mark.parametrize("word", HOSTILE, ids=range(len(HOSTILE)))
def test_words_of_others_stay_words(word: str) -> None:
    names = {"people": word}
    metrics = _hostile(_metrics(), word)
    metrics["eval_sets"] = {names.get(name, name): found for name, found in metrics["eval_sets"].items()}
    metrics["generation"]["filters"][word] = {"in": 450, "kept": 400, "rate": 0.9}
    metrics["generation"]["styles"][word] = 3
    metrics["corpus"]["skipped"] = {word: 3}
    page = render_report(metrics, {**_hostile(_details(word), word), "provenance": {word: word}})

    parsed = _Page(page)
    assert not parsed.open
    assert not {"script", "img", "iframe", "link", "object", "form"}.intersection(parsed.tags)
    assert not [name for name, value in parsed.attributes if name.startswith("on") or name == "src" or _leads_away(name, value)]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page)
    assert page.count("</style>") == 1
    assert len(page.encode()) < 300_000


def test_the_page_needs_nothing_from_outside() -> None:
    page = render_report(_metrics(), _details())
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in page
    assert not re.search(r"https?://|url\(|@import", page)


def test_a_template_expression_in_a_query_is_not_evaluated() -> None:
    details = _details()
    details["samples"][0]["query"] = "{{ 7 * 7 }} asked"
    assert "{{ 7 * 7 }} asked" in render_report({}, details)


@pytest.mark.slow
def test_size_does_not_grow_with_the_number_of_queries() -> None:
    draw = random.Random(3)
    details = _details()
    details["similarities"] = {
        "people": {
            model: {key: [draw.gauss(0.5, 0.1) for _ in range(10_000)] for key in ("relevant", "hardest")}
            for model in ("base", "finetuned")
        }
    }
    for changed in details["examples"]["people"].values():
        changed *= 10_000
    details["samples"] *= 10_000
    details["rejects"] *= 10_000
    metrics = _metrics()
    metrics["training"]["loss"] = [{"step": step, "loss": 1 / step} for step in range(1, 100_000)]
    metrics["corpus"]["skipped"] = {f"reason {index}": 1 for index in range(10_000)}
    assert len(render_report(metrics, details).encode()) < 200_000


# 2. What it says.


def test_the_verdict_comes_before_everything_else() -> None:
    text = _Page(render_report(_metrics(), _details())).text
    body = text[text.index("Finetrieve report") :]
    assert body.startswith("Finetrieve report Retrieval got better Fine-tuning made retrieval better.")
    assert body.index("+9.8") < body.index("evaluation set")
    assert "Difference, points +9.8 +6.1 to +13.6" in body


@pytest.mark.parametrize(
    ("better", "heading"), [(True, "Retrieval got better"), (False, "Retrieval got worse"), (None, "No clear difference")]
)
def test_the_heading_follows_the_verdict(better: bool | None, heading: str) -> None:
    metrics = _metrics()
    metrics["verdict"]["better"] = better
    assert f"<h1>{heading}</h1>" in render_report(metrics, {})


def test_a_better_way_to_search_is_the_heading_where_training_adds_nothing() -> None:
    metrics = many_arms()
    metrics["verdict"] |= {
        "better": None,
        "way": metrics["verdict"]["against"],
        "way_delta": 0.03,
        "way_low": 0.01,
        "way_high": 0.05,
    }
    text = render_report(metrics, {})
    assert "<h1>A better way to search, without training</h1>" in text
    assert "needs no training" in _Page(text).text


def test_human_sets_come_before_generated_ones() -> None:
    metrics = {**_metrics(a=_eval_set("generated", 900), b=_eval_set(n_queries=50), c=_eval_set(n_queries=70)), "verdict": {}}
    page = render_report(metrics, {})
    assert re.findall(r"<h2><bdi>(\w)</bdi>", page) == ["c", "b", "a"]


def test_every_arm_and_metric_is_in_the_table_with_its_interval() -> None:
    text = _Page(render_report(_metrics(people=_eval_set()), {})).text
    for value in VALUES.values():
        assert text.count(f"{value:.3f} {value - 0.05:.3f}–{value + 0.05:.3f}") >= len(METRICS)


def test_differences_are_marked_only_when_their_interval_leaves_zero_out() -> None:
    metrics = _metrics(people=_eval_set(values={"base": 0.5, "finetuned": 0.53, "bm25": 0.6}))
    page = render_report(metrics, {})
    assert re.findall(r'<td class="(\w+)"><span class="amount">([^<]+)<', page)[::3] == [("open", "+3.0"), ("down", "−7.0")]


def test_the_shortest_vector_that_is_good_enough_is_named() -> None:
    text = _Page(render_report(_metrics(people=_eval_set()), {})).text
    assert "Cut to 128 numbers, the fine-tuned vectors score 0.751, no less than the base model's 384 (0.673)" in text
    assert "in 33% of the storage" in text
    assert "512 B" in text


def test_keep_rates_skips_and_dev_choices_are_told() -> None:
    text = _Page(render_report(_metrics(), _details())).text
    for told in (
        "450 (50%)",
        "a picture 2",
        "107 41 exact, 66 near",
        "averaged with 50% of the base model's weights",
        "3 min 34 s",
    ):
        assert told in text


def test_changed_queries_show_what_each_model_found_and_which_was_right() -> None:
    page = render_report({"eval_sets": {"people": _eval_set()}}, _details())
    text = _Page(page).text
    assert "How do I register a stack? 0.250 → 0.750 +50.0 Expected Stacks > Register Combine" in text
    assert page.count('<li class="right"') == 2
    assert text.index("Got better") < text.index("Got worse")


def test_similarities_say_how_often_the_right_chunk_is_nearer() -> None:
    text = _Page(render_report({"eval_sets": {"people": _eval_set()}}, _details())).text
    assert "Base model 0.60 0.50 67%" in text
    assert "Fine-tuned 0.80 0.20 100%" in text


# 3. Missing parts.


@pytest.mark.parametrize("left_out", ["eval_sets", "verdict", "training", "generation", "corpus"])
def test_a_part_that_is_missing_is_left_out(left_out: str) -> None:
    for nothing in ({}, None):
        page = render_report({**_metrics(), left_out: nothing}, _details())
        assert not _Page(page).open
        assert "None" not in page


def test_nothing_at_all_is_still_a_page() -> None:
    page = render_report({}, {})
    assert not _Page(page).open
    assert "<section>" not in page


def test_one_model_without_comparison() -> None:
    nothing = {"eval_set": None, "better": None, "delta": None, "low": None, "high": None, "sentence": "Nothing to compare."}
    metrics = {"eval_sets": {"mine": _eval_set(values={"bm25": 0.7, "base": 0.67})}, "verdict": nothing}
    text = _Page(render_report(metrics, {})).text
    assert "Evaluation Nothing to compare." in text
    assert "Is the difference real?" not in text


def test_few_questions_come_with_a_warning() -> None:
    assert "Fewer than 30 questions" in render_report(_metrics(people=_eval_set(n_queries=3)), {})
    assert "Fewer than 30 questions" not in render_report(_metrics(people=_eval_set(n_queries=30)), {})


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_scores_at_the_edges_can_be_drawn(value: float) -> None:
    found = _eval_set(values=dict.fromkeys(VALUES, value))
    for arm in found["arms"].values():
        for cell in arm.values():
            cell.update(low=value, high=value)
    assert not _Page(render_report(_metrics(people=found), {})).open


# 4. Pictures.


def test_pictures_are_whole_xml_with_their_content_in_words() -> None:
    page = render_report(_metrics(), _details())
    pictures = re.findall(r'<svg role="img".*?</desc>.*?</svg>\s*</figure>', page, re.DOTALL)
    assert len(pictures) == 11
    for picture in pictures:
        root = ElementTree.fromstring(picture.removesuffix("</figure>").strip())
        title, description = root.findtext("title"), root.findtext("desc")
        assert title
        assert description
        assert root.get("aria-label") == f"{title}. {description}"


@pytest.mark.parametrize(
    ("values", "limits", "ticks"),
    [
        ([0.62, 0.86], (0.0, 1.0), (0.65, 0.7, 0.75, 0.8, 0.85)),
        ([0.0, 1.0], (0.0, 1.0), (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        ([5.0], (None, None), (4.7, 4.8, 4.9, 5.0, 5.1, 5.2, 5.3)),
        ([0.0], (0.0, 1.0), (0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06)),
        ([], (None, None), (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
    ],
)
def test_axes_have_round_ticks_within_their_limits(
    values: list[float], limits: tuple[float | None, float | None], ticks: tuple[float, ...]
) -> None:
    axis = axis_of(values, *limits)
    assert axis.ticks == pytest.approx(ticks)
    assert all(axis.low <= value <= axis.high for value in (*values, *axis.ticks))


def test_a_funnel_draws_what_was_kept_over_what_came_in() -> None:
    picture = bars("Funnel", [BarRow("Written", 1.0, "10"), BarRow("Length", 0.5, "5", before=1.0)], "base")
    assert re.findall(r'width="([\d.]+)%" height="20" rx="3" class="(\w+)"', picture) == [
        ("100.00", "bar"),
        ("100.00", "ghost"),
        ("50.00", "bar"),
    ]


def test_histograms_count_every_value_even_at_the_edge() -> None:
    axis = axis_of([0.0, 1.0], 0.0, 1.0)
    picture = histograms("Cosines", [("one", [0.0, 1.0, 1.0, 1.0], "base")], axis)
    heights = [float(height) for height in re.findall(r"V([\d.]+)H", picture)]
    assert heights[:8] == pytest.approx([100 - 100 * 0.25 / 0.7875, *[100.0] * 6, 100 - 100 * 0.75 / 0.7875], abs=0.01)


def test_a_long_curve_is_thinned() -> None:
    metrics = {"training": {"loss": [{"step": step, "loss": float(step)} for step in range(1, 1_001)]}}
    path = re.search(r'd="(M[^"]+)" class="line"', render_report(metrics, {}))
    assert path
    assert 2 < path.group(1).count("L") < CURVE_POINTS


def test_a_curve_of_equal_values_can_be_drawn() -> None:
    axis = axis_of([0.5, 0.5])
    assert "NaN" not in lines("Flat", [Series("dev", [(0.5, 0.5), (0.5, 0.5)], "base")], axis, axis)


# 5. Words and figures.


def test_text_is_cut_and_cleaned() -> None:
    assert clean("abcdef", 4) == "abc…"
    assert clean("a\x00b\ud800") == "a\N{REPLACEMENT CHARACTER}b?"
    assert clean("line\n\ttab") == "line\n\ttab"
    assert one_line("  a \n b\u202e ", 10) == "a b"
    assert element("text", "<&\"'", class_='"') == '<text class="&#34;">&lt;&amp;&#34;&#39;</text>'


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (points(0.0981), "+9.8"),
        (points(-0.0004), "0.0"),
        (points(-0.033), "−3.3"),
        (points(None), "–"),
        (percent(0.9999), "100.0%"),
        (percent(1), "100%"),
        (percent(0.5), "50%"),
        (p_value(0.0002), "p < 0.001"),
        (p_value(0.0121), "p = 0.012"),
        (duration(48.2), "48 s"),
        (duration(200), "3 min 20 s"),
        (duration(7_500), "2 h 5 min"),
        (kilobytes(256), "256 B"),
        (kilobytes(1_536), "1.5 kB"),
    ],
)
def test_figures_are_written_for_people(shown: str, expected: str) -> None:
    assert shown == expected


# 6. The terminal.


def test_the_summary_shows_arms_sets_and_verdict() -> None:
    assert summary_table(_metrics(people=_eval_set(values={"bm25": 0.677, "base": 0.673}))).splitlines() == [
        "nDCG@10, 95% interval  people",
        "                       human, n = 120",
        "--------------------------------------------",
        "BM25                   0.677  [0.627, 0.727]",
        "Base model             0.673  [0.623, 0.723]",
        "",
        "Fine-tuning made retrieval better.",
    ]


def test_the_summary_is_never_wider_than_a_terminal() -> None:
    metrics = _metrics(**{name * 40: _eval_set("generated", 1_234_567) for name in "abcde"})
    metrics["verdict"]["sentence"] = "word " * 100
    table = summary_table(metrics)
    assert max(len(line) for line in table.splitlines()) <= 100
    assert len(re.findall("^BM25", table, re.M)) == 2


def test_the_summary_of_nothing_is_empty() -> None:
    assert summary_table({}) == ""


def test_the_report_says_what_asking_an_llm_took() -> None:
    tally = {"requests": 120, "input_tokens": 4000, "output_tokens": 500}
    made = {"queries": 100, "generators": {"rules 1": 50, "openai/<b>gpt</b>": 50}, "asked": {"triplet": tally, "rules": {}}}
    view = generation_view(GenerationReport.read({**made, "cost": 1.5, "failures": {"timeout": 2}}), [])
    assert view is not None
    facts = {fact["label"]: (fact["value"], fact["detail"]) for fact in view["facts"]}
    assert facts["Requests to an LLM"] == ("120", "openai/<b>gpt</b>; 4,500 tokens, cost 1.50")
    assert facts["Failed requests"] == ("2", "")
    by_rules = GenerationReport.read({"queries": 100, "generators": {"rules 1": 100}, "asked": {"rules": {}}})
    rules_only = generation_view(by_rules, [])
    assert rules_only is not None
    assert [fact["label"] for fact in rules_only["facts"]] == ["Queries written"]


# 7. Every way of searching.


def test_the_opening_names_the_way_to_search_what_it_beats_and_what_it_costs() -> None:
    text = _Page(render_report(many_arms(), {})).text
    opening = text[text.index("Finetrieve report") : text.index("evaluation set")]
    for told in (
        "Search by Fused, fine-tuned stored as recommended: nDCG@10 0.819, 4.6 kB per chunk, 5.2 ms per query",
        "Fused, fine-tuned 0.833 0.807–0.859 Late, base 0.784 0.758–0.810 Difference, points +4.9 +3.3 to +6.5",
        "What next Search by 'Fused, fine-tuned' (late interaction, 384 dimensions, binary",
        "Training cost the model general understanding.",
    ):
        assert told in opening


def test_generated_questions_alone_are_named_in_the_heading() -> None:
    assert "<h1>Better on generated questions</h1>" in render_report(many_arms("generated"), {})


def test_where_training_does_not_pay_the_opening_says_what_to_use_instead() -> None:
    metrics = many_arms()
    metrics["verdict"] |= {"better": False, "against": "bm25"}
    page = render_report(metrics, {})
    assert "<h1>A way without training is better</h1>" in page
    assert "Search by BM25 needs no training" in _Page(page).text


def test_arms_are_shown_in_two_groups_with_the_best_of_each_marked() -> None:
    page = render_report(many_arms(), {})
    text = _Page(page).text
    assert text.index("Without training") < text.index("With the trained model")
    assert re.findall(r'<span class="best">([A-Z][^<]+)</span>', page) == ["Late, base", "Fused, fine-tuned"]
    assert "z-score, dense 1, late 1.5, BM25 1 (default)" in text
    shown, _, hidden = text[text.index("Is the difference real?") :].partition("All other comparisons")
    assert "Fused, fine-tuned against late, base" in shown and "Hybrid, base against BM25" in hidden


def test_the_bill_marks_the_recommended_point_and_keeps_the_rest_out_of_the_way() -> None:
    page = render_report(many_arms(), {})
    assert page.count('<tr class="chosen">') == 2  # in the short table and in the whole one
    assert "All 84 points" in page and page.count('class="halo"') == 1
    rows = page[page.index('aria-label="The bill"') : page.index("All 84 points")].count("<tr")
    assert rows < 16
    assert "10 kB" in page[page.index("by bytes per chunk") :]
    metrics = many_arms()
    metrics["eval_sets"]["tv-manual"]["bill"] = {"points": bill_points()[:1], "n_queries": 3}
    assert "What it costs" not in render_report(metrics, {})


def test_what_was_forgotten_and_what_more_queries_would_do_is_told() -> None:
    page = render_report(many_arms(), {})
    text = _Page(page).text
    assert "Dense 0.612 0.588 −2.4 −4.1 to −0.6 Late 0.634 0.629 −0.5 −2.1 to +1.1" in text
    assert "may do worse than before" in text
    assert "From 1,200 to 2,400 pairs 'Late, fine-tuned' changed by +0.7 points: more queries are likely to help." in text
    assert "Generated dev queries chose the checkpoint of step 34" in text


def test_averaged_trainings_are_named_with_their_seeds_and_checkpoints() -> None:
    facts = dict(many_arms()["training"])
    facts["seeds"] = [{"seed": 42, "step": 34, "ndcg@10": 0.7}, {"seed": 43, "step": 17, "ndcg@10": 0.71}]
    found = training_view(TrainingRecord.model_validate(facts))
    assert found is not None
    assert "chose a checkpoint of each of 2 trainings (step 34 of seed 42, step 17 of seed 43)" in found["chosen"]
    assert "from 2 seeds each" in str(found["facts"])


@pytest.mark.parametrize(
    ("share", "told"),
    [
        (0.7, "averaged with 70% of the base model's weights, of which more stays where most texts have neither a title"),
        (0.0, "step 34, not averaged with the base model."),
    ],
)
def test_what_stays_of_the_base_model_for_untitled_texts_is_told_where_something_does(share: float, told: str) -> None:
    facts = dict(many_arms()["training"])
    facts |= {"untitled": True, "dev_is": "generated", "chosen": {"step": 34, "base_share": share}}
    found = training_view(TrainingRecord.model_validate(facts))
    assert found is not None and told in found["chosen"]


@pytest.mark.parametrize("word", HOSTILE, ids=range(len(HOSTILE)))
def test_words_of_others_stay_words_in_the_newer_parts(word: str) -> None:
    page = render_report(_hostile(many_arms(), word), {})
    parsed = _Page(page)
    assert not parsed.open and not {"script", "img", "iframe"}.intersection(parsed.tags)
    assert not [name for name, value in parsed.attributes if name.startswith("on") or name == "src" or _leads_away(name, value)]
    assert len(page.encode()) < 300_000


def test_the_summary_shows_both_groups_the_weights_and_what_comes_next() -> None:
    metrics = many_arms()
    metrics["eval_sets"] |= {name * 30: metrics["eval_sets"]["tv-manual"] for name in "ab"}
    lines_shown = summary_table(metrics).splitlines()
    assert max(map(len, lines_shown)) <= 100
    first = [line.split("  ")[0] for line in lines_shown]
    assert first.index("Fused, base") < first.index("Fine-tuned") < first.index("Fused, fine-tuned")
    assert [line.split("  ")[0] for line in lines_shown if "] *" in line] == ["Late, base", "Fused, fine-tuned"]
    assert "Weights of Fused, fine-tuned: z-score, dense 1, late 1.5, BM25 1 (default)" in lines_shown
    assert "What next:" in lines_shown


# Where it comes from.


def test_the_opening_says_what_was_measured_when_and_by_which_run_and_what_became_of_it() -> None:
    details = _details()
    details["provenance"] |= {
        "base_model": "org/small (commit 0123456789ab)",
        "run": "retrain-docs-1",
        "started": "2026-11-26 18:25 UTC",
        "command": "python run.py --pipeline retrain --docs '<i>'",
        "commit": "abc123",
    }
    page = render_report(_metrics(), details)
    opening = page.split("</header>")[0]
    said = "Base model org/small (commit 0123456789ab), measured 2026-11-26 18:25 UTC, by run retrain-docs-1, of commit abc123."
    assert said in opening and "--docs &#39;&lt;i&gt;&#39;" in page
    decided = report.with_decision(page, "docs:3", "staging", f"Zero is inside {HOSTILE[0]}.")
    assert "<b>docs:3 → staging.</b> Zero is inside &lt;/style" in decided.split("</header>")[0]
    assert "measured" not in render_report(_metrics(), {}).split("</header>")[0]


# How it is laid out.


def test_contents_lead_to_every_section_and_long_parts_are_folded() -> None:
    details = _details()
    found = details["examples"]["people"]
    details["examples"]["people"] = {side: queries * 4 for side, queries in found.items()}
    details["samples"] = [{"query": "q", "style": "how_to", **_chunk(), "text": "Run **it** with `x` [now](http://x)."}] * 3
    page = render_report(_metrics(), details)
    contents = page.split("<nav")[1].split("</nav>")[0]
    anchors = re.findall(r'href="#([\w-]+)"', contents)
    assert anchors == re.findall(r'<section id="([\w-]+)"', page) and len(anchors) >= 9
    assert ">people<" in contents and ">What changed<" in contents
    assert page.count("<details>") == page.count("</details>") and "<summary>2 more</summary>" in page
    assert "Run it with x now." in page and "**it**" not in page


def test_the_split_says_whether_documents_stand_whole_on_one_side() -> None:
    def said(unit: str) -> str:
        metrics = _metrics()
        metrics["generation"]["split"]["unit"] = unit
        return _Page(render_report(metrics, _details())).text

    whole, by_chunk = "Whole documents stand on one side.", "a document may stand on several sides"
    assert whole in said("document") and by_chunk not in said("document")
    for unit in ("chunk", "chunk, by rank"):
        assert by_chunk in said(unit) and whole not in said(unit)


def test_where_no_query_is_held_out_for_the_test_the_split_says_that_dev_flatters() -> None:
    few = SplitReport(unit="chunk", pairs={"train": 9, "dev": 2})
    assert few.sentence.endswith("so dev flatters.")
    assert few.model_copy(update={"pairs": {"train": 9, "dev": 2, "test": 1}}).sentence.endswith("so test flatters.")
