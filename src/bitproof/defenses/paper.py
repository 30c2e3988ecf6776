"""Patches on paper, at a size that a ruler confirms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from bitproof.core import SpecError, StoreError

#: Millimetres of an inch.
INCH = 25.4

#: Paper → width and height, mm.
PAPERS = {"a4": (210.0, 297.0), "a3": (297.0, 420.0), "letter": (215.9, 279.4)}

#: Border of a page, room between patches, and what is below each for its name, mm.
BORDER, GAP, CAPTION = 10.0, 6.0, 6.0

#: The line that a ruler is held against, mm.
RULE = 50.0


@dataclass(frozen=True)
class Sheet:
    """How patches are printed. ``side_mm``: the side of the whole picture that a patch belongs to; ``dpi``: dots an inch."""

    side_mm: float = 80.0
    dpi: int = 300
    paper: str = "a4"

    def __post_init__(self) -> None:
        if self.paper not in PAPERS:
            raise SpecError(f"Unknown paper {self.paper!r}. Allowed: {', '.join(PAPERS)}.")
        width, height = PAPERS[self.paper]
        most = min(width - 2 * BORDER, height - 2 * BORDER - 2 * CAPTION - GAP)
        if not 5 <= self.side_mm <= most:
            raise SpecError(f"A patch of {self.side_mm:g} mm does not fit on {self.paper}: 5 to {most:g} mm do.")
        if not 72 <= self.dpi <= 1200:
            raise SpecError(f"{self.dpi} dots an inch are out of range: 72 to 1200.")

    def px(self, mm: float) -> int:
        """Millimetres in dots."""
        return round(mm / INCH * self.dpi)

    @property
    def places(self) -> list[tuple[int, int]]:
        """Where the patches of a page lie, dots from the upper left."""
        width, height = PAPERS[self.paper]
        columns = int((width - 2 * BORDER + GAP) // (self.side_mm + GAP))
        rows = int((height - 2 * BORDER - CAPTION + GAP) // (self.side_mm + CAPTION + GAP))
        step = self.side_mm + GAP
        return [
            (self.px(BORDER + i * step), self.px(BORDER + j * (step + CAPTION)))
            for j in range(max(1, rows))
            for i in range(columns)
        ]


def sheet(patches: Sequence[tuple[str, Image.Image]], out: Path, layout: Sheet) -> int:
    """Write (caption, RGBA picture) to ``out``, a PDF, or a PNG where one page holds them; return the number of pages.

    Each patch has square dots, a hairline around the picture that it belongs to, and its caption; each page a line of 50 mm.
    Raises SpecError for another ending, and where a PNG would need several pages; StoreError where ``out`` cannot be written.
    """
    pages = list(_pages(patches, layout))
    if out.suffix not in (".pdf", ".png") or (out.suffix == ".png" and len(pages) > 1):
        raise SpecError(f"{str(out)!r}: a sheet is a .pdf, or a .png where one page is enough; {len(pages)} are needed here.")
    try:
        if out.suffix == ".pdf":
            pages[0].save(out, "PDF", resolution=layout.dpi, save_all=True, append_images=pages[1:])
        else:
            pages[0].save(out, "PNG", dpi=(layout.dpi, layout.dpi))
    except OSError as error:
        raise StoreError(f"{str(out)!r} cannot be written: {error.strerror or error}.") from None
    return len(pages)


def _pages(patches: Sequence[tuple[str, Image.Image]], layout: Sheet) -> Iterator[Image.Image]:
    each = len(layout.places)
    for start in range(0, len(patches), each):
        yield _page(patches[start : start + each], layout)


def _page(patches: Sequence[tuple[str, Image.Image]], layout: Sheet) -> Image.Image:
    width, height = PAPERS[layout.paper]
    page = Image.new("RGB", (layout.px(width), layout.px(height)), "white")
    pen, font, side = ImageDraw.Draw(page), ImageFont.load_default(layout.px(3)), layout.px(layout.side_mm)
    for (caption, patch), (x, y) in zip(patches, layout.places, strict=False):
        large = patch.resize((side, side), Image.Resampling.NEAREST)
        page.paste(large, (x, y), large)
        pen.rectangle((x, y, x + side - 1, y + side - 1), outline="#999999")
        pen.text((x, y + side + layout.px(1)), caption, fill="black", font=font)
    _rule(pen, font, layout, height)
    return page


def _rule(pen: ImageDraw.ImageDraw, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, layout: Sheet, height: float) -> None:
    x, y, length = layout.px(BORDER), layout.px(height - BORDER), layout.px(RULE)
    pen.line((x, y, x + length, y), fill="black", width=max(1, layout.px(0.2)))
    for end in (x, x + length):
        pen.line((end, y - layout.px(1.5), end, y), fill="black", width=max(1, layout.px(0.2)))
    said = f"{RULE:g} mm: measure it. A picture is {layout.side_mm:g} mm wide; print at 100 %, without fitting to the page."
    pen.text((x + length + layout.px(3), y - layout.px(3)), said, fill="black", font=font)
