"""The door's words: families, joined specs, and what is refused."""

import pytest

from bitproof.core import SpecError, UnknownName
from bitproof.noises import ATTACKS, FAMILIES, NOISES, expand, family_cards, noise


def test_families_of_corruptions():
    assert expand("clean") == ["clean"]
    assert len(expand("corruptions")) == 75 and len(set(expand("corruptions"))) == 75
    assert expand("corruptions:3") == expand("corruptions:severity=3") == [f"{s[:-1]}3" for s in expand("corruptions")[::5]]
    assert expand("corruptions-extra:2") == ["speckle_noise:2", "gaussian_blur:2", "spatter:2", "saturate:2"]
    assert len(expand("corruptions-extra")) == 20
    assert len(expand("corruptions-bar")) == 40 and expand("corruptions-bar:5")[-1] == "inverse_sparkles:5"


def test_a_protocol_fixes_constants_and_storage():
    specs = expand("corruptions:protocol=imagenet-c")
    assert specs == [f"{spec},constants=imagenet,stored=true" for spec in expand("corruptions")]
    assert expand("corruptions-extra:2,imagenet-c")[0] == "speckle_noise:2,constants=imagenet,stored=true"
    assert all(noise(spec).stored and noise(spec).constants == "imagenet" for spec in specs)
    with pytest.raises(SpecError, match=r"Unknown protocol 'imagenet-d' of 'corruptions'\. Allowed: 'imagenet-c'"):
        expand("corruptions:protocol=imagenet-d")


def test_every_member_of_every_family_builds():
    for family in ("corruptions", "corruptions-extra", "corruptions-bar"):
        for spec in expand(family):
            assert noise(spec).site == "image"


def test_system_leaves_out_the_clean_occupants():
    assert len(expand("system")) == 14
    rest = expand("system", clean=("decode-pil", "pil-bilinear"))
    assert len(rest) == 12 and not {"decode-pil", "pil-bilinear"} & set(rest)
    assert all(name in NOISES for name in rest)


def test_attacks_at_three_budgets():
    specs = expand("attacks")
    assert len(specs) == 12
    assert {spec.partition(":")[0] for spec in specs} == {"fgsm-linf", "pgd-linf", "pgd-l2", "pgd-l1"} <= set(ATTACKS)
    spelled = expand("attacks:protocol=robustart")
    assert [s.split(",")[0] for s in spelled[:12]] == specs
    assert len(spelled) == 18 and spelled[15:] == expand("autoattack") == expand("autoattack:linf")
    assert spelled[0] == specs[0], "FGSM's only other constant is the default: the same cell"
    for attack in map(noise, spelled[12:15]):
        assert (attack.step_size, attack.steps, attack.decay, attack.keep, attack.clipped) == (0.002, 20, 1, "last", False)
    for attack in map(noise, spelled[:12]):
        step = attack.eps if type(attack).__name__ == "FgsmLinf" else 120 if "L1" in type(attack).__name__ else 0.075 * attack.eps
        assert attack.step_size == pytest.approx(step)
    assert noise(spelled[3]).eps == pytest.approx(0.5 / 255) and noise(spelled[3]).keep == "last"
    with pytest.raises(SpecError, match="robustart"):
        expand("attacks:protocol=mine")
    with pytest.raises(SpecError, match="l2, l1"):
        expand("autoattack:norm=l0")


def test_robustart_on_cifar_has_one_budget_an_attack():
    found = {spec.partition(":")[0]: noise(spec) for spec in expand("attacks:protocol=robustart-cifar10")}
    assert {name: round(attack.eps * 255, 3) for name, attack in found.items() if name.endswith("linf")} == dict.fromkeys(
        ("fgsm-linf", "pgd-linf", "mim-linf", "autoattack-linf"), 8.0
    )
    assert (found["pgd-l2"].eps, found["pgd-l1"].eps, found["pgd-l1"].step_size) == (1.5, 40, 3)


