"""What rooms ask of one another. Arrays are ``Any`` here: core knows neither torch nor NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

from bitproof.core.sites import Geometry


class Victim(Protocol):
    """All that an attack knows of a network: float inputs N×3×H×W inside ``bounds``, normalisation inside."""

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and highest input value, (0.0, 1.0) for pictures."""

    @property
    def differentiable(self) -> bool:
        """Whether ``loss`` carries a gradient to ``x``."""

    @property
    def labels_only(self) -> bool:
        """Whether ``logits`` say which class it is and nothing else."""

    def logits(self, x: Any) -> Any:
        """N×… → N×classes."""

    def loss(self, x: Any, y: Any) -> Any:
        """Cross-entropy of each sample, N×… and N → N; differentiable in ``x`` where ``differentiable``."""

    def decide(self, x: Any) -> Any:
        """Predicted class of each sample, N×… → N."""

    def with_gradient(self, mode: str) -> Victim:
        """The same network with another gradient mode (what ``Gradient.parse`` reads, not annealed)."""


@runtime_checkable
class Worded(Protocol):
    """A victim whose input is the embeddings of words, N×length×…, which may be exchanged."""

    @property
    def fixed(self) -> Any:
        """V, true of tokens that may neither be exchanged nor put in."""

    @property
    def words(self) -> Any:
        """The vectors of all words, V×width, which an input's first ``width`` numbers are of."""

    def free(self, x: Any) -> Any:
        """Which positions hold a word that may be exchanged, N×length."""

    def tokens(self, x: Any) -> Any:
        """The words that stand there, N×length."""

    def exchange(self, x: Any, tokens: Any) -> Any:
        """The input with other words."""

    def loss(self, x: Any, y: Any) -> Any:
        """As of ``Victim``."""

    def decide(self, x: Any) -> Any:
        """As of ``Victim``."""

    def with_gradient(self, mode: str) -> Any:
        """As of ``Victim``."""


@dataclass(frozen=True)
class Reply:
    """What a chat model said to one question about a picture.

    ``filtered``: the server withheld the answer. ``server``: what it says it is, such as a build or a fingerprint.
    """

    text: str
    tokens_in: int | None = None
    tokens_out: int | None = None
    latency_ms: float = 0.0
    filtered: bool = False
    server: str = ""


class Chat(Protocol):
    """A model that answers questions about pictures. Raises ModelError where there is no answer to be had."""

    def ask(self, picture: bytes | None, prompt: str, repeat: int) -> Reply:
        """Ask once, from any thread; ``picture`` is a PNG file or None, ``repeat`` tells the askings of one question apart."""


class Noise(Protocol):
    """What every noise class carries; what it is called with depends on its ``site`` (see the protocols below)."""

    site: ClassVar[str]
    family: ClassVar[str]  # natural, perturbation, system, field, adversarial or evidence
    kinds: ClassVar[tuple[str, ...]]  # kinds of input it fits, of ``sites.SITES``
    source: ClassVar[str]
    version: ClassVar[int]


class Decoder(Noise, Protocol):
    """Site ``decode``: file bytes → uint8 H×W×3 RGB. Raises DataError on bytes it cannot read."""

    def __call__(self, data: bytes) -> Any:
        """Decode one file."""


class Resizer(Noise, Protocol):
    """Site ``resize``: uint8 H×W×3 → uint8 size×size×3, a new array."""

    def __call__(self, image: Any, geometry: Geometry) -> Any:
        """Scale and crop one picture."""


@runtime_checkable
class Framing(Protocol):
    """A resizer that may bring a geometry of its own."""

    def geometry(self, own: Geometry) -> Geometry:
        """Return the geometry that replaces the model's ``own``. Raises SpecError where the crop does not fit into it."""


class Color(Noise, Protocol):
    """Site ``color``: uint8 H×W×3 → uint8 H×W×3, a new array."""

    def __call__(self, image: Any) -> Any:
        """Convert one picture."""


class Corruption(Noise, Protocol):
    """Site ``image``: uint8 H×W×3 → uint8 H×W×3, a new array that ``seed`` alone determines."""

    severity: int

    def __call__(self, image: Any, seed: int) -> Any:
        """Corrupt one picture."""


@dataclass(frozen=True)
class Attacked:
    """What an attack returns: adversarial inputs N×…, success N (bool), forward queries N, gradients N.

    ``columns``: further columns of ``SampleRow`` by name, N each; a float that is NaN is stored as null.
    """

    x: Any
    success: Any
    queries: Any
    gradients: Any
    columns: Mapping[str, Any] = field(default_factory=dict)


class Attack(Noise, Protocol):
    """Site ``tensor``: seeks an input inside the budget and ``victim.bounds`` that is classified wrongly."""

    needs_gradient: ClassVar[bool]

    def __call__(self, victim: Victim, x: Any, y: Any, seeds: Sequence[int]) -> Attacked:
        """Attack a batch; sample i draws from ``seeds[i]`` alone, so its random numbers do not depend on the batch."""


#: An attack with all that it needs at hand, called as ``Attack`` is.
Strike = Callable[[Victim, Any, Any, Sequence[int]], Attacked]


@runtime_checkable
class Comparing(Protocol):
    """A noise at the site ``tensor`` that needs other networks of the victim's task, model and seed."""

    @property
    def others(self) -> tuple[str, ...]:
        """Recipes, or ``control``: ``float`` where the grid has it, else ``fp32``."""

    def given(self, victims: Mapping[str, Victim], build: Callable[[str], Any]) -> Strike:
        """Return the attack with the networks ``others`` at hand, by name; ``build`` makes another attack from its spec."""


