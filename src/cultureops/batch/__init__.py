"""Autologous batches: recipes, events, decisions, gates and views."""

__all__: list[str] = []
