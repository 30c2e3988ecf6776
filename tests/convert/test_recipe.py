import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bitproof.convert import Recipe
from bitproof.core import SpecError, UnknownName
from bitproof.quantizers import QUANTIZERS


def test_a_recipe_says_everything():
    recipe = Recipe.parse('percentile:w4a6,per=tensor,symmetric=true,first=same,last=float,fold=false,keep="stem|head",q=99.9')
    assert (recipe.method, recipe.bits) == ("percentile", (4, 6))
    assert (recipe.per, recipe.symmetric, recipe.fold, recipe.keep) == ("tensor", True, False, "stem|head")
    assert (recipe.at("first"), recipe.at("last")) == ((4, 6), None)
    assert recipe.settings == (("q", "99.9"),)
    assert recipe.quantizer("weight", 4).q == 99.9
    assert Recipe.parse(str(recipe)) == recipe


@pytest.mark.parametrize("text", ["mse:w8a8", "lsq:w4a4", "dorefa:w2a2", "pact:w4a4,start=none", "fp32", "float"])
def test_prints_back(text):
    assert str(Recipe.parse(text)) == text


def test_a_default_written_out_is_the_same_recipe():
    assert Recipe.parse("lsq:w4a4,first=8,last=8,per=tensor,fold=false") == Recipe.parse("lsq:w4a4") == Recipe("lsq", 4, 4)
    assert str(Recipe.parse("percentile:w8a8,q=99.99")) == "percentile:w8a8"
    assert str(Recipe.parse("percentile:w8a8,q=99.90")) == "percentile:w8a8,q=99.9"


def test_float_recipes_have_no_bits():
    assert Recipe("fp32").bits is None and Recipe.parse("float").bits is None
    assert [Recipe.parse(t).trains for t in ("fp32", "float", "mse:w8a8", "lsq:w4a4")] == [False, True, False, True]
    assert Recipe("fp32").version == 1


@given(
    method=st.sampled_from([n for n in QUANTIZERS if not QUANTIZERS.load(n).trainable]),
    bits=st.tuples(st.integers(2, 8), st.integers(2, 8)),
    options=st.fixed_dictionaries(
        {},
        optional={
            "per": st.sampled_from(["tensor", "channel"]),
            "symmetric": st.sampled_from(["true", "false"]),
            "first": st.sampled_from(["8", "same", "float", "6"]),
            "last": st.sampled_from(["8", "same", "float", "2"]),
            "fold": st.sampled_from(["true", "false"]),
            "keep": st.sampled_from(["stem", '"a,b"', '"^x=1"', "head.*fc"]),
            "layers": st.sampled_from(['"stem=w8a8"', '"a=b = w6a8; c.*d=w8a32"', '"^(x|y)$=w5a3"']),
        },
    ),
)
@settings(deadline=None)
def test_round_trip(method, bits, options):
    assume(options.get("symmetric") != "false" or not QUANTIZERS.load(method).symmetric_only)  # refused, with a message of its own
    text = ",".join([f"{method}:w{bits[0]}a{bits[1]}", *(f"{key}={value}" for key, value in options.items())])
    recipe = Recipe.parse(text)
    assert Recipe.parse(str(recipe)) == recipe
    assert str(Recipe.parse(str(recipe))) == str(recipe)
    assert hash(recipe) == hash(Recipe.parse(text))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lsq", "wNaM"),
        ("lsq:4", "wNaM"),
        ("lsq:w4", "wNaM"),
        ("lsq:w4a4,w8a8", "wNaM"),
        ("lsq:per=tensor", "wNaM"),
        ("lsq:w1a1", "Binarization"),
        ("lsq:w9a4", "2 to 8"),
        ("lsq:w4a16", "2 to 8"),
        ("mse:w8a8,first=12", "2 to 8"),
        ("mse:w8a8,first=most", "same or float"),
        ("mse:w8a8,per=group", "tensor or channel"),
        ("mse:w8a8,fold=maybe", "true or false"),
        ("mse:w8a8,fold=true,fold=true", "twice"),
        ("mse:w8a8,frist=8", "Did you mean 'first'"),
        ("mse:w8a8,q=99", "no setting 'q'"),
        ("percentile:w8a8,q=lots", "number"),
        ("percentile:w8a8,q=101", "100"),
        ("lsq:w4a4,symmetric=false", "symmetric"),
        ('mse:w8a8,keep="("', "regular expression"),
        ('mse:w4a4,layers="stem"', "PATTERN=wNaM"),
        ('mse:w4a4,layers="stem=w8"', "PATTERN=wNaM"),
        ('mse:w4a4,layers="=w8a8"', "PATTERN=wNaM"),
        ('mse:w4a4,layers="stem=w8a8;"', "PATTERN=wNaM"),
        ('mse:w4a4,layers="(=w8a8"', "regular expression"),
        ('mse:w4a4,layers="stem=w9a8"', "2 to 8"),
        ('mse:w4a4,layers="stem=w32a32"', "keep='stem'"),
        ("fp32:w8a8", "takes no settings"),
        ("float:first=8", "takes no settings"),
    ],
)
def test_what_does_not_fit_is_refused(text, says):
    with pytest.raises(SpecError, match=says.replace("(", r"\(")):
        Recipe.parse(text)


def test_an_unknown_method_gets_a_suggestion():
    with pytest.raises(UnknownName, match="Did you mean 'lsq'"):
        Recipe.parse("lqs:w4a4")


@pytest.mark.parametrize(("text", "near"), [("fp23", "fp32"), ("flot", "float"), ("lqs:w4a4", "lsq")])
def test_an_unknown_recipe_is_called_a_recipe(text, near):
    with pytest.raises(UnknownName, match=rf"Unknown recipe .* Did you mean '{near}'\? 'bitproof list recipes' shows"):
        Recipe.parse(text)
    with pytest.raises(UnknownName, match="Unknown recipe 'lqs'"):
        Recipe("lqs", 4, 4)


def test_bits_are_needed():
    with pytest.raises(SpecError, match="lsq:w4a4"):
        Recipe("lsq")
    with pytest.raises(SpecError, match="takes no settings"):
        Recipe("fp32", 8, 8)
