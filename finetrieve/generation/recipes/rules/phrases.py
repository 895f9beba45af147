"""Cuts phrases out of sentences so that a person could have said them: trimmed, in the first person, nothing left dangling."""

from __future__ import annotations

import re

from finetrieve.core.text import word_set
from finetrieve.generation.recipes.rules.grammar import (
    is_adverb,
    is_auxiliary,
    is_base_verb,
    is_noun,
    is_only_adjective,
    is_word,
    lemmas,
    starts_verb_phrase,
    verb_base,
    without_adverbs,
    words_of,
)
from finetrieve.generation.recipes.rules.lexicon import (
    ADVERBS,
    CONJUNCTIONS,
    DETERMINERS,
    FUNCTION_WORDS,
    GENERIC_NOUNS,
    MODALS,
    NEEDS_COMPLEMENT,
    POSSESSIVES,
    PREPOSITIONS,
    VERBS,
)

_BARE_PURPOSE = re.compile(r"^((\w+) (?:.+ )?(\S+)) to ([a-z]+)$")
_BY_OTHERS = word_set("get allow want ask tell cause force let make help teach wait try learn know choose decide")
"""Verbs of which what others do is part: `get the server to start`."""
_KEEPS = word_set("get keep have leave make see find want need")
"""`keep the door closed`"""
_ABLE = word_set("way ways ability able time permission permissions right rights option chance how what when where need ready")
LONGEST = 11
"""Words of a phrase, before its question is put around it."""
_PERSON = {
    "your": "my",
    "yours": "mine",
    "yourself": "myself",
    "our": "my",
    "us": "me",
    "ours": "mine",
    "you're": "I'm",
    "you've": "I've",
    "you'll": "I'll",
}
_EARLIER = word_set("it they them its their he she his him her itself themselves here previous same one ones")
"""Words that point at something named before."""
_POINTERS = word_set("this these those following above below aforementioned former latter respective respectively")
"""Words that point out of the text."""
_BEFORE_CLAUSE = word_set("if when whenever where while because until unless once what which how that")
"""Words behind which `you` is a subject."""
_NO_PLACE = word_set("as than like after before until since")
"""Prepositions that a clause follows as well."""
_BOUNDARY = re.compile(r"\s*(?:[;:]\s|\s[–—-]{1,2}\s|—|,?\s\((?!s\))|\.\s|\.$)")
_SUBORDINATE = re.compile(
    r",?\s+(?:so that|so|because|while|whereas|although|though|unless|until|where|which|who|whose|as well as|such as|"
    r"including|e\.g\.|i\.e\.|"
    r"as described|as shown|as follows|rather than|in order to|then|but|if|when|as needed|as necessary|along with|and then|or "
    r"else|once|since|than)\b.*$",
    re.I,
)
_LISTED = re.compile(
    r"^([^,]{4,45}), (?:[\w'-]+(?: [\w'-]+){0,2}, )*(?:and|or) [\w'-]+(?: [\w'-]+){0,2}? ((?:from|to|on|in|with|for|into) .+)$"
)
"""`transfer contacts, photos, and other content from my phone`: the first of the list with what the list shares."""
_THIS = re.compile(
    r"\b(?:this|these|the following|the above|said|such an?|the(?=\s+(?:feature|option|setting|function)(?:$|\s(?:on|"
    r"off)$)))\s+(?:new |same |particular )?"
    r"(features?|options?|settings?|modes?|apps?|functions?|functionality|services?|tools?|methods?|classe?s?|components?|"
    r"steps?|parameters?|estimators?|models?|widgets?)\b",
    re.I,
)
_NO_WISH = word_set("want need like wish be have let seem appear remain become belong depend happen consist think omit equal")
_DANGLING = FUNCTION_WORDS - word_set("on off up down in out back over through away together myself me all well again one")
_OPEN = NEEDS_COMPLEMENT - word_set("change subject")
"""`information specific`: what it is specific to was cut off."""
_OPENS_TAIL = (PREPOSITIONS - word_set("of on off up out down in using with without")) | {"in", "and", "or", "that"}
_CUTTABLE = (PREPOSITIONS - {"of", "off", "up", "out", "down"}) | {"and", "or", "to", "that", "using"}


def without_asides(text: str) -> str:
    """Returns text without parentheses, footnote marks, quotation marks around it and trailing punctuation."""
    text = re.sub(r"\s*\([^()]*\)(?!\w)", "", text)
    text = re.sub(r"\s*\[[^\[\]]*\]", "", text)
    text = re.sub(r"[®™©†‡°]", "", text)
    return re.sub(r"\s+", " ", text).strip(" \"'.,;:-–—*•>")


