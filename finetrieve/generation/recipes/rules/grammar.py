"""Word classes and inflection on top of lemminflect's dictionary; no tagger, so neighbours settle what a word is."""

from __future__ import annotations

import re
from functools import lru_cache

import lemminflect

from finetrieve.core.text import word_set
from finetrieve.generation.recipes.rules.lexicon import (
    ADVERBS,
    AUXILIARIES,
    DETERMINERS,
    FINITE_AUXILIARIES,
    FUNCTION_WORDS,
    MANUAL_VERBS,
    MAYBE_VERBS,
    NOMINAL_GERUNDS,
    NOUN_COMPOUNDS,
    PARTICLES,
    PHRASAL_VERBS,
    PREPOSITIONS,
    PRONOUNS,
    VERBS,
)

_WORD = re.compile(r"[\w$€£%#@&+./\\:=<>~'’*-]+")
_PLAIN = re.compile(r"^[A-Za-z][A-Za-z'’-]*$")
_SUBORDINATES = word_set("that which who if when where what how whether to so while until before after")
COMPOUND_HEADS = word_set(
    "settings setting options option mode modes icons icon panel bar screen screens app tool engine management page list "
    "keyboard group service "
    "system format formats type types name policy policies guide reference requirements statement rate rates performance "
    "environment variables "
    "variable method methods function functions class classes"
)
"""Last words of noun compounds whose first word could be a verb: `display settings`, `search engine`."""
_CHANGES, _SETTINGS = word_set("set change edit update check adjust"), word_set("settings preferences options")


def words_of(text: str) -> list[str]:
    """Returns the words of a phrase, punctuation apart from what belongs to names and code left out."""
    return [word.strip(".:") or word for word in _WORD.findall(text)]


@lru_cache(maxsize=50_000)
def lemmas(word: str) -> dict[str, tuple[str, ...]]:
    """Returns the dictionary's lemmas by part of speech (`VERB`, `NOUN`, `ADJ`, ...); empty for a word that it does not know."""
    found: dict[str, tuple[str, ...]] = lemminflect.getAllLemmas(word.lower().replace("’", "'"))
    return found


def is_word(word: str) -> bool:
    """Returns whether this is a plain word, and not a number, a path or code."""
    return bool(_PLAIN.match(word))


def is_code(word: str) -> bool:
    """Returns whether a word looks like an identifier, a flag, a path or a file name."""
    return bool(re.search(r"[_/\\=<>~#@]|\w\.\w|::|\(\)|^-", word) or re.search(r"[a-z][A-Z]", word))


@lru_cache(maxsize=50_000)
def verb_base(word: str) -> str | None:
    """Returns the base form if the word can be a verb in any form, else None."""
    word = word.lower()
    if word in VERBS or word in MAYBE_VERBS:
        return word
    for lemma in lemmas(word).get("VERB", ()):
        if lemma in VERBS or lemma in MAYBE_VERBS:
            return lemma
    if (known := lemmas(word).get("VERB")) and word not in FUNCTION_WORDS:
        return known[0]
    return None if lemmas(word) else _base_of_unknown(word)


def _base_of_unknown(word: str) -> str | None:
    """Regular inflections of verbs that the dictionary lacks but the lexicon has (`decrypting`, `fine-tunes`)."""
    for ending, replacements in (("ing", ("", "e")), ("ed", ("", "e")), ("ies", ("y",)), ("es", ("", "e")), ("s", ("",))):
        if word.endswith(ending):
            stem = word[: -len(ending)]
            doubled = stem[:-1] if len(stem) > 2 and stem[-1] == stem[-2] else stem
            for candidate in [stem + tail for tail in replacements] + [doubled]:
                if candidate in VERBS or candidate in MAYBE_VERBS:
                    return candidate
    return None


def is_base_verb(word: str) -> bool:
    """Returns whether the word is a verb's base form that documentation uses as a verb."""
    word = word.lower()
    if word in VERBS or word in MAYBE_VERBS:
        return True
    known = lemmas(word)
    if not known and len(word) > 6 and word.isalpha() and word.endswith(("ize", "ise", "ify")):
        return True  # `binarize`: coined faster than dictionaries are written.
    if word.endswith("ate") and len(word) > 6 and word in known.get("VERB", ()):
        return True  # `agglomerate`
    return word not in FUNCTION_WORDS and word in known.get("VERB", ()) and not {"NOUN", "ADJ", "ADV"} & set(known)


def starts_verb_phrase(words: list[str]) -> bool:
    """Returns whether a phrase starts with a base verb, or with a noun that its neighbour makes one (`hand in`, `book a`)."""
    if not words or is_base_verb(words[0]):
        return bool(words)
    return _is_verb_before(words[0].lower(), words[1:])


