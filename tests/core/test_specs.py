from dataclasses import dataclass
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitproof.core import Spec, SpecError, bind

NAMES = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,12}", fullmatch=True)
KEYS = st.none() | st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True)
VALUES = st.text(max_size=20)


@given(st.builds(Spec, NAMES, st.lists(st.tuples(KEYS, VALUES), max_size=4).map(tuple)))
def test_a_spec_prints_back_as_it_parses(spec):
    assert Spec.parse(str(spec)) == spec
    assert str(Spec.parse(str(spec))) == str(spec)


@pytest.mark.parametrize(
    "text",
    [
        "fog:3",
        "pgd-linf:eps=8/255,steps=20",
        "timm/resnet18.a1_in1k",
        'python:my.py#build,mean="0.5,0.5,0.5"',
        "keyword/parquet:/a/b.parquet",
        "chat:http://host:8000/v1#model",
        "C",
    ],
)
def test_the_designs_own_examples_are_canonical(text):
    assert str(Spec.parse(text)) == text


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "''"),
        ("fog:", "ends in ':'"),
        ("fog:3,", "empty"),
        ('fog:"3', "left open"),
        ("fog:a=b=c", "'a=b=c'"),
        ("fog:=3", "'=3'"),
        ("a b:3", "'a b'"),
    ],
)
def test_what_is_no_spec_is_refused_with_the_part_that_is_wrong(text, part):
    with pytest.raises(SpecError) as error:
        Spec.parse(text)
    assert part in str(error.value)


@dataclass(frozen=True)
class Attack:
    eps: Fraction
    steps: int = 20
    step: float | None = None
    start: bool = True


def test_bind_reads_values_by_the_fields_types():
    attack = bind(Spec.parse("pgd:8/255,steps=5,step=1/255,start=false"), Attack)
    assert attack == Attack(Fraction(8, 255), 5, 1 / 255, False)
    assert bind(Spec.parse("pgd:eps=1,step=none"), Attack).step is None
    assert bind(Spec.parse("pgd:0.5/255"), Attack).eps == Fraction(1, 510)
    assert bind(Spec.parse("pgd:1,step=1e-3"), Attack).step == 0.001


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("pgd", "needs 'eps'"),
        ("pgd:1,stps=3", "Did you mean 'steps'?"),
        ("pgd:1,eps=2", "twice"),
        ("pgd:1,2,3,true,9", "too many"),
        ("pgd:x", "must be Fraction"),
        ("pgd:1,steps=2.5", "a whole number"),
        ("pgd:1,start=yes", "true or false"),
        ("pgd:1/0", "must be"),
        ("pgd:1/2/3", "must be"),
    ],
)
def test_bind_refuses_what_does_not_fit(text, part):
    with pytest.raises(SpecError) as error:
        bind(Spec.parse(text), Attack)
    assert part in str(error.value)