def first_person(text: str) -> str:
    """Returns text with `you` as `I` or `me` and `your` as `my`."""
    words = text.split(" ")
    out: list[str] = []
    for place, word in enumerate(words):
        bare = word.lower().strip(",.;:")
        if bare in _PERSON:
            out.append(word.lower().replace(bare, _PERSON[bare]))
        elif bare == "you":
            following = words[place + 1].lower().strip(",.;:") if place + 1 < len(words) else ""
            subject = (
                following in MODALS
                or is_auxiliary(following)
                or following in ADVERBS
                or is_base_verb(following)
                or following.endswith("ed")
                or ((not out or out[-1].lower() in _BEFORE_CLAUSE) and verb_base(following) == following)
            )
            after_preposition = bool(out) and out[-1].lower() in PREPOSITIONS - _NO_PLACE
            out.append(
                word.lower().replace("you", "I" if subject and not after_preposition and following not in DETERMINERS else "me")
            )
        elif bare in {"are", "were"} and out and out[-1] == "I":
            out.append("am" if bare == "are" else "was")
        else:
            out.append(word)
    return " ".join(out)


def resolve(text: str, topic: str) -> str | None:
    """Returns text with `this feature` and the like named after the topic; None if something still points out of it."""
    if topic:
        text = _THIS.sub(topic.replace("\\", ""), text)
    words = [word.lower() for word in words_of(text)]
    for place, word in enumerate(words):
        after = words[place + 1] if place + 1 < len(words) else ""
        if word in _POINTERS:
            return None
        if word == "such" and after != "as":
            return None
        if word in _EARLIER:
            earlier = [before for before in words[1:place] if is_noun(before) and before not in FUNCTION_WORDS]
            if not earlier:
                return None
    return text


def cut(text: str, longest: int = LONGEST) -> str:
    """Returns the start of a phrase up to where its clause ends, shortened at a preposition if it is still too long."""
    text = without_asides(text)
    boundary = _BOUNDARY.search(text)
    if boundary and boundary.start() > 3:
        text = text[: boundary.start()]
    text = _at_comma(_LISTED.sub(r"\1 \2", text))
    shorter = _SUBORDINATE.sub("", text)
    if (len(shorter.split()) >= 2 and (len(text.split()) > 8 or shorter == text)) or len(text.split()) > longest:
        text = shorter
    words = text.split()
    while len(words) > longest:
        places = [
            place
            for place in range(2, min(len(words), longest + 1))
            if words[place].lower() in _CUTTABLE and not _leaves_participle(words[place - 1].lower())
        ]
        if not places:
            return ""
        words = words[: places[-1]]
    return tidy(" ".join(words))


def _at_comma(text: str) -> str:
    start = 0
    while (comma := text.find(",", start)) >= 0:
        before = text[:comma].split()
        after = text[comma + 1 :].split()
        if text[comma - 1].isdigit() and text[comma + 1 : comma + 2].isdigit():
            start = comma + 1
            continue
        if (
            before
            and after
            and is_only_adjective(before[-1])
            and not is_adverb(before[-1])
            and after[0].lower() not in CONJUNCTIONS
        ):
            start = comma + 1
            continue
        return text[:comma]
    return text


def tidy(text: str) -> str:
    """Returns a phrase without function words dangling at its end."""
    text = re.sub(
        r"\s+(?:and|or|then)(?: then)?\s+\w+(?:\s+(?:it|them|this|that|one))$|\s+(?:and|or) to \w+$", "", without_asides(text)
    )
    words = text.split()
    while words and (
        words[-1].lower().strip(",") in _DANGLING or (is_adverb(words[-1]) and words[-1].lower() in ADVERBS and len(words) > 2)
    ):
        words.pop()
    return " ".join(words).strip(" ,;:")


def lower_first(text: str) -> str:
    """Returns text with its first letter small, unless the first word is a name, an acronym or code."""
    first, _, rest = text.partition(" ")
    if not is_word(first) or sum(letter.isupper() for letter in first) > 1 or first in {"I", "I'm", "I've"}:
        return text
    if first[:1].isupper() and not _common(first.lower()):
        return text
    return f"{first[:1].lower()}{first[1:]} {rest}".strip()


def _common(word: str) -> bool:
    return word in FUNCTION_WORDS or word in VERBS or bool(lemmas(word))


def verb_phrase(text: str, topic: str, longest: int = LONGEST) -> str | None:
    """Returns a verb phrase that starts with a base verb, as a person would say it, or None if it does not make one.

    `Quickly optimize your device's storage, increasing memory.` -> `optimize my device's storage`
    """
    text = re.sub(r"^(?:learn|know|understand|see|explain|show|explore|discover) (?:more about )?how to ", "", text, flags=re.I)
    text = re.sub(r"^help (?:to |you |me )?(?=(?!to\b)[a-z]+ )", "", text)
    words = without_asides(text).split()
    if words and words[0].lower() != "automatically":
        words = without_adverbs(" ".join(words)).split()
    if len(words) < 2:
        return None
    phrase = _one_verb(" ".join(words))
    phrase = cut(phrase, longest)
    resolved = resolve(phrase, topic) if phrase else None
    if not resolved:
        return None
    said = " ".join(_without_participle(_closed(_without_bare_purpose(tidy(resolved)).split())))
    phrase = lower_first(first_person(tidy(said)))
    first = phrase.split()[0].lower() if phrase else ""
    if first == "automatically" and len(phrase.split()) > 2:
        first = phrase.split()[1]
    if (
        len(phrase.split()) < 2
        or first in _NO_WISH
        or not (is_base_verb(first) or starts_verb_phrase(phrase.split()))
        or not _has_content(phrase)
        or not _has_object(phrase)
    ):
        return None
    return phrase


