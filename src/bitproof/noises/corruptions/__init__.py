"""The nineteen corruptions of ImageNet-C (1903.12261), at its published constants for four image sizes."""
