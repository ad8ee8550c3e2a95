"""Frame proofs: answers that a line may spoil, and oracles that say whether one may still be believed."""

__all__: list[str] = []
