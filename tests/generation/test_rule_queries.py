"""What the rules ask of a passage: every row is a passage and the question that a person would ask of it."""

from __future__ import annotations

import re

import pytest

from finetrieve.generation.chunk_context import ChunkContext
from finetrieve.generation.recipes.rules import write_queries
from finetrieve.generation.recipes.rules.mending import mended
from finetrieve.generation.recipes.rules.phrases import core, verb_phrase
from finetrieve.generation.recipes.rules.phrasing import searched, varied_action
from finetrieve.generation.recipes.rules.writer import find_candidates


def passage(text: str, title: str = "", section: str = "", key: str = "p1") -> ChunkContext:
    return ChunkContext(key, title, section, text, opens_document=True, opens_section=True)


def phrases(text: str, title: str = "", section: str = "") -> list[str]:
    """Everything that can be asked of a passage, before words and templates are chosen."""
    found = []
    for candidate in find_candidates(passage(text, title, section)):
        found += [template for _, template, _ in candidate.forms] if candidate.kind == "ready" else [candidate.phrase]
    return found


@pytest.mark.parametrize(
    ("title", "phrase"),
    [
        ("Setting up a project repository", "set up a project repository"),
        ("Storing Embeddings in a Vector Database", "store Embeddings in a Vector Database"),
        ("Delete a group", "delete a group"),
        ("How to write a custom materializer", "write a custom materializer"),
        ("Fingerprint management", "manage fingerprint"),
        ("Calibrate a plate", "calibrate a plate"),
        ("Lay a plate under a hive", "lay a plate under a hive"),
        ("Invite somebody", "invite somebody"),
        ("Switch automatic updates off", "switch automatic updates off"),
        ("Call or message a contact", "call or message a contact"),
        ("Load artifacts into memory", "load artifacts into memory"),
        ("2.3 Changing the screen timeout", "change the screen timeout"),
        ("https://docs.example.io/how-to/manage-api-keys", "manage api keys"),
        ("Hand in a receipt", "hand in a receipt"),
        ("Plug in headphones", "plug in headphones"),
        ("Back up photos", "back up photos"),
        ("Book a room", "book a room"),
        ("Water the plants", "water the plants"),
        ("Inflate tyres", "inflate tyres"),
        ("Apply for a grant", "apply for a grant"),
        ("Change settings", "change settings"),
        ("Optionally install plugins", "install plugins"),
        ("Automatically back up photos", "back up photos"),
        ("Set up a proxy", "set up a proxy"),
        ("Install the app", "install the app"),
        ("Configure logging", "configure logging"),
        ("Paint walls", "paint walls"),
        ("Paint walls with a roller", "paint walls with a roller"),
        ("Rinse lenses", "rinse lenses"),
        ("Wipe surfaces", "wipe surfaces"),
        ("Polish wooden floors", "polish wooden floors"),
        ("Tighten screws", "tighten screws"),
        ("Mount shelves", "mount shelves"),
        ("Mount the bracket", "mount the bracket"),
        ("Repair tyres", "repair tyres"),
        ("Trim hedges", "trim hedges"),
        ("Descale kettles", "descale kettles"),
        ("Flush the pipes", "flush the pipes"),
        ("Refill cartridges", "refill cartridges"),
        ("Solder wires to the board", "solder wires to the board"),
        ("Feed your fish", "feed my fish"),
        ("Drill a hole", "drill a hole"),
        ("Oil the chain", "oil the chain"),
        ("Chop onions", "chop onions"),
        ("Staple pages", "staple pages"),
        ("Scrub pots", "scrub pots"),
    ],
)
def test_titles_that_name_an_activity_become_wishes(title: str, phrase: str) -> None:
    assert phrase in phrases("You find it in the menu.", title)


