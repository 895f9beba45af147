"""The quality gate: why a query does not read as if a person had asked it."""

from __future__ import annotations

import re
from functools import lru_cache

from finetrieve.core.text import normalise_query, word_set
from finetrieve.generation.recipes.rules.asked_things import thing_reason
from finetrieve.generation.recipes.rules.grammar import (
    is_base_verb,
    is_code,
    is_noun,
    lemmas,
    starts_verb_phrase,
    third_person_base,
    verb_base,
)
from finetrieve.generation.recipes.rules.lexicon import (
    ADVERBS,
    CONJUNCTIONS,
    FUNCTION_WORDS,
    GENERIC_NOUNS,
    NEEDS_COMPLEMENT,
    NEEDS_OBJECT,
    PREPOSITIONS,
)
from finetrieve.generation.recipes.rules.phrasing import content_words

LONGEST, SHORTEST = 17, 2
"""Words."""
_POINTS_OUT = re.compile(
    r"\b(?:the following|this (?:section|page|guide|chapter|document|article|tutorial|example|case|way)|these (?:steps|"
    r"sections|options|instructions)|"
    r"as follows|see also|above|below|aforementioned|listed|shown here|table \d|figure \d|e\.g|i\.e|etc)\b",
    re.I,
)
_ELSEWHERE = re.compile(
    r"\b(?:previous|preceding) (?:page|section|guide|example|chapter|tutorial)|\bnext (?:section|guide|chapter)\b", re.I
)
_MARKDOWN = re.compile(r"\*\*|__|`|\]\(|!\[|\||#{2,}|<[^>]*>|\{|\}|@\w+\.(?:com|org|net)\b|\\|https?:|\x1f|→|•|…")
_CUT_SHORT = re.compile(
    r"\b(?:to|and) (?:find out|browse|explore|ensure|make sure|see|allow|show|add|include|specify|determine|know|verify|"
    r"cause [\w ]+|end)\?$|\b(?:and|or) \w{3,}ed\?$|\b(?:when|if|while|until|once) \w+ed\?$|\b(?:try|tries|attempts?) to \w+\?$|"
    r"\bma[dk]es? it (?:\w+er|possible|easy)\?$",
    re.I,
)
_REPEATED = re.compile(r"\b([\w']+) \1\b|\b(example)s?\b.* examples?\b|\b(?:an?|the) (\w+) (?:and|or) (?:an?|the) \3\b", re.I)
_STARTS = re.compile(
    r"^(?:How (?:do|can|should) I|How to|Can I|Is it possible to|Is there a way to|What is the way to|What's the best way to|"
    r"Why should I|Do I need to) (\S+)",
    re.I,
)
_ENDS = re.compile(
    r"\b(?:the|an?|my|your|of|and|or|to|that|which|with|for|from|by|at|into|if|when|is|are|be|as|than|very|more|its|their|not|"
    r"only|can|will|that's|it's|there's|whilst|how|whether|every|such|several|various)\s*[?.]?$",
    re.I,
)


