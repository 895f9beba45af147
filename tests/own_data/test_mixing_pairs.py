"""Pairs of one's own beside generated queries: no leak between the sides, weights as asked, and what is kept to evaluate on."""

from __future__ import annotations

from collections import Counter

import pytest

from finetrieve.core.rows import Chunk, GeneratedQuery, LabelledPair, Pair, RankedChunk
from finetrieve.own_data.mixing import split_with_own
from finetrieve.own_data.same_question import same_question_groups
from finetrieve.own_data.settings import PairSettings
from finetrieve.training.settings import SplitSettings
from finetrieve.training.split import SplitResult

CHUNKS = [Chunk(f"c{n}", f"doc{n}", "", "", "", f"text {n}", 5, 0) for n in range(200)]
GENERATED = [GeneratedQuery(f"g{n}", f"c{n}", f"generated about {n}", None, "how_to", "rules", "test") for n in range(200)]
WORDS = [f"{a}{b}" for a in "abcdefghijklmnopqrst" for b in "klmnopqrst"]
OWN = [
    LabelledPair(f"o{n}", f"{WORDS[n]} {WORDS[-n]} {WORDS[n // 2]}", f"c{n}", 1.0, "tickets", "exact", f"line {n}")
    for n in range(100)
]


def split(own: list[LabelledPair] = OWN, generated: list[GeneratedQuery] = GENERATED, human: tuple[str, ...] = (), **settings: object) -> SplitResult:  # fmt: skip
    return split_with_own(
        generated,
        own,
        [PairSettings.model_validate({"path": "tickets.csv", **settings})],
        CHUNKS,
        SplitSettings(),
        groups={},
        human_eval=bool(human),
        held_out_queries=human,
        provenance={},
    )[0]


def counts(pairs: list[Pair]) -> Counter[tuple[str, str]]:
    return Counter((pair.provenance, pair.split) for pair in pairs)


def test_both_kinds_of_a_document_are_on_one_side_and_counted_apart() -> None:
    result = split()
    side = {chunk.id: {pair.split for pair in result.pairs if pair.chunk_id == chunk.id} for chunk in CHUNKS}
    assert all(len(found) == 1 for found in side.values())
    assert sum(result.report.own_pairs.values()) == 100 and sum(result.report.generated_pairs.values()) == 200
    assert {pair.style for pair in result.pairs if pair.provenance == "own"} == {"tickets"}


def test_where_both_ask_a_chunk_the_same_the_pair_of_ones_own_stays() -> None:
    own = [LabelledPair("o", "Generated about 7?", "c7", 1.0, "tickets", "exact", "")]
    assert [pair.provenance for pair in split(own).pairs if pair.chunk_id == "c7"] == ["own"]


def test_negatives_are_no_answers() -> None:
    assert counts(split([LabelledPair("o", "what?", "c1", 0.0, "tickets", "exact", "")]).pairs).keys() == {
        ("generated", side) for side in ("train", "dev", "test")
    }


def test_a_part_is_kept_to_evaluate_on_and_its_questions_are_trained_on_in_no_wording() -> None:
    asked = OWN[:50]
    again = [
        LabelledPair(f"again{n}", f"{pair.query.replace(' ', '  ')}?", f"c{n + 100}", 1.0, "tickets", "exact", "")
        for n, pair in enumerate(asked)
    ]
    longer = [
        LabelledPair(f"longer{n}", f"{pair.query} please tell me now x", f"c{n + 150}", 1.0, "tickets", "exact", "")
        for n, pair in enumerate(asked[:1])
    ]
    result = split([*asked, *again, *longer], evaluate=0.2)
    held_out = {pair.query for pair in result.pairs if pair.provenance == "held_out"}
    assert len(held_out) >= 2 and {pair.split for pair in result.pairs if pair.provenance == "held_out"} == {"test"}
    trained = [pair.query for pair in result.pairs if pair.provenance == "own"]
    groups = same_question_groups([*held_out, *trained])
    assert not {groups[" ".join(query.replace("?", "").split())] for query in held_out} & {
        groups[" ".join(query.replace("?", "").split())] for query in trained
    }
    assert ("generated", "test") not in counts(result.pairs), "people's questions judge, so test's share is trained on"
    assert result.report.held_out_pairs["test"] == counts(result.pairs)["held_out", "test"]
    once_more = split([*asked, *again, *longer], evaluate=0.2)
    assert result.pairs == once_more.pairs