@pytest.mark.parametrize(
    "title",
    [
        "Display settings",
        "Training data",
        "Search engine",
        "Best practices",
        "Notice from AT&T",
        "Hand luggage",
        "Water damage",
        "Time off for parents",
        "Backup in a box",
        "Plug in types",
    ],
)
def test_titles_that_only_look_like_a_verb_stay_things(title: str) -> None:
    first_words = {phrase.split()[0] for phrase in phrases("You find it in the menu.", title)}
    assert not first_words & {"train", "search", "best", "notice", "hand", "water", "time", "backup", "plug"}
    assert "display settings" in phrases("You find it in the menu.", title) or title != "Display settings"


@pytest.mark.parametrize(
    "title",
    [
        "Paint options",
        "Paint brushes",
        "Mount points",
        "Mount points in containers",
        "Filter settings",
        "Release notes",
        "Rinse cycles",
        "Spray nozzles",
        "Repair kits",
        "Repair of pumps",
        "Lift doors",
        "Oil filters",
        "Drill bits",
        "Water tanks",
        "Seal for pumps",
        "Log files",
        "Test results",
        "Access points",
        "Zoom levels",
        "Stain removers",
        "Grind settings",
        "Polish",
    ],
)
def test_titles_of_nouns_that_could_be_verbs_are_not_asked_as_actions(title: str) -> None:
    assert not [made for made in find_candidates(passage("You find it in the menu.", title)) if made.kind == "action"]


def test_what_is_applied_to_something_is_not_used_to_it() -> None:
    said = {varied_action("apply transformers to columns", seed) for seed in range(60)}
    assert all(" to " not in phrase or phrase.startswith("apply") for phrase in said)
    assert {varied_action("apply a patch", seed).split()[0] for seed in range(60)} == {"apply", "use"}


def test_a_title_of_one_verb_is_asked_with_what_the_document_is_about() -> None:
    assert "configure Label Studio" in phrases("You run the installer.", "Label Studio", "Configure")


@pytest.mark.parametrize("title", ["Hand in a receipt", "Plug in the projector", "Approve leave", "Change settings"])
def test_no_form_of_a_question_takes_what_to_do_for_a_thing(title: str) -> None:
    text = f"Open the menu first. Then {title.lower()} and wait for the answer of your manager."
    asked = [query for seed in range(20) for query, _ in write_queries(passage(text, title), seed, 6).queries]
    about = title.split(maxsplit=1)[1].lower()
    assert any(re.match(rf"How (do|can) I .*{about}", query) for query in asked)
    assert not [
        query for query in asked if re.match(r"(What|How) (is|are|do|does) (?!I\b)|How (do|can) I use|How .* change the", query)
    ]


@pytest.mark.parametrize("title", ["Clock in", "Never share your password", "Escalate"])
def test_a_title_that_tells_what_to_do_is_never_asked_about_as_a_thing(title: str) -> None:
    assert phrases("You find it in the menu.", title) == []


