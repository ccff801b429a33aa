"""How connections to a control plane are encrypted: `UpstreamTlsContext`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaprotocol.xds.fields import Fields
from metaprotocol.xds.unpack import unpack

if TYPE_CHECKING:
    from envoy.config.core.v3.base_pb2 import DataSource, TransportSocket

    from metaprotocol.xds.problems import Place

__all__ = ["Pem", "Tls", "upstream_tls"]

_PACKAGE = "envoy.extensions.transport_sockets.tls.v3."
_NO_SECRETS = "secrets stand in the file, or in files that it names"

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
    "tls_certificates validation_context",
    moot={"alpn_protocols": "is h2", "key_log": "keys are not logged"},
    refused={
        "tls_params": "gRPC picks versions and ciphers",
        "tls_certificate_sds_secret_configs": _NO_SECRETS,
        "validation_context_sds_secret_config": _NO_SECRETS,
        "combined_validation_context": _NO_SECRETS,
        "tls_certificate_provider_instance": _NO_SECRETS,
        "custom_handshaker": "gRPC does the handshake",
        "custom_tls_certificate_selector": "there is one certificate",
    },
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
class Tls:
    """How connections are encrypted.

    Attributes:
        trusted: Who is believed to sign the server's certificate.
        sni: The name that is asked for, and that the certificate must be for; empty for the host's own.
        chain: The client's certificate, if it shows one.
        key: Its key.
    """

    trusted: Pem
    sni: str = ""
    chain: Pem | None = None
    key: Pem | None = None

    def credentials(self) -> Any:
        """Credentials of gRPC.

        Raises:
            OSError: If a file cannot be read.
        """
        import grpc

        chain = None if self.chain is None else self.chain.read()
        key = None if self.key is None else self.key.read()
        return grpc.ssl_channel_credentials(self.trusted.read(), key, chain)


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
    VALIDATION.check(common.validation_context, at / "validation_context")
    trusted = None
    if common.validation_context.HasField("trusted_ca"):
        trusted = _pem(common.validation_context.trusted_ca, at / "validation_context" / "trusted_ca")
    elif common.WhichOneof("validation_context_type") in (None, "validation_context"):
        (at / "validation_context" / "trusted_ca").error("is needed: who signs the control plane's certificate")
    if len(common.tls_certificates) > 1:
        (at / "tls_certificates").error(f"has {len(common.tls_certificates)} items, and can have one")
    chain = key = None
    for index, each in enumerate(common.tls_certificates[:1]):
        below = (at / "tls_certificates")[index]
        CERTIFICATE.check(each, below)
        chain = _pem(each.certificate_chain, below / "certificate_chain")
        key = _pem(each.private_key, below / "private_key")
    return None if trusted is None else Tls(trusted, message.sni, chain, key)


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
