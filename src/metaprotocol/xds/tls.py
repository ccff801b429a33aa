"""How connections to a control plane are encrypted: `UpstreamTlsContext`.

Certificates, keys and authorities stand in the file, in files that it names, or are discovered (SDS).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaprotocol.xds.fields import Fields
from metaprotocol.xds.sources import INITIAL_FETCH_TIMEOUT, source
from metaprotocol.xds.unpack import unpack

if TYPE_CHECKING:
    from envoy.config.core.v3.base_pb2 import DataSource, TransportSocket
    from envoy.extensions.transport_sockets.tls.v3.common_pb2 import CertificateValidationContext, TlsCertificate
    from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import SdsSecretConfig

    from metaprotocol.xds.problems import Place
    from metaprotocol.xds.sources import GrpcTarget

__all__ = [
    "SECRET",
    "Certificate",
    "Pem",
    "SecretSource",
    "Tls",
    "certificate",
    "credentials",
    "upstream_tls",
    "validation",
]

_PACKAGE = "envoy.extensions.transport_sockets.tls.v3."
_NO_PROVIDERS = "certificates stand in the file, in files that it names, or are discovered by name"

UPSTREAM = Fields(
    _PACKAGE + "UpstreamTlsContext",
    "common_tls_context sni",
    moot={
        "max_session_keys": "gRPC keeps its sessions itself",
        "allow_renegotiation": "is not done in TLS 1.2 and later as gRPC speaks it",
        "enforce_rsa_key_usage": "gRPC decides it",
    },
    refused={"auto_host_sni": "say the name in sni", "auto_sni_san_validation": "the certificate is for sni anyway"},
)
COMMON = Fields(
    _PACKAGE + "CommonTlsContext",
    "tls_certificates validation_context tls_certificate_sds_secret_configs validation_context_sds_secret_config",
    moot={"alpn_protocols": "is h2", "key_log": "keys are not logged"},
    refused={
        "tls_params": "gRPC picks versions and ciphers",
        "combined_validation_context": "validation_context or validation_context_sds_secret_config is, alone",
        "tls_certificate_provider_instance": _NO_PROVIDERS,
        "custom_handshaker": "gRPC does the handshake",
        "custom_tls_certificate_selector": "there is one certificate",
    },
)
SDS = Fields(
    _PACKAGE + "SdsSecretConfig",
    "name sds_config",
    notes={"sds_config": "an `api_config_source` of type `GRPC`; a secret is asked for anew for each connection"},
)
SECRET = Fields(
    _PACKAGE + "Secret",
    "name tls_certificate validation_context",
    refused=dict.fromkeys(("session_ticket_keys", "generic_secret"), "it is a certificate or a validation_context"),
)
VALIDATION = Fields(
    _PACKAGE + "CertificateValidationContext",
    "trusted_ca",
    refused={
        **dict.fromkeys(
            ("match_typed_subject_alt_names", "match_subject_alt_names"), "the certificate must be for the name in sni"
        ),
        **dict.fromkeys(
            (
                "verify_certificate_spki",
                "verify_certificate_hash",
                "crl",
                "allow_expired_certificate",
                "trust_chain_verification",
                "custom_validator_config",
                "only_verify_leaf_cert_crl",
                "max_verify_depth",
                "require_signed_certificate_timestamp",
                "ca_certificate_provider_instance",
                "system_root_certs",
                "watched_directory",
            ),
            "certificates are verified against trusted_ca, and in no other way",
        ),
    },
)
CERTIFICATE = Fields(
    _PACKAGE + "TlsCertificate",
    "certificate_chain private_key",
    refused=dict.fromkeys(
        ("pkcs12", "private_key_provider", "password", "ocsp_staple", "watched_directory"),
        "a certificate is certificate_chain and private_key",
    ),
)
DATA = Fields(
    "envoy.config.core.v3.DataSource",
    "filename inline_bytes inline_string environment_variable",
    moot={"watched_directory": "files are read again for each connection"},
)


@dataclass(frozen=True)
class Pem:
    """A text of certificates or a key: at hand, or in a file, which is read anew each time."""

    data: bytes = b""
    path: str = ""

    def read(self) -> bytes:
        """The text.

        Raises:
            OSError: If the file cannot be read.
        """
        return Path(self.path).read_bytes() if self.path else self.data


@dataclass(frozen=True)
class SecretSource:
    """Where a secret is discovered.

    Attributes:
        name: Its name there.
        target: Who is asked.
        timeout: How long an answer may take, in milliseconds.
    """

    name: str
    target: GrpcTarget
    timeout: int = INITIAL_FETCH_TIMEOUT


@dataclass(frozen=True)
class Certificate:
    """What the client shows: a chain of certificates, and the key."""

    chain: Pem
    key: Pem


@dataclass(frozen=True)
class Tls:
    """How connections are encrypted.

    Attributes:
        trusted: Who is believed to sign the server's certificate.
        sni: The name that is asked for, and that the certificate must be for; empty for the host's own.
        certificate: The client's own, if it shows one.
    """

    trusted: Pem | SecretSource
    sni: str = ""
    certificate: Certificate | SecretSource | None = None

    @property
    def secrets(self) -> tuple[SecretSource, ...]:
        """What has to be discovered first."""
        return tuple(each for each in (self.trusted, self.certificate) if isinstance(each, SecretSource))


def credentials(trusted: Pem, certificate: Certificate | None) -> Any:
    """Credentials of gRPC.

    Raises:
        OSError: If a file cannot be read.
    """
    import grpc

    if certificate is None:
        return grpc.ssl_channel_credentials(trusted.read())
    return grpc.ssl_channel_credentials(trusted.read(), certificate.key.read(), certificate.chain.read())


def upstream_tls(socket: TransportSocket, place: Place) -> Tls | None:
    """What a transport socket asks for; nothing, after a report, if that cannot be done."""
    place = place / "typed_config"
    if not socket.HasField("typed_config"):
        place.error(f"is needed: a {UPSTREAM.message}")
        return None
    message = unpack(socket.typed_config, place)
    if message is None:
        return None
    if message.DESCRIPTOR.full_name != UPSTREAM.message:
        place.error(f"is a {message.DESCRIPTOR.full_name}; known is {UPSTREAM.message}")
        return None
    UPSTREAM.check(message, place)
    common, at = message.common_tls_context, place / "common_tls_context"
    COMMON.check(common, at)
    if set(common.alpn_protocols) - {"h2"}:
        (at / "alpn_protocols").error("is h2: gRPC speaks nothing else")
    trusted: Pem | SecretSource | None = None
    kind = common.WhichOneof("validation_context_type")
    if kind == "validation_context_sds_secret_config":
        trusted = _secret_source(common.validation_context_sds_secret_config, at / kind)
    elif kind in (None, "validation_context"):
        trusted = validation(common.validation_context, at / "validation_context")
    shown: list[Certificate | SecretSource | None] = []
    for name, read in (("tls_certificates", certificate), ("tls_certificate_sds_secret_configs", _secret_source)):
        items = getattr(common, name)
        if len(items) > 1:
            (at / name).error(f"has {len(items)} items, and can have one")
        shown += [read(each, (at / name)[index]) for index, each in enumerate(items[:1])]
    if len(shown) > 1:
        (at / "tls_certificate_sds_secret_configs").error("cannot be given beside tls_certificates")
    return None if trusted is None else Tls(trusted, message.sni, shown[0] if shown else None)


def validation(context: CertificateValidationContext, place: Place) -> Pem | None:
    """Who is believed; nothing, after a report, if nobody is named."""
    VALIDATION.check(context, place)
    if not context.HasField("trusted_ca"):
        (place / "trusted_ca").error("is needed: who signs the control plane's certificate")
        return None
    return _pem(context.trusted_ca, place / "trusted_ca")


def certificate(message: TlsCertificate, place: Place) -> Certificate | None:
    """What is shown; nothing, after a report, if it cannot be."""
    CERTIFICATE.check(message, place)
    chain = _pem(message.certificate_chain, place / "certificate_chain")
    key = _pem(message.private_key, place / "private_key")
    return None if chain is None or key is None else Certificate(chain, key)


def _secret_source(config: SdsSecretConfig, place: Place) -> SecretSource | None:
    SDS.check(config, place)
    if not config.name:
        (place / "name").error("is needed")
    at = place / "sds_config"
    if not config.HasField("sds_config"):
        at.error("is needed: secrets are discovered, or stand in tls_certificates and validation_context")
        return None
    found = source(config.sds_config, at)
    if found is None:
        return None
    if found.target is None or found.delta:
        at.error("is not supported: secrets come by an api_config_source of type GRPC")
        return None
    return SecretSource(config.name, found.target, found.initial_fetch_timeout or INITIAL_FETCH_TIMEOUT)


def _pem(source: DataSource, place: Place) -> Pem | None:
    DATA.check(source, place)
    kind = source.WhichOneof("specifier")
    if kind == "filename":
        if not Path(source.filename).is_file():
            (place / kind).error(f"is {source.filename!r}, and there is no such file")
        return Pem(path=source.filename)
    if kind == "environment_variable":
        if source.environment_variable not in os.environ:
            (place / kind).error(f"is {source.environment_variable!r}, and there is no such variable")
        return Pem(os.environ.get(source.environment_variable, "").encode())
    if kind == "inline_bytes":
        return Pem(source.inline_bytes)
    if kind == "inline_string":
        return Pem(source.inline_string.encode())
    place.error("needs filename, inline_bytes, inline_string or environment_variable")
    return None
