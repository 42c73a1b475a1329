"""Certificates as an operator has them: an authority, and what it vouches for."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class Authority:
    """Vouches for servers of this host and for clients; its own certificate is in `file`."""

    def __init__(self, folder: Path, name: str):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self.builder(self.name, self.key)
        certificate = certificate.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.file = folder / f"{name}.crt"
        self.file.write_bytes(pem(certificate.sign(self.key, hashes.SHA256())))

    def server(self, file: str) -> int:
        """Writes FILE.crt and FILE.key of a server of this host; the certificate's number."""
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        return self.issue(file, ExtendedKeyUsageOID.SERVER_AUTH, names)

    def client(self, file: str, name: str) -> int:
        """The same of a client."""
        return self.issue(file, ExtendedKeyUsageOID.CLIENT_AUTH, [x509.DNSName(name)])

    def issue(self, file: str, purpose: x509.ObjectIdentifier, names: list[x509.GeneralName]) -> int:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, file)])
        builder = self.builder(subject, key)
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        replace(self.folder / f"{file}.key", private(key))
        replace(self.folder / f"{file}.crt", pem(certificate))
        return certificate.serial_number

    def builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
        )


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def private(key: ec.EllipticCurvePrivateKey) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, form, serialization.NoEncryption())


def replace(file: Path, content: bytes) -> None:
    """In one step, so that nobody reads half of it."""
    new = file.with_name(f"{file.name}.new")
    new.write_bytes(content)
    new.rename(file)
