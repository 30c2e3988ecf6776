"""Adversarial attacks on a ``bitproof.core.Victim``, and random noise of the same size as their control."""
