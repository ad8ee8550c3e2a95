"""``[web]`` of the site file: what may cross a network, and under which names."""

from pathlib import Path

import pytest

from cultureops.config import load
from cultureops.errors import ConfigError
from cultureops.web.settings import Tls, WebSettings, web_from

SECURED = 'host = "0.0.0.0"\ntls_certificate = "lab.pem"\ntls_key = "keys/lab.key"\n'


def read(folder: Path, text: str) -> WebSettings:
    (folder / "site.toml").write_text(f"[web]\n{text}\n")
    return web_from(load(folder / "site.toml").optional_table("web"), folder)


def test_this_machine_alone_is_served_unless_the_site_says_otherwise(tmp_path: Path) -> None:
    assert web_from(None, tmp_path) == WebSettings("127.0.0.1", 8080)
    assert read(tmp_path, 'host = "::1"\nport = 0') == WebSettings("::1", 0)


def test_with_a_certificate_a_network_is_served_under_the_names_that_are_listed(tmp_path: Path) -> None:
    found = read(tmp_path, SECURED + 'names = ["lab.example", "10.0.0.7"]')
    tls = Tls(tmp_path / "lab.pem", tmp_path / "keys" / "lab.key")
    assert found == WebSettings("0.0.0.0", 8080, ("lab.example", "10.0.0.7"), tls)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('host = "0.0.0.0"', r"site\.toml:2: \[web\] host: .* in the clear"),
        ('host = "192.168.0.1"\nnames = ["x"]', "in the clear"),
        (SECURED, "list the names"),
        ('tls_key = "k"', "tls_certificate: is missing"),
        ('tls_certificate = "c"', "tls_key: is missing"),
        *((SECURED + f"names = [{name!r}]", "is no host name") for name in ("https://x", "x:1", "X", "", "a b", "*.x")),
        ('port = 65536', "port"),
        ('hosts = "x"', "did you mean 'host'"),
    ],
)  # fmt: skip
def test_what_is_not_safe_or_not_known_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read(tmp_path, text)
