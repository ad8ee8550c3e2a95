"""Links by URI.

``tcp://host:port``, ``serial:///dev/x?baudrate=9600&bytesize=8&parity=N&stopbits=1&rtscts=0``,
``modbus+tcp://host:port``,
``modbus+rtu:///dev/x?baudrate=19200&stopbits=2``, ``modbus+rtu+tcp://host:port``,
``modbus+ascii:///dev/x?bytesize=7&parity=E``, ``modbus+ascii+tcp://host:port``, ``folder:///path``,
``replay:///file``, ``http://host:port``, ``mqtt://host:port``; and where the instrument begins
``listen+tcp://host:port`` (it calls this port), ``dial+tcp://host:port``, ``listen+serial:///dev/x?baudrate=9600``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from cultureops.device.driver import Link
from cultureops.device.transport.http import http_link
from cultureops.device.transport.listen import dial_link, listen_link, listen_serial_link
from cultureops.device.transport.modbus import Frames, modbus_ascii_link, modbus_rtu_link, modbus_tcp_link
from cultureops.device.transport.mqtt import mqtt_link
from cultureops.device.transport.replay import replay_link
from cultureops.device.transport.serial import SerialSettings, serial_link
from cultureops.device.transport.tcp import tcp_link
from cultureops.errors import ConfigError

__all__ = ["open_link"]


def open_link(uri: str, deadline_s: float) -> Link:
    """Return the closed link that a URI names; nothing connects before its ``open``.

    ``deadline_s`` is the real time that opening and each answer may take. Raises ConfigError for a wrong URI.
    """
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise ConfigError(f"link {uri!r}: {error}") from None
    if not unquote(uri).isprintable():
        raise ConfigError(f"link {uri!r}: holds a sign that can't be seen; type it anew")
    if parts.scheme not in _KINDS:
        raise ConfigError(f"link {uri!r}: starts with none of {', '.join(f'{kind}://' for kind in _KINDS)}")
    if parts.fragment:
        raise ConfigError(f"link {uri!r}: '#' has no meaning here; write it as %23 in a path")
    return _KINDS[parts.scheme](uri, parts, deadline_s)


def _host_port(uri: str, parts: SplitResult) -> tuple[str, int]:
    try:
        host, port = parts.hostname, parts.port
        (host or "").encode("idna")
    except ValueError:  # of which UnicodeError is one
        host, port = None, None
    plain = not parts.path.strip("/") and not parts.query and "@" not in parts.netloc
    if not host or not port or not plain:
        raise ConfigError(f"link {uri!r}: expected {parts.scheme}://host:port with a port from 1 to 65535")
    return host, port


def _path(uri: str, parts: SplitResult) -> str:
    if parts.netloc or not parts.path.strip("/"):
        raise ConfigError(f"link {uri!r}: expected {parts.scheme}:///absolute/path")
    return unquote(parts.path)


def _bare_path(uri: str, parts: SplitResult) -> Path:
    if parts.query:
        raise ConfigError(f"link {uri!r}: '?' has no meaning here; write it as %3F in a path")
    return Path(_path(uri, parts))


def _settings(uri: str, parts: SplitResult, known: Mapping[str, Sequence[str]]) -> SerialSettings:
    values = dict(parse_qsl(parts.query, keep_blank_values=True))
    for key, value in values.items():
        allowed = known.get(key)
        if allowed is None:
            raise ConfigError(f"link {uri!r}: unknown setting {key!r}; known: {', '.join(known)}")
        if value not in allowed:
            raise ConfigError(f"link {uri!r}: {key} must be one of {', '.join(allowed)}, not {value!r}")
    default = SerialSettings()
    return SerialSettings(
        baudrate=int(values.get("baudrate", default.baudrate)),
        bytesize=int(values.get("bytesize", default.bytesize)),
        parity=values.get("parity", default.parity),
        stopbits=int(values.get("stopbits", default.stopbits)),
        rtscts=values.get("rtscts", "0") == "1",
    )


def _serial(uri: str, parts: SplitResult, deadline_s: float) -> Link:
    return serial_link(_path(uri, parts), _settings(uri, parts, _STREAM_VALUES), deadline_s)


def _modbus_rtu(uri: str, parts: SplitResult, deadline_s: float) -> Link:
    return modbus_rtu_link(_path(uri, parts), _settings(uri, parts, _SERIAL_VALUES), deadline_s)


def _tcp(uri: str, parts: SplitResult, deadline_s: float) -> Link:
    return tcp_link(*_host_port(uri, parts), deadline_s)


def _http(uri: str, parts: SplitResult, deadline_s: float) -> Link:
    return http_link(*_host_port(uri, parts), deadline_s)


def _mqtt(uri: str, parts: SplitResult, deadline_s: float) -> Link:
    return mqtt_link(*_host_port(uri, parts), deadline_s)


def _modbus_tcp(uri: str, parts: SplitResult, deadline_s: float) -> Link:
    return modbus_tcp_link(*_host_port(uri, parts), deadline_s)


def _modbus_rtu_tcp(uri: str, parts: SplitResult, deadline_s: float) -> Link:
    return modbus_tcp_link(*_host_port(uri, parts), deadline_s, Frames.RTU)


def _modbus_ascii(uri: str, parts: SplitResult, deadline_s: float) -> Link:
    return modbus_ascii_link(_path(uri, parts), _settings(uri, parts, _SERIAL_VALUES), deadline_s)


def _modbus_ascii_tcp(uri: str, parts: SplitResult, deadline_s: float) -> Link:
    return modbus_tcp_link(*_host_port(uri, parts), deadline_s, Frames.ASCII)


def _listen_tcp(uri: str, parts: SplitResult, _deadline_s: float) -> Link:
    return listen_link(*_host_port(uri, parts))


def _dial_tcp(uri: str, parts: SplitResult, deadline_s: float) -> Link:
    return dial_link(*_host_port(uri, parts), deadline_s)


def _listen_serial(uri: str, parts: SplitResult, deadline_s: float) -> Link:
    return listen_serial_link(_path(uri, parts), _settings(uri, parts, _STREAM_VALUES), deadline_s)


def _folder(uri: str, parts: SplitResult, _deadline_s: float) -> Link:
    return _bare_path(uri, parts)


def _replay(uri: str, parts: SplitResult, _deadline_s: float) -> Link:
    return replay_link(_bare_path(uri, parts))


_SERIAL_VALUES: Final = {
    "baudrate": tuple(str(rate) for rate in (300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400)),
    "bytesize": ("5", "6", "7", "8"),
    "parity": ("N", "E", "O"),
    "stopbits": ("1", "2"),
}
_STREAM_VALUES: Final = {**_SERIAL_VALUES, "rtscts": ("0", "1")}

_KINDS: Final[dict[str, Callable[[str, SplitResult, float], Link]]] = {
    "tcp": _tcp,
    "http": _http,
    "mqtt": _mqtt,
    "serial": _serial,
    "modbus+tcp": _modbus_tcp,
    "modbus+rtu": _modbus_rtu,
    "modbus+rtu+tcp": _modbus_rtu_tcp,
    "modbus+ascii": _modbus_ascii,
    "modbus+ascii+tcp": _modbus_ascii_tcp,
    "listen+tcp": _listen_tcp,
    "dial+tcp": _dial_tcp,
    "listen+serial": _listen_serial,
    "folder": _folder,
    "replay": _replay,
}
