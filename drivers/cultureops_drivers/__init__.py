"""Drivers that ship with cultureops, one folder each."""

__all__: list[str] = []
