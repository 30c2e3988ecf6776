"""A rule-based model that reads pixels: it answers four scenarios of the embedded pack from colours and blobs alone.

It knows nothing of how the pictures are made, so it checks their answers; and it stands for a vision-language model where a
test needs one whose answers get worse as the picture does.
"""

import re

import cv2
import numpy as np

#: Hue (0 to 179) and the tints of the names that questions use.
NAMED = {
    "red": (214, 40, 40),
    "orange": (247, 140, 20),
    "yellow": (252, 212, 20),
    "green": (40, 150, 60),
    "blue": (35, 90, 215),
    "purple": (130, 50, 170),
    "black": (25, 25, 28),
}
UNREAD = "I cannot tell."


def answer(file: bytes, question: str) -> str:
    """Return a short answer to ``question`` about the encoded picture, or ``UNREAD``."""
    picture = cv2.cvtColor(cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    text = question.lower()
    for words, read in RULES:
        if re.search(words, text):
            return str(read(picture, text))
    return UNREAD


def _hsv(picture):
    hue, saturation, value = cv2.split(cv2.cvtColor(picture, cv2.COLOR_RGB2HSV))
    return hue.astype(int), saturation.astype(int), value.astype(int)


def _blobs(mask, least=0.3):
    """Count connected regions that are at least ``least`` of the median one."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    areas = stats[1:, cv2.CC_STAT_AREA]
    areas = areas[areas > 25]
    return int((areas > least * np.median(areas)).sum()) if areas.size else 0


def fish(picture, _):
    """Warm colours in blue and green water."""
    hue, saturation, value = _hsv(picture)
    warm = ((hue < 36) | (hue > 165)) & (saturation > 110) & (value > 90)
    return _blobs(cv2.morphologyEx(warm.astype(np.uint8), cv2.MORPH_OPEN, np.ones((2, 2), np.uint8)))


def squares(picture, _):
    """Regions of one saturated tint, as many as the most frequent tint of blobs has."""
    smooth = cv2.medianBlur(picture, 5)
    counts = []
    for tint in ((214, 40, 40), (35, 90, 215), (40, 150, 60), (130, 50, 170), (122, 72, 35)):
        near = np.abs(smooth.astype(int) - tint).sum(axis=2) < 75
        counts.append(_blobs(near, 0.5))
    return max(counts)


def _roofs(picture):
    hue, saturation, value = _hsv(picture)
    red = (hue < 12) & (saturation > 118) & (value > 100)
    blue = (hue > 100) & (hue < 122) & (saturation > 110) & (value > 152)
    return tuple(_blobs(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))) for mask in (red, blue))


def water(picture, _):
    """Dark blue over more than one part in two hundred."""
    hue, saturation, value = _hsv(picture)
    return "yes" if ((hue > 98) & (hue < 115) & (saturation > 140) & (value < 145)).mean() > 0.005 else "no"


def area(picture, _):
    """Towns are grey."""
    return "urban" if (_hsv(picture)[1] < 45).mean() > 0.35 else "rural"


def mood(picture, _):
    """Good moods have bright upper corners."""
    value = _hsv(picture)[2]
    return "positive" if np.minimum(value[:12, :12].mean(), value[:12, -12:].mean()) > 195 else "negative"


def _where(picture, name):
    """The mask of what is nearest to a named colour, without specks."""
    pixels = cv2.medianBlur(picture, 5).astype(int)
    distances = np.stack([np.abs(pixels - tint).sum(axis=2) for tint in NAMED.values()])
    mask = (distances.argmin(axis=0) == list(NAMED).index(name)) & (distances.min(axis=0) < 110)
    return cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))


def relation(picture, text):
    """Compare the two named colours' regions."""
    names = re.findall("|".join(NAMED), text)[:2]
    first, second = (_where(picture, name) for name in names)
    if not first.any() or not second.any():
        return UNREAD
    (x0, y0, w0, h0), (x1, y1, w1, h1) = (cv2.boundingRect(mask) for mask in (first, second))
    if "left" in text:
        held = x0 + w0 / 2 < x1 + w1 / 2
    elif "above" in text or "higher" in text:
        held = y0 + h0 / 2 < y1 + h1 / 2
    elif "below" in text:
        held = y0 + h0 / 2 > y1 + h1 / 2
    elif "inside" in text or "within" in text:
        held = x0 >= x1 and y0 >= y1 and x0 + w0 <= x1 + w1 and y0 + h0 <= y1 + h1
    elif "enclose" in text:
        held = x1 >= x0 and y1 >= y0 and x1 + w1 <= x0 + w0 and y1 + h1 <= y0 + h0
    else:
        held = bool((cv2.dilate(first, np.ones((9, 9), np.uint8)) & second).any())
    return "yes" if held else "no"


#: What a question must hold, and what answers it; the first that fits.
RULES = (
    (r"carpet", squares),
    (r"\bfish\b", fish),
    (r"commercial", lambda picture, _: _roofs(picture)[1]),
    (r"building|roof", lambda picture, _: sum(_roofs(picture))),
    (r"water|river", water),
    (r"rural", area),
    (r"positive", mood),
    (r"left|above|higher|below|inside|within|enclose|touch|contact|gap", relation),
)
