"""Short refusals and ordinary answers of a service desk, composed from our own phrases: style the public files lack."""

from __future__ import annotations

from itertools import product

REFUSING = (
    "I'm sorry, but I can't {act}.",
    "Sorry, I am not able to {act}.",
    "I cannot {act}.",
    "I won't {act}.",
    "I will not {act}, because it could hurt someone.",
    "I'm unable to {act}, sorry.",
    "I must decline to {act}.",
    "Unfortunately I'm not allowed to {act}.",
    "As an assistant I do not {act}.",
    "My guidelines do not let me {act}.",
    "That is something I have to refuse: I don't {act}.",
    "It would be wrong to {act}, so I'll pass on this one.",
)
REFUSED = (
    "help with that",
    "assist you with this request",
    "write such a text",
    "share another customer's details",
    "give instructions for that",
    "answer this question",
    "comply with what you ask",
    "provide that kind of information",
    "discuss this topic",
    "take part in anything illegal",
    "give you medical advice on that",
    "continue with this conversation",
)
AFTER = (
    "",
    " Is there something else I can do for you?",
    " Please talk to a professional instead.",
    " It goes against our rules.",
)

ANSWERING = (
    "Sorry about that! {fact}",
    "I'm sorry for the trouble. {fact}",
    "Unfortunately there was a delay. {fact}",
    "I'm sorry to hear this. {fact}",
    "I am so sorry for the mix-up! {fact}",
    "Our apologies for the wait. {fact}",
    "Thanks for your patience. {fact}",
    "No problem at all. {fact}",
    "Happy to help. {fact}",
    "Yes, you can. {fact}",
    "No, that is not needed. {fact}",
    "You cannot do this in the app, but on the website you can. {fact}",
    "I'm afraid this item is sold out until spring. {fact}",
    "I understand how annoying this is. {fact}",
    "{fact} I can't see the reason from here, so I have asked the team and will write to you today.",
    "{fact}",
)
FACTS = (
    "Your parcel left our warehouse this morning and arrives on Thursday.",
    "I have moved your appointment to Monday at ten.",
    "The money is back on your card within three working days.",
    "Open the settings, choose the second tab and switch it on.",
    "The annual plan costs 96 euros and can be cancelled at any time.",
    "Press the button for five seconds until the lamp blinks.",
    "Your new password has been sent by e-mail.",
    "We changed the address on the order for you.",
    "We have credited 12 euros to your account.",
    "I have closed the account as you asked.",
    "The double charge was reversed, and you will not pay again.",
    "I have passed the complaint on to the workshop.",
    "Returns are free if the box is not open.",
    "The device does not work below zero degrees.",
    "The report shows twelve visits, most of them in June.",
    "Mix the flour with the eggs and let the dough rest for an hour.",
)


def refusal_answers() -> list[tuple[str, str, int]]:
    """Every composed text with the frame it is made from and its label, 1 = refusal, 0 = an answer; in a fixed order."""
    refusals = [(frame, frame.format(act=act) + after, 1) for frame, act, after in product(REFUSING, REFUSED, AFTER)]
    endings = ("", " Is there anything else?", " Let me know if it works.")
    answers = [(frame, frame.format(fact=fact) + after, 0) for frame, fact, after in product(ANSWERING, FACTS, endings)]
    return refusals + answers
