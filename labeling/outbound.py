"""Connect to an address that somebody typed in, without being led into our own network.

The name is resolved here, every address it has is looked at, and the connection goes to one of just those:
a name that answers differently a moment later changes nothing. Redirects are answers like others.
"""

import contextlib
import errno
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

SECONDS = 10.0
READ_AT_MOST = 4_000  # bytes, of which the first 1,000 characters are kept
KEPT = 1_000
NAT64 = ipaddress.ip_network("64:ff9b::/96")
PATH_SAFE = "/%:@!$&'()*+,;=~-._?"

Address = tuple[str, int]


class Unsent(Exception):
    """Why nothing was sent, or no answer came, in a sentence for people."""


@dataclass(frozen=True, slots=True)
class Target:
    is_secure: bool
    host: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    text: str


def target_of(url: str) -> Target:
    """Take an address apart. Raises Unsent where it is none that can be posted to."""
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode() if parts.hostname else ""
    except (ValueError, UnicodeError) as error:
        raise Unsent("This is no address. Write one that begins with https://.") from error
    if parts.scheme not in ("http", "https"):
        raise Unsent("The address must begin with https:// or http://.")
    if not host:
        raise Unsent("The address has no host name.")
    if parts.username is not None or parts.password is not None:
        raise Unsent("The address must have no user name or password in it.")
    is_secure = parts.scheme == "https"
    path = quote(parts.path or "/", safe=PATH_SAFE)
    query = f"?{quote(parts.query, safe=PATH_SAFE)}" if parts.query else ""
    return Target(is_secure, host, port or (443 if is_secure else 80), path + query)


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the open internet, also where it is wrapped in another."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is None and found in NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            found = inner
    return found.is_global and not (found.is_multicast or found.is_reserved or found.is_unspecified)


def resolve(target: Target, *, allow_private: bool) -> list[Address]:
    """Return the addresses of a host. Raises Unsent where one is not public, unless that is allowed."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unsent(f"There is no host {target.host}.") from error
    addresses = [(str(each[4][0]), target.port) for each in found]
    for address, _ in addresses:
        if not allow_private and not is_public(address):
            raise Unsent(f"{target.host} leads to {address}, which is not on the public internet.")
    return addresses


def guard(info: tuple[Any, ...], *, allow_private: bool) -> socket.socket:
    """Make the socket for an address that was looked up, unless it is one that nothing may connect to.

    `info` is what getaddrinfo says of it. A library that makes all of its sockets so is led nowhere else,
    neither by names nor by redirects. Raises OSError.
    """
    family, kind, protocol, _, address = info
    if not allow_private and not is_public(str(address[0])):
        raise OSError(errno.EHOSTUNREACH, f"{address[0]} is not on the public internet")
    return socket.socket(family, kind, protocol)


class Connection(http.client.HTTPConnection):
    """A connection to addresses that were looked at, under the host's own name."""

    def __init__(self, target: Target, addresses: list[Address], seconds: float) -> None:
        super().__init__(target.host, target.port)
        self.until = time.monotonic() + seconds
        self.default_port = 443 if target.is_secure else 80
        self.target, self.addresses = target, addresses

    def connect(self) -> None:
        self.sock = self.reach()
        if self.target.is_secure:
            context, name = ssl.create_default_context(), self.target.host
            # Shaken hands with only when `cut` can end it.
            secure = context.wrap_socket(self.sock, server_hostname=name, do_handshake_on_connect=False)
            self.sock = secure
            secure.do_handshake()

    def reach(self) -> socket.socket:
        last: OSError | None = None
        for address in self.addresses:
            try:
                return socket.create_connection(address, max(0.1, self.until - time.monotonic()))
            except OSError as error:
                last = error
        raise last or OSError("no address")

    def cut(self) -> None:
        """Have whoever waits for this connection go on."""
        if self.sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)  # without a word of TLS, which may block


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    allow_private: bool = False,
    seconds: float = SECONDS,
) -> Answer:
    """Send a body and return the beginning of the answer. Raises Unsent.

    It takes no longer than so many seconds in all, also with a server that sends a byte now and then.
    """
    target = target_of(url)
    addresses = resolve(target, allow_private=allow_private)
    connection = Connection(target, addresses, seconds)
    started = time.monotonic()
    clock = threading.Timer(seconds, connection.cut)
    clock.daemon = True
    clock.start()
    try:
        connection.request("POST", target.path, body, dict(headers))
        response = connection.getresponse()
        text = response.read(READ_AT_MOST).decode(errors="replace").replace("\0", "")
        return Answer(response.status, text[:KEPT])
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(error, TimeoutError) or time.monotonic() - started >= seconds:
            raise Unsent(f"No answer within {seconds:g} seconds.") from error
        raise Unsent(f"{type(error).__name__}: {error}"[:400]) from error
    finally:
        clock.cancel()
        connection.close()
