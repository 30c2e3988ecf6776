"""What every entry of every registry promises. A check takes an ``Entry`` and fails, or says nothing."""

import dataclasses
import importlib
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from bitproof.core import Registry, Spec, SpecError, UnknownName, bind
from bitproof.defenses import DEFENSES
from bitproof.models import DETECTORS, MODELS
from bitproof.noises import ATTACKS, NOISES, PROBES
from bitproof.quantizers import BACKWARDS, QUANTIZERS
from bitproof.tasks import SOURCES, TASKS
from bitproof.training import MATCHES

#: Registry → the rooms whose things it may name.
ROOMS = {
    QUANTIZERS: ("quantizers",),
    BACKWARDS: ("quantizers",),
    NOISES: ("noises",),
    ATTACKS: ("noises",),
    PROBES: ("noises",),
    MODELS: ("models", "export"),
    DETECTORS: ("models",),
    DEFENSES: ("defenses",),
    TASKS: ("tasks",),
    SOURCES: ("tasks",),
    MATCHES: ("training",),
}

#: A value for each setting that some entry cannot do without.
EXAMPLES = {
    "bits": 4,
    "severity": 3,
    "frame": 3,
    "eps": "0.1",
    "where": "folder",
    "folder": "model",
    "endpoint": "http://127.0.0.1:8080/v1#model",
    "file": "net.py#build",
    "dir": "backgrounds",
    "size": 8,
    "name": "resnet18",
    "like": "half",
    "rate": 8000,
    "factor": 2,
    "kbps": 16,
    "depth": 4,
    "n": 6,
    "noise": "fog:3",
}

#: What carries its formula, source and deviations in words: methods, but no doors to other people's things.
METHODS = ("quantizer", "noise", "attack", "probe", "defense")


@dataclass(frozen=True)
class Entry:
    """One name of one registry."""

    name: str
    registry: Registry
    rooms: tuple[str, ...]

    @property
    def target(self) -> str:
        return self.registry._own[self.name]

    @property
    def thing(self) -> Any:
        return self.registry.load(self.name)

    @property
    def words(self) -> list[dataclasses.Field]:
        return [field for field in dataclasses.fields(self.thing) if field.init]

    @property
    def spec(self) -> Spec:
        """The shortest spec that builds the entry."""
        needed = [f.name for f in self.words if f.default is f.default_factory is dataclasses.MISSING]
        unknown = set(needed) - set(EXAMPLES)
        assert not unknown, f"{self.name} cannot be built without {unknown}: give a value in EXAMPLES"
        examples = {**EXAMPLES, "bits": self.thing.widths[-1]} if self.registry is QUANTIZERS else EXAMPLES
        return Spec(self.name, tuple((name, str(examples[name])) for name in needed))

    def build(self) -> Any:
        return bind(self.spec, self.thing)


def entries(*registries: Registry) -> list[Entry]:
    """Every entry of our own; another package's answers for itself."""
    return [Entry(name, registry, ROOMS[registry]) for registry in registries for name in registry._own]


def ids(entry: Entry) -> str:
    return f"{entry.registry.kind}-{entry.name}"


def settings(built: Any) -> dict[str, Any]:
    """What was set, field by field, so that modules compare as well."""
    return {field.name: getattr(built, field.name) for field in dataclasses.fields(built) if field.init}


def written(value: object) -> str:
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def pickled(thing: Any) -> Any:
    """What another process would get."""
    try:
        return pickle.loads(pickle.dumps(thing))
    except Exception as error:
        pytest.fail(f"{type(thing).__name__} does not pickle: {error}")


def check_target_is_in_its_own_room(entry: Entry) -> None:
    rooms = tuple(f"bitproof.{room}." for room in entry.rooms)
    assert entry.target.startswith(rooms), f"{entry.target} is no module of {' or '.join(rooms)}"


def check_loads_the_class_that_its_module_defines(entry: Entry) -> None:
    module, _, attribute = entry.target.partition(":")
    assert entry.thing is getattr(importlib.import_module(module), attribute)
    assert (entry.thing.__module__, entry.thing.__qualname__) == (module, attribute)


def check_first_line_of_the_docstring_is_a_summary(entry: Entry) -> None:
    summary = (entry.thing.__doc__ or "").strip().split("\n")[0]
    assert summary, "no docstring"
    assert not summary.startswith(f"{entry.thing.__name__}("), "the docstring that dataclass makes says nothing"
    assert summary.endswith("."), f"a first line that is no sentence: {summary!r}"


def check_methods_say_where_they_come_from(entry: Entry) -> None:
    if entry.registry.kind in METHODS:
        text = f"{entry.thing.__doc__} {importlib.import_module(entry.thing.__module__).__doc__}"
        assert "Source:" in text and "Differs from the paper:" in text


def check_has_a_source_and_a_version(entry: Entry) -> None:
    assert isinstance(entry.thing.source, str) and entry.thing.source.strip()
    assert type(entry.thing.version) is int and entry.thing.version >= 1


def check_a_near_name_is_suggested(entry: Entry) -> None:
    with pytest.raises(UnknownName, match=f"Did you mean '{entry.name}'"):
        entry.registry.load(entry.name + "x")


def check_spec_prints_back_as_it_was_parsed(entry: Entry) -> None:
    text = str(entry.spec)
    assert str(Spec.parse(text)) == text
    assert settings(bind(Spec.parse(text), entry.thing)) == settings(entry.build())


def check_spelling_out_the_defaults_changes_nothing(entry: Entry) -> None:
    built = entry.build()
    spelled = Spec(entry.name, tuple((key, written(value)) for key, value in settings(built).items()))
    assert settings(bind(Spec.parse(str(spelled)), entry.thing)) == settings(built)


def check_an_unknown_setting_is_refused(entry: Entry) -> None:
    """Field by field with one letter too many: the message suggests the field, and lists all of them."""
    for word in [field.name for field in entry.words]:
        with pytest.raises(SpecError, match=rf"no setting '{word}x'. Did you mean '{word}'\? Settings: .*{word}"):
            bind(Spec(entry.name, (*entry.spec.items, (f"{word}x", "1"))), entry.thing)
    with pytest.raises(SpecError, match="no setting 'zzzz'"):
        bind(Spec(entry.name, (*entry.spec.items, ("zzzz", "1"))), entry.thing)


def check_settings_cannot_be_changed(entry: Entry) -> None:
    """Of modules the weights change, so only the others are frozen."""
    built = entry.build()
    if callable(getattr(built, "state_dict", None)):
        return
    for word in settings(built):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(built, word, None)
    assert built == entry.build() and hash(built) == hash(entry.build())


def check_pickles(entry: Entry) -> None:
    built = entry.build()
    again = pickled(built)
    assert type(again) is type(built)
    assert settings(again) == settings(built)


Check = Callable[[Entry], None]

#: For all registries.
NAMED: list[Check] = [
    check_target_is_in_its_own_room,
    check_loads_the_class_that_its_module_defines,
    check_first_line_of_the_docstring_is_a_summary,
    check_methods_say_where_they_come_from,
    check_has_a_source_and_a_version,
    check_a_near_name_is_suggested,
]

#: For those whose entries are built from a spec; a task is built from its data.
BUILT: list[Check] = [
    check_spec_prints_back_as_it_was_parsed,
    check_spelling_out_the_defaults_changes_nothing,
    check_an_unknown_setting_is_refused,
    check_settings_cannot_be_changed,
    check_pickles,
]
