"""Making certificates: a cluster's own authority (CA), and with its key a certificate for each node (RFC 5280).

Keys are of the elliptic curve P-256, which every TLS library knows. This module needs the package `cryptography`.
"""

from __future__ import annotations

import datetime
import os
import pathlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .errors import FolderNotUsable, UsageError
from .rpc.handshake import Role
from .world.real_certificates import Certificates
from .world.real_tls import identity_uri

__all__ = ["NODE_DAYS", "Issued", "issue", "make_authority"]

AUTHORITY_DAYS = 3650  # longer than any cluster of a course lives
NODE_DAYS = 365
_CLOCKS_DIFFER = datetime.timedelta(hours=1)  # what was just made is good on a machine whose clock is slow
_NO_USE = dict.fromkeys(
    ["digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
     "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"],
    False,
)  # fmt: skip
_PEM = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that was made."""

    node: str
    role: Role
    files: Certificates
    valid_until: datetime.datetime


def make_authority(folder: str | os.PathLike[str]) -> bool:
    """See that there is an authority in a folder; returns whether it was made now. Errors: UsageError, FolderNotUsable."""
    certificate_file, key_file = _files(folder)
    if certificate_file.exists() and key_file.exists():
        return False
    if certificate_file.exists() or key_file.exists():
        lacking = key_file if certificate_file.exists() else certificate_file
        raise UsageError(f"{lacking} is missing: bring it back, or make all certificates anew in an empty folder")
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"rpclab cluster {os.urandom(4).hex()}")
    begin = datetime.datetime.now(datetime.UTC)
    builder = _builder(name, key.public_key(), begin, begin + datetime.timedelta(days=AUTHORITY_DAYS))
    builder = builder.issuer_name(name)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(x509.KeyUsage(**{**_NO_USE, "key_cert_sign": True}), critical=True)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
    except OSError as error:
        raise FolderNotUsable(f"{folder} cannot be made: {error.strerror}") from None
    _write_pair(certificate_file, key_file, builder.sign(key, hashes.SHA256()), key)
    return True


def issue(
    folder: str | os.PathLike[str],
    nodes: Sequence[tuple[str, Role]],
    *,
    days: float = NODE_DAYS,
    begin: datetime.datetime | None = None,
) -> list[Issued]:
    """Make a key and a certificate for each node with the authority in that folder; they are valid from `begin` (now).

    Errors: UsageError (one of them has a certificate already: none is made), FolderNotUsable.
    """
    authority, authority_key = _load(*_files(folder))
    wanted = [(node, role, Certificates.in_folder(folder, node)) for node, role in nodes]
    for node, _, files in wanted:
        for path in (files.certificate, files.key):
            if os.path.exists(path):
                raise UsageError(
                    f"{path} exists already: to make {node} a new certificate, remove its .pem and its .key first"
                )
    start = begin or datetime.datetime.now(datetime.UTC)
    end = min(start + datetime.timedelta(days=days), authority.not_valid_after_utc)
    made = []
    for node, role, files in wanted:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(f"{role}/{node}"), key.public_key(), start, end)
        certificate = _as_node(builder, role, node, authority).sign(authority_key, hashes.SHA256())
        _write_pair(pathlib.Path(files.certificate), pathlib.Path(files.key), certificate, key)
        made.append(Issued(node, role, files, certificate.not_valid_after_utc))
    return made


def _builder(
    subject: x509.Name, public: ec.EllipticCurvePublicKey, begin: datetime.datetime, end: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin - _CLOCKS_DIFFER)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _as_node(
    builder: x509.CertificateBuilder, role: Role, node: str, authority: x509.Certificate
) -> x509.CertificateBuilder:
    """Every node may begin a connection and accept one, also a client: its agent listens. The role stands in the name."""
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    who = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity_uri(role, node))])
    issuer = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        builder.issuer_name(authority.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**{**_NO_USE, "digital_signature": True}), critical=True)
        .add_extension(both, critical=False)
        .add_extension(who, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])  # RFC 5280's limit; nothing is decided by it


def _files(folder: str | os.PathLike[str]) -> tuple[pathlib.Path, pathlib.Path]:
    return pathlib.Path(folder, "ca.pem"), pathlib.Path(folder, "ca.key")


def _load(
    certificate_file: pathlib.Path, key_file: pathlib.Path
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError):
        raise UsageError(f"{certificate_file} and {key_file} are no authority's certificate and key") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise UsageError(f"{key_file} is not the key of {certificate_file}")
    return certificate, key


def _write_pair(
    certificate_file: pathlib.Path,
    key_file: pathlib.Path,
    certificate: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
) -> None:
    """The key first, so that a certificate that is seen has its key; raises FileExistsError if there is one already."""
    secret = key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    for path, contents, mode in ((key_file, secret, 0o600), (certificate_file, certificate.public_bytes(_PEM), 0o644)):
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(contents)
        except FileExistsError:
            raise
        except OSError as error:
            raise FolderNotUsable(f"{path} cannot be written: {error.strerror}") from None
