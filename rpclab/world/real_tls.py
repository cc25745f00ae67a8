"""TLS over the real world's streams: a certificate proves who is at the other end, and nobody else can read or change a byte.

A TLS connection is a plain stream and, before it, two buffers in memory that the standard library encrypts into and decrypts
from. So deadlines, partial sends and wake-ups are those of the plain stream. The TLS handshake is done at the first send or
receive, under that call's deadline, by the task that the connection belongs to: a stranger who is slow holds nobody else up.

What a certificate proves stands in it as a URI, `rpclab:ROLE/NODE`; the names of machines and their addresses prove nothing here.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import quote, unquote

from ..config import address_text
from ..errors import ConnectionLost, HandshakeError, RpclabError, TooManyConnections
from .base import Buffer, Stream

__all__ = ["TlsStream", "identity_uri", "names_proved", "reason_of"]

_SCHEME = "rpclab:"
_PIECE = 262_144  # bytes encrypted before they are sent, and received before they are decrypted: bounds a connection's memory
_STRANGERS_BYTES = 32_768  # read of a peer before its certificate is verified: two certificates and much to spare
_LAST_WORD_S = 0.1  # to tell a peer why it is refused: no time to wait for it
_NO_ROOM = bytes.fromhex("15 0303 0002 02 50")  # a TLS alert: fatal, internal_error (RFC 8446, section 6)
_ONLY_TLS = bytes.fromhex("15 0303 0002 02 46")  # fatal, protocol_version: OpenSSL says nothing to who speaks no TLS


def identity_uri(role: str, node: str) -> str:
    """What stands in the certificate of a node, as its subject's alternative name."""
    return f"{_SCHEME}{role}/{quote(node, safe='')}"


class TlsStream:
    """A stream whose bytes are encrypted, to and from a peer with a certificate of the cluster. Errors: those of a stream,
    HandshakeError. The view that `receive_into` fills may be written to behind the bytes that it returns."""

    def __init__(self, stream: Stream, context: ssl.SSLContext, now: Callable[[], float], *, accepted: bool) -> None:
        self.peer = stream.peer
        self.certified: frozenset[str] | None = frozenset()  # proves nothing yet
        self._stream, self._context, self._now, self._accepted = stream, context, now, accepted
        self._arrived, self._leaving = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None
        self._heard = False

    def send(self, buffers: Sequence[Buffer], deadline: float | None) -> None:
        if self._accepted and self._tls is None:  # who accepted speaks first only to turn somebody away, and at once
            self._stream.send([_NO_ROOM], deadline)
            return
        tls = self._handshake(deadline)
        whole = memoryview(buffers[0] if len(buffers) == 1 else b"".join(buffers))
        try:
            for start in range(0, len(whole), _PIECE):
                piece = whole[start : start + _PIECE]
                while piece:
                    piece = piece[tls.write(piece) :]
                self._flush(deadline)
        except ssl.SSLError as error:
            raise self._refusal(error) from None

    def receive_into(self, view: memoryview, deadline: float | None) -> int:
        tls = self._handshake(deadline)
        while True:
            try:
                count = _read(tls, view)
                break
            except ssl.SSLWantReadError:
                self._flush(deadline)
                self._receive(view, deadline)
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return 0  # also without TLS's own farewell: what is cut short is seen by the packets inside
            except ssl.SSLError as error:
                raise self._refusal(error) from None
        self._heard = True
        with contextlib.suppress(ssl.SSLError):  # what is wrong with a later record, the next call says
            while count < len(view) and self._arrived.pending:
                more = _read(tls, view[count:])
                if not more:
                    break
                count += more
        return count

    def shutdown(self) -> None:
        self._stream.shutdown()

    def close(self) -> None:
        self._stream.close()

    # ---- the handshake

    def _handshake(self, deadline: float | None) -> ssl.SSLObject:
        """The encrypted connection, with both certificates verified."""
        if self._tls is None:
            self._tls = self._context.wrap_bio(self._arrived, self._leaving, server_side=self._accepted)
        tls = self._tls
        if self.certified:
            return tls
        buffer, strangers_bytes = memoryview(bytearray(4096)), 0
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush(deadline)
                strangers_bytes += self._receive(buffer, deadline)
                if strangers_bytes > _STRANGERS_BYTES:
                    raise self._failed(f"it sent more than {_STRANGERS_BYTES:,} bytes and proved nothing") from None
            except ssl.SSLError as error:
                if self._accepted and not self._leaving.pending and reason_of(error) == _NO_TLS:
                    self._leaving.write(_ONLY_TLS)
                with contextlib.suppress(RpclabError):
                    self._flush(self._now() + _LAST_WORD_S)  # an alert: which side's certificate is at fault
                raise self._refusal(error) from None
        self._flush(deadline)
        self.certified = names_proved(tls)
        if not self.certified:
            raise self._failed("its certificate names no node of rpclab: make one with rpclab certificates")
        return tls

    def _flush(self, deadline: float | None) -> None:
        if self._leaving.pending:
            self._stream.send([self._leaving.read()], deadline)

    def _receive(self, buffer: memoryview, deadline: float | None) -> int:
        count = self._stream.receive_into(buffer[:_PIECE], deadline)
        if count:
            self._arrived.write(buffer[:count])
        else:
            self._arrived.write_eof()
        return count

    def _refusal(self, error: ssl.SSLError) -> RpclabError:
        if isinstance(error, ssl.SSLEOFError):
            return ConnectionLost(f"it closed the connection in the TLS handshake: {_IS_IT_TLS}")
        reason = reason_of(error)
        if self._heard:
            return ConnectionLost(f"the connection to {address_text(self.peer)} is gone: {reason}")
        if error.reason == "TLSV1_ALERT_INTERNAL_ERROR" and not self._accepted:
            return TooManyConnections(f"{address_text(self.peer)} can serve no more connections now: try again later")
        return self._failed(reason)

    def _failed(self, reason: str) -> HandshakeError:
        return HandshakeError(f"no TLS with {address_text(self.peer)}: {reason}")


