"""Noises on the network itself, in a whole run: alone, after a corruption, under an attack."""

import polars as pl

import bitproof as bp


def test_a_noise_on_the_network_meets_the_same_pictures(grid, tmp_path):
    noises = '[clean, "pixelate:2", bf16, "pixelate:2+bf16", "pgd-linf:eps=8/255,steps=3", "pgd-linf:eps=8/255,steps=3+bf16"]'
    text = grid.read_text().replace('[fp32, float, "mse:w4a4", "lsq:w4a4"]', '[fp32, "mse:w4a4"]')
    text = text[: text.index("noises:")] + f"noises: {noises}\n" + "limit: 8\nbatch_size: 8\nthreads: 1\n"
    assert bp.run(text, tmp_path / "run").failed == 0
    rows = bp.results.load(tmp_path / "run").sort("recipe", "sample")
    for before in ("clean", "pixelate:2", "pgd-linf:eps=8/255,steps=3"):
        after = "bf16" if before == "clean" else f"{before}+bf16"
        one, other = rows.filter(noise=before), rows.filter(noise=after)
        assert one["sample"].to_list() == other["sample"].to_list()
        assert (one["margin"] != other["margin"]).sum() > len(one) / 2
        assert (one["margin"] - other["margin"]).abs().max() < 0.1
    assert dict(rows.select("noise", "family").unique().iter_rows())["bf16"] == "system"
    assert rows.filter(noise="pgd-linf:eps=8/255,steps=3+bf16")["gradient"].unique().to_list() == ["ste"]
    assert rows.filter(noise="pixelate:2+bf16").select(pl.col("severity").unique()).item() == 2
    shown = {entry["noise"] for entry in bp.results.Store.open(tmp_path / "run").gallery()}
    assert "pixelate:2+bf16" in shown and "bf16" not in shown
