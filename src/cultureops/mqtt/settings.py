"""The ``[mqtt]`` section of a site file."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from cultureops.config import Table
from cultureops.errors import ConfigError
from cultureops.mqtt.sparkplug.names import EdgeNames, check_name
from cultureops.mqtt.topics import Topics, check_topic, slug

__all__ = ["MqttSettings", "SparkplugSettings", "load_own_certificate", "mqtt_from"]


@dataclass(frozen=True, slots=True)
class SparkplugSettings:
    """As which edge node of which group the lab speaks Sparkplug B.

    ``rebirth_gap_s`` is the least time between two births that hosts ask for [real seconds].
    """

    names: EdgeNames
    client_id: str
    rebirth_gap_s: float = 10.0


@dataclass(frozen=True, slots=True)
class MqttSettings:
    """Which broker is told, and how; ``timeout_s`` and ``period_s`` are real seconds.

    ``period_s`` is the least time between two messages of one channel. ``tls`` checks the broker by the certificates
    in ``ca_file`` (PEM), or by those of the machine where it is None; ``cert_file`` and ``key_file`` are shown to it.
    ``json`` is whether the retained JSON topics are kept; ``sparkplug`` speaks beside them, on its own connection.
    """

    site: str
    host: str
    port: int
    prefix: str
    client_id: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    keepalive_s: int = 30
    timeout_s: float = 10.0
    period_s: float = 1.0
    json: bool = True
    sparkplug: SparkplugSettings | None = None

    @property
    def target(self) -> str:
        """Name the broker."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}/{self.prefix}"

    @property
    def topics(self) -> Topics:
        """Every topic of this site."""
        return Topics(self.prefix)


def mqtt_from(table: Table | None, site: str) -> MqttSettings | None:
    """Read the section of the site of this name, None where there is none; raises ConfigError with file and line."""
    if table is None:
        return None
    if table.has("password"):
        raise table.error("must not stand in a site file; put it alone into a file and name that: password_file =",
                          "password")  # fmt: skip
    tls = table.flag("tls", False)
    username, password = _log_in(table)
    cert_file, key_file = _own_certificate(table, tls=tls)
    client_id = _client_id(table, site)
    sparkplug = _sparkplug(table, site, client_id)
    json = table.flag("json", True)
    if not json and sparkplug is None:
        raise table.error("leaves nothing to be told; add [mqtt.sparkplug], or leave the whole section out", "json")
    settings = MqttSettings(
        site=site,
        host=_host(table),
        port=table.integer("port", 8883 if tls else 1883, minimum=1, maximum=65535),
        prefix=_prefix(table, site),
        client_id=client_id,
        username=username,
        password=password,
        tls=tls,
        ca_file=_ca_file(table, tls=tls),
        cert_file=cert_file,
        key_file=key_file,
        keepalive_s=table.integer("keepalive_s", 30, minimum=1, maximum=3600),
        timeout_s=table.number("timeout_s", 10.0, minimum=0.1, maximum=300),
        period_s=table.number("period_s", 1.0, minimum=0.01, maximum=3600),
        json=json,
        sparkplug=sparkplug,
    )
    table.done()
    return settings


def _host(table: Table) -> str:
    host = table.text("host")
    try:
        is_name = bool(host.encode("idna")) and host.isprintable() and not set(host) & set("/ @?#[]")
    except UnicodeError:
        is_name = False
    if not is_name:
        raise table.error(
            f"{host!r} is no name of a machine; write e.g. broker.example or 192.0.2.7, and port =", "host"
        )
    return host


def _prefix(table: Table, site: str) -> str:
    named = slug(site)
    if not named and not table.has("prefix"):
        raise table.error(
            f"is missing; no topic can be made of the site name {site!r}; write e.g. plant/lab-1", "prefix"
        )
    prefix = table.text("prefix", f"cultureops/{named}")
    try:
        return check_topic(prefix)
    except ConfigError as error:
        raise table.error(str(error), "prefix") from None


def _client_id(table: Table, site: str) -> str:
    """Return the name the broker knows us by: always the same one, so that it drops what is left of a lost session."""
    client_id = table.text("client_id", f"cultureops-{slug(site) or 'site'}")
    if not client_id.strip() or not client_id.isprintable() or len(client_id) > 200:
        raise table.error(f"{client_id[:40]!r} is no client id; expected 1 to 200 printable characters", "client_id")
    return client_id


def _sparkplug(table: Table, site: str, client_id: str) -> SparkplugSettings | None:
    own = table.optional_table("sparkplug")
    if own is None:
        return None
    group, edge_node = own.text("group"), own.text("edge_node", slug(site))
    for key, name in (("group", group), ("edge_node", edge_node)):
        try:
            check_name(name)
        except ConfigError as error:
            raise own.error(str(error), key) from None
    gap_s = own.number("rebirth_gap_s", 10.0, minimum=0.1, maximum=3600)
    found = SparkplugSettings(EdgeNames(group, edge_node), f"{client_id}-sparkplug", gap_s)
    own.done()
    return found


def _log_in(table: Table) -> tuple[str | None, str | None]:
    username, name = table.text("username", ""), table.text("password_file", "")
    if not name:
        return username or None, None
    if not username:
        raise table.error("stands without a name to log in with; add username =", "password_file")
    try:
        password = Path(name).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise table.error(f"{name} can't be read: {error}; it holds the password alone", "password_file") from None
    if not password or not password.isprintable():
        raise table.error(f"{name} holds no password; expected one line of text", "password_file")
    return username, password


def _ca_file(table: Table, *, tls: bool) -> str | None:
    name = table.text("ca_file", "")
    if not name:
        return None
    if not tls:
        raise table.error("stands without tls = true; add it, or leave the certificates out", "ca_file")
    try:
        ssl.create_default_context(cafile=name)
    except OSError as error:
        raise table.error(f"{name} holds no certificates (PEM): {error}; name those the broker is checked by",
                          "ca_file") from None  # fmt: skip
    return name


def _own_certificate(table: Table, *, tls: bool) -> tuple[str | None, str | None]:
    certificate, key = table.text("cert_file", "") or None, table.text("key_file", "") or None
    if certificate is None:
        if key is not None:
            raise table.error("stands without the certificate it belongs to; add cert_file =", "key_file")
        return None, None
    if not tls:
        raise table.error("stands without tls = true; add it, or leave the certificate out", "cert_file")
    try:
        load_own_certificate(ssl.create_default_context(), certificate, key)
    except OSError as error:
        what = "are no certificate and its key" if key else "holds no certificate with its key"
        raise table.error(
            f"{' and '.join(filter(None, (certificate, key)))} {what} (PEM, without a password): {error}", "cert_file"
        ) from None
    return certificate, key


def load_own_certificate(context: ssl.SSLContext, cert_file: str, key_file: str | None) -> None:
    """Let a context show our certificate; raises OSError, and asks nobody for the password of a key that has one."""
    context.load_cert_chain(cert_file, key_file, password=lambda: "")
