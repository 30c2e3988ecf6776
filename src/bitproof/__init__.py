"""What does a network still withstand after it was made low-bit?"""

__version__ = "0.1.0"
