"""What differs between the machine a network was trained on and the one it runs on: decoders, resizes, colour conversions."""

from bitproof.noises.system.decode import decoder_digests

__all__ = ["decoder_digests"]
