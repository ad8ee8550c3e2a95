"""URIs of links, and replayed dialogues."""

from __future__ import annotations

from pathlib import Path

import pytest

from cultureops.device.transport.base import ByteLink, RegisterLink
from cultureops.device.transport.open import open_link
from cultureops.device.transport.replay import Replay
from cultureops.errors import ConfigError, DriverTimeout, NotConnected, ProtocolError


@pytest.mark.parametrize(
    ("uri", "kind", "name"),
    [
        ("tcp://10.0.0.7:10001", ByteLink, "tcp://10.0.0.7:10001"),
        ("tcp://[::1]:4001", ByteLink, "tcp://::1:4001"),
        ("serial:///dev/ttyUSB0", ByteLink, "serial:///dev/ttyUSB0"),
        ("serial:///dev/x?baudrate=38400&bytesize=7&parity=E&stopbits=2", ByteLink, "serial:///dev/x"),
        ("serial:///dev/x?parity=E&rtscts=1", ByteLink, "serial:///dev/x"),
        ("modbus+tcp://10.0.0.7:502", RegisterLink, "modbus+tcp://10.0.0.7:502"),
        ("modbus+rtu:///dev/x?baudrate=19200&stopbits=2", RegisterLink, "modbus+rtu:///dev/x"),
        ("modbus+rtu+tcp://10.0.0.7:10001", RegisterLink, "modbus+rtu+tcp://10.0.0.7:10001"),
        ("modbus+ascii:///dev/x?bytesize=7&parity=E", RegisterLink, "modbus+ascii:///dev/x"),
        ("modbus+ascii+tcp://10.0.0.7:10001", RegisterLink, "modbus+ascii+tcp://10.0.0.7:10001"),
    ],
)
def test_links(uri: str, kind: type, name: str) -> None:
    link = open_link(uri, 1.0)
    assert isinstance(link, kind) and not link.is_open
    assert link.name == name


def test_folders() -> None:
    assert open_link("folder:///srv/counter%20one", 1.0) == Path("/srv/counter one")


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "incubator",
        "http://10.0.0.7",
        "tcp://10.0.0.7",
        "tcp://10.0.0.7:0",
        "tcp://10.0.0.7:99999",
        "tcp://10.0.0.7:port",
        "tcp://:502",
        "tcp://[::1:502",
        "tcp://10.0.0.7:502/path",
        "tcp://me@10.0.0.7:502",
        "modbus+tcp://10.0.0.7:502?unit=1",
        "serial://ttyUSB0",
        "serial:///",
        "serial:///dev/x?baudrate=fast",
        "serial:///dev/x?baudrate=-9600",
        "serial:///dev/x?parity=M",
        "serial:///dev/x?speed=9600",
        "serial:///dev/x?rtscts=yes",
        "modbus+rtu:///dev/x?rtscts=1",
        "folder://counter",
        "tcp://gate\0way:5",
        "tcp://gate..way:5",
        "serial:///dev/x%00",
        "modbus+tcp://\ud800:5",
        "folder:///srv/a?b",
        "folder:///srv/a#b",
        "replay:///nowhere/at_all.txt",
    ],
)
def test_wrong_uris_are_one_line(uri: str) -> None:
    with pytest.raises(ConfigError) as raised:
        open_link(uri, 1.0)
    assert "\n" not in str(raised.value) and len(str(raised.value)) > 20


def dialogue(folder: Path, text: str) -> Replay:
    path = folder / "talk.txt"
    path.write_text(text)
    link = open_link(f"replay://{path}", 1.0)
    assert isinstance(link, Replay) and isinstance(link, ByteLink)
    return link


async def test_a_dialogue_is_played_back_and_checked(tmp_path: Path) -> None:
    link = dialogue(tmp_path, "# two turns\n> 61 0d\n< 31 32\n< 0d  # in two pieces\n\n> 620d\n")
    with pytest.raises(NotConnected):
        await link.exchange(b"a\r", b"\r")
    for _ in range(2):
        await link.open()
        assert await link.exchange(b"a\r", b"\r") == b"12\r"
        with pytest.raises(ProtocolError, match=r"talk.txt:6: expected b'b\\r', was sent b'c\\r'"):
            await link.exchange(b"c\r", b"\r")
        assert not link.is_finished
        with pytest.raises(DriverTimeout, match=r"talk.txt:6: no answer was captured"):
            await link.exchange(b"b\r", b"\r")
        assert link.is_finished
        with pytest.raises(ProtocolError, match="the dialogue is over"):
            await link.send(b"d\r")
        await link.close()


@pytest.mark.parametrize("text", ["< 61\n", "> 6\n", "> zz\n", "61 0d\n", ">\n"])
def test_a_wrong_dialogue_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=r"talk.txt:2: expected '> hex bytes'"):
        dialogue(tmp_path, "\n" + text)
