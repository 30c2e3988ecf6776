import pytest

from bitproof.core import Registry, SpecError, UnknownName


def test_an_unknown_name_gets_the_nearest_one_and_the_list_command():
    registry = Registry("quantizer", {"lsq": "a:B", "pact": "a:C"})
    with pytest.raises(UnknownName) as error:
        registry.load("lqs")
    assert str(error.value) == "Unknown quantizer 'lqs'. Did you mean 'lsq'? 'bitproof list quantizers' shows all 2."


def test_an_entry_is_imported_only_when_it_is_asked_for():
    registry = Registry("thing", {"good": "fractions:Fraction", "missing": "no_such_module:Thing"})
    assert registry.load("good").__name__ == "Fraction"
    with pytest.raises(ModuleNotFoundError):
        registry.load("missing")


def test_a_plug_in_may_not_take_a_name_that_is_taken(monkeypatch):
    from importlib.metadata import EntryPoint

    points = [EntryPoint("lsq", "other:Lsq", "bitproof.quantizers")]
    monkeypatch.setattr("bitproof.core.registry.entry_points", lambda group: points)
    with pytest.raises(SpecError, match="'lsq' is taken twice"):
        list(Registry("quantizer", {"lsq": "a:B"}))


def test_a_broken_plug_in_warns_and_is_left_out(monkeypatch):
    from importlib.metadata import EntryPoint

    points = [EntryPoint("broken", "no_such_module:Lsq", "bitproof.things")]
    monkeypatch.setattr("bitproof.core.registry.entry_points", lambda group: points)
    registry = Registry("thing", {"fraction": "fractions:Fraction"})
    with pytest.warns(UserWarning, match="'broken'"):
        assert [card.name for card in registry.cards()] == ["fraction"]
