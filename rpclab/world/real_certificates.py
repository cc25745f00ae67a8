"""A node's certificate, its key and the cluster's authority: read from their files, and seen to be good.

Both sides of a connection show a certificate of the cluster's own authority (CA), the only one that is asked. TLS 1.3 is the
oldest version spoken: every Python that we run on has it.
"""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..errors import UsageError
from .base import Stream
from .real_tls import TlsStream, names_proved, reason_of

__all__ = ["Certificates", "Contexts"]


@dataclass(frozen=True, slots=True)
class Certificates:
    """Where a node's certificate, its key, and the cluster's authority lie, each a PEM file."""

    authority: str
    certificate: str
    key: str

    @classmethod
    def in_folder(cls, folder: str | os.PathLike[str], node: str) -> Certificates:
        """The files of a node in a folder as `rpclab certificates` fills it."""
        place = os.path.join(os.fspath(folder), "")
        return cls(f"{place}ca.pem", f"{place}{node}.pem", f"{place}{node}.key")


class Contexts:
    """What TLS needs of the `Certificates`, read once. Raises UsageError, with the file, if they can't be used."""

    def __init__(self, files: Certificates) -> None:
        self._files = files
        _check_private(files.key)
        self.client = self._context(ssl.PROTOCOL_TLS_CLIENT)
        self.server = self._context(ssl.PROTOCOL_TLS_SERVER)
        self.server.num_tickets = 0  # connections are kept, not resumed

    def _context(self, protocol: int) -> ssl.SSLContext:
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False  # it is our own handshake that the certificate's name is compared with
        context.verify_mode = ssl.CERT_REQUIRED
        files = self._files
        with _reading(files.authority):
            context.load_verify_locations(files.authority)
        with _reading(f"{files.certificate} with {files.key}", files.certificate):
            context.load_cert_chain(files.certificate, files.key, _no_password)
        return context

    def accepted(self, stream: Stream, now: Callable[[], float]) -> TlsStream:
        """A stream that somebody else began, encrypted."""
        return TlsStream(stream, self.server, now, accepted=True)

    def connected(self, stream: Stream, now: Callable[[], float]) -> TlsStream:
        """A stream that we began, encrypted."""
        return TlsStream(stream, self.client, now, accepted=False)

    def certified(self) -> frozenset[str]:
        """What our own certificate proves to the others; raises UsageError if they would refuse it.

        It is found out by a handshake with ourselves, in memory.
        """
        trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        trusting.load_cert_chain(self._files.certificate, self._files.key, _no_password)
        there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
        us, them = trusting.wrap_bio(back, there), self.server.wrap_bio(there, back, server_side=True)
        try:
            for side in (us, them, us, them):
                with contextlib.suppress(ssl.SSLWantReadError):
                    side.do_handshake()
            return names_proved(them)
        except ssl.SSLError as error:
            raise UsageError(f"{self._files.certificate}: {reason_of(error)}") from None


# ---- reading the files


def _check_private(key: str) -> None:
    with _reading(key):
        if os.name == "posix" and os.stat(key).st_mode & 0o077:
            raise UsageError(f"{key} can be read by other users: say chmod 600 {key}")


@contextlib.contextmanager
def _reading(what: str, *also: str) -> Iterator[None]:
    try:
        yield
    except ssl.SSLError as error:
        reason = "the key is another certificate's" if error.reason == "KEY_VALUES_MISMATCH" else "it is no PEM file"
        raise UsageError(f"{what} cannot be used: {reason}") from None
    except OSError as error:
        raise UsageError(
            f"{also[0] if also else what} cannot be read: {error.strerror}; rpclab certificates makes what is missing"
        ) from None


def _no_password() -> str:
    raise UsageError("the certificate's key is encrypted: a node that starts by itself cannot ask for the password")
