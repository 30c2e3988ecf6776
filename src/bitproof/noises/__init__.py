"""Things that stand at one site of a pipeline and make the sample worse: corruptions, system noises, attacks."""

from __future__ import annotations

from typing import Any

from bitproof.core import SITES, Card, Registry, Spec, SpecError, UnknownName, Words, bind, split
from bitproof.noises import budgets, families
from bitproof.noises.attacks.sweep import sweep
from bitproof.noises.canonical import canonical, check_leading
from bitproof.noises.corruptions.frames import FRAMES, Perturbations
from bitproof.noises.families import BAR, BENCHMARK, EXTRA, Family, Sized
from bitproof.noises.pixels import as_rgb
from bitproof.noises.points.families import FAMILIES as POINTS
from bitproof.noises.sound.families import FAMILIES as SOUND
from bitproof.noises.text import families as text_families

_CORRUPTIONS = "bitproof.noises.corruptions"
_SYSTEM = "bitproof.noises.system"
_TEXT = "bitproof.noises.text"
_ATTACKS = "bitproof.noises.attacks"
_SOUND = "bitproof.noises.sound"
_POINTS = "bitproof.noises.points"
_NORMS = ("Linf", "L2", "L1")

NOISES = Registry(
    "noise",
    {
        "gaussian_noise": f"{_CORRUPTIONS}.noise:GaussianNoise",
        "shot_noise": f"{_CORRUPTIONS}.noise:ShotNoise",
        "impulse_noise": f"{_CORRUPTIONS}.noise:ImpulseNoise",
        "defocus_blur": f"{_CORRUPTIONS}.blur:DefocusBlur",
        "glass_blur": f"{_CORRUPTIONS}.blur:GlassBlur",
        "motion_blur": f"{_CORRUPTIONS}.blur:MotionBlur",
        "zoom_blur": f"{_CORRUPTIONS}.blur:ZoomBlur",
        "snow": f"{_CORRUPTIONS}.weather:Snow",
        "frost": f"{_CORRUPTIONS}.weather:Frost",
        "fog": f"{_CORRUPTIONS}.weather:Fog",
        "brightness": f"{_CORRUPTIONS}.digital:Brightness",
        "contrast": f"{_CORRUPTIONS}.digital:Contrast",
        "elastic_transform": f"{_CORRUPTIONS}.digital:ElasticTransform",
        "pixelate": f"{_CORRUPTIONS}.digital:Pixelate",
        "jpeg_compression": f"{_CORRUPTIONS}.digital:JpegCompression",
        "speckle_noise": f"{_CORRUPTIONS}.noise:SpeckleNoise",
        "gaussian_blur": f"{_CORRUPTIONS}.blur:GaussianBlur",
        "spatter": f"{_CORRUPTIONS}.weather:Spatter",
        "saturate": f"{_CORRUPTIONS}.digital:Saturate",
        "printed": f"{_CORRUPTIONS}.printed:Printed",
        "single_frequency_greyscale": f"{_CORRUPTIONS}.bar:SingleFrequencyGreyscale",
        "cocentric_sine_waves": f"{_CORRUPTIONS}.bar:CocentricSineWaves",
        "plasma_noise": f"{_CORRUPTIONS}.bar:PlasmaNoise",
        "blue_noise_sample": f"{_CORRUPTIONS}.bar:BlueNoiseSample",
        "brownish_noise": f"{_CORRUPTIONS}.bar:BrownishNoise",
        "checkerboard_cutout": f"{_CORRUPTIONS}.bar:CheckerboardCutout",
        "sparkles": f"{_CORRUPTIONS}.bar:Sparkles",
        "inverse_sparkles": f"{_CORRUPTIONS}.bar:InverseSparkles",
        "gaussian_noise_p": f"{_CORRUPTIONS}.noise:GaussianNoiseP",
        "shot_noise_p": f"{_CORRUPTIONS}.noise:ShotNoiseP",
        "motion_blur_p": f"{_CORRUPTIONS}.blur:MotionBlurP",
        "zoom_blur_p": f"{_CORRUPTIONS}.blur:ZoomBlurP",
        "snow_p": f"{_CORRUPTIONS}.weather:SnowP",
        "brightness_p": f"{_CORRUPTIONS}.digital:BrightnessP",
        "translate_p": f"{_CORRUPTIONS}.moves:TranslateP",
        "rotate_p": f"{_CORRUPTIONS}.moves:RotateP",
        "tilt_p": f"{_CORRUPTIONS}.moves:TiltP",
        "scale_p": f"{_CORRUPTIONS}.moves:ScaleP",
        "typos": f"{_TEXT}.typing:Typos",
        "casing": f"{_TEXT}.typing:Casing",
        "punctuation": f"{_TEXT}.typing:Punctuation",
        "whitespace": f"{_TEXT}.typing:Whitespace",
        "lookalikes": f"{_TEXT}.reading:LookAlikes",
        "ocr": f"{_TEXT}.reading:Ocr",
        "asr": f"{_TEXT}.reading:Asr",
        "word_dropout": f"{_TEXT}.reading:WordDropout",
        "synonyms": f"{_TEXT}.meaning:Synonyms",
        "tokens": f"{_SYSTEM}.tokens:Tokens",
        "decode-pil": f"{_SYSTEM}.decode:DecodePil",
        "decode-cv": f"{_SYSTEM}.decode:DecodeCv",
        "decode-ffmpeg": f"{_SYSTEM}.decode:DecodeFfmpeg",
        "decode-fastdct": f"{_SYSTEM}.decode:DecodeFastDct",
        "decode-fastup": f"{_SYSTEM}.decode:DecodeFastUpsample",
        "decode-fast": f"{_SYSTEM}.decode:DecodeFast",
        "pil-nearest": f"{_SYSTEM}.resize:PilNearest",
        "pil-box": f"{_SYSTEM}.resize:PilBox",
        "pil-bilinear": f"{_SYSTEM}.resize:PilBilinear",
        "pil-hamming": f"{_SYSTEM}.resize:PilHamming",
        "pil-cubic": f"{_SYSTEM}.resize:PilCubic",
        "pil-lanczos": f"{_SYSTEM}.resize:PilLanczos",
        "cv-nearest": f"{_SYSTEM}.resize:CvNearest",
        "cv-bilinear": f"{_SYSTEM}.resize:CvBilinear",
        "cv-area": f"{_SYSTEM}.resize:CvArea",
        "cv-cubic": f"{_SYSTEM}.resize:CvCubic",
        "cv-lanczos": f"{_SYSTEM}.resize:CvLanczos",
        "torch-bilinear": f"{_SYSTEM}.resize:TorchBilinear",
        "torch-cubic": f"{_SYSTEM}.resize:TorchCubic",
        "bgr": f"{_SYSTEM}.color:Bgr",
        "yuv-444": f"{_SYSTEM}.color:Yuv444",
        "yuv-420": f"{_SYSTEM}.color:Yuv420",
        "norm": f"{_SYSTEM}.field:Norm",
        "range-255": f"{_SYSTEM}.field:Range255",
        "range-1": f"{_SYSTEM}.field:Range1",
        "ceil-mode": f"{_SYSTEM}.operators:CeilMode",
        "upsample": f"{_SYSTEM}.operators:Upsample",
        "fp16": f"{_SYSTEM}.numerics:Fp16",
        "bf16": f"{_SYSTEM}.numerics:Bf16",
        "int8-ort": f"{_SYSTEM}.integers:Int8Ort",
        "thin": f"{_SYSTEM}.depth:Thin",
        "decode-sndfile": f"{_SOUND}.decode:DecodeSndfile",
        "decode-ffmpeg-sound": f"{_SOUND}.decode:DecodeFfmpegSound",
        "soxr-vhq": f"{_SOUND}.resample:SoxrVhq",
        "soxr-hq": f"{_SOUND}.resample:SoxrHq",
        "soxr-lq": f"{_SOUND}.resample:SoxrLq",
        "soxr-qq": f"{_SOUND}.resample:SoxrQq",
        "resample-linear": f"{_SOUND}.resample:Linear",
        "through": f"{_SOUND}.resample:Through",
        "mismatch": f"{_SOUND}.resample:Mismatch",
        "white_noise": f"{_SOUND}.waves:WhiteNoise",
        "pink_noise": f"{_SOUND}.waves:PinkNoise",
        "babble": f"{_SOUND}.waves:Babble",
        "background": f"{_SOUND}.background:Background",
        "reverberation": f"{_SOUND}.waves:Reverberation",
        "clipping": f"{_SOUND}.waves:Clipping",
        "gain": f"{_SOUND}.waves:Gain",
        "time_shift": f"{_SOUND}.waves:TimeShift",
        "speed": f"{_SOUND}.waves:Speed",
        "dropouts": f"{_SOUND}.waves:Dropouts",
        "mu-law": f"{_SOUND}.codecs:MuLaw",
        "opus": f"{_SOUND}.codecs:Opus",
        "mp3": f"{_SOUND}.codecs:Mp3",
        "logmel-32": f"{_SOUND}.features:LogMel32",
        "mfcc-49x10": f"{_SOUND}.features:Mfcc49x10",
        "decode-shape": f"{_POINTS}.decode:DecodeShape",
        "sample-area": f"{_POINTS}.sample:SampleArea",
        "sample-vertices": f"{_POINTS}.sample:SampleVertices",
        "sample-farthest": f"{_POINTS}.sample:SampleFarthest",
        "unit-sphere": f"{_POINTS}.frame:UnitSphere",
        "unit-box": f"{_POINTS}.frame:UnitBox",
        "point_jitter": f"{_POINTS}.clouds:PointJitter",
        "point_impulse": f"{_POINTS}.clouds:PointImpulse",
        "point_outliers": f"{_POINTS}.clouds:PointOutliers",
        "point_dropout": f"{_POINTS}.clouds:PointDropout",
        "point_cutout": f"{_POINTS}.clouds:PointCutout",
        "point_occlusion": f"{_POINTS}.clouds:PointOcclusion",
        "point_rotation": f"{_POINTS}.clouds:PointRotation",
        "point_scale": f"{_POINTS}.clouds:PointScale",
        "point_shear": f"{_POINTS}.clouds:PointShear",
    },
)

