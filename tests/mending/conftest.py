"""A handful of texts with labels, one of them doubtful."""

from collections.abc import Callable

import pytest

from lepton.checks._content import digests
from lepton.checks._finding import Finding, Suspect
from lepton.core.types import Record, Span
from lepton.mending.corrections import Correction

TEXTS = {"a#0": ("where is the sea", "place"), "a#1": ("who sailed it", "place"), "a#2": ("who drew it", "person")}
ENTITIES = {"b#0": ("Anna met Bo", (Span(0, 4, "person"),)), "b#1": ("nobody came", ())}


@pytest.fixture
def records() -> list[Record]:
    return [Record(name, text, label, "train") for name, (text, label) in TEXTS.items()]


@pytest.fixture
def entities() -> list[Record]:
    return [Record(name, text, label) for name, (text, label) in ENTITIES.items()]


@pytest.fixture
def contents(records: list[Record], entities: list[Record]) -> dict[str, str]:
    return digests([*records, *entities])


@pytest.fixture
def correction(contents: dict[str, str]) -> Callable[..., Correction]:
    def make(name: str = "a#1", label: str = "person", **more: str) -> Correction:
        known = {"who": "ada", "given": TEXTS[name][1], **more}
        return Correction(record=name, content=contents[name], label=label, **known)

    return make


@pytest.fixture
def findings() -> list[Finding]:
    wrong = Finding("label_spelling", "warning", "", "", [Suspect("a#1", 0.9, "place", "person")])
    twice = [Suspect("a#1", 0.5, "place"), Suspect("a#2", 0.5, "person", "place")]
    return [wrong, Finding("conflicting_labels", "error", "", "", twice), Finding("imbalance", "info", "", "", twice)]
