"""ImageNet-C (1903.12261): its nineteen corruptions at four published sets of constants, its sequences; eight of ImageNet-C̄."""
