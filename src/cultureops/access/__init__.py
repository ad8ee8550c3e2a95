"""Who may do what, and how they prove to be who they say."""

from cultureops.access.identity import Identity
from cultureops.access.roles import Role
from cultureops.access.signature import Meaning, Shown, Signature

__all__ = ["Identity", "Meaning", "Role", "Shown", "Signature"]
