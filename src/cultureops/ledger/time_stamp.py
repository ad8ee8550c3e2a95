"""Time stamps of RFC 3161 on heads: an authority that nobody here rules says when it saw one.

What is stamped is the SHA-256 of a head's signed message and its signature.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING, Final

from cultureops.errors import ConfigError, SignatureInvalid, StorageError, Unreadable
from cultureops.ledger.settings import Authority
from cultureops.ledger.signed_head import SignedHead

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography.x509 import Certificate
    from rfc3161_client import TimeStampResponse

__all__ = ["check_token", "stamped", "time_stamp"]

_MOST_BYTES: Final = 64 * 1024
_READ_BYTES: Final = 4096


def stamped(head: SignedHead) -> bytes:
    """Return the bytes that a time stamp is on."""
    return head.message() + bytes.fromhex(head.signature)


def time_stamp(head: SignedHead, authority: Authority) -> bytes:
    """Ask an authority for a time stamp on a head and return its answer [DER]; blocks until its deadline at most.

    Raises StorageError where none comes, or one that is not on this head.
    """
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    builder = TimestampRequestBuilder().data(stamped(head)).hash_algorithm(HashAlgorithm.SHA256)
    request = builder.nonce(nonce=True).cert_request(cert_request=True).build()
    token = _ask(authority, request.as_bytes())
    try:
        answer = _read(token)
        if answer.tst_info.nonce != request.nonce:
            raise SignatureInvalid("its nonce is of another request")
        check_token(token, head, authority)
    except (Unreadable, SignatureInvalid) as error:
        raise StorageError(f"{authority.url}: its answer is no time stamp on this head: {error}") from None
    return token


def check_token(token: bytes, head: SignedHead, authority: Authority | None = None) -> datetime:
    """Return when a head was stamped, once the token is on exactly this head, and by the authority where that is given.

    Raises Unreadable for what is no token, SignatureInvalid for one that is of another head or another authority.
    """
    from rfc3161_client import VerificationError, VerifierBuilder

    answer = _read(token)
    if answer.tst_info.message_imprint.message != hashlib.sha256(stamped(head)).digest():
        raise SignatureInvalid(f"the time stamp is not on the head of position {head.size}")
    if authority is None:
        return answer.tst_info.gen_time
    root = _root(authority)
    builder = VerifierBuilder().add_root_certificate(root)
    for certificate in _certificates(answer):
        if certificate != root:
            builder = builder.add_intermediate_certificate(certificate)
    try:
        builder.build().verify_message(answer, stamped(head))
    except (VerificationError, ValueError) as error:
        raise SignatureInvalid(f"the time stamp does not hold: {' '.join(str(error).split())[:200]}") from None
    return answer.tst_info.gen_time


def _read(token: bytes) -> TimeStampResponse:
    from rfc3161_client import decode_timestamp_response

    try:
        answer = decode_timestamp_response(token)
        if answer.status != 0:
            raise Unreadable(f"refused with status {answer.status}: {', '.join(answer.status_string or ())[:200]}")
    except ValueError as error:
        raise Unreadable(f"not a time stamp: {' '.join(str(error).split())[:200]}") from None
    return answer


def _certificates(answer: TimeStampResponse) -> list[Certificate]:
    from cryptography.x509 import load_der_x509_certificate

    try:
        return [load_der_x509_certificate(der) for der in answer.signed_data.certificates]
    except ValueError as error:
        raise Unreadable(f"its certificate can't be read: {error}") from None


def _root(authority: Authority) -> Certificate:
    from cryptography.x509 import load_pem_x509_certificate

    try:
        return load_pem_x509_certificate(authority.certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{authority.certificate}: no certificate in PEM: {error}") from None


def _ask(authority: Authority, request: bytes) -> bytes:
    """Send a request and return the answer (RFC 3161 section 3.4); however slowly it comes, not beyond the deadline."""
    import http.client
    import urllib.error
    import urllib.request

    until = time.monotonic() + authority.deadline_s
    headers = {"Content-Type": "application/timestamp-query", "User-Agent": "cultureops"}
    question = urllib.request.Request(authority.url, request, headers)
    answer = b""
    try:
        with urllib.request.urlopen(question, timeout=authority.deadline_s) as response:
            while part := response.read1(_READ_BYTES):
                answer += part
                if len(answer) > _MOST_BYTES:
                    raise StorageError(f"{authority.url}: answers with more than {_MOST_BYTES} bytes, no time stamp")
                if time.monotonic() > until:
                    raise TimeoutError
    except urllib.error.HTTPError as error:
        error.close()
        raise StorageError(f"{authority.url}: HTTP status {error.code}; ask whoever runs it") from None
    except TimeoutError:
        raise StorageError(f"{authority.url}: no answer within {authority.deadline_s:g} s; tried again") from None
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise StorageError(f"{authority.url}: can't be reached: {reason}; tried again") from None
    return answer
