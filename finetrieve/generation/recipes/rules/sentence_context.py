"""What a sentence cannot say about itself: what it is about and where it stands, and how its questions are made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from finetrieve.core.text import word_set
from finetrieve.generation.recipes.rules.grammar import do_for, is_adverb, is_noun, lemmas
from finetrieve.generation.recipes.rules.lexicon import PREPOSITIONS, PRONOUNS
from finetrieve.generation.recipes.rules.phrases import lower_first, noun_phrase, verb_phrase
from finetrieve.generation.recipes.rules.phrasing import Candidate, Form, content_words, says_enough

_THE_TOPIC = frozenset(
    ["it", "this", "they", "these", "this feature", "this option", "this setting", "this function", "this class", "this method"]
)
_NO_SUBJECT = (
    PRONOUNS
    | PREPOSITIONS
    | word_set(
        "our how none true false null there this these that those which what each some such another both following whilst whereas"
    )
)


DESCRIBES = word_set("require need contain include support lack")
"""`Requires a compiler`: what a thing is like, and nothing that the reader does."""


class Context:
    """What a sentence cannot say about itself: what it is about, and where it stands."""

    def __init__(self, topic: str, unit: int, instructional: bool, ui: bool) -> None:
        self.topic = topic
        self.unit = unit
        self.instructional = instructional
        self.tags = frozenset({"ui"} if ui else ())

    def context_of(self, phrase: str) -> str:
        """Returns ` in TOPIC` or ` with TOPIC` for a phrase that is short of words and does not name the topic already."""
        topic = re.sub(r"\s+(?:settings|options|management|preferences)$", "", self.topic, flags=re.I)
        if not topic or len(topic.split()) > 4 or len(phrase.split()) > 7 or not says_enough(topic):
            return ""
        if content_words(topic) & content_words(phrase) or re.search(r"\b(?:in|with|for|on|using)\b.*\b\w+ \w+", phrase):
            return ""
        return f"{'in' if 'ui' in self.tags else 'with'} {topic}"

    def action(self, text: str, score: float) -> Iterator[Candidate]:
        """Yields the action that text names, if it reads as one."""
        phrase = verb_phrase(text, self.topic) if self.instructional or score >= 0.9 else None
        if (phrase and phrase in {"take a look", "check out"}) or (
            phrase
            and re.match(
                r"(?:take a|check out|have a|get started|know more|learn more|(?:learn|know|read|hear) about|keep in mind)\b",
                phrase,
            )
        ):
            return
        if phrase and phrase.split()[0] not in {"be", "have", "do", "let", "please", "note", "see", "say"} | (
            {"get"} if len(phrase.split()) < 3 else set()
        ):
            yield Candidate("action", phrase, score, self.unit, context=self.context_of(phrase), tags=self.tags)

    def ready(self, forms: list[Form], phrase: str, score: float) -> Candidate:
        """Returns whole questions."""
        return Candidate(
            "ready",
            phrase,
            score,
            self.unit,
            tuple(
                (style, text if style in {"keywords", "problem"} else text[:1].upper() + text[1:], weight)
                for style, text, weight in forms
                if weight > 0
            ),
        )

    def state(self, base: str, rest: str, score: float) -> Iterator[Candidate]:
        """Yields whether the topic requires, supports, ... what `rest` starts with, if both are named."""
        thing = noun_phrase(rest, self.topic, 7)
        if self.topic and thing and says_enough(thing):
            do = do_for(self.topic)
            yield self.ready(
                [
                    ("yes_no", f"{do} {self.topic} {base} {lower_first(thing)}?", 8),
                    ("what_is", f"What {do} {self.topic} {base}?", 4),
                ],
                f"{self.topic} {thing}",
                score,
            )

    def subject(self, text: str) -> str | None:
        """Returns a sentence's subject as a noun phrase, a pronoun replaced by the topic."""
        low = text.lower().strip()
        if low in _THE_TOPIC:
            return self.topic or None
        first = low.split()[0]
        if first in _NO_SUBJECT or (lemmas(first) and len(low.split()) == 1 and not is_noun(first)):
            return None
        phrase = noun_phrase(text.partition(" ")[2] if is_adverb(first) else text, self.topic, 6)
        return lower_first(phrase) if phrase and says_enough(phrase) else None


Rule = Callable[[str, Context], Iterator[Candidate]]
"""Returns what a sentence answers, as far as one pattern tells."""