@pytest.mark.parametrize(
    ("section", "question"),
    [
        ("Installation", "How do I install Label Studio?"),
        ("Guide > When to use it?", "When should I use Label Studio?"),
        ("Prerequisites", "What are the prerequisites for Label Studio?"),
        ("How does it work", "How does Label Studio work?"),
        ("Does it work offline?", "Does Label Studio work offline?"),
        ("Label Studio vs. Prodigy", "What is the difference between Label Studio and Prodigy?"),
        ("Install a wheel vs. build from source", "Should I install a wheel or build from source?"),
        (
            "Install a wheel vs. build from source",
            "What is the difference between installing a wheel and building from source?",
        ),
        ("Set up Docker vs Podman", "Should I set up Docker or Podman?"),
    ],
)
def test_vague_headings_are_asked_about_with_the_documents_title(section: str, question: str) -> None:
    asked = phrases("You run the installer.", "Label Studio", section)
    assert question in asked or question.replace("Label Studio", "it", 1) in asked


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("To clear a single notification, drag the notification left or right.", "clear a single notification"),
        ("If you want to keep your data private, use a password.", "keep my data private"),
        ("You can also customize your mobile hotspot's security (optional).", "customize my mobile hotspot's security"),
        (
            "It lets you transfer contacts, photos, and other content from your old device.",
            "transfer contacts from my old device",
        ),
        ("This allows users to restore a deleted file from the trash.", "restore a deleted file from the trash"),
        ("Tap Add account to sync all your email accounts.", "sync all my email accounts"),
        ("Quickly optimize your device's storage, increasing available memory.", "optimize my device's storage"),
        ("Add, delete, and rename fingerprints on your device.", "Add fingerprints on my device"),
        ("Bixby Vision can be used on pictures in the Gallery app. Tap it.", "use Bixby Vision on pictures in the Gallery app"),
        ("Clean the lens gently to prevent scratches on the glass.", "prevent scratches on the glass"),
        ("Storage location: Select a memory location. Tap it to change.", "select a memory location"),
        ("- **Hide apps**: Choose apps to hide from the screen.", "hide apps"),
        ("| Setting | Meaning |\n|---|---|\n| Volume limit | Limit the volume of headphones |", "limit the volume of headphones"),
        ("You call it so:\n\n```python\n# Register the artifact store\nregister(store)\n```", "register the artifact store"),
    ],
)
def test_sentences_become_what_the_reader_wants_to_do(text: str, expected: str) -> None:
    assert expected.lower() in [phrase.lower() for phrase in phrases(text)]


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("If your battery is swollen, contact a service center.", "What should I do if my battery is swollen?"),
        ("When you sign in to an account, your contacts are downloaded.", "What happens when I sign in to an account?"),
        ("You should use a queue if your tasks are slow.", "When should I use a queue?"),
        ("Keep the server running because jobs are lost otherwise. You restart it.", "Why should I keep the server running?"),
        ("The scheduler requires a database. You install it first.", "What does the scheduler require?"),
        ("The default port is 8080. You can change it.", "What is the default port?"),
        ("Read about the difference between a job and a task. You need it.", "What is the difference between a job and a task?"),
        ("The upload fails when the disk is full. You get a message.", "Why does the upload fail?"),
        ("The treaty was signed in 1648 in two cities.", "When was the treaty signed in two cities?"),
        ("The bridge was designed by Ralph Modjeski for the city.", "Who designed the bridge?"),
        ("The castle was built because raiders destroyed the old town.", "Why was the castle built?"),
        ("Revenue increased $844 million, or 36%, in 2021 due to demand.", "How much did revenue increase in 2021?"),
        ("Can I use my own model? You can.", "Can I use my own model?"),
        ("If you encounter a locked gate, you should ring the bell.", "What should I do if I encounter a locked gate?"),
    ],
)
def test_statements_become_the_questions_that_they_answer(text: str, question: str) -> None:
    assert question.lower() in [phrase.lower() for phrase in phrases(text)]


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("- Runs anywhere. You start it.\n- Requires a compiler and a shell.", "Does mill require a compiler and a shell?"),
        ("**Default:** 30 seconds. You can change it.", "What is the default of mill?"),
    ],
)
def test_what_is_said_of_the_topic_is_asked_about_it(text: str, question: str) -> None:
    assert question.lower() in [phrase.lower() for phrase in phrases(text, "Mill")]


def test_a_docstring_is_asked_for_by_what_it_does_and_by_its_name() -> None:
    text = (
        "Compute the confusion matrix of a classifier.\n\n**Parameters**\n\n"
        "- **normalize** (bool, default=False): Whether to divide counts by their sum.\n"
        "- **n_bins** (int): The number of bins of the histogram."
    )
    asked = phrases(text, "toolkit.metrics.confusion_matrix")
    assert "compute the confusion matrix of a classifier" in asked
    assert "Which function computes the confusion matrix of a classifier?" in asked
    assert "What does confusion_matrix do?" in asked
    assert "How do I set the number of bins of the histogram in confusion_matrix?" in asked
    assert "Can I divide counts by their sum in confusion_matrix?" in asked
    assert "What is the default value of normalize in confusion_matrix?" in asked