def test_nearly_the_same_question_stays_on_one_side_and_out_of_training_where_people_ask_it() -> None:
    asked = ("how do I reset the red passwords", "Reset a red password?", "where can you reset my red pasword")
    own = [LabelledPair(f"o{n}", asked[n % 3], f"c{n}", 1.0, "tickets", "exact", f"line {n}") for n in range(100)]
    assert len({pair.split for pair in split(own).pairs if pair.provenance == "own"}) == 1
    assert [pair for pair in split(own, human=("red password: reset?",)).pairs if pair.provenance == "own"] == []


def test_questions_about_different_things_are_different_however_alike_they_look() -> None:
    alike = ["reset the pump", "reset the lamp", "install v1", "install v2", "backup on linux", "backup on windows"]
    assert len(set(same_question_groups(alike).values())) == len(alike)


@pytest.mark.parametrize(("weight", "own", "generated"), [(None, 0, 0), (1.0, 0, -1), (0.1, -1, 0)])
def test_weights_leave_some_of_what_there_is_more_of_out(weight: float | None, own: int, generated: int) -> None:
    whole, result = counts(split().pairs), counts(split(weight=weight).pairs)
    trained = {kind: result[kind, "train"] for kind in ("own", "generated")}
    if weight is not None:
        assert trained["own"] == pytest.approx(weight * trained["generated"], abs=1)
    assert (trained["own"] < whole["own", "train"]) == (own < 0)
    assert (trained["generated"] < whole["generated", "train"]) == (generated < 0)
    assert {key: n for key, n in result.items() if key[1] != "train"} == {key: n for key, n in whole.items() if key[1] != "train"}


def test_a_text_that_is_no_chunk_is_only_ever_trained_on() -> None:
    free = [LabelledPair(f"f{n}", f"free {WORDS[n]}", f"free{n}", 1.0, "tickets", "free text", "") for n in range(30)]
    result = split([*OWN, *free], evaluate=0.2)
    assert {pair.split for pair in result.pairs if pair.chunk_id.startswith("free")} == {"train"}
    assert split(free, []).report.pairs == {"train": 30, "dev": 0, "test": 0}


def test_without_generated_queries_the_pairs_alone_are_split() -> None:
    result = split(generated=[])
    assert counts(result.pairs).keys() == {("own", side) for side in ("train", "dev", "test")}


def test_pseudo_labelled_queries_are_trained_on_alone_and_never_where_they_are_asked_to_judge() -> None:
    ranked = [
        RankedChunk(query, chunk_id, share, "log", "teacher")
        for n in range(200)
        for query, chunk_id, share in ((f"zz{WORDS[n]} typed", f"c{n}", 0.9), (f"zz{WORDS[n]} typed", f"c{(n + 1) % 200}", 0.1))
    ]
    result, lists = split_with_own(
        GENERATED,
        OWN,
        [],
        CHUNKS,
        SplitSettings(),
        groups={},
        human_eval=True,
        held_out_queries=["ZZ" + WORDS[5] + " typed?"],
        provenance={},
        pseudo=ranked,
        sure={"log": 0.5},
    )
    pseudo = [pair for pair in result.pairs if pair.provenance == "pseudo"]
    assert {pair.split for pair in pseudo} == {"train"} and len(pseudo) > 150
    assert f"zz{WORDS[5]} typed" not in {row.query for row in lists} | {pair.query for pair in pseudo}
    dev = {pair.chunk_id for pair in result.pairs if pair.split == "dev"}
    assert dev and not dev & {pair.chunk_id for pair in pseudo}
    assert result.report.ranking_lists == len(pseudo) == len(lists) / 2
