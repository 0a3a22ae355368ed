"""A certificate authority for one test run, and certificates that are right or wrong on purpose."""
from __future__ import annotations

import datetime
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)


@dataclass
class Pair:
    """A certificate and its key, as PEM files; `number` tells two certificates apart."""

    cert: Path
    key: Path
    number: int

    def server_context(self, minimum=ssl.TLSVersion.TLSv1_2,
                       maximum=ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = minimum
        context.maximum_version = maximum
        context.load_cert_chain(self.cert, self.key)
        return context


class Authority:
    def __init__(self, directory: Path, name: str):
        self.directory = directory
        self.name = name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.timezone.utc)
        own = (x509.CertificateBuilder()
               .subject_name(self.subject).issuer_name(self.subject)
               .public_key(self.key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(now - DAY).not_valid_after(now + 30 * DAY)
               .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
               .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()),
                              critical=False)
               .add_extension(x509.KeyUsage(
                   digital_signature=True, key_cert_sign=True, crl_sign=True,
                   content_commitment=False, key_encipherment=False, data_encipherment=False,
                   key_agreement=False, encipher_only=False, decipher_only=False), critical=True)
               .sign(self.key, hashes.SHA256()))
        self.file = directory / f"{name}.pem"
        self.file.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def issue(self, file: str, names: tuple[str, ...] = ("localhost", "127.0.0.1", "::1"),
              expired: bool = False) -> Pair:
        """A server certificate for DNS names and addresses. The same file name replaces it."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.now(datetime.timezone.utc)
        start, end = (now - 20 * DAY, now - 10 * DAY) if expired else (now - DAY, now + 20 * DAY)
        number = x509.random_serial_number()
        made = (x509.CertificateBuilder()
                .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])]))
                .issuer_name(self.subject).public_key(key.public_key()).serial_number(number)
                .not_valid_before(start).not_valid_after(end)
                .add_extension(x509.SubjectAlternativeName([general_name(n) for n in names]),
                               critical=False)
                .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
                .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),
                               critical=False)
                # RFC 5280 §4.2.1.1; Python 3.13 verifies strictly and misses it.
                .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    self.key.public_key()), critical=False)
                .sign(self.key, hashes.SHA256()))
        pair = Pair(self.directory / f"{file}.crt", self.directory / f"{file}.key", number)
        pair.cert.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        pair.key.write_bytes(key.private_bytes(serialization.Encoding.PEM,
                                               serialization.PrivateFormat.PKCS8,
                                               serialization.NoEncryption()))
        return pair

    def client_context(self, minimum=ssl.TLSVersion.TLSv1_2,
                       maximum=ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.file))
        context.minimum_version = minimum
        context.maximum_version = maximum
        return context


def general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def certificate_number(der: bytes) -> int:
    return x509.load_der_x509_certificate(der).serial_number
