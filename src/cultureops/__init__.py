"""cultureops joins the two worlds of a cell-therapy lab: the chambers and the batches inside them."""

__all__ = ["__version__"]

__version__ = "0.1.0"