ATTACKS = Registry(
    "attack",
    {
        "fgsm-linf": f"{_ATTACKS}.pgd:FgsmLinf",
        "pgd-linf": f"{_ATTACKS}.pgd:PgdLinf",
        "pgd-l2": f"{_ATTACKS}.pgd:PgdL2",
        "pgd-l1": f"{_ATTACKS}.pgd:PgdL1",
        "mim-linf": f"{_ATTACKS}.mim:MimLinf",
        "transfer-linf": f"{_ATTACKS}.transfer:TransferLinf",
        "transfer-l2": f"{_ATTACKS}.transfer:TransferL2",
        "transfer-l1": f"{_ATTACKS}.transfer:TransferL1",
        **{f"apgd-ce-{n.lower()}": f"{_ATTACKS}.apgd:ApgdCe{n}" for n in _NORMS},
        **{f"apgd-dlr-{n.lower()}": f"{_ATTACKS}.apgd:ApgdDlr{n}" for n in _NORMS},
        **{f"apgd-t-{n.lower()}": f"{_ATTACKS}.apgd:ApgdT{n}" for n in _NORMS},
        **{f"fab-t-{n.lower()}": f"{_ATTACKS}.fab:FabT{n}" for n in _NORMS},
        **{f"square-{n.lower()}": f"{_ATTACKS}.square:Square{n}" for n in _NORMS},
        **{f"autoattack-{n.lower()}": f"{_ATTACKS}.autoattack:AutoAttack{n}" for n in _NORMS},
        **{f"fmn-{n.lower()}": f"{_ATTACKS}.fmn:Fmn{n}" for n in _NORMS},
        "hotflip": f"{_ATTACKS}.hotflip:HotFlip",
        "hopskipjump-linf": f"{_ATTACKS}.hopskipjump:HopSkipJumpLinf",
        "hopskipjump-l2": f"{_ATTACKS}.hopskipjump:HopSkipJumpL2",
        "noise-linf": f"{_ATTACKS}.control:NoiseLinf",
        "noise-l2": f"{_ATTACKS}.control:NoiseL2",
        "noise-l1": f"{_ATTACKS}.control:NoiseL1",
        "pgd-snr": f"{_ATTACKS}.snr:PgdSnr",
        "noise-snr": f"{_ATTACKS}.snr:NoiseSnr",
    },
)

