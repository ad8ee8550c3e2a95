"""What a port can't be set to is a link that can't be opened, said in one line."""

import os

import pytest

from cultureops.device.transport.serial import SerialSettings, serial_link
from cultureops.errors import NotConnected


async def test_settings_that_a_port_does_not_take_are_told() -> None:
    ours, theirs = os.openpty()
    link = serial_link(os.ttyname(theirs), SerialSettings(baudrate=4800, bytesize=7, parity="E"), 1.0)
    try:
        with pytest.raises(NotConnected, match="does not take 4800 Bd 7E1"):
            await link.open()
    finally:
        await link.close()
        os.close(ours)
        os.close(theirs)
