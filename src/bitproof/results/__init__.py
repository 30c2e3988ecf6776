"""The results directory: append-only, whole after any interruption, read by every table and page."""

from bitproof.results.asked import Asked
from bitproof.results.compact import compact
from bitproof.results.defenses import read_folder as read_defense
from bitproof.results.mirror import Mirror, is_url, located
from bitproof.results.pieces import Pieces
from bitproof.results.precision import PRECISION, is_precision, precision
from bitproof.results.reading import imagenet, is_imagenet, load, variants
from bitproof.results.said import load as replies
from bitproof.results.store import Store

__all__ = [
    "PRECISION",
    "Asked",
    "Mirror",
    "Pieces",
    "Store",
    "compact",
    "imagenet",
    "is_imagenet",
    "is_precision",
    "is_url",
    "load",
    "located",
    "precision",
    "read_defense",
    "replies",
    "variants",
]
