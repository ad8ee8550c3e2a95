"""A site that lives for a month: chambers with physics, people who use them, deviations planted with their truth."""

__all__: list[str] = []
