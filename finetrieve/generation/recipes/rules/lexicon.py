"""Closed word classes, and which words documentation uses as verbs. General English only: nothing here knows a product."""

from __future__ import annotations


def word_set(text: str) -> frozenset[str]:
    """Returns the words of a text."""
    return frozenset(text.split())


DETERMINERS = word_set(
    "a an the this that these those each every any some no all both another either neither my your his her its our their"
)
POSSESSIVES = word_set("my your his her its our their")
PREPOSITIONS = word_set(
    "about above across after against along among around as at before behind below beneath beside besides between beyond by "
    "despite down "
    "during except for from in inside into like near of off on onto out outside over past per since through throughout till "
    "to toward towards "
    "under underneath unlike until up upon via with within without using based according"
)
PARTICLES = word_set("up off on out in down back over away through around together apart")
CONJUNCTIONS = word_set(
    "and or but nor so yet because although though while whereas if unless until when whenever where wherever whether that "
    "which who whom whose than as once since"
)
PRONOUNS = word_set(
    "i you he she it we they me him us them myself yourself itself themselves someone anyone everyone something anything "
    "everything nothing one"
)
AUXILIARIES = word_set(
    "is are was were be been being am has have had do does did can could will would may might must should shall cannot can't "
    "won't don't doesn't isn't aren't"
)
FINITE_AUXILIARIES = word_set("is are was were has have had does did do can could will would may might must should shall")
MODALS = word_set("can could will would may might must should shall")
ADVERBS = word_set(
    "also then now just simply easily quickly only even still already often always never usually generally typically "
    "currently directly "
    "optionally instead again first finally next later here there however therefore thus further furthermore additionally "
    "please not too very "
    "more most less least well soon once twice back again together rather quite almost"
)
QUESTION_WORDS = word_set(
    "how what when where which who whom whose why can could do does did is are was were will would should may has have"
)
FUNCTION_WORDS = DETERMINERS | PREPOSITIONS | CONJUNCTIONS | PRONOUNS | AUXILIARIES | ADVERBS | QUESTION_WORDS
"""Words that carry grammar and no content."""

VERBS = word_set(
    "get return create compute generate pass make avoid check add contain provide find convert raise access specify ensure "
    "allow perform keep "
    "determine handle override remove exist represent disable enable produce indicate implement define evaluate register save "
    "compare give "
    "calculate know prevent cause continue replace delete choose obtain send reduce retrieve extract construct render "
    "initialize appear "
    "validate solve deploy skip receive install refer encode show ignore execute improve expect affect modify become "
    "authenticate verify "
    "identify resolve maintain satisfy detect fetch assign correspond customize customise draw exclude decide prepare learn "
    "preserve normalize "
    "normalise depend decode achieve overwrite rely manage inspect extend expand recommend embed enforce prune serialize "
    "deserialize remain "
    "reach treat simplify leave append exceed collect attach interpolate interact invoke combine establish converge optimize "
    "optimise minimize "
    "minimise maximize maximise recover reuse adjust inherit understand supply terminate attend describe develop retain "
    "distinguish associate "
    "expose recognize recognise truncate concatenate enter propagate restart allocate restore integrate visualize visualise "
    "participate incur "
    "rename cover attract substitute facilitate protect declare populate hide interpret accommodate traverse mutate "
    "differentiate decorate "
    "highlight permit introduce adopt analyze analyse submit enhance classify activate deactivate inject restrict reconstruct "
    "utilize locate "
    "migrate eliminate contribute decompose translate omit suppress assess annotate monitor bypass observe rotate accumulate "
    "reproduce fulfill "
    "warn synchronize synchronise destroy defer persist rebuild notify explore explain suggest examine disconnect connect "
    "reconnect distribute "
    "discover discard initiate consume simulate mitigate compose adapt disclose inform recreate communicate deliver invest "
    "publish encrypt "
    "decrypt manipulate freeze invalidate justify augment summarize summarise illustrate refine respond tune consult convey "
    "qualify compensate "
    "undo consolidate investigate rearrange revert employ violate revoke isolate assemble rerun unify organize organise "
    "negotiate prioritize "
    "prioritise reorganize navigate redefine arrange stabilize designate toggle enjoy tweak encapsulate deduce erase browse "
    "rewind spell "
    "resemble administer prohibit decipher sustain standardize authorize advertise appoint regularize instantiate resize "
    "preprocess prepend "
    "fine-tune finetune reset unregister unpair reboot unlock unmute unmount uninstall reinstall upload download configure "
    "reconfigure apply include "
    "connect bring buy sell pay begin forget grow lose lend choose write speak teach wear throw tell think hold keep send "
    "spend win become "
    "merge split import sync pause resume unsubscribe subscribe opt tokenize quantize featurize deduplicate parallelize "
    "prefetch decouple "
    "refactor serve require need want let help use see take match support reject finish catch multiply derive strip emit "
    "yield infer operate promote "
    "leverage abort coerce extrapolate materialize incorporate emulate clarify sanitize interleave renew reconcile regenerate "
    "synthesize demonstrate "
    "disambiguate shrink transcribe negate reassign amend suspend revise relate categorize enrich discuss halt collaborate "
    "dispatch acquire "
    "guarantee approximate assert conduct redirect flatten provision offload orchestrate containerize interrupt compete"
)
"""Words that are a verb wherever they can be one."""

