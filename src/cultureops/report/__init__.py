"""Documents that people file: Typst templates, filled with data and set as PDF/A."""

from cultureops.report.document import Imprint, render

__all__ = ["Imprint", "render"]
