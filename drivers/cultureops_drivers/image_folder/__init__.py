"""Image files that an imager writes into a folder."""

from cultureops_drivers.image_folder.driver import create

__all__ = ["create"]