MAYBE_VERBS = word_set(
    "run set change call load read store update filter select start build control stop look search open close report complete "
    "record map scale "
    "insert limit train turn compile trigger plot disk transform estimate capture mark broadcast drop join link fix retry "
    "shift export switch "
    "trace clean bind launch clear cut route count measure decrease increase transfer express rewrite release swap shuffle "
    "address escape guide "
    "pull push alter grant dump gather repeat replicate refresh secure crop upgrade focus mount visit reorder debug purchase "
    "balance replay fire "
    "scan edit fold review drive advance clone compress decline pack exercise unpack flip delegate increment reload quote "
    "finance crash touch "
    "redistribute forecast interrupt mirror borrow reveal ship award hire clamp test process copy sample log place file query "
    "block target mask "
    "index format group value display label forward request order rank schedule stack free patch commit frame sign document "
    "reverse slice "
    "signal cluster segment post design accelerate tag score delay weight prompt style cap exchange chunk practice structure "
    "cost profile "
    "trade view share play mute pin zoom sort print charge lock activate touch tap press swipe drag click hold pair "
    "answer send reply message email dial track check boost cancel host benchmark stream stage wrap parse fit pick work move "
    "return save "
    "respond follow write rate rotate sign speak listen watch wake sleep dim brighten lighten darken silence snooze dismiss "
    "mix tie cast "
    "name list mention go stretch lower issue handle cover cache download question split point position shape outline model "
    "fill cook wash dry "
    "drain charge replace grill bake mount vacuum empty heat cool warm freeze insert serve measure press adjust attach fasten "
    "tighten"
)
"""Words that are as often a noun: the neighbours decide."""

MICRO_STEPS = word_set(
    "tap click press swipe drag touch hold see visit refer follow note go scroll type hit remember consider please read check "
    "let make look "
    "navigate return select enter wait repeat say pick mention contact continue proceed ensure be do have click open choose "
    "slide flick"
)
"""Verbs of a single hand movement or of a pointer elsewhere: worth asking is only what follows "to" in such a sentence."""

NEEDS_OBJECT = word_set(
    "move copy add send save convert transfer assign apply attach export import upload set tag put store map bind insert pass "
    "combine separate replace remove delete extract append select define provide handle create build override support "
    "position weight"
)
"""Verbs that say nothing without what they act on: `move to a folder` lost it."""

NEEDS_COMPLEMENT = word_set(
    "associated considered treated called named based related regarded referred viewed depend depends rely relies consist "
    "consists become becomes change depending intended expected allowed likely able aware capable subject"
)
"""Words with which no question about a statement can end."""

GENERIC_NOUNS = word_set(
    "feature features option options setting settings function functions item items thing things way ways step steps section "
    "page pages example "
    "examples information details data value values process task tasks user users system method methods type types prompt "
    "prompts instruction "
    "instructions choice following result results content contents case cases list icon icons button menu screen app apps "
    "text name file files "
    "code part parts change changes order number amount time place point set object objects argument arguments parameter "
    "parameters one ones "
    "problem problems issue issues input output use field fields window bar tab box line lines row rows level group groups "
    "state note notes "
    "form image device work command commands implementation process approach guide repository documentation docs look"
)
"""Nouns that need company to say what a query is about."""

NOMINAL_GERUNDS = word_set(
    "training testing meeting setting building learning recording working warning parking billing shipping marketing "
    "engineering operating "
    "mapping pricing accounting processing programming screening reading rating heading spelling hearing lighting drawing "
    "painting "
    "understanding beginning ending opening meaning string thing everything something nothing anything morning evening during "
    "king ring spring "
    "housing funding lending banking manufacturing advertising networking computing modeling sampling embedding messaging "
    "roaming imaging "
    "tracking hosting streaming charging boarding landing hiking swimming cooking filing holding earning saving offering "
    "timing bearing casing "
    "coating fitting wiring plumbing bedding clothing"
)

