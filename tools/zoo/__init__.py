"""Makes the networks that come with bitproof out of a run's variants."""
