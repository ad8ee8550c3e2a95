"""For driver authors: the contract every driver keeps, and instruments and lines to try it on."""

from cultureops.testing.driver_contract import DriverContract
from cultureops.testing.instrument import Fault, Instrument, PtyInstrument, TcpInstrument
from cultureops.testing.link import MemoryLink

__all__ = ["DriverContract", "Fault", "Instrument", "MemoryLink", "PtyInstrument", "TcpInstrument"]
