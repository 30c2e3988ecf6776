"""A low-bit recipe: ``method:wNaM[,key=value]``, e.g. ``lsq:w4a4,first=8,last=8,per=tensor``."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from bitproof.core import Card, Spec, SpecError, UnknownName, bind
from bitproof.quantizers import OPERANDS, QUANTIZERS, Quantizer

#: Recipes that change no layer: the model as given, and fp32 weights put through the same training.
FLOAT = ("fp32", "float")
#: In w32aM and wNa32: that side stays float.
WHOLE = 32
_BITS = re.compile(r"w(\d+)a(\d+)")
_KEYS = ("per", "symmetric", "first", "last", "fold", "keep", "relu", "layers", "products", "embed")
#: What a method that does not say otherwise does with the network around its layers.
_AROUND = {"keep": "", "relu": "keep", "layers": "", "products": "float", "embed": "float"}


@dataclass(frozen=True)
class Recipe:
    """What becomes of a model's layers. Left out, a setting is the method's own default; ``str`` prints what differs from it.

    ``per``: tensor or channel, of weights. ``symmetric``: of activations. ``first``, ``last``: the first and last weighted
    layer in execution order get 8 (a number of bits), same or float, weights and input alike. ``fold``: batch norms go
    into the convs before them. ``keep``: a regular expression; layers in whose name it is found stay float. ``relu``: keep, or
    hardtanh, which then stands for every nn.ReLU. ``layers``: bits of their own for layers in whose name a regular expression is
    found, ``PATTERN=wNaM``, several with ``;`` between; the first that is found counts, before ``first`` and ``last`` and after
    ``keep``. 32 bits leave weights or activations float. ``products``: the operands of an attention's products, queries, keys,
    values and map, get a number of bits, same (the inputs') or float. ``embed``: which embeddings get the weights' bits: float is
    none, word the one with the most rows, all.
    ``settings``: the method's own words, e.g. ``(("q", "99.9"),)``.

    Raises SpecError for what does not fit, UnknownName for an unknown method.
    """

    method: str
    w_bits: int | None = None
    a_bits: int | None = None
    per: str | None = None
    symmetric: bool | None = None
    first: str | None = None
    last: str | None = None
    fold: bool | None = None
    keep: str | None = None
    relu: str | None = None
    layers: str | None = None
    products: str | None = None
    embed: str | None = None
    settings: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.method in FLOAT:
            if dataclasses.astuple(self)[1:] != (None,) * 12 + ((),):
                raise SpecError(f"The recipe {self.method!r} takes no settings. Type {self.method!r}.")
            return
        for key, value in self._defaults().items():
            if getattr(self, key) is None:
                object.__setattr__(self, key, value)
        self._check()

    def _check(self) -> None:
        if self.w_bits is None or self.a_bits is None:
            raise SpecError(f"The recipe {self.method!r} needs bits. Type for example '{self.method}:w4a4'.")
        if self.bits == (WHOLE, WHOLE):
            raise SpecError(f"{self.method}:w32a32 changes nothing. Type fp32, or float for fp32 weights that are trained too.")
        words = {"per": ("tensor", "channel"), "relu": ("keep", "hardtanh"), "embed": ("float", "word", "all")}
        for key, allowed in words.items():
            if getattr(self, key) not in allowed:
                raise SpecError(f"{key}={getattr(self, key)!r} is unknown: {' or '.join(allowed)}.")
        _check_pattern(self.keep or "", f"keep={self.keep!r}")
        object.__setattr__(self, "layers", ";".join(f"{pattern}=w{w}a{a}" for pattern, (w, a) in self.own_bits))
        plain = {key: _word(value) for key, value in self._settings().items()}
        default = {field.name: _word(field.default) for field in dataclasses.fields(_method(self.method))}
        kept = tuple((key, plain[key]) for key in sorted(plain) if plain[key] != default[key])
        object.__setattr__(self, "settings", kept)
        for w_bits, a_bits in filter(None, (self.bits, self.at("first"), self.at("last"), *(bits for _, bits in self.own_bits))):
            for role, bits in (("weight", w_bits), ("activation", a_bits)):
                if bits != WHOLE:
                    self.quantizer(role, bits)
        self._check_products()

    def _check_products(self) -> None:
        if self.product_bits is None:
            return
        if _method(self.method).at_width(self.product_bits).per_input_channel:
            raise SpecError(
                f"{self.method} tells the channels of an input apart, and the operands of a product have none. "
                f"Leave products={self.products!r} out, or take another method for the network."
            )
        for operand in OPERANDS:
            self.operand_quantizer(operand, self.product_bits)

    def _defaults(self) -> dict[str, Any]:
        found = {**_AROUND, **_method(self.method).at_width(self.w_bits or WHOLE).defaults}
        return {**found, "relu": "keep"} if self.a_bits == WHOLE else found  # a float input may well be of one sign

    def _settings(self) -> dict[str, Any]:
        own = own_settings(self.method)
        for key, _ in self.settings:
            if key not in own:
                near = difflib.get_close_matches(key, [*_KEYS, *own], n=1)
                hint = f" Did you mean {near[0]!r}?" if near else ""
                raise SpecError(f"{self.method!r} has no setting {key!r}.{hint} Settings: {', '.join([*_KEYS, *own])}.")
        method = _method(self.method)
        probe = bind(Spec(self.method, (("bits", str(method.widths[-1])), *self.settings)), method)
        return {key: getattr(probe, key) for key, _ in self.settings}

    @classmethod
    def parse(cls, text: str) -> Recipe:
        """Parse a recipe. Raises SpecError with the offending part."""
        spec = Spec.parse(text)
        if spec.name in FLOAT:
            return cls(spec.name, settings=tuple((key or "", value) for key, value in spec.items))
        _method(spec.name)
        match = _BITS.fullmatch(spec.values[0]) if len(spec.values) == 1 and spec.items[0][0] is None else None
        if match is None:
            raise SpecError(f"{text!r} needs its bits as one item wNaM after the colon. Type for example '{spec.name}:w4a4'.")
        given = dict(_read(key, value) for key, value in spec.options.items() if key in _KEYS)
        if len(spec.options) != len(spec.items) - 1:
            raise SpecError(f"{text!r} sets a key twice.")
        own = tuple((key, value) for key, value in spec.options.items() if key not in _KEYS)
        return cls(spec.name, int(match[1]), int(match[2]), settings=own, **given)

    def __str__(self) -> str:
        if self.bits is None:
            return self.method
        return str(Spec(self.method, ((None, f"w{self.w_bits}a{self.a_bits}"), *self._differing())))

    def _differing(self) -> Iterator[tuple[str, str]]:
        defaults = self._defaults()
        for key in _KEYS:
            value = getattr(self, key)
            if value != defaults[key]:
                yield key, _word(value)
        yield from self.settings

    @property
    def bits(self) -> tuple[int, int] | None:
        """Bits of weights and activations; None for ``fp32`` and ``float``."""
        return None if self.w_bits is None or self.a_bits is None else (self.w_bits, self.a_bits)

    @property
    def own_bits(self) -> list[tuple[str, tuple[int, int]]]:
        """The patterns of ``layers`` and the bits of weights and inputs that each gives."""
        return [_own_bits(part) for part in self.layers.split(";")] if self.layers else []

    @property
    def keeps_by_custom(self) -> bool:
        """Whether ``keep`` is the method's own, which need not find a layer in every network."""
        return bool(self.keep == self._defaults()["keep"])

    @property
    def version(self) -> int:
        """The method's version; 1 for ``fp32`` and ``float``."""
        return 1 if self.bits is None else int(_method(self.method).at_width(self.bits[0]).version)

    @property
    def trains(self) -> bool:
        """Whether the recipe is meant to be trained: a method with learned or fixed ranges, or the ``float`` control."""
        return self.method == "float" or (self.bits is not None and bool(_method(self.method).trainable))

    @property
    def product_bits(self) -> int | None:
        """Bits of the operands of an attention's products; None leaves them float."""
        if self.products == "float" or self.bits is None:
            return None
        if self.products == "same":
            return None if self.a_bits == WHOLE else self.a_bits
        return _number("products", str(self.products))

    @property
    def asks_for_products(self) -> bool:
        """Whether products in low bits were asked for by name, and not only by the method."""
        return self.product_bits is not None and self.products != self._defaults()["products"]

    @property
    def asks_for_embeddings(self) -> bool:
        """Whether low-bit embeddings were asked for by name, and not only by the method."""
        return self.bits is not None and self.embed not in ("float", self._defaults()["embed"])

    def at(self, end: str) -> tuple[int, int] | None:
        """Return the bits of the ``first`` or ``last`` layer; None leaves it float."""
        value = str(getattr(self, end))
        if value == "same":
            return self.bits
        if value == "float":
            return None
        bits = _number(end, value)
        w_bits, a_bits = self.bits or (WHOLE, WHOLE)
        return WHOLE if w_bits == WHOLE else bits, WHOLE if a_bits == WHOLE else bits

    def operand_quantizer(self, operand: str, bits: int) -> Quantizer:
        """Build the quantizer of an attention's ``operand``: query, key, value or map."""
        method = _method(self.method).at_width(bits).at_operand(operand)
        words = {"bits": str(bits), "role": "activation", "symmetric": str(self.symmetric)}
        built: Quantizer = bind(Spec(self.method, (*words.items(), *self.settings)), method)
        return built

    def input_quantizer(self, bits: int, channels: int, axis: int) -> Quantizer:
        """Build the quantizer of a layer's input, which has ``channels`` along ``axis``, for a method that tells them apart."""
        apart = _method(self.method).at_width(bits).per_input_channel
        return self.quantizer("activation", bits, channels, axis) if apart else self.quantizer("activation", bits)

    def quantizer(self, role: str, bits: int, channels: int | None = None, axis: int = -1) -> Quantizer:
        """Build a quantizer of this recipe for a weight or an activation."""
        words = {"bits": bits, "role": role, "axis": axis, "symmetric": role == "weight" or self.symmetric}
        items = [(key, str(value)) for key, value in words.items()]
        if channels is not None:
            items.append(("channels", str(channels)))
        built: Quantizer = bind(Spec(self.method, (*items, *self.settings)), _method(self.method).at_width(bits))
        return built


def _number(key: str, value: str) -> int:
    if not re.fullmatch(r"[1-9]\d*", value):
        raise SpecError(f"{key}={value!r} is unknown: a number of bits, same or float.")
    return int(value)


def _method(name: str) -> type[Quantizer]:
    if name not in QUANTIZERS:
        raise UnknownName("recipe", name, [*FLOAT, *QUANTIZERS])
    method: type[Quantizer] = QUANTIZERS.load(name)
    return method


def own_settings(method: str) -> list[str]:
    """Return the words that only this method has."""
    shared = {field.name for field in dataclasses.fields(Quantizer)}
    return [field.name for field in dataclasses.fields(QUANTIZERS.load(method)) if field.init and field.name not in shared]


def _own_bits(part: str) -> tuple[str, tuple[int, int]]:
    pattern, _, bits = (word.strip() for word in part.rpartition("="))
    match = _BITS.fullmatch(bits)
    if not pattern or match is None:
        raise SpecError(f'layers: {part!r} is not PATTERN=wNaM. Type for example layers="layer3=w8a8;head=w6a6".')
    found = int(match[1]), int(match[2])
    if found == (WHOLE, WHOLE):
        raise SpecError(f"layers: {part!r} leaves layers float. Type keep={pattern!r}.")
    _check_pattern(pattern, f"layers: {pattern!r}")
    return pattern, found


def _check_pattern(pattern: str, where: str) -> None:
    try:
        re.compile(pattern)
    except re.error as error:
        raise SpecError(f"{where} is not a regular expression: {error}.") from None


def _word(value: object) -> str:
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _read(key: str, value: str) -> tuple[str, Any]:
    if key not in ("symmetric", "fold"):
        return key, value
    if value.lower() not in ("true", "false"):
        raise SpecError(f"{key}={value!r} must be true or false.")
    return key, value.lower() == "true"


def recipe_cards() -> list[Card]:
    """Describe every recipe that can be asked for: the two float ones, and a form for each method."""
    given = Card("fp32", "The model as given; no layer is changed.", "bitproof", 1)
    control = Card("float", "fp32 weights put through the same training as the low-bit recipes: their control.", "bitproof", 1)
    return [given, control, *(replace(card, name=f"{card.name}:{_form(card.name)}") for card in QUANTIZERS.cards())]


def _form(method: str) -> str:
    widths = _method(method).widths
    return "wNaM" if len(widths) > 1 else f"w{widths[0]}a{widths[0]}"