NOMINALIZATIONS = {
    "installation": "install",
    "configuration": "configure",
    "management": "manage",
    "creation": "create",
    "deletion": "delete",
    "removal": "remove",
    "registration": "register",
    "activation": "activate",
    "deactivation": "deactivate",
    "setup": "set up",
    "deployment": "deploy",
    "evaluation": "evaluate",
    "verification": "verify",
    "customization": "customize",
    "migration": "migrate",
    "conversion": "convert",
    "calibration": "calibrate",
    "validation": "validate",
    "visualization": "visualize",
    "optimization": "optimize",
    "maintenance": "maintain",
    "replacement": "replace",
    "adjustment": "adjust",
    "initialization": "initialize",
    "monitoring": "monitor",
    "cancellation": "cancel",
    "tuning": "tune",
    "troubleshooting": "troubleshoot",
    "encryption": "encrypt",
    "retrieval": "retrieve",
    "serialization": "serialize",
    "synchronization": "synchronize",
    "disposal": "dispose of",
    "assembly": "assemble",
    "cleaning": "clean",
}
"""Head nouns of headings that name an activity: `fingerprint management` asks how to manage fingerprints."""

SYNONYMS: dict[str, tuple[str, ...]] = {
    "turn on": ("enable", "activate", "switch on"),
    "turn off": ("disable", "deactivate", "switch off"),
    "enable": ("turn on", "activate", "switch on"),
    "disable": ("turn off", "deactivate", "switch off"),
    "activate": ("enable", "turn on"),
    "delete": ("remove", "get rid of", "erase"),
    "remove": ("delete", "get rid of"),
    "erase": ("delete", "wipe"),
    "change": ("modify", "adjust", "edit"),
    "modify": ("change", "edit"),
    "adjust": ("change", "set"),
    "edit": ("change", "modify"),
    "set up": ("configure",),
    "configure": ("set up", "customize"),
    "customize": ("change", "personalize", "configure"),
    "view": ("see", "check", "look at"),
    "display": ("show", "see"),
    "show": ("display", "see"),
    "see": ("view", "check"),
    "create": ("make", "set up"),
    "insert": ("add",),
    "choose": ("select", "pick"),
    "select": ("choose", "pick"),
    "use": ("work with", "make use of"),
    "utilize": ("use",),
    "obtain": ("get",),
    "retrieve": ("get", "fetch"),
    "fetch": ("get",),
    "access": ("get to", "reach"),
    "open": ("access", "launch"),
    "launch": ("start", "open"),
    "start": ("begin", "launch"),
    "begin": ("start",),
    "stop": ("end", "turn off"),
    "find": ("locate", "look up"),
    "locate": ("find",),
    "prevent": ("avoid", "stop"),
    "avoid": ("prevent",),
    "fix": ("solve", "repair"),
    "resolve": ("fix", "solve"),
    "verify": ("check", "confirm"),
    "ensure": ("make sure",),
    "compute": ("calculate", "get"),
    "calculate": ("compute", "work out"),
    "determine": ("find out", "figure out"),
    "generate": ("create", "produce"),
    "produce": ("generate",),
    "convert": ("turn", "transform"),
    "transfer": ("move", "copy"),
    "move": ("transfer",),
    "save": ("store",),
    "store": ("save",),
    "send": ("share",),
    "share": ("send",),
    "connect": ("link", "hook up"),
    "link": ("connect",),
    "join": ("connect",),
    "register": ("add",),
    "install": ("set up",),
    "deploy": ("set up",),
    "execute": ("run",),
    "run": ("execute",),
    "build": ("create", "make"),
    "construct": ("build",),
    "define": ("set", "specify"),
    "specify": ("set", "define"),
    "assign": ("set",),
    "manage": ("handle", "deal with"),
    "monitor": ("keep track of", "track"),
    "track": ("monitor", "follow"),
    "improve": ("boost",),
    "reduce": ("lower", "decrease"),
    "decrease": ("reduce", "lower"),
    "limit": ("restrict",),
    "restrict": ("limit",),
    "combine": ("merge", "join"),
    "merge": ("combine",),
    "split": ("divide",),
    "load": ("read",),
    "restore": ("recover", "get back"),
    "replace": ("swap", "change"),
    "update": ("upgrade", "refresh"),
    "upgrade": ("update",),
    "capture": ("take", "record"),
    "record": ("capture",),
    "optimize": ("improve",),
    "allow": ("let", "permit"),
    "block": ("stop",),
    "rename": ("change the name of",),
    "reset": ("restore",),
    "estimate": ("compute", "calculate"),
    "evaluate": ("measure", "assess"),
    "transform": ("convert",),
    "implement": ("write", "build"),
    "write": ("create",),
    "inspect": ("look at", "check"),
    "provide": ("give",),
    "receive": ("get",),
    "apply": ("use", "set"),
}
"""What people say instead, by the verb (with its particle) that the text uses."""