def _is_verb_before(first: str, after: list[str]) -> bool:
    """`hand in a receipt`, `book a room`, `paint walls`: no noun before its own particle, an article or several things."""
    if _acts_on_things([first, *after]):
        return True
    if len(after) < 2:
        return False
    may_be = first in lemmas(first).get("VERB", ()) and first not in FUNCTION_WORDS
    return after[0] in PHRASAL_VERBS.get(first, ()) or (may_be and after[0] in DETERMINERS)


def _acts_on_things(words: list[str]) -> bool:
    """`Paint walls`, `Rinse old lenses in water`, but neither `Paint options` nor `Paint brushes`."""
    place = next((place for place, word in enumerate(words) if place and word.lower() in FUNCTION_WORDS), len(words))
    last = words[place - 1]
    known = words[0].lower() in MANUAL_VERBS and place > 1 and last.lower() not in COMPOUND_HEADS
    return known and is_plural_noun(last) and not _is_compound(words)


def _is_compound(words: list[str]) -> bool:
    """`Mount points`, `Release notes for administrators`: a noun before another that it goes with."""
    first, after = words[0].lower(), words[1].lower()
    return after in NOUN_COMPOUNDS.get(first, ()) and (len(words) == 2 or words[2].lower() in FUNCTION_WORDS)


def is_noun(word: str) -> bool:
    """Returns whether the word can be a noun (names and unknown words count)."""
    known = lemmas(word)
    return (not known and word.lower() not in FUNCTION_WORDS) or "NOUN" in known or "PROPN" in known


def is_only_adjective(word: str) -> bool:
    """Returns whether the word is an adjective or adverb and no noun."""
    known = lemmas(word)
    return bool(known) and ("ADJ" in known or "ADV" in known) and "NOUN" not in known


def ends_noun_phrase(after: str | None) -> bool:
    """Returns whether a noun phrase ends before a word: it is none, or carries grammar, or says what the phrase does."""
    word = (after or "").lower()
    return not word or word in FUNCTION_WORDS or is_adverb(word) or third_person_base(word) is not None


def is_only_verb(word: str) -> bool:
    """Returns whether the word is a verb's base form and nothing else."""
    return set(lemmas(word)) == {"VERB"} and word.lower() in lemmas(word)["VERB"]


def without_adverbs(text: str) -> str:
    """Returns a phrase without adverbs in front: `Optionally install plugins` -> `install plugins`."""
    words = text.split()
    while len(words) > 1 and is_adverb(words[0].strip(",")) and not starts_verb_phrase(words):
        words = words[1:]
    return " ".join(words)


def is_adverb(word: str) -> bool:
    """Returns whether the word is an adverb."""
    word = word.lower()
    return word in ADVERBS or (word.endswith("ly") and not {"NOUN", "VERB"} & set(lemmas(word)) and len(word) > 4)


def is_plural(phrase: str) -> bool:
    """Returns whether a noun phrase takes a plural verb, by its head noun (the last word before ` of `, ` for `, ...)."""
    words = words_of(phrase)
    head = words
    for place, word in enumerate(words[1:], start=1):
        if word.lower() in PREPOSITIONS:
            head = words[:place]
            break
    if " and " in f" {' '.join(head)} ".lower():
        return True
    return bool(head) and is_plural_noun(head[-1])


def is_plural_noun(word: str) -> bool:
    """Returns whether a word is a plural noun."""
    low = word.lower()
    if low in {"people", "children", "men", "women", "data", "criteria", "indices", "matrices", "vertices"}:
        return True
    if is_code(word) or word.isupper() or not low.endswith("s"):
        return bool(re.match(r"^[A-Z]{2,}s$", word))
    if low.endswith(("ss", "us", "is")):
        return False
    known = lemmas(word).get("NOUN", ())
    if known:
        return low not in known
    return not word[0].isupper() or _plural_of_unknown(low)


def _plural_of_unknown(word: str) -> bool:
    """`Webhooks` ends on a noun that the dictionary knows, `Kubernetes` does not."""
    return any("NOUN" in lemmas(word[start:-1]) for start in range(2, len(word) - 4))


@lru_cache(maxsize=10_000)
def inflect(verb: str, tag: str) -> str:
    """Returns a verb phrase with its first word in the form of a Penn tag (`VBG`, `VBZ`, `VBD`, `VBN`)."""
    first, _, rest = verb.partition(" ")
    forms = lemminflect.getInflection(first, tag=tag)
    form = forms[0] if forms else first
    return f"{form} {rest}".strip()


def gerund_base(word: str) -> str | None:
    """Returns the base form of a gerund, else None."""
    low = word.lower()
    if not low.endswith("ing") or len(low) < 5:
        return None
    base = verb_base(low)
    return base if base and base != low else None