def _read(tls: ssl.SSLObject, view: memoryview) -> int:
    return tls.read(len(view), view)  # type: ignore[return-value]  # told where to, it returns how many


def names_proved(tls: ssl.SSLObject) -> frozenset[str]:
    """What the peer's verified certificate proves, each as `role/node`."""
    names: Iterable[Any] = (tls.getpeercert() or {}).get("subjectAltName", ())
    return frozenset(
        unquote(value.removeprefix(_SCHEME)) for kind, value in names if kind == "URI" and value.startswith(_SCHEME)
    )


# ---- what went wrong, for people

_FOREIGN = "the certificate is not of this cluster's authority (ca.pem)"
_VERIFY = {
    7: f"{_FOREIGN}: its signature is wrong",
    9: "the certificate is not valid yet: compare the machines' clocks",
    10: "the certificate has expired: make a new one with rpclab certificates",
    18: _FOREIGN,  # signed by itself
    19: _FOREIGN,  # by another authority, which it sends along
    20: _FOREIGN,  # by an authority that is not known here
    21: _FOREIGN,
}
"""By OpenSSL's number of the fault (X509_V_ERR_...)."""

_IS_IT_TLS = "if it has no --certificates, it does not speak TLS"
_NO_TLS = "it does not speak TLS, or not TLS 1.3: start both with --certificates, or neither"
_REASONS = {
    "WRONG_VERSION_NUMBER": _NO_TLS,
    "HTTP_REQUEST": _NO_TLS,
    "HTTPS_PROXY_REQUEST": _NO_TLS,
    "RECORD_LAYER_FAILURE": _NO_TLS,
    "UNSUPPORTED_PROTOCOL": _NO_TLS,
    "UNEXPECTED_MESSAGE": _NO_TLS,
    "TLSV1_ALERT_PROTOCOL_VERSION": _NO_TLS,
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it showed no certificate",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it asks for a certificate, and this node has none",
    "TLSV1_ALERT_UNKNOWN_CA": "it says that this node's certificate is not of its cluster's authority (ca.pem)",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it does not take this node's certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it says that this node's certificate has expired, or is not valid yet",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it does not take this node's certificate",
    "TLSV1_ALERT_DECRYPT_ERROR": "it does not take this node's certificate: its signature is wrong",
    "DECRYPTION_FAILED_OR_BAD_RECORD_MAC": "what came was changed on its way",
    "SSLV3_ALERT_BAD_RECORD_MAC": "what this node sent was changed on its way",
}


def reason_of(error: ssl.SSLError) -> str:
    """What is wrong, in words for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFY.get(error.verify_code, f"the certificate is not accepted: {error.verify_message}")
    name = error.reason or ""
    return _REASONS.get(name, name.lower().replace("_", " ") or "the TLS connection is broken")
