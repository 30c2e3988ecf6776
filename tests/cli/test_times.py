from bitproof.bench import Times
from bitproof.cli.times import SHOWN, by_noise, print_times

TIMES = [("fog:1", Times(8, 1, 0.5, 4)), ("clean", Times(8, 2, 0.1, 4)), ("fog:2", Times(8, 1, 0.25, 4))]


def test_severities_and_variants_are_summed_and_the_longest_waited_for_is_first():
    assert by_noise(TIMES) == [("fog", (2, 0.75, 8)), ("clean", (2, 0.1, 4))]
    assert by_noise([("decode-cv+fog:1", Times())])[0][0] == "decode-cv+fog"


def test_a_long_run_shows_the_first_and_the_sum_of_all(capsys):
    print_times([(f"noise{i}", Times(8, 1, i, 2)) for i in range(SHOWN + 3)])
    shown = capsys.readouterr().out
    assert f"noise{SHOWN + 2} " in shown
    assert "noise1 " not in shown
    lines = [line.split() for line in shown.splitlines()]
    assert ["3", "more", "3.0", "3.0", "6.0"] in lines
    assert ["all", "13.0", "78.0", "26.0"] in lines