NOUN_SYNONYMS: dict[str, tuple[str, ...]] = {
    "error": ("problem", "issue"),
    "errors": ("problems", "issues"),
    "issue": ("problem",),
    "issues": ("problems",),
    "picture": ("photo",),
    "pictures": ("photos",),
    "photo": ("picture",),
    "photos": ("pictures",),
    "preferences": ("settings",),
    "credentials": ("login details",),
    "documentation": ("docs",),
    "directory": ("folder",),
    "folder": ("directory",),
    "application": ("app",),
    "applications": ("apps",),
    "notification": ("alert",),
    "notifications": ("alerts",),
    "parameter": ("argument", "option"),
    "parameters": ("arguments", "options"),
    "repository": ("repo",),
    "configuration": ("settings", "config"),
    "environment": ("env",),
    "dependencies": ("requirements", "packages"),
}

VAGUE_HEADINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "installation": (("how_to", "How do I install {t}?"), ("how_to", "How can I install {t}?")),
    "install": (("how_to", "How do I install {t}?"), ("how_to", "How can I get {t} installed?")),
    "usage": (("how_to", "How do I use {t}?"), ("how_to", "How is {t} used?")),
    "how to use": (("how_to", "How do I use {t}?"), ("how_to", "How can I use {t}?")),
    "how do you use it": (("how_to", "How do I use {t}?"), ("how_to", "How can I use {t}?")),
    "how to use it": (("how_to", "How do I use {t}?"), ("how_to", "How can I use {t}?")),
    "how to deploy it": (("how_to", "How do I deploy {t}?"), ("how_to", "How can I get {t} deployed?")),
    "how to configure it": (("how_to", "How do I configure {t}?"),),
    "how does it work": (("how_to", "How does {t} work?"),),
    "how it works": (("how_to", "How does {t} work?"),),
    "when to use it": (("when", "When should I use {t}?"), ("when", "When does it make sense to use {t}?")),
    "when to use": (("when", "When should I use {t}?"),),
    "when would you want to use it": (("when", "When should I use {t}?"),),
    "why use it": (("why", "Why should I use {t}?"),),
    "what is it": (("what_is", "What is {t}?"),),
    "getting started": (("how_to", "How do I get started with {t}?"), ("how_to", "What are the first steps with {t}?")),
    "get started": (("how_to", "How do I get started with {t}?"), ("how_to", "What are the first steps with {t}?")),
    "quickstart": (("how_to", "How do I get started with {t}?"), ("how_to", "What is the quickest way to try {t}?")),
    "quick start": (("how_to", "How do I get started with {t}?"), ("how_to", "What is the quickest way to try {t}?")),
    "configuration": (("how_to", "How do I configure {t}?"), ("what_is", "What can be configured in {t}?")),
    "setup": (("how_to", "How do I set up {t}?"), ("how_to", "How can I get {t} up and running?")),
    "prerequisites": (
        ("requirement", "What do I need before I can use {t}?"),
        ("requirement", "What are the prerequisites for {t}?"),
    ),
    "requirements": (("requirement", "What do I need for {t}?"), ("requirement", "What are the requirements for {t}?")),
    "limitations": (("what_is", "What are the limitations of {t}?"), ("yes_no", "Are there any limits when using {t}?")),
    "troubleshooting": (("problem", "What can I do if {t} does not work?"), ("how_to", "How do I troubleshoot {t}?")),
    "example": (("how_to", "Is there an example of {t}?"), ("how_to", "Can I see an example of how to use {t}?")),
    "examples": (("how_to", "Are there examples of {t}?"), ("how_to", "Can I see an example of how to use {t}?")),
    "code example": (("how_to", "Is there a code example for {t}?"),),
    "authentication": (("how_to", "How do I authenticate with {t}?"),),
    "authentication methods": (("how_to", "How can I authenticate with {t}?"),),
    "pricing": (("what_is", "How much does {t} cost?"),),
    "cost": (("what_is", "How much does {t} cost?"),),
    "benefits": (("why", "What are the benefits of {t}?"),),
    "advantages": (("why", "What are the advantages of {t}?"),),
    "uninstall": (("how_to", "How do I uninstall {t}?"),),
    "upgrade": (("how_to", "How do I upgrade {t}?"),),
}
"""Headings that say nothing without the document's title `t`: (style, template) to ask instead."""

EMPTY_HEADINGS = word_set(
    "overview pro-tip protip tip-off step steps introduction summary conclusion notes note references resources contents "
    "links background description details misc "
    "miscellaneous other changelog attributes methods properties returns yields raises arguments args parameters warning "
    "warnings tip tips important "
    "faq appendix readme index toc preface acknowledgements license disclaimer general more features basics"
) | {
    "just in case",
    "pro tip",
    "see also",
    "next steps",
    "further reading",
    "table of contents",
    "learn more",
    "more information",
    "related topics",
    "example command output",
    "command output",
    "output",
    "example output",
    "python sdk",
    "cli",
    "code",
    "other parameters",
    "what's next",
}
"""Headings that nobody asks about."""