API_TEXT = (
    "Remove features with low variance.\n\n```python\ntoolkit.select.VarianceSieve(threshold=0.0, *, n_jobs=None, copy=True)\n```\n\n"
    "**Parameters**\n\n- **n_trees** (int or array of shape (n,)): The number of trees."
)


def test_api_docs_are_asked_for_by_meaning_and_never_by_the_identifier() -> None:
    for seed in range(10):
        queries = [query for query, _ in write_queries(passage(API_TEXT, "toolkit.select.VarianceSieve"), seed, 6).queries]
        assert len(queries) >= 4
        assert not any("variancesieve" in query.casefold() for query in queries)
        assert any("low variance" in query for query in queries)


def test_a_parameter_is_a_need_without_its_name() -> None:
    asked = phrases(API_TEXT, "toolkit.select.VarianceSieve")
    assert {"set how many trees", "How do I set the number of trees?"} <= set(asked)


def test_one_good_phrase_is_asked_in_several_forms() -> None:
    queries = write_queries(passage("To restore a deleted file, open the trash.", "Trash"), 13, 6).queries
    about = {style for query, style in queries if "deleted file" in query}
    assert {"keywords"} < about and about & {"need", "problem"} and len(about) >= 3


def test_code_does_not_hide_that_a_passage_is_english() -> None:
    code = "\n".join(f"value_{n} = compute_{n}(x_{n}, y_{n})" for n in range(30))
    assert write_queries(passage(f"Restore a deleted file from the trash.\n\n```\n{code}\n```"), 13, 6).queries


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("You cannot rename a locked folder. You unlock it first.", "Why can't I rename a locked folder?"),
        ("Note that it is not possible to copy instances of a draft.", "can't copy instances of draft"),
        ("This error is raised when the queue is full of jobs.", "What happens when the queue is full of jobs?"),
    ],
)
def test_what_cannot_be_done_becomes_a_problem(text: str, question: str) -> None:
    assert question in phrases(text)


def test_what_may_be_is_not_asked_for_as_if_it_were() -> None:
    assert not any(phrase.startswith(("do the", "Do the")) for phrase in phrases("The module may contain syntax errors."))


def test_this_feature_is_called_by_the_headings_name() -> None:
    assert "turn on Easy mode" in phrases("Tap the switch to turn on this feature. You see larger text.", "Easy mode")


@pytest.mark.parametrize(
    "text",
    [
        "Drücken Sie die Taste, um das Gerät einzuschalten. Warten Sie, bis der Bildschirm leuchtet. Dann geht es los.",
        "```python\nimport os\nx = os.environ\n```",
        "x = f(y)\nprint(x)\nfor i in range(3):",
        "1.0 2.0 3.0 4.0",
        "",
    ],
)
def test_nothing_is_asked_of_code_numbers_and_other_languages(text: str) -> None:
    assert write_queries(passage(text), 13, 6).queries == []


MANUAL = (
    "You can configure the screen brightness, timeout delay, font size, and many other display settings. "
    "From Settings, tap Display for the following options: Screen timeout: Set how long the screen stays on. "
    "Blue light filter: Reduce eye strain by limiting the blue light emitted by the screen. "
    "Font size: Change the size of the text. If the screen flickers, restart your device. To reset the layout, tap Reset."
)


def test_a_manuals_passage_yields_several_different_questions() -> None:
    queries = write_queries(passage(MANUAL, "Display"), 13, 6).queries[:6]
    assert len({query for query, _ in queries}) == 6
    assert len({style for _, style in queries}) >= 2
    assert all(2 <= len(query.split()) <= 17 for query, _ in queries)