#: What looks at a network and leaves the sample as it is.
PROBES = Registry("probe", {"evidence": f"{_ATTACKS}.evidence:Evidence"})

#: Word → the family that it names.
FAMILIES: dict[str, type[Family]] = {**families.FAMILIES, "perturbations": Perturbations, **budgets.FAMILIES}

#: Kind of input other than pictures → the families that a word means there.
FAMILIES_OF: dict[str, dict[str, type[Family]]] = {
    "keyword": SOUND,
    "text": dict(text_families.FAMILIES),
    "points": POINTS,
}

__all__ = [
    "ATTACKS",
    "BAR",
    "BENCHMARK",
    "EXTRA",
    "FAMILIES",
    "FRAMES",
    "NOISES",
    "PROBES",
    "as_rgb",
    "corrupt",
    "decoder_groups",
    "expand",
    "family_cards",
    "noise",
    "sweep",
    "tokenizer_json",
]


def noise(spec: Spec | str) -> Any:
    """Build the noise or attack that ``spec`` names, with the settings that it gives.

    Raises UnknownName where neither registry holds the name, SpecError where a setting does not fit.
    """
    spec = Spec.parse(spec) if isinstance(spec, str) else spec
    for registry in (NOISES, ATTACKS, PROBES):
        if spec.name in registry:
            entry = registry.load(spec.name)
            check_leading(spec, entry)
            return bind(spec, entry)
    listing = f"'bitproof list noises' and 'bitproof list attacks' show all {len(NOISES) + len(ATTACKS)}."
    raise UnknownName("noise", spec.name, [*NOISES, *ATTACKS, *FAMILIES, "clean"], listing)


