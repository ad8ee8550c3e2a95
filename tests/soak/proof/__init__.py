"""Crash proofs of the telemetry store: what is written, how a disk may lose it, what must be there still."""

__all__: list[str] = []
