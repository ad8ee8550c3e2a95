"""Who may do what."""

from cultureops.access.roles import Role

__all__ = ["Role"]