def test_no_query_is_a_sentence_of_its_passage() -> None:
    sentences = {re.sub(r"\W+", " ", sentence).strip().lower() for sentence in re.split(r"[.:]", MANUAL)}
    for seed in range(20):
        for query, _ in write_queries(passage(MANUAL, "Display"), seed, 6).queries:
            assert re.sub(r"\W+", " ", query).strip().lower() not in sentences


def test_the_seed_and_the_chunk_choose_the_words_and_nothing_else_does() -> None:
    first = write_queries(passage(MANUAL, "Display"), 13, 6)
    assert write_queries(passage(MANUAL, "Display"), 13, 6) == first
    assert write_queries(passage(MANUAL, "Display"), 14, 6) != first
    assert write_queries(passage(MANUAL, "Display", key="p2"), 13, 6) != first


def test_a_heading_is_only_asked_about_where_its_section_opens() -> None:
    later = ChunkContext("p1", "Delete a group", "", "You cannot undo it.", opens_document=False, opens_section=False)
    assert not any("group" in query for query, _ in write_queries(later, 13, 6).queries)


def asked(text: str, title: str = "", section: str = "") -> list[str]:
    return [query for query, _ in write_queries(passage(text, title, section), 13, 12).queries]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("Fix encoding errors in the ticket parser.", "Which version fixed encoding errors in the ticket parser?"),
        ("Fixed crash when closing the lid. Contributed by Ada Lovelace.", "Has the crash when closing the lid been fixed?"),
        ("Add a lever for the second mill.", "Which version added a lever for the second mill?"),
        ("Removed the wooden brake.", "Has the wooden brake been removed?"),
        ("[orm] [bug] Fixed a leak in the roof where rain fell in.", "Which version fixed a leak in the roof?"),
        ("#123: Support sails made of linen.", "Has the support for sails made of linen been added?"),
        ("Fixed a leak in the roof and add more tests.", "Has a leak in the roof been fixed?"),
        ("Prevent sails from turning in a storm.", "prevent sails from turning in storm"),
    ],
)
@pytest.mark.parametrize(
    ("title", "section"), [("Release notes for Mill 2.0", ""), ("Mill", "Changelog > 1.4.0"), ("Mill 2.6", "Bugs fixed")]
)
def test_an_entry_of_release_notes_is_asked_about_as_something_that_was_done(
    entry: str, expected: str, title: str, section: str
) -> None:
    found = phrases(f"- {entry}\n- You can turn the mill by hand.", title, section)
    assert expected in found
    assert "turn the mill by hand" in found


def test_release_notes_are_never_instructions_and_versions_are_no_things() -> None:
    text = "**release-date:** 2013-11-15\n\n- Fix contributed by Ada.\n- Add a lever for the second mill.\n- See #181."
    found = " | ".join(asked(text, "Change history", "Change history > 3.1.4")).lower()
    assert found
    for wrong in ("how do i", "i want", "can i", "release-date", "3.1.4", "history", "ada", "181"):
        assert wrong not in found


def test_the_same_words_are_instructions_where_no_version_is_told_of() -> None:
    assert "add a lever for the second mill" in phrases("Add a lever for the second mill. You need two bolts.", "Mill")


@pytest.mark.parametrize("heading", ["Other libraries", "Bug fixes", "More useful tips", "Our mill", "Windows", "Copyright"])
def test_a_heading_without_a_thing_of_its_own_is_not_asked_about(heading: str) -> None:
    text = "The mill stands on a hill. Wind turns its sails all year."
    assert not [query for query in asked(text, "", heading) if heading.lower() in query.lower()]


