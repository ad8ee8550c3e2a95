"""The kinds of field that forms send; what is longer than it can be is refused before anybody looks at it."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Form

__all__ = ["Code", "Reason", "Secret", "Where", "Word"]

Word: TypeAlias = Annotated[str, Form(max_length=200)]
Reason: TypeAlias = Annotated[str, Form(max_length=1_000)]
Secret: TypeAlias = Annotated[str, Form(max_length=1_000)]
Code: TypeAlias = Annotated[str, Form(max_length=8_000)]
"""The digits of an authenticator, or what a security key has answered."""
Where: TypeAlias = Annotated[str, Form(max_length=4_000)]
"""An address to go on to."""
