"""Composes prompts, answers and documents from templates: varied enough to form topics, plain enough to be read."""

from __future__ import annotations

import random
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Exchange:
    """One turn: what the user asked, what the application answered, and the documents it had, if any."""

    topic: str
    prompt: str
    response: str
    documents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Topic:
    """Templates of one topic; `{slot}` is filled from the slots of the topic, else from the common ones."""

    name: str
    prompts: Sequence[str]
    answers: Sequence[str]
    slots: Mapping[str, Sequence[str]]


COMMON: Mapping[str, Sequence[str]] = {
    "product": (
        "espresso machine", "standing desk", "rain jacket", "desk lamp", "robot vacuum", "bike helmet", "office chair",
        "noise-cancelling headset", "camping tent", "water filter", "air fryer", "mechanical keyboard", "yoga mat",
        "hiking boots", "electric kettle", "baby monitor", "sewing machine", "garden hose", "power bank", "blender",
    ),
    "city": ("Lyon", "Porto", "Graz", "Utrecht", "Leeds", "Malmo", "Ghent", "Bologna", "Gdansk", "Cork"),
    "day": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "yesterday", "last week"),
    "days": ("two", "three", "four", "five", "seven", "ten"),
    "opener": ("", "", "", "Hi, ", "Hello, ", "Good morning, ", "Hey, ", "Quick question: "),
    "closer": ("", "", "", " Thanks!", " Thank you.", " Can you help?", " Please advise.", " I appreciate it."),
    "ack": ("Happy to help. ", "Thanks for reaching out. ", "Sure. ", "Of course. ", "", "", "Good question. "),
    "end": ("", "", " Let me know if anything is unclear.", " Is there anything else I can do?", " Have a nice day."),
}  # fmt: skip

SUPPORT: tuple[Topic, ...] = (
    Topic(
        "order status",
        (
            "{opener}where is my order for the {product}? It was due on {day}.{closer}",
            "{opener}can you track the parcel with my {product}?{closer}",
            "{opener}the tracking page for my {product} has not changed in {days} days.{closer}",
            "{opener}my {product} shows as delivered in {city} but I never received it.{closer}",
            "{opener}when will the {product} I ordered {day} leave the warehouse?{closer}",
        ),
        (
            "{ack}Your {product} left our warehouse and should reach you within {days} days.{end}",
            "{ack}The carrier in {city} has your parcel and will try to deliver it again on the next working day.{end}",
            "{ack}I checked the tracking: the {product} is in transit and arrives in about {days} days.{end}",
        ),
        {},
    ),
    Topic(
        "returns",
        (
            "{opener}how do I return the {product} I bought {day}?{closer}",
            "{opener}the {product} does not fit my needs, can I send it back for a refund?{closer}",
            "{opener}I need a return label for a {product}.{closer}",
            "{opener}how long does the refund for my returned {product} take?{closer}",
            "{opener}can I exchange the {product} for another colour?{closer}",
        ),
        (
            "{ack}You can return the {product} within 30 days; I have sent a label to your address.{end}",
            "{ack}Refunds arrive within {days} working days after we receive the {product}.{end}",
            "{ack}Please pack the {product} in its box and hand it to any parcel shop with the label.{end}",
        ),
        {},
    ),
    Topic(
        "payment",
        (
            "{opener}why was my card charged twice for the {product}?{closer}",
            "{opener}can I pay for the {product} in {days} instalments?{closer}",
            "{opener}I need an invoice with VAT for the {product}.{closer}",
            "{opener}my payment for the {product} was declined on {day}.{closer}",
            "{opener}the discount code did not apply to the {product} at checkout.{closer}",
        ),
        (
            "{ack}One charge for the {product} is pending; the second was released and disappears in {days} days.{end}",
            "{ack}The invoice for your {product} is under Orders in your account, with VAT shown.{end}",
            "{ack}Instalments are offered at checkout for orders above 50 euros, including the {product}.{end}",
        ),
        {},
    ),
    Topic(
        "account",
        (
            "{opener}I cannot log in to my account since {day}.{closer}",
            "{opener}how do I change the e-mail address of my shop account?{closer}",
            "{opener}the password reset link never arrives.{closer}",
            "{opener}please help me delete the old address in {city} from my profile.{closer}",
            "{opener}how do I turn on two-factor login for my account?{closer}",
        ),
        (
            "{ack}I sent a new reset link; it is valid for one hour and may land in the spam folder.{end}",
            "{ack}Open Profile, choose Security, and turn on two-factor login there.{end}",
            "{ack}You can edit addresses under Profile; the one in {city} is removed when you press Save.{end}",
        ),
        {},
    ),
    Topic(
        "product advice",
        (
            "{opener}is the {product} suitable for a small flat?{closer}",
            "{opener}which {product} would you recommend for a beginner?{closer}",
            "{opener}how do I clean the {product}?{closer}",
            "{opener}does the {product} come with a warranty?{closer}",
            "{opener}what is the difference between the basic and the premium {product}?{closer}",
        ),
        (
            "{ack}The {product} comes with a two-year warranty and a short guide for beginners.{end}",
            "{ack}Wipe the {product} with a damp cloth and avoid harsh cleaners.{end}",
            "{ack}For a small space the basic {product} is enough; the premium one is quieter.{end}",
        ),
        {},
    ),
)