_LACKS = (
    (
        re.compile(r"\bthan\b"),
        re.compile(r"\b(?:more|less|fewer|other|rather|better|worse|sooner|later|else|different|\w+er)\b.*\bthan\b"),
    ),
    (re.compile(r"\beither\b"), re.compile(r"\beither\b(?:.+\bor\b| (?:side|end|way|of|case|one|direction))")),
    (re.compile(r"\bneither\b"), re.compile(r"\bneither\b.+\bnor\b")),
    (re.compile(r"\bbetween\b"), re.compile(r"\bbetween\b.+(?:\band\b|s\b)")),
    (re.compile(r"\b(?:of|for|with|by) at\b|\band (?:once|twice|again) to\b"), re.compile(r"(?!)")),
    (re.compile(r"^(?:Do|Does|Did|Can|Will|Is|Are)\b.* all\?$"), re.compile(r"\b(?:at|of|them|after|in|above|it) all\?$")),
    (re.compile(r"\band to\b"), re.compile(r"\bto\b.*\band to\b")),
    (re.compile(r"\bput \w"), re.compile(r"\bput\b.*\b(?:on|off|in|into|onto|under|to|at|up|over|through|down|back|away)\b")),
    (re.compile(r"\b(?:change|adjust|modify|edit) (?:at|in|under|on)\b"), re.compile(r"(?!)")),
    (re.compile(r"\bfrom one\b"), re.compile(r"\bfrom one\b.+\b(?:to|into)\b")),
    (
        re.compile(r"\bturn (?!on|off|into|up|down|over|around|back|out)"),
        re.compile(r"\bturn\b.+\b(?:on|off|into|up|down|around|back|to)\b"),
    ),
)
"""(word, the company that it must have): `take than` and `turn a flag` lost a word."""
_SEARCH = (
    r"(?:How (?:do|can|should) I|How to|Can I|Is it possible to|Is there a way to|I (?:want|need) to|I can't|"
    r"(?:unable|trying|need a way|looking for a way) to|What(?:'s the best| is the) way to|Where (?:can|do|should) I|"
    r"What (?:should I do|do I need to do) to)"
)
_WITHOUT_OBJECT = re.compile(
    rf"^(?:{_SEARCH} )?({'|'.join(sorted(NEEDS_OBJECT))}) (?:to|from|into|for|in|with|as|by|"
    rf"at)\b",
    re.I,
)
_NUMBER_ALONE = re.compile(rf"^{_SEARCH} (\w+) #?\d+\?$")
_COMPLEMENT_LOST = re.compile(
    rf"^(?:Is|Are|Was|Were|How|Why|Does|Do|Will|Can|What happens)\b.*\b(?:{'|'.join(sorted(NEEDS_COMPLEMENT))})\?$"
)
_ARTICLE_INSIDE = re.compile(r"(?<=[a-z,] )(?:A|An|The) [a-z]")
_ARTICLE_AND_NAME = re.compile(
    r"^(?:What (?:is|does|do|are)|Can you explain) (?:the|an?) [A-Z][a-z]+(?: do| for)?\?$|^(?:What|How) (?:is|does|do) (?:the|"
    r"an?) \S*_\S*(?: do| for| work)?\?$"
)
_SAYS_NOTHING_IF = re.compile(
    r"^What (?:happens|if|should I do|do I do|can I do)(?: (?:if|when))? (?:[a-z]+|[A-Z]) (?:is|are|"
    r"was) (?:not )?(?:provided|given|set|"
    r"specified|passed|used|needed|required|defined|present|available|None|True|False)\?$"
)
_OBJECT_CLAUSE_CUT = re.compile(r"\b(?:what|which|whether|where|how(?: \w+)?) (?:an?|the) [\w-]+\?$")
_OBJECT_CLAUSE = re.compile(r"\b(?:what|whether|where) (?:an?|the|my|your) (?:[\w-]+ ){1,2}([\w-]+)\?$")
"""`tell Django what my template directories`"""
_ME_TWICE = re.compile(
    r"\b(?:do|can|should|could) I (?:give|help|let|show|tell|allow|ask|teach) (?:me|I)\b|\b(?:lets?|helps?|allows?|for|"
    r"with|to) I\b"
)
_TWO_VERBS = re.compile(rf"^{_SEARCH} (.+?) (?<!to )(is|are|was|were|has|have|I can|I could|I will) (?!to\b)\w+")
_VERB_AFTER = re.compile(rf"^{_SEARCH} \w+ (\w+s) (?:an?|the|my|your)\b")
"""`Can I pay sends the file?`"""
_FINITE = re.compile(r"\b(?:can|will|could|would|may|might|should|has|have|was|were)\b")
_PARTICLES = word_set("on off up out in for to from with down over about by through like")
"""With which a question may well end."""
_STATES = word_set("supports allows enables provides requires returns uses contains includes means makes gives")
"""Verbs in the third person whose plural is seldom a noun: a search that has one is a sentence without its question."""
_ARTICLE_AND_VERB = re.compile(
    r"\b(?:the|an?) (?:controls|determines|specifies|indicates|defines|describes|represents|contains|returns) (?:the|an?|how|if|"
    r"which|whether)\b",
    re.I,
)
_LINKS = re.compile(r"\b(?:corresponds|belongs|refers|consists) (?:to|of|in)\b")
_PARTICLE_ALONE = re.compile(
    rf"^(?:{_SEARCH} )?(?:fill in|set up|plug in|pass in|turn on|turn off|put in) (?:with|by|from|as|using)\b", re.I
)
_WORKS_VERB = re.compile(
    rf"^(?:{_SEARCH} )?(?:work|go|try|proceed|continue) (use|create|make|get|see|add|enable|choose|select|configure)\b", re.I
)
_CLAUSE_AFTER = re.compile(
    rf"^{_SEARCH} (?!make|let|get|help|have|keep)\w+ (?:[\w'-]+ )+?(requires?|works?|removed|introduced|deprecated) "
    r"(?:an?|the|no|in|with|on)\b|\brelease (removed|introduced|deprecated|added) \w"
)
_USED_ALONE = re.compile(rf"^(?:{_SEARCH} )?(?:set up|configure|install|create) [\w' -]+ used\?$", re.I)
_PURPOSE_CUT_OFF = re.compile(rf"^{_SEARCH} (?:[\w'-]+ )+?and (?:enabling|allowing|making|ensuring|improving|providing)\b", re.I)
_STATE_ALONE = re.compile(r"\b(?:installed|configured|enabled) and (?:running|configured|enabled|working)\?$")
_FORM_ALONE = re.compile(r"\b(?:in|of|into) the (?:form|shape|format)\?$")
_OVER = re.compile(r"\b(?:number|list|set|share) of \w+ in\?$|\b(?:control|power|influence|run|iterate|loop|preference) over\?$")
_CLASS_THAT = re.compile(r"^Which (?:class|function|method|parameter|option) (\w+s) (?:for|to|in|of|from|with|by|on)\b")
_TITLE_OF_TWO = re.compile(rf"^{_SEARCH} .+ with ([A-Z][\w-]+ and [a-z][\w-]+)\??$")
"""`set the day with People and contracts`: the title of a page that is no product."""
_ONE_CHOICE = re.compile(r"\b(?:choose|select|pick) (?:from|between) [A-Z][\w ]*\?$")
_PRAISE = re.compile(r"\b(?:to the next level|made easy|at your fingertips|like never before|like a pro|out of the box)\b", re.I)
_NEXT_ACTION = re.compile(rf"^{_SEARCH} (?:(?! and | or )[^,])+, (\w+) (?:an?|the|my|your) (?:(?! and | or ).)+$")
_AND_STATES = re.compile(r"^(?:Does|Do|Can|Must|Will) .+ and (\w+s) (?:an?|the|my|your)\b")
_ON_WHAT = re.compile(r"\b\w+ on\?$")
_ASKS_WHAT = re.compile(r"^(?:What|Which|Why|Where|When|Who|Does|Do|Is|Are) (?!should I|can I|do I)", re.I)
_SUBORDINATES = re.compile(
    r"\b(?:wh\w+|how|that|if|because|unless|so|than|as|once|until|before|after|(?:each|every) time)\b", re.I
)
_HEADING_ASKED = re.compile(
    r"\w: \w|[!.]\?|!$|\b(?!vs)[a-z]{2,}\. (?!How do I do that\?$)|"
    r"\b(?:from|with|to|in) of\b|\bdepending (?!on)|\b[Ss]tep \d|\b(?:reference|overview|introduction)\?$|"
    r"^What is [A-Z]\w+ (?:an?|the|my|your) |^What (?:can|should) I do (?:if|when) I am using|\bfor some reason\b|"
    r"\b(?:meant by|example of|explain) (?:[Oo]ther|[Mm]ore|[Ff]urther|[Aa]dditional) |"
    r"^What (?:is|does) (?:def|class|return|import) |"
    r"\bthe (?:feature|option|setting|function)\??$|^(?:other|more|further|additional|general) \w+$|"
    r"^(?:What|How|Where) (?:is|are|do|does|do I use|do I find) (?:Other|More|Further|Additional|[A-Z]\w+ing (?:with|in|"
    r"on|to|for|an?|the)) |"
    r"^What is (?:\w+ ){2,}\d+\?$|^What (?:is|are) (?:meant by )?(?:[\w-]+ )+(?:Examples?|Notes|Overview|Basics)\?$|"
    rf"^What is .+ in (?:[A-Z][\w-]+ ){{2,}}for\?$|^(?:{_SEARCH}) (?:release [Nn]otes|stack [A-Z])|"
    r"^Did (?:tap|click|press|select|open|swipe|choose) |"
    r"^(?:turn (?:on|off)|enable|disable|use|set) (?:the )?(?:feature|option|setting)$|"
    rf"^What do [A-Z]\w+ and \w+ do\?|^{_SEARCH} [A-Z]{{3,}} |"
    r"^(?:How (?:do|can|to)(?: I)? use|What does|What is meant by) [A-Z][a-z]+ (?:an?|the|my|your) |"
    r"^(?:What (?:is|are|does|do)(?: meant by)?|How (?:do|can) I use|How (?:do|does)|Can you explain) "
    r"(?:Every|Each|First|Too|Daily|Weekly|Not) |"
    r"^What (?:is|does) [A-Z][a-z]+ed [a-z]+(?: do| for)?\?$"
)
_BARE_HEADING = re.compile(r"^(?:What (?:is|are)|Can you explain) ([A-Z][a-z]+)\?$|^(\w+) explained$")
_GERUND_END = re.compile(
    r"(?<!meant )\b(?:by|when|while|before|after|without|from|instead of) \w+ing\?$|"
    r"\b(?:depending|according|based|including|using)\?$"
)


