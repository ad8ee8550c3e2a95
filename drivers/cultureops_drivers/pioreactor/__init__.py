"""Pioreactor, a small open bioreactor that publishes over MQTT; read only."""

from cultureops_drivers.pioreactor.driver import Pioreactor, create

__all__ = ["Pioreactor", "create"]
