"""Every entry of every registry through the checks of ``contract_entries``, and a wrong entry for each check."""

import itertools
from dataclasses import dataclass, field
from typing import ClassVar

import pytest
from contract_entries import BUILT, NAMED, ROOMS, Entry, entries, ids

from bitproof.core import Registry
from bitproof.tasks import TASKS

#: How a check says no.
BAD = (AssertionError, pytest.fail.Exception)

SPECIFIED = [registry for registry in ROOMS if registry is not TASKS]


@pytest.mark.parametrize("check", NAMED, ids=lambda check: check.__name__)
@pytest.mark.parametrize("entry", entries(*ROOMS), ids=ids)
def test_named(entry, check):
    check(entry)


@pytest.mark.parametrize("check", BUILT, ids=lambda check: check.__name__)
@pytest.mark.parametrize("entry", entries(*SPECIFIED), ids=ids)
def test_built(entry, check):
    check(entry)


@dataclass(frozen=True)
class Good:
    """A noise that keeps all promises.

    Source: this file. Differs from the paper: nothing, there is none.
    """

    severity: int
    colour: str | None = None

    source: ClassVar[str] = "this file"
    version: ClassVar[int] = 1


Alias = Good


@dataclass(frozen=True)
class Silent(Good):
    pass


class Unfounded(Good):
    """A noise that does not say whose it is."""


class Unversioned(Good):
    """A noise whose numbers nobody can tell from older ones."""

    version = 0


@dataclass(frozen=True)
class Drawn(Good):
    """A noise whose default is drawn anew for each instance."""

    salt: int = field(default_factory=itertools.count().__next__)


@dataclass(frozen=True)
class Rewording(Good):
    """A noise that keeps another word than it was given."""

    def __post_init__(self):
        object.__setattr__(self, "colour", f"{self.colour}!")


@dataclass(frozen=True)
class Confusing(Good):
    """A noise with a setting that is one slip away from another."""

    severityx: int = 0


@dataclass
class Mutable:
    """A noise whose settings can be changed after it was named."""

    severity: int


@dataclass(frozen=True)
class Unpicklable(Good):
    """A noise that holds on to a function without a name."""

    def __post_init__(self):
        object.__setattr__(self, "hook", lambda: None)


#: Check → the attribute of this module that a table names, and must not.
WRONG = {
    "check_target_is_in_its_own_room": "Good",
    "check_loads_the_class_that_its_module_defines": "Alias",
    "check_first_line_of_the_docstring_is_a_summary": "Silent",
    "check_methods_say_where_they_come_from": "Unfounded",
    "check_has_a_source_and_a_version": "Unversioned",
    "check_a_near_name_is_suggested": "Good",
    "check_spec_prints_back_as_it_was_parsed": "Drawn",
    "check_spelling_out_the_defaults_changes_nothing": "Rewording",
    "check_an_unknown_setting_is_refused": "Confusing",
    "check_settings_cannot_be_changed": "Mutable",
    "check_pickles": "Unpicklable",
}


@pytest.mark.parametrize("check", [*NAMED, *BUILT], ids=lambda check: check.__name__)
def test_check_finds_a_wrong_entry(check):
    names = {name: f"{__name__}:{WRONG[check.__name__]}" for name in ("wrong", "wrongx")}
    with pytest.raises(BAD):
        check(Entry("wrong", Registry("noise", names), ("noises",)))


@pytest.mark.parametrize("check", [*NAMED[1:], *BUILT], ids=lambda check: check.__name__)
def test_check_lets_a_good_entry_pass(check):
    check(Entry("good", Registry("noise", {"good": f"{__name__}:Good"}), ("noises",)))