class Rewrite(Protocol):
    """What a noise at the site ``model`` may do to a network: each method returns a changed copy, the network itself stays.

    Networks are ``Any`` here: float N×3×S×S in [0, 1] → logits N×classes, normalisation inside. Raises ModelError where the
    network holds nothing of the kind, where the change leaves it as it was, and where it cannot run any more.
    """

    def copy(self) -> Any:
        """A copy to change, for what the methods below do not offer."""

    def cast(self, dtype: str) -> Any:
        """Weights, inputs and the output of every operation in ``dtype``, a name of torch's; logits back in float32."""

    def normalize(self, mean: Sequence[float], std: Sequence[float]) -> Any:
        """Another mean and standard deviation of the channels, of pictures in [0, 1]."""

    def scale_input(self, factor: float) -> Any:
        """Pictures times ``factor`` in front of the network's own normalisation."""

    def ceil_pools(self) -> Any:
        """Max and average pools of stride 2 or more with output sides rounded up."""

    def thin(self, depth: int) -> Any:
        """A network that can run with fewer of its blocks, with ``depth`` of them."""

    def upsample(self, mode: str, align_corners: bool) -> Any:
        """Upsampling layers in ``mode``, nearest or bilinear."""

    def reestimate(self, pictures: Sequence[Any], weight: float) -> Any:
        """Batch norms whose statistics are (1 − weight)·their own + weight·those of ``pictures``, batches N×3×S×S."""


class Deploy(Protocol):
    """Where a noise at the site ``model`` may have a low-bit network run: each method returns a network without a gradient.

    The network is float N×3×S×S in [0, 1] → logits N×classes, normalisation inside. Raises ModelError where it cannot be
    carried over.
    """

    def integers(self, engine: str, bias: str = "int32") -> Any:
        """The network with the low-bit layers on integers in ``engine``, such as ``onnxruntime``.

        ``bias``: ``int32``, rounded to what the products are counted in, or ``float``.
        """


class ModelNoise(Noise, Protocol):
    """Site ``model``: says what is done to a network; ``needs`` names what it is handed to do it with."""

    needs: ClassVar[str]  # "rewrite": it is called with a Rewrite; "deploy": with a Deploy

    def __call__(self, network: Any) -> Any:
        """Return the network as it is met."""


@dataclass(frozen=True)
class Batches:
    """What a defense is fitted on: batches (pictures N×3×S×S in [0, 1], classes N), and for what it is fitted.

    ``labels``: the classes that it will meet, in order; ``size``: the side S, px; ``seed``: all that it draws comes of it.
    """

    pictures: Sequence[tuple[Any, Any]]
    labels: tuple[int, ...]
    size: int
    seed: int


class Shield(Protocol):
    """A defense that is fitted and stands on pictures: called as a noise is, with the class that it is told."""

    @property
    def draws(self) -> bool:
        """Whether ``seed`` matters."""

    def shown(self, label: int, seed: int) -> int | None:
        """The class that the defense gives away, None where it knows none."""

    def __call__(self, x: Any, label: int, seed: int) -> Any:
        """Float N×3×S×S in [0, 1], all of class ``label`` → the same shape; carries a gradient to ``x``."""


class Defense(Protocol):
    """What every defense class carries. It knows neither which noise it meets nor which network.

    ``site``: ``image``, it stands on the picture, ``at`` before or after the corruption; ``model``, it changes the network.
    """

    site: ClassVar[str]
    fitted: ClassVar[bool]  # whether ``fit`` asks victims; such a one has the settings ``on``, ``models`` and ``n``
    source: ClassVar[str]
    version: ClassVar[int]

    @property
    def knows_label(self) -> bool:
        """Whether whoever applies it knows the right class; what is fitted and does not is tried class by class."""

    def fit(self, victims: Sequence[Victim], batches: Batches) -> Any:
        """Return a ``Shield``; at the site ``model`` a function from a ``Rewrite`` to the changed network."""


@dataclass(frozen=True)
class Info:
    """A quantizer's numbers: ``x_hat = (q − zero_point)·scale`` for the codes q = low, low + spacing, …, high.

    ``scale`` and ``zero_point`` are arrays that broadcast against the tensor; both are frozen numbers at evaluation.
    ``threshold``, where an input has two codes: q is ``low`` where x < threshold, else ``high``; it broadcasts too.
    ``planes``, where a value is a sum of several: x_hat = Σ planes, the codes of each being those of what the ones before it leave,
    and its threshold one on that; the numbers beside them are the last plane's.
    ``values``, where codes are worth something else than that: x_hat of the codes low … high, in their order.
    """

    bits: int
    scale: Any
    zero_point: Any
    low: int
    high: int
    spacing: int = 1
    threshold: Any = None
    planes: tuple[Info, ...] = ()
    values: Any = None

    @property
    def levels(self) -> int:
        """Number of codes."""
        return (self.high - self.low) // self.spacing + 1


@runtime_checkable
class Thinnable(Protocol):
    """A module whose ``depths`` can be switched at run time."""

    depths: tuple[int, ...]
    depth: int

    def set_depth(self, depth: int) -> None:
        """Run at another depth from now on. Raises SpecError for one that it does not have."""


@runtime_checkable
class Scheduled(Protocol):
    """A module whose numbers follow the training's progress (ReCU τ, FDA order)."""

    def on_step(self, progress: float) -> None:
        """Called before each optimizer step with the share of training done, 0 to 1."""


@runtime_checkable
class Staged(Protocol):
    """A module whose weight can stay float for a while, its input being low-bit already."""

    def keep_weight_float(self, keep: bool) -> None:
        """Called before each optimizer step of a training in two stages, with True during the first."""


@runtime_checkable
class Penalized(Protocol):
    """A module that adds a term to the loss (PACT's decay of α)."""

    def penalty(self) -> Any:
        """The term, a scalar array."""
