"""What counts as API reference, and how gently it is trained on."""

from __future__ import annotations

from finetrieve.core.rows import Chunk, Pair
from finetrieve.training.api_reference import gentler, is_api_reference
from finetrieve.training.settings import TrainingSettings


def test_documents_are_api_reference_where_most_asked_chunks_are_about_dotted_names() -> None:
    titles = ["pandas.DataFrame.merge", "pandas.read_csv", "Getting started", "Release notes", "Contributing"]
    chunks = [Chunk(str(number), str(number), "", title, "", "text", 3, 0) for number, title in enumerate(titles)]
    pairs = [Pair("how", str(number), "train", "generated", "how_to") for number in range(len(titles))]
    assert is_api_reference(pairs[:3], chunks)  # two of three; what nobody asks about does not count
    assert not is_api_reference(pairs, chunks)  # two of five
    assert not is_api_reference([], chunks)


def test_gentle_is_half_the_steps_more_of_the_base_and_no_teacher() -> None:
    found = gentler(TrainingSettings(max_steps=36, keep_base=0.3, distil=3.0, learning_rate=1e-4))
    assert (found.max_steps, found.keep_base, found.distil) == (18, 2.0, 0.0)
    assert found.learning_rate == 1e-4


def test_gentle_lowers_no_higher_cost_of_leaving_the_base() -> None:
    assert gentler(TrainingSettings(keep_base=5.0)).keep_base == 5.0
