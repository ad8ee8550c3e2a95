"""Qualification of an installed site: what is installed, whether it works here, and what it is made of."""

__all__: list[str] = []
