"""Switches the network off, except loopback, for the Python that imports this module.

Python imports a module of this name by itself when it starts, so a folder on PYTHONPATH that holds this file does it
for every Python started from there: notebooks' kernels and subprocesses too. `pytest --offline` (or COURSE_OFFLINE=1)
puts it there. An audit hook cannot be taken off again and sees every socket that Python's own socket module uses.
"""

import contextlib
import errno
import ipaddress
import socket
import sys


class NetworkIsOff(OSError):
    """Something tried to reach beyond this machine."""


def _stays_here(host) -> bool:
    """Whether a host, as a caller of the socket module may give it, is this machine or nothing at all."""
    if isinstance(host, (bytes, bytearray)):
        host = bytes(host).decode("ascii", "replace")
    if host in (None, "", "localhost", "localhost.localdomain", "ip6-localhost", socket.gethostname()):
        return True
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host.partition("%")[0])
        return address.is_loopback or address.is_unspecified
    return False


def _is_number(host) -> bool:
    with contextlib.suppress(ValueError, TypeError, AttributeError):
        ipaddress.ip_address(host.partition("%")[0])
        return True
    return False


def _refuse(what) -> None:
    raise NetworkIsOff(
        errno.ENETUNREACH, f"the network is switched off in this run (COURSE_OFFLINE), but {what!r} was asked for"
    )


def _hook(event: str, arguments: tuple) -> None:
    if not event.startswith("socket."):
        return
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]  # (host, port, ...) on the Internet; a path or None otherwise
        if isinstance(address, tuple) and isinstance(address[0], str | bytes) and not _stays_here(address[0]):
            _refuse(address)
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = arguments[0]
        if not _stays_here(host) and not _is_number(host):  # a number needs no name server; connecting is caught above
            _refuse(host)


def is_on() -> bool:
    """Whether the network is off in this process."""
    return getattr(sys, "_course_network_is_off", False)


def switch_off() -> None:
    """Switch the network off in this process; there is no way back."""
    if not is_on():
        sys._course_network_is_off = True
        sys.addaudithook(_hook)


switch_off()
