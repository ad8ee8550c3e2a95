"""Drives each configured alarm of a site through simulators of its devices, times it, and writes what QA can file.

A validation contractor can't force a chamber to 39 °C, nor a nitrogen store to run dry, to see whether somebody is
told. Here each device is replaced by a simulator of the same wire language on this machine's loopback, and the value
on the wire is forced: driver, poller, alarm engine and ledger are those that run the lab.
"""

__all__: list[str] = []