def test_a_general_heading_is_asked_about_with_the_title() -> None:
    candidates = find_candidates(passage("The mill stands on a hill.", "Streaming", "Basic usage"))
    assert [(each.phrase.lower(), each.context) for each in candidates if "usage" in each.phrase.lower()] == [
        ("basic usage", "in Streaming")
    ]
    assert "gear ratio" in [each.phrase.lower() for each in find_candidates(passage("It is 3.", "Mill", "Gear ratio"))]


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("To flash a message use the `flash` function on the page.", "flash a message"),
        ("You can use a wrapper to handle this for you.", "use a wrapper"),
        ("You can get the server to start.", "get the server to start"),
        ("You can produce two sacks joined by a rope.", "produce two sacks joined by a rope"),
        ("You can keep the gate closed.", "keep the gate closed"),
        ("You can enable swipe to call.", "enable swipe to call"),
        ("You can rename a wheel to make it easier to find.", "rename a wheel to make it easier to find"),
        ("You can find the fastest way to install.", "find the fastest way to install"),
        ("You can track every change.", "track every change"),
    ],
)
def test_what_a_phrase_cannot_say_to_its_end_is_cut_off_where_it_stands_alone(text: str, phrase: str) -> None:
    assert phrase in phrases(text)


@pytest.mark.parametrize(
    ("heading", "text", "action"),
    [
        ("Download handlers", "A download handler fetches a page.", None),
        ("Download pages", "A handler fetches what you name.", "download pages"),
        ("Help pages", "The help page of a command lists its options.", None),
    ],
)
def test_the_text_tells_whether_a_heading_names_a_thing_or_an_activity(heading: str, text: str, action: str | None) -> None:
    actions = [each.phrase.lower() for each in find_candidates(passage(text, "Mill", heading)) if each.kind == "action"]
    assert actions == ([action] if action else [])


@pytest.mark.parametrize(
    "heading", ["Division performs rounding up", "Another way to make tables?", "The mill is turned by wind"]
)
def test_a_heading_that_is_a_sentence_is_not_asked_about_as_a_thing(heading: str) -> None:
    assert not [query for query in asked("It stands on a hill.", "", heading) if heading.lower().rstrip("?") in query.lower()]


def test_a_participle_without_its_agent_is_cut_off() -> None:
    assert verb_phrase("produce expressions joined", "") == "produce expressions"


def test_a_shorter_phrase_ends_on_no_word_that_needs_another() -> None:
    assert core("save server passwords specific to a user") == "save server passwords"


@pytest.mark.parametrize(
    ("phrase", "words"),
    [
        ("implement a blueprint that renders static templates", "implement blueprint"),
        ("make sure that the gate is closed", "make sure gate closed"),
        ("wrap the sail instead of the wheel", "wrap sail instead of wheel"),
        ("get the most out of the mill", "get most out of mill"),
        ("the module has been removed", "module has removed"),
        ("specify a sail to be mended", "specify sail to be mended"),
        ("change the screen timeout", "change screen timeout"),
    ],
)
def test_a_search_keeps_the_words_that_others_need(phrase: str, words: str) -> None:
    assert searched(phrase) == words


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Does the step now render the path?", "Does the step render the path?"),
        ("What does the finder also provide?", "What does the finder provide?"),
        ("looking for a way to get help with pip?", "looking for a way to get help with pip"),
        ("I want to store the results See store-guide", "I want to store the results"),
        ("Can I fix a leak contributed by Ada Lovelace?", "Can I fix a leak?"),
        ("I want to turn it. How do I do that?", "I want to turn it. How do I do that?"),
        ("How do I know what runs right now?", "How do I know what runs right now?"),
        ("How do I use Notes?", "How do I use Notes?"),
        ("Does Jinja for example have a filter?", "Does Jinja have a filter?"),
        ("Is there an example?", "Is there an example?"),
        ("How do I use the mill as an interface that allows?", "How do I use the mill as an interface?"),
        ("How do I write a class that uses a lock?", "How do I write a class that uses a lock?"),
    ],
)
def test_a_query_is_mended_before_it_is_judged(query: str, expected: str) -> None:
    assert mended(query) == expected


def test_a_field_of_a_docstring_is_a_parameter() -> None:
    found = phrases("**param timeout:** the number of seconds to wait for the mill", "mill.turn", "turn")
    assert not [each for each in found if "param " in each]
    assert "What does the timeout parameter of turn do?" in found
