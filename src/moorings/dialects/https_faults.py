"""Translates transport failures of services that are reached by HTTPS into our errors."""

from __future__ import annotations

from collections.abc import Iterator

from moorings import errors


def https_faults(*fields: str) -> dict[str, errors.WarehouseError]:
    """FAULTS for the words of `tls.failure`, for a service reached by HTTPS; `fields` hold its address."""
    return {
        "unresolved": errors.HostNotFound(*fields),
        "refused": errors.PortClosed(*fields),
        "timed out": errors.ConnectTimeout(*fields),
        "unreachable": errors.HostUnreachable(*fields),
        "lost": errors.SessionLost(),
        "another service": errors.AnotherService(*fields),
        "no tls": errors.TlsRefused(*fields),
        "certificate": errors.CertificateRefused("ssl_root_cert", *fields),
        "certificate name": errors.CertificateRefused(
            *fields,
            message="The server's certificate is for another host name. Set host to the name in the certificate.",
        ),
    }


OUT_OF_DATE = {
    "certificate has expired": "The server's certificate has expired. Renew it on the server.",
    "certificate is not yet valid": (
        "The server's certificate is not valid yet. Check the clocks of this machine and of the server."
    ),
}
"""OpenSSL's message about a certificate's dates → our message."""


def dated(fault: errors.WarehouseError, error: BaseException) -> errors.WarehouseError:
    """The fault with the reason if it is a certificate that was refused for its dates: no other setting helps."""
    if not isinstance(fault, errors.CertificateRefused):
        return fault
    text = " ".join(str(each) for each in causes(error))
    message = next((message for words, message in OUT_OF_DATE.items() if words in text), None)
    return fault if message is None else errors.CertificateRefused("host", message=message)


OF_PYTHON = frozenset({"builtins", "socket", "ssl"})
"""Modules whose exceptions describe the transport, in texts of this machine."""


def of_transport(error: BaseException) -> str:
    """The operating system's or OpenSSL's text of a failed connection; empty for other failures.

    Texts of HTTP libraries are left out: they quote what the server sent, and any server may be at the address.
    """
    for each in causes(error):
        if isinstance(each, OSError) and type(each).__module__ in OF_PYTHON:
            return str(each)
    return ""


def causes(error: BaseException) -> Iterator[BaseException]:
    """An exception and its causes."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        inner = (argument for argument in each.args if isinstance(argument, BaseException))
        each = each.__cause__ or each.__context__ or next(inner, None)