def reject_reason(query: str, sentences: frozenset[str]) -> str | None:
    """Returns why a query is dropped, or None if it reads well; `sentences` are the chunk's own, normalised."""
    words = query.rstrip("?").split()
    if not SHORTEST <= len(words) <= LONGEST:
        return f"{len(words)} words, {SHORTEST} to {LONGEST} are wanted"
    if match := _MARKDOWN.search(query):
        return f"left-over markup {match[0]!r}"
    if query.count('"') % 2 or query.count("(") != query.count(")") or query.count("[") != query.count("]"):
        return "unbalanced quotes or brackets"
    if match := _POINTS_OUT.search(query) or _ELSEWHERE.search(query):
        return f"points at something outside: {match[0]!r}"
    if words[0].lower() in CONJUNCTIONS - {"when", "where", "which", "who", "why", "whose", "whom", "how", "that"}:
        return f"starts with {words[0]!r}"
    asked = query.removesuffix(". How do I do that?").rstrip("?") + "?"  # Needs and searches end as questions do.
    if (cut := _ENDS.search(asked)) and not _is_stranded_on_purpose(query):
        return f"ends on {cut[0].rstrip('?. ')!r}"
    if match := _CUT_SHORT.search(asked):
        return f"is cut short after {match[0].strip('?')!r}"
    if match := _REPEATED.search(query):
        return f"repeats {match[1] or match[2] or match[3]!r}"
    if verb := _STARTS.match(query):
        first, after = verb[1].lower().strip(","), query[verb.end() :].rstrip("?").split()
        is_verb = first in {"be", "have", "do"} or starts_verb_phrase([first, *after])
        if not is_verb and first not in ADVERBS and not first.endswith("ly"):
            return f"{first!r} is no verb"
    lost = _lost_reason(asked, asked.rstrip("?").split())
    return lost or _asked_reason(query, words, sentences) or _content_reason(query, words, sentences)


