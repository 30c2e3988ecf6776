"""Questions to a run.

A run is a table with one row a sample, so a question that no figure answers is a query.
Here to a run that is committed with bitproof.
"""

import polars as pl

import bitproof as bp

pl.Config(tbl_rows=20, tbl_hide_dataframe_shape=True)
rows = bp.results.load("results/noise-imagenet-sample")
print(f"{rows.height} rows, {rows['noise'].n_unique()} noises, recipes {', '.join(rows['recipe'].unique().sort())}\n")

# The figures, each with its interval and the paired difference to float.
figures = bp.analysis.summary(rows)
print(
    figures.filter(pl.col("figure").is_in(["clean", "nr", "churn_system"])).select(
        "recipe", "figure", "value", "low", "high", "delta"
    )
)

# Which pictures does every recipe get right when clean, and none of the low-bit ones in fog?
right = rows.filter(pl.col("noise").is_in(["clean", "fog:3"])).pivot("noise", index=["sample", "recipe"], values="correct")
by_sample = right.group_by("sample").agg(
    clean=pl.col("clean").all(),
    float=pl.col("fog:3").filter(pl.col("recipe") == "fp32").all(),
    low_bit=pl.col("fog:3").filter(pl.col("recipe").str.contains("w[56]")).any(),
)
lost = by_sample.filter(pl.col("clean") & pl.col("float") & ~pl.col("low_bit"))
print(
    f"\n{lost.height} pictures that fog takes from every recipe below 8 bits and not from float, such as {lost['sample'].sort()[0]}"
)

# Does confidence warn? Mean confidence of wrong answers.
wrong = rows.filter(~pl.col("correct") & pl.col("noise").is_in(["clean", "contrast:3"]))
print(wrong.group_by("noise", "recipe").agg(pl.col("confidence").mean().round(2)).sort("noise", "recipe"))