def gerund_starts_action(words: list[str]) -> bool:
    """Returns whether a phrase starts with a gerund and its object (`Setting up X`, not `Training data`)."""
    if len(words) < 2 or gerund_base(words[0]) is None:
        return False
    after = words[1].lower()
    if after in {"and", "or"}:
        return len(words) > 3 and gerund_base(words[2]) is not None
    if after in DETERMINERS or after in PARTICLES or (after in PREPOSITIONS and after not in {"of", "for", "in"}):
        return True
    if words[0].lower() in NOMINAL_GERUNDS or (words[-1].lower() in COMPOUND_HEADS and len(words) == 2):
        return False
    base = gerund_base(words[0]) or ""
    return base in VERBS or base in MAYBE_VERBS


def third_person_base(word: str) -> str | None:
    """Returns the base form of a third-person verb (`computes`, `applies`), else None."""
    low = word.lower()
    if not low.endswith("s") or low.endswith("ss") or low in FUNCTION_WORDS:
        return None
    base = verb_base(low)
    return base if base and base != low and inflect(base, "VBZ") == low else None


def starts_imperative(words: list[str], heading: bool = False) -> bool:
    """Returns whether a phrase starts with an imperative rather than with a noun that looks like one."""
    if len(words) < 2 or not is_word(words[0]):
        return False
    first, after = words[0].lower(), words[1].lower()
    if after in {"of", "is", "are", "was", "were", "has", "can", "will", "may", "must", "should", "and/or", "-", "–"}:
        return False
    if after in {"and", "or", "/"} and len(words) > 2:
        return (
            first in VERBS | MAYBE_VERBS
            and is_base_verb(words[2])
            and (first in VERBS or words[2].lower() in VERBS or (len(words) > 3 and words[3].lower() in DETERMINERS))
        )
    if any(word.lower() in FINITE_AUXILIARIES for word in _main_clause(words)[1:7]):
        return False
    if _is_compound(words):
        return False
    if first in VERBS or (not lemmas(first) and is_base_verb(first)) or (heading and _acts_on_things(words)):
        return True
    if after in PHRASAL_VERBS.get(first, ()):
        third = words[2].lower() if len(words) > 2 else ""
        has_object = third in DETERMINERS or after not in PREPOSITIONS  # `Key in Context.meta`: a noun and its place
        return (heading or has_object) and words[-1].lower() not in COMPOUND_HEADS and third != "of"
    opens_object = DETERMINERS | PRONOUNS | {"somebody", "anybody", "what"} if heading else DETERMINERS
    if first not in MAYBE_VERBS:
        if heading and is_only_verb(first):
            return True  # `Ask for leave`, `Inflate tyres`
        plainly = heading or not {"NOUN", "ADJ"} & set(lemmas(first))  # a noun of a heading has no article behind it
        return first in lemmas(first).get("VERB", ()) and plainly and after in opens_object and words[1] != "A"
    if after == "for" and first in {"search", "look", "wait", "ask", "apply", "check", "test"} and len(words) > 2:
        return True
    if (
        after in DETERMINERS
        or after in PRONOUNS
        or after in PARTICLES
        or (heading and (after == "what" or (len(words) > 2 and words[-1].lower() in {"on", "off"})))
        or (after in PREPOSITIONS and after not in {"for", "with", "in", "on", "at", "by"})
    ):
        return True
    if heading:
        if first in _CHANGES and after in _SETTINGS:
            return True
        if after in COMPOUND_HEADS or (words[-1].lower() in COMPOUND_HEADS and len(words) < 4):
            return False
        behind = {word.lower() for word in words[2:]} & {"into", "from", "to", "with", "using", "by", "on", "in", "as"}
        objects = is_plural_noun(words[-1]) or is_plural_noun(words[1]) or bool(behind)
        return objects or first in {"set", "change", "view", "edit", "open", "update", "run", "read"}
    return not (words[-1].lower() in COMPOUND_HEADS and len(words) <= 3) and after not in PREPOSITIONS


def _main_clause(words: list[str]) -> list[str]:
    for place, word in enumerate(words):
        if place and word.lower() in _SUBORDINATES:
            return words[:place]
    return words


def is_auxiliary(word: str) -> bool:
    """Returns whether the word is an auxiliary or modal verb."""
    return word.lower() in AUXILIARIES


def be_for(phrase: str) -> str:
    """Returns `is` or `are` for a noun phrase."""
    return "are" if is_plural(phrase) else "is"


def do_for(phrase: str) -> str:
    """Returns `does` or `do` for a noun phrase."""
    return "do" if is_plural(phrase) else "does"
