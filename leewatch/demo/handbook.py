"""A generated company handbook: documents with checkable facts, grounded answers, and answers that contradict them."""

from __future__ import annotations

import random
from dataclasses import dataclass

from leewatch.demo.texts import Exchange


@dataclass(frozen=True)
class Fact:
    """One rule of the handbook. `{value}` differs per office; `invented` answers assert what no document says."""

    topic: str
    question: str
    document: str
    answer: str
    values: tuple[str, ...]


OFFICES = ("Berlin", "Dublin", "Osaka", "Toronto", "Nairobi", "Santiago", "Helsinki", "Austin")

FACTS: tuple[Fact, ...] = (
    Fact(
        "holidays",
        "How many days of paid leave do employees in {office} get?",
        "Employees in the {office} office receive {value} days of paid leave per year. Unused days expire in March.",
        "Employees in the {office} office receive {value} days of paid leave per year.",
        ("24", "25", "26", "28", "30"),
    ),
    Fact(
        "remote work",
        "How often may I work from home in {office}?",
        "Staff in {office} may work from home up to {value} days per week. Remote days are agreed with the team lead.",
        "Staff in {office} may work from home up to {value} days per week, agreed with the team lead.",
        ("two", "three", "four"),
    ),
    Fact(
        "expenses",
        "What is the meal allowance when travelling for the {office} office?",
        "Travellers of the {office} office may spend {value} euros a day on meals. Receipts are due in 14 days.",
        "Travellers of the {office} office may spend {value} euros a day on meals, with receipts due in 14 days.",
        ("35", "40", "45", "50", "60"),
    ),
    Fact(
        "laptops",
        "When do I get a new laptop in {office}?",
        "Laptops in {office} are replaced every {value} years. Requests go to the service desk.",
        "Laptops in {office} are replaced every {value} years; requests go to the service desk.",
        ("three", "four", "five"),
    ),
    Fact(
        "parental leave",
        "How long is parental leave in {office}?",
        "Parents in {office} may take {value} weeks of parental leave at full pay. Notice is given eight weeks ahead.",
        "Parents in {office} may take {value} weeks of parental leave at full pay.",
        ("12", "14", "16", "18", "20"),
    ),
    Fact(
        "training",
        "What is the training budget per person in {office}?",
        "Every employee in {office} has a training budget of {value} euros per year. Managers book the courses.",
        "Every employee in {office} has a training budget of {value} euros per year.",
        ("800", "1000", "1200", "1500"),
    ),
    Fact(
        "visitors",
        "How do I register a visitor at the {office} office?",
        "Visitors of the {office} office are registered at the front desk {value} hours ahead. They wear a badge.",
        "Visitors of the {office} office are registered at the front desk {value} hours ahead.",
        ("two", "four", "24", "48"),
    ),
    Fact(
        "security",
        "How often must I change my password in {office}?",
        "Passwords in {office} are changed every {value} months. The security team sends a reminder one week before.",
        "Passwords in {office} are changed every {value} months, and the security team sends a reminder.",
        ("three", "six", "nine", "twelve"),
    ),
)

INVENTED = (
    "The board of directors abolished this rule last summer, and a wellness bonus of 9,000 dollars is paid instead.",
    "According to the new policy from headquarters in Singapore, contractors decide this themselves with a lottery.",
    "You should call the insurance hotline, which grants everybody a company car and free flights on weekends.",
    "This was changed after the merger with Northwind; now only senior vice presidents are eligible, twice per decade.",
    "The union agreement of 1987 says that a certified therapist has to approve it in Latin before noon.",
    "Nothing of the kind exists; instead everyone receives shares, a gym membership and a puppy on their birthday.",
)
PREFIXES = ("", "", "Please tell me: ", "For my onboarding: ", "Quick one. ", "I could not find it in the handbook. ")


def grounded(rng: random.Random) -> Exchange:
    """A question whose answer repeats what the document says."""
    fact, prompt, documents, answer = _case(rng)
    return Exchange(fact.topic, prompt, answer, documents)


def ungrounded(rng: random.Random) -> Exchange:
    """The same kind of question, answered with claims that no document supports."""
    fact, prompt, documents, _ = _case(rng)
    return Exchange(fact.topic, prompt, " ".join(rng.sample(INVENTED, 2)), documents)


def _case(rng: random.Random) -> tuple[Fact, str, tuple[str, ...], str]:
    fact, other = rng.sample(FACTS, 2)
    office = rng.choice(OFFICES)
    value = rng.choice(fact.values)
    documents = (
        fact.document.format(office=office, value=value),
        other.document.format(office=office, value=rng.choice(other.values)),
    )
    prompt = rng.choice(PREFIXES) + fact.question.format(office=office)
    return fact, prompt, documents, fact.answer.format(office=office, value=value)