def _lost_reason(query: str, words: list[str]) -> str | None:
    """A word that the query needs was lost on the way from the sentence."""
    for needing, satisfied in _LACKS:
        if (match := needing.search(query)) and not satisfied.search(query):
            return f"lacks what goes with {match[0].strip()!r}"
    if match := _NUMBER_ALONE.match(query):
        return f"lacks what to {match[1]!r}"
    if match := _WITHOUT_OBJECT.match(query):
        return f"lacks what to {match[1].lower()!r}"
    if _COMPLEMENT_LOST.match(query):
        return f"lacks what goes with {words[-1]!r}"
    action = re.sub(rf"^(?:{_SEARCH}|What (?:should I do|do I need to do) to) ", "", query)
    clause = _OBJECT_CLAUSE.search(action)
    verbless = clause and is_noun(clause[1]) and verb_base(clause[1]) is None
    if (_OBJECT_CLAUSE_CUT.search(action) or verbless) and not re.match(r"^(?:What|How|Which|Where)\b", action):
        return "its last clause is cut short"
    for pattern in (_PARTICLE_ALONE, _FORM_ALONE, _OVER, _USED_ALONE, _STATE_ALONE):
        if match := pattern.search(query):
            return f"lacks what goes with {' '.join(match[0].split()[-2:]).rstrip('?')!r}"
    if match := _ARTICLE_AND_VERB.search(query):
        return f"an article before a verb: {match[0]!r}"
    if (match := _CLASS_THAT.match(query)) and third_person_base(match[1]):
        return f"lacks what it {match[1]}"
    if (match := _CLAUSE_AFTER.search(query)) and not _SUBORDINATES.search(match[0][len(words[0]) :]):
        return f"a second verb {(match[1] or match[2])!r}"
    if _PURPOSE_CUT_OFF.match(query):
        return "what follows 'and' is no second action"
    if match := _WORKS_VERB.match(query):
        return f"a second verb {match[1]!r}"
    if (
        (match := _LINKS.search(query))
        and not _ASKS_WHAT.match(query)
        and not _SUBORDINATES.search(query[len(words[0]) : match.start()])
    ):
        return f"a second verb {match[0].split()[0]!r}"
    if (match := _NEXT_ACTION.match(query)) and is_base_verb(match[1]):
        return f"a second verb {match[1]!r}"
    if (match := _AND_STATES.match(query)) and third_person_base(match[1]):
        return f"a second verb {match[1]!r}"
    if _ME_TWICE.search(query):
        return "asks what others do to me"
    if _ON_WHAT.search(query) and not re.search(
        r"\b(?:turn|switch|put|log|sign|keep|stay|go|come|try|rely|depend|What|Which)\b", query
    ):
        return "lacks what it is on"
    if (match := _VERB_AFTER.match(query)) and third_person_base(match[1]) and "NOUN" not in lemmas(match[1]):
        return f"a second verb {match[1]!r}"
    if (match := _TWO_VERBS.match(query)) and not _SUBORDINATES.search(match[1]):
        return f"a second verb {match[2]!r}"
    if _GERUND_END.search(query):
        return f"ends on {words[-1]!r}"
    opened, closed = (sum(word.startswith("'") for word in words), sum(bool(re.search(r"'[?,]?$", word)) for word in words))
    if opened > closed or (not opened and any(re.search(r"(?<!s)'[?,]?$", word) for word in words)):
        return "unbalanced quotes or brackets"
    return None


