"""One module a scenario, each with ``scenes() -> list[Scene]``."""
