"""Calculators beside the fields of a step: what follows from a few numbers. They write nothing.

The science is in ``analysis``; what stands here is what is asked, filled in from the batch and its recipe, and in words
what comes out, with formula and source. A result is an offer: who uses it types it into a field, and it counts as typed
by hand.
"""

from cultureops.web.calculator.sheet import Asked, Basis, Result, Sheet, Work
from cultureops.web.calculator.sheets import calculators, worked_out

__all__ = ["Asked", "Basis", "Result", "Sheet", "Work", "calculators", "worked_out"]