def _asked_reason(query: str, words: list[str], sentences: frozenset[str]) -> str | None:
    """What is asked about is a code, a bare heading or nothing, or does not agree with its verb."""
    if match := _ARTICLE_INSIDE.search(query):
        return f"a title inside: {match[0].split()[0]!r}"
    if _ARTICLE_AND_NAME.match(query):
        return "an article before a name"
    if (match := _BARE_HEADING.match(query)) and (match[2] or "NOUN" in lemmas(match[1])):
        return "a bare heading"
    if not query.endswith("?") and words[0][0].islower() and _FINITE.search(query) and not _SUBORDINATES.search(query):
        return "a search with an auxiliary"
    if not query.endswith("?") and (verb := _stated(words)) and not _SUBORDINATES.search(query):
        return f"a statement: {verb!r}"
    if match := _TITLE_OF_TWO.match(query):
        return f"with a heading: {match[1]!r}"
    if match := _PRAISE.search(query):
        return f"praise, not a question: {match[0]!r}"
    if match := _ONE_CHOICE.search(query):
        return f"a single choice: {match[0].rstrip('?')!r}"
    if words[0].lower() in PREPOSITIONS and not query.endswith("?"):
        return f"starts with {words[0]!r}"
    if match := _HEADING_ASKED.search(query):
        return f"asks about a heading: {match[0].strip()!r}"
    if _SAYS_NOTHING_IF.search(query):
        return "its condition says nothing"
    return thing_reason(query, sentences)


