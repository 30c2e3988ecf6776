"""The results directory: append-only, whole after any interruption, read by every table and page."""

from bitproof.results.asked import Asked
from bitproof.results.compact import compact
from bitproof.results.defenses import read_folder as read_defense
from bitproof.results.mirror import Mirror, is_url, located
from bitproof.results.pieces import Pieces
from bitproof.results.reading import imagenet, is_imagenet, load, variants
from bitproof.results.said import load as replies
from bitproof.results.store import Store

__all__ = [
    "Asked",
    "Mirror",
    "Pieces",
    "Store",
    "compact",
    "imagenet",
    "is_imagenet",
    "is_url",
    "load",
    "located",
    "read_defense",
    "replies",
    "variants",
]
