"""The nineteen corruptions of ImageNet-C (1903.12261) at its four published sets of constants, and eight of ImageNet-C̄."""
