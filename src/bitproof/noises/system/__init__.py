"""What differs between the machine a network was trained on and the one it runs on: decoders, resizes, colour conversions."""

from bitproof.noises.system.decode import decoder_digests
from bitproof.noises.system.probe import decoder_groups

__all__ = ["decoder_digests", "decoder_groups"]
