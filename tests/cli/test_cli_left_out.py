"""What ``bitproof run --dry-run`` says of members of a family that mean nothing for a network."""

from bitproof.cli.predicted import print_prediction


def test_each_is_told_once_with_its_reason(grid, tmp_path, capsys):
    text = grid.read_text().replace('[fp32, float, "mse:w4a4", "lsq:w4a4"]', "[fp32]")
    text = text[: text.index("noises:")] + "noises: [clean, system-all]\n" + text[text.index("limit:") :]
    (tmp_path / "grid.yaml").write_text(text)
    print_prediction(tmp_path / "grid.yaml")
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Left out: ")]
    assert len(told) == len(set(told)) == 6
    assert any("ceil-mode: " in line and "no max or average pooling" in line for line in told)
