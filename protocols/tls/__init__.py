"""TLS: certificates, the doors that let in who speaks it, and who a client's certificate names."""

from protocols.tls.certificates import BadCertificateError, Certificates
from protocols.tls.door import Door, open_door

__all__ = ["BadCertificateError", "Certificates", "Door", "open_door"]