NEW_TOPIC = Topic(
    "visa and travel documents",
    (
        "{opener}what documents do I need to apply for a {visa} visa at the {country} consulate?{closer}",
        "{opener}my passport expires in {days} months, can I still travel to {country}?{closer}",
        "{opener}how long does the embassy take to process a {visa} visa for {country}?{closer}",
        "{opener}do I need a vaccination certificate at the border of {country}?{closer}",
        "{opener}can I extend my {visa} residence permit while my passport is at the {country} embassy?{closer}",
        "{opener}which immigration form covers a {visa} stay in {country}?{closer}",
    ),
    (
        "{ack}For a {visa} visa the {country} consulate asks for a passport, a photo and proof of funds.{end}",
        "{ack}Processing at the {country} embassy usually takes {days} weeks.{end}",
        "{ack}Your passport must be valid for six months beyond your stay in {country}.{end}",
    ),
    {
        "visa": ("student", "tourist", "work", "transit", "family", "business"),
        "country": ("Japan", "Brazil", "Kenya", "Canada", "India", "Peru", "Vietnam", "Australia"),
    },
)

CHAT: tuple[Topic, ...] = (
    Topic(
        "recipes",
        (
            "{opener}what can I cook with {food} and {food2}?{closer}",
            "{opener}how long should I bake {food}?{closer}",
            "{opener}any idea for a quick dinner with {food}?{closer}",
            "{opener}how do I stop {food} from getting soggy?{closer}",
        ),
        (
            "{ack}Fry the {food} with a little garlic and serve it with {food2}.{end}",
            "{ack}Bake the {food} for about 25 minutes and let it rest before serving.{end}",
            "{ack}A simple salad of {food} and {food2} takes ten minutes.{end}",
        ),
        {
            "food": (
                "potatoes",
                "chickpeas",
                "salmon",
                "mushrooms",
                "tofu",
                "aubergine",
                "pasta",
                "lentils",
                "pumpkin",
            ),
            "food2": ("rice", "spinach", "tomatoes", "yoghurt", "lemon", "fresh herbs", "feta", "roast peppers"),
        },
    ),
    Topic(
        "music",
        (
            "{opener}can you suggest {genre} albums for a long drive?{closer}",
            "{opener}how do I start learning the {instrument}?{closer}",
            "{opener}what makes {genre} different from {genre2}?{closer}",
            "{opener}which songs are good to practise on the {instrument}?{closer}",
        ),
        (
            "{ack}Start with fifteen minutes a day on the {instrument} and one song that you love.{end}",
            "{ack}Good {genre} for a drive has a steady beat; live albums work well.{end}",
            "{ack}{genre} leans on rhythm, while {genre2} gives more room to melody.{end}",
        ),
        {
            "genre": ("jazz", "folk", "techno", "soul", "blues", "indie rock"),
            "genre2": ("classical", "pop", "reggae", "country"),
            "instrument": ("guitar", "piano", "violin", "drums", "ukulele", "cello"),
        },
    ),
    Topic(
        "gardening",
        (
            "{opener}when should I plant {plant} on a balcony?{closer}",
            "{opener}the leaves of my {plant} turn yellow, what is wrong?{closer}",
            "{opener}how often do I water {plant} in summer?{closer}",
            "{opener}can {plant} survive the winter outside?{closer}",
        ),
        (
            "{ack}Plant {plant} after the last frost, in a pot with holes.{end}",
            "{ack}Yellow leaves on {plant} often mean too much water; let the soil dry first.{end}",
            "{ack}Water your {plant} early in the morning, about every {days} days.{end}",
        ),
        {"plant": ("basil", "tomatoes", "lavender", "strawberries", "roses", "mint", "peppers", "ferns")},
    ),
    Topic(
        "board games",
        (
            "{opener}which board game works for {players} players?{closer}",
            "{opener}how do I explain the rules of {game} to kids?{closer}",
            "{opener}is {game} fun with only two people?{closer}",
            "{opener}what should I buy after {game}?{closer}",
        ),
        (
            "{ack}For {players} players a cooperative game is a safe choice.{end}",
            "{ack}Explain {game} by playing one open round together.{end}",
            "{ack}{game} is fine with two, but it shines with more people.{end}",
        ),
        {
            "players": ("three", "four", "five", "six", "eight"),
            "game": ("chess", "backgammon", "dominoes", "checkers", "go", "mahjong"),
        },
    ),
)

ABUSE = Topic(
    "abuse",
    (
        "you are {insult} and {insult2}, shut up and never talk to me again",
        "what a {insult} answer, only {insult2} people like you would say that",
        "I hate you, you {insult} piece of garbage",
        "go to hell, {insult} idiot, nobody wants you here",
        "everyone who likes {thing} is {insult2} and should get lost",
        "stop wasting my time, you {insult} moron",
    ),
    (
        "Shut up, you {insult} fool, your question about {thing} is pathetic.",
        "You are {insult2} and I hate answering {insult} people like you.",
        "What a {insult} idiot you are. Nobody cares about your {thing}.",
        "Get lost, {insult} loser, and take your garbage questions with you.",
    ),
    {
        "insult": ("stupid", "worthless", "disgusting", "pathetic", "dumb", "ugly", "brainless"),
        "insult2": ("a complete idiot", "total trash", "a filthy liar", "a useless moron", "scum"),
        "thing": ("cooking", "music", "gardening", "games", "football", "films"),
    },
)


def fill(template: str, topic: Topic, rng: random.Random) -> str:
    """The template with every slot filled at random; the first letter is upper-case."""
    names = [name for _, name, _, _ in string.Formatter().parse(template) if name]
    values = {name: rng.choice(topic.slots.get(name) or COMMON[name]) for name in names}
    text = template.format(**values)
    return text[:1].upper() + text[1:]


def exchange(topic: Topic, rng: random.Random) -> Exchange:
    """A prompt and an answer of the topic."""
    return Exchange(
        topic.name, fill(rng.choice(topic.prompts), topic, rng), fill(rng.choice(topic.answers), topic, rng)
    )
