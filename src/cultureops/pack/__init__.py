"""The audit pack: one batch with everything that proves it, for a reader who has no cultureops.

``contents`` chooses what belongs to a batch, ``proof`` ties it to the signed tree, ``readings`` takes what the chambers
did, ``writing`` makes the zip; ``verify_pack.py`` travels inside and needs nothing of this package. ``reading`` opens a
pack again, ``ledger`` answers as the ledger that it came from.
"""

__all__: list[str] = []
