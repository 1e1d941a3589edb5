"""Word lists of the groundedness features: English, in lower case."""

from __future__ import annotations

import re


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


STOPWORDS = _listed("""
    a an the this that these those there here it its it's he she they them his her their him i me my mine we us our
    you your yours who whom whose which what when where why how and or but if then else so because as of at by for
    with about against between into through during before after above below to from up down in out on off over under
    again further once is am are was were be been being have has had having do does did doing will would shall
    should can could may might must ought just only very too also well more most much many some any each every all
    both few other another such own same than not no nor never none don't doesn't didn't isn't aren't wasn't weren't
    won't can't cannot couldn't shouldn't wouldn't i'm i've i'd i'll you're we're they're he's she's that's there's
    what's let's yes yeah oh ok okay really actually even still yet one get got like
""")

NEGATIONS = _listed("""
    not no never none nor neither nobody nothing nowhere without cannot can't don't doesn't didn't isn't aren't
    wasn't weren't won't couldn't shouldn't wouldn't haven't hasn't hadn't unable fail failed fails hardly
""")

FIRST_PERSON = _listed("""
    i i'm i've i'd i'll me my mine myself
""")

OPINION = _listed("""
    think believe guess feel love loved hate favorite favourite enjoy enjoyed wish sure maybe probably heard great
    awesome cool amazing interesting fun funny beautiful wow lol haha agree bet prefer
""")

_PLEASANT = (
    r"(?:i'?m |i am |we'?re |we are )?(?:so |very |always )?(?:glad|happy|here|sorry|pleased|delighted) "
    r"(?:to|that|for|about)\b.*help.*",
    r"(?:please )?(?:let|tell) (?:me|us) know\b.*",
    r"thank(?:s| you)\b.*",
    r"you'?re (?:very )?welcome\b.*",
    r"(?:i )?hope (?:this|that) helps?\b.*",
    r"(?:hi|hello|hey|dear|good (?:morning|afternoon|evening))\b(?:[ ,]+(?!i\b|do\b|did\b|are\b|have\b)[\w.]+){0,3}\W*",
    r"(?:great|good) question\b.*",
    r"(?:sure|of course|certainly)\b.{0,20}",
    r"(?:is there|do you have|if you have|should you have)\b.*"
    r"(?:anything else|any (?:other|more|further)|questions)\b.*",
    r"feel free to\b.*",
    r"(?:best|kind|warm) regards\b.*",
    r"have a (?:great|nice|good|lovely)\b.*",
    r"(?:i |we )?(?:apologi[sz]e|(?:am|are) sorry)\b.{0,60}",
)
PLEASANTRY = re.compile(rf"^\W*(?:{'|'.join(_PLEASANT)})$", re.IGNORECASE | re.DOTALL)
"""A sentence that greets, thanks, apologizes or offers help, and so claims nothing."""