def _stated(words: list[str]) -> str | None:
    """Returns the verb of a search that states something: `supports retries`, `step rebuilds pages`."""
    if words[0].lower() in {"i", "unable", "trying", "need", "looking"}:
        return None
    for place, word in enumerate(words[:-1]):
        after_object = place > 1 and words[place - 1].lower() not in PREPOSITIONS
        if word in _STATES or (
            third_person_base(word) and "NOUN" not in lemmas(word) and (after_object or _is_subject(words, place))
        ):
            return word
    return None


def _is_subject(words: list[str], place: int) -> bool:
    """Returns whether the first word alone is what the second is said of: `robot writes`, not `get logs`."""
    return place == 1 and not is_base_verb(words[0])


def _is_stranded_on_purpose(query: str) -> bool:
    return bool(re.match(r"^(?:What (?:is|are|do|does|should|can)|Which)\b.*\b(?:for|to|from|with|by|on|about|in)\?$", query))


def _content_reason(query: str, words: list[str], sentences: frozenset[str]) -> str | None:
    content = content_words(query)
    if not content:
        return "no content word"
    plain_words = [word.lower().strip("?,") for word in words]
    if all(
        word in GENERIC_NOUNS
        or word in FUNCTION_WORDS
        or (
            is_base_verb(word)
            and word
            in {"use", "set", "change", "find", "get", "do", "choose", "enable", "disable", "view", "see", "refer", "perform"}
        )
        for word in plain_words
    ):
        return "says nothing in particular"
    if sum(is_code(word) for word in words) > len(words) / 2:
        return "code, not a question"
    if len(plain_words) >= 4 and normalise_query(query) in sentences:
        return "a sentence of the chunk"
    if sum(len(word) for word in words) > 120:
        return "too long to type"
    if len([word for word in plain_words if re.search(r"[^\x00-\x7f]", word)]) > 2:
        return "not English"
    if re.search(r"\d{5,}|\d+,\d{3},\d{3}|\w{35,}", query) or any(_runs_together(word) for word in words):
        return "long numbers or run-together words"
    if plain_words[-1] in PREPOSITIONS - _PARTICLES:
        return f"ends on {plain_words[-1]!r}"
    return None


@lru_cache(maxsize=20_000)
def _runs_together(word: str) -> bool:
    """`theCompany`, `changingenvironment`: two words whose space was lost on the way from a page."""
    word = re.sub(r"'s$|[?,.]", "", word)
    if re.match(r"^(?:the|of|and|our|to|in|for|with)[A-Z][a-z]+$|^[A-Z]?[a-z]{3,}(?:The|Our|In|We|This|If)$", word):
        return True
    if not re.fullmatch(r"[a-z]{11,}", word) or lemmas(word) or verb_base(word):
        return False
    halves = ((word[:place], word[place:]) for place in range(3, len(word) - 2))
    return any((first in FUNCTION_WORDS or lemmas(first)) and lemmas(second) for first, second in halves)