def _without_bare_purpose(phrase: str) -> str:
    """`use a wrapper to handle` lost what is handled, and says enough without it."""
    match = _BARE_PURPOSE.match(phrase)
    if not match or " for " in phrase or match[2] in _BY_OTHERS or not is_base_verb(match[4]):
        return phrase
    before = match[3].lower()
    if before in _ABLE or is_base_verb(before) or is_only_adjective(before):  # `easier to recognise`, `swipe to call`
        return phrase
    return tidy(match[1])


def _closed(words: list[str]) -> list[str]:
    """Returns a phrase's words without those at its end of which the complement was cut off."""
    while words and words[-1].lower() in _OPEN:
        words = words[:-1]
    return words


def _without_participle(words: list[str]) -> list[str]:
    """`produce expressions joined` lost what they are joined by, and says enough without it."""
    if len(words) < 3 or words[0].lower() in _KEEPS or not _ABLE.isdisjoint(words) or not words[-1].endswith("ed"):
        return words
    known = lemmas(words[-1])
    cut_off = "VERB" in known and "NOUN" not in known and is_noun(words[-2]) and words[-2].lower() not in FUNCTION_WORDS
    return words[:-1] if cut_off and not is_base_verb(words[-2]) else words


def _one_verb(text: str) -> str:
    """Keeps the first of several verbs with the object they share (`Add, delete, and rename contacts` -> `Add contacts`)."""
    match = re.match(
        r"^(\w+(?: (?:up|on|off|out|in))?)((?:, (?:(?:and|or) )?\w+)+,? (?:and|or) (\w+)|, (?:and|or) (\w+))\s+(.+)$", text
    )
    if match:
        others = [word for word in re.findall(r"\w+", match[2]) if word.lower() not in {"and", "or"}]
        if all(is_base_verb(word) for word in others):
            return f"{match[1]} {match[5]}"
    return text


def _has_object(phrase: str) -> bool:
    """`enable even when the screen is locked` lost what is enabled."""
    second = phrase.split()[1].lower()
    if re.match(r"(?:set|change|turn|use) (?:to|for)\b", phrase) or re.match(
        r"\w+ (?:on|off) (?:for|to|at|when|if|by|in order)\b", phrase
    ):
        return False
    return second not in (CONJUNCTIONS - {"and", "or"}) | {"even", "only", "either", "any", "not", "=", ":="} and not re.search(
        r"\b(?:we|let's)\b|=", phrase, re.I
    )


def _has_content(phrase: str) -> bool:
    return any(word.lower() not in FUNCTION_WORDS for word in words_of(phrase)[1:])


def core(phrase: str) -> str | None:
    """Returns a verb phrase without the prepositional phrases behind its object, if what is left still says something."""
    words = phrase.split()
    for place, word in enumerate(words):
        if place >= 3 and word.lower() in _OPENS_TAIL and not _leaves_participle(words[place - 1]):
            kept = tidy(" ".join(_closed(words[:place])))
            content = [
                part for part in words_of(kept)[1:] if part.lower() not in FUNCTION_WORDS and part.lower() not in GENERIC_NOUNS
            ]
            enough = len(content) >= 2 or (content and len(words) >= 9)
            return kept if enough and kept != phrase else None
    return None


def _leaves_participle(word: str) -> bool:
    """`artifacts not produced [by X]` cannot end there."""
    return (
        word.endswith("ed")
        or (word.endswith("en") and len(word) > 4)
        or word in {"made", "built", "sent", "set", "found", "based", "used", "kept"}
    )


def without_determiners(phrase: str) -> str:
    """Returns a phrase as people type it into a search box: articles, possessives and adverbs gone."""
    said = phrase.split()
    words = [
        word
        for word, after in zip(said, [*said[1:], ""], strict=True)
        if after in {"of", "out"}  # `instead of`, `the most out of`: a word that the next one needs.
        or (word.lower() not in DETERMINERS | POSSESSIVES | {"me"} and not (is_adverb(word) and word.lower() != "not"))
    ]
    return " ".join(words)


def noun_phrase(text: str, topic: str, longest: int = 8) -> str | None:
    """Returns a noun phrase cut out of text, or None if what stands there is not one."""
    phrase = cut(text, longest)
    resolved = resolve(phrase, topic) if phrase else None
    if not resolved:
        return None
    words = first_person(tidy(resolved)).split()
    words = _closed(words)
    phrase = " ".join(words)
    if not words or any(is_auxiliary(word) for word in words) or words[0].lower() in (PREPOSITIONS | CONJUNCTIONS):
        return None
    return phrase if any(word.lower() not in FUNCTION_WORDS for word in words) else None