def corrupt(image: Any, spec: Spec | str, seed: int = 0) -> Any:
    """Return ``image`` under the noise of pictures that ``spec`` names (``fog:3``, ``bgr``), a new array uint8 H×W×3.

    ``image`` is RGB, grey or with alpha, uint8 or uint16: ``as_rgb`` says how it is converted. ``seed`` alone determines the draws.
    Raises ShapeError for another array and a picture too small for the noise, SpecError for a noise at another site.
    """
    built = noise(spec)
    if built.site not in ("color", "image"):
        raise SpecError(
            f"{str(spec)!r} stands at the site {built.site!r}; a picture can be put through noises at 'color' and 'image'."
        )
    picture = as_rgb(image)
    return built(picture, seed) if built.site == "image" else built(picture)


def decoder_groups() -> dict[str, str]:
    """Return decoders → hash of what they make of a few JPEGs; names joined by `` = `` give the same bytes on this machine."""
    from bitproof.noises.system import decoder_groups as groups

    return groups()


def tokenizer_json(form: Words) -> str:
    """Return what stands in the ``tokenizer.json`` of a model of texts. Raises DataError where that cannot be read."""
    from bitproof.noises.system.tokens import tokenizer_json as read

    return read(form)


def family_cards() -> list[Card]:
    """Describe the words that stand for many noises."""
    return [Card(name, (family.__doc__ or "").split("\n")[0], family.source, 1) for name, family in FAMILIES.items()]


def expand(text: str, clean: tuple[str, ...] = (), side: int | None = None, kind: str = "image") -> list[str]:
    """Return the cells that ``text`` asks for: a family's members, or one spec, each in its one canonical form.

    ``fog:severity=3+decode-cv`` → ``["decode-cv+fog:3"]``; ``corruptions:3`` → 15 specs. ``clean`` names the occupants of the
    clean pipeline, which a system family leaves out; ``side`` is the side of the model's input, px, by which perturbation sequences
    choose their constants; ``kind`` is the kind of input that a family is meant for. Raises SpecError on a bad setting and on two
    noises at one site.
    """
    parts = [Spec.parse(part) for part in split(text, "+")]
    return _members(parts[0], clean, side, kind) if len(parts) == 1 else [_joined(text, parts)]


def _joined(text: str, parts: list[Spec]) -> str:
    """Return the one canonical form of noises at different sites: in the order in which a sample passes them."""
    sites: dict[str, Spec] = {}
    for part in parts:
        if part.name in FAMILIES or part.name == "clean":
            raise SpecError(f"{text!r}: {part.name!r} cannot be joined by '+'; name one noise of each site instead.")
        built = noise(part)
        if built.site in sites:
            raise SpecError(
                f"{text!r} puts {str(sites[built.site])!r} and {str(part)!r} at the site {built.site!r}; "
                "a cell carries one noise a site."
            )
        sites[built.site] = canonical(part, built)
    row = next((row for row in SITES.values() if sites.keys() <= {*row}), None)
    if row is None:
        raise SpecError(f"{text!r} joins noises on different kinds of input: no sample passes {' and '.join(map(repr, sites))}.")
    return "+".join(str(sites[site]) for site in sorted(sites, key=row.index))


def _members(spec: Spec, clean: tuple[str, ...], side: int | None, kind: str) -> list[str]:
    if spec.name == "clean":
        if spec.items:
            raise SpecError(f"{str(spec)!r}: 'clean' takes no settings. Type 'clean'.")
        return ["clean"]
    named = _family(spec, side, kind).members(clean) if spec.name in FAMILIES else [str(spec)]
    return [_joined(text, [Spec.parse(part) for part in split(text, "+")]) for text in named]


def _family(spec: Spec, side: int | None, kind: str) -> Family:
    family = bind(spec, FAMILIES_OF.get(kind, {}).get(spec.name, FAMILIES[spec.name]))
    return family.at(side) if side and isinstance(family, Sized) else family
