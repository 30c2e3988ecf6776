"""Contact sheets: every picture of a scenario with its questions and answers, for a person to look through."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import polars as pl
from PIL import Image, ImageDraw, ImageFont

COLUMNS, LINE, INK = 6, 14, (20, 20, 24)


def sheets(pack: pl.DataFrame, folder: Path) -> None:
    """Write ``<scenario>.png`` for each scenario into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for (scenario,), rows in pack.group_by("scenario", maintain_order=True):
        sheet(rows).save(folder / f"{scenario}.png")


def sheet(rows: pl.DataFrame) -> Image.Image:
    """Return the pictures of ``rows`` side by side; below each, the first phrasing of its questions and their answers."""
    groups = rows.group_by("group", maintain_order=True).agg(pl.first("image"), "questions", "answer")
    pictures = [Image.open(BytesIO(image)) for image in groups["image"]]
    wide = max(picture.width for picture in pictures) + 4
    high = max(picture.height for picture in pictures) + LINE * 2 * max(groups["answer"].list.len())
    page = Image.new("RGB", (wide * COLUMNS, high * -(-len(pictures) // COLUMNS)), (255, 255, 255))
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(size=12)
    for i, (picture, asked, answers) in enumerate(zip(pictures, groups["questions"], groups["answer"], strict=True)):
        x, y = i % COLUMNS * wide, i // COLUMNS * high
        page.paste(picture, (x, y))
        for k, (questions, answer) in enumerate(zip(asked, answers, strict=True)):
            top = y + picture.height + 2 * LINE * k
            pen.text((x + 2, top), questions[0][: wide // 6], INK, font)
            pen.text((x + 2, top + LINE), f"= {answer}", (180, 0, 0), font)
    return page