def test_a_spec_is_printed_one_way():
    assert expand("fog:severity=3") == expand(" fog:3 ") == expand("fog:3") == ["fog:3"]
    assert expand("fog:constants=tiny,severity=2") == ["fog:2,constants=tiny"]
    for spec in ("glass_blur:4,fixed=true", "contrast:1,constants=cifar"):
        assert expand(spec) == [spec]


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("fog:03", "fog:3"),
        ("fog:3,constants=auto", "fog:3"),
        ("fog:3,auto", "fog:3"),
        ("fog:3,cifar", "fog:3,constants=cifar"),
        ("glass_blur:fixed=TRUE,severity=4,constants=auto", "glass_blur:4,fixed=true"),
        ("glass_blur:4,fixed=false", "glass_blur:4"),
        ("fog:3,stored=false", "fog:3"),
        ("glass_blur:4,fixed=true,stored=TRUE", "glass_blur:4,stored=true,fixed=true"),
        ("translate_p:frame=07,constants=imagenet", "translate_p:7"),
        ("pgd-linf:2/255", "pgd-linf:eps=2/255"),
        ("pgd-linf:eps=0.5/255", "pgd-linf:eps=0.5/255"),
        ("pgd-linf:steps=020,eps=2/255,step=none,start=true", "pgd-linf:eps=2/255"),
        ("pgd-linf:2/255,7,step=1/255", "pgd-linf:eps=2/255,steps=7,step=1/255"),
        ("mim-linf:8/255,decay=1", "mim-linf:eps=8/255"),
        ("fog:03+pgd-l2:0.5,keep=best+decode-cv", "decode-cv+fog:3+pgd-l2:eps=0.5"),
    ],
)
def test_one_noise_is_one_cell(text, printed):
    assert expand(text) == expand(printed) == [printed]


@pytest.mark.parametrize(
    "text",
    [*expand("corruptions-bar"), *expand("perturbations:frames=3"), *expand("attacks"), *expand("attacks:protocol=robustart")],
)
def test_the_printed_form_is_the_same_noise_and_stays(text):
    assert expand(text) == [text]
    assert noise(expand(text)[0]) == noise(text)


def test_families_are_described():
    cards = {card.name: card for card in family_cards()}
    assert list(cards) == list(FAMILIES) and {"corruptions", "system", "attacks", "perturbations"} <= set(cards)
    assert cards["corruptions"].summary == "The 15 test corruptions of ImageNet-C, at one severity or at all five."
    assert all(card.summary.endswith(".") and card.source and card.version == 1 for card in cards.values())


def test_clean_takes_no_settings():
    with pytest.raises(SpecError, match=r"'clean:3': 'clean' takes no settings. Type 'clean'") as error:
        expand("clean:3")
    assert "mean" not in str(error.value)


@pytest.mark.parametrize(("text", "example"), [("fog", "fog:3"), ("fog:constants=tiny", "fog:3,constants=tiny")])
def test_a_missing_severity_is_suggested(text, example):
    for read in (noise, expand):
        with pytest.raises(SpecError, match=rf"'{text}' says no severity\. Type for example '{example}'"):
            read(text)


def test_a_missing_frame_is_suggested():
    with pytest.raises(SpecError, match=r"'tilt_p' says no frame\. Type for example 'tilt_p:3'; frames are counted from 0"):
        noise("tilt_p")


@pytest.mark.parametrize("text", ["fog:3+snow:2", "fog:3+fog:3"])
def test_one_noise_a_site(text):
    with pytest.raises(SpecError, match="one noise a site"):
        expand(text)


@pytest.mark.parametrize("text", ["corruptions+fog:3", "clean+fog:3", "fog:3+system"])
def test_families_are_not_joined(text):
    with pytest.raises(SpecError, match="cannot be joined"):
        expand(text)


@pytest.mark.parametrize(
    "text", ["corruptions:6", "corruptions:0", "corruptions:3,4", "corruptions:level=3", "system:1", "clean:1"]
)
def test_wrong_settings_of_a_family(text):
    with pytest.raises(SpecError):
        expand(text)


def test_unknown_names_get_a_suggestion_from_both_tables():
    with pytest.raises(UnknownName, match=r"Did you mean 'fog'\?.*'bitproof list noises'"):
        noise("fogg:3")
    with pytest.raises(UnknownName, match="Did you mean 'pgd-linf'"):
        expand("pgd-lin")
    with pytest.raises(UnknownName, match="Did you mean 'corruptions'"):
        expand("corruption")
