"""Why a broker could not be reached, in words that say what to do. Pure."""

from __future__ import annotations

from typing import Final

__all__ = ["plainly"]

_SIGNS: Final = (
    ("certificate has expired", "the broker's certificate has expired; renew it, or set this machine's clock right"),
    ("certificate is not yet valid", "the broker's certificate is not valid yet; set this machine's clock right"),
    ("Hostname mismatch", "the broker's certificate is for another name; write that name as host ="),
    ("IP address mismatch", "the broker's certificate is not for this address; write the name it bears as host ="),
    (
        "certificate verify failed",
        "the broker's certificate is not signed by one that is trusted; name the right one as ca_file =",
    ),
    ("CERTIFICATE_REQUIRED", "the broker wants a certificate of ours; name one: cert_file = and key_file ="),
    ("UNKNOWN_CA", "the broker does not trust our certificate; have it signed by an authority the broker knows"),
    ("CERTIFICATE_EXPIRED", "our certificate has expired; renew the one that cert_file = names"),
    ("WRONG_VERSION_NUMBER", "the broker's port does not speak TLS; check port = (mostly 8883)"),
    ("UNEXPECTED_EOF", "the broker hung up during the TLS handshake; check that its port speaks TLS"),
    (
        "hung up before it let us in",
        "the broker hung up before it let us in; check that port = is of the kind that tls = says",
    ),
    ("Connection reset by peer", "the broker hung up at once; check that port = is of the kind that tls = says"),
    ("Not authorized", "Not authorized; check username =, password_file = and the broker's access list"),
    ("Bad user name or password", "Bad user name or password; check username = and password_file ="),
    ("Connection refused", "Connection refused; check that the broker runs, host = and port ="),
)


def plainly(error: BaseException) -> str:
    """Return what a failure says and what to do about it, in one line; never a name or a password."""
    said = " ".join(str(error).split()) or type(error).__name__
    for sign, advice in _SIGNS:
        if sign.lower() in said.lower():
            return advice if sign.lower() in advice.lower() else f"{advice} ({said[:160]})"
    return said[:300]
