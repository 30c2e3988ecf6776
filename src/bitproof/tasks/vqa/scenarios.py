"""The fifteen scenarios of the vision-language task, in the order of the study that they come from."""

from __future__ import annotations

from bitproof.core import UnknownName

#: Slug → title. A sample's label is the place of its scenario here, so the order never changes; a new one comes last.
SCENARIOS: dict[str, str] = {
    "attributes": "Object attributes",
    "presence": "Object presence",
    "location": "Object location",
    "relation": "Relations between objects",
    "affordance": "Affordance",
    "corrupted": "Corrupted pictures",
    "rain": "Poor weather",
    "sentiment": "Sentiment",
    "fine-grained": "Fine-grained recognition",
    "camouflage": "Camouflaged objects",
    "counting": "Counting",
    "defects": "Industrial defects",
    "text": "Reading text",
    "medical": "Medical pictures",
    "remote-sensing": "Remote sensing",
}

#: Scenarios whose options name a row and a column of the picture: one of the two right is half a point.
AXES = frozenset({"location"})


def position(slug: str) -> int:
    """Return the place of a scenario, 0 to 14. Raises UnknownName."""
    if slug not in SCENARIOS:
        raise UnknownName("scenario", slug, SCENARIOS, f"They are: {', '.join(SCENARIOS)}.")
    return list(SCENARIOS).index(slug)
