"""Who may talk to the server: pages of its own address that know the token."""

from __future__ import annotations

import hmac
import ipaddress
import json
import logging
import re
import secrets
import socket
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from ..core.errors import quote

log = logging.getLogger(__name__)

LOOPBACK: Final = "127.0.0.1"
_TOKEN_BYTES: Final = 24
_PLAIN_HOST: Final = re.compile(r"[\w.-]+(:\d+)?|\[[0-9a-fA-F:.]+\](:\d+)?")
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob: data:; connect-src 'self' {sockets}; worker-src 'self' blob:; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
WRONG_TOKEN: Final = "This page's address is an old one: start live again, and open the address that it prints."  # noqa: S105
FOREIGN: Final = "Only the page of this server may ask for this."


@dataclass(frozen=True, slots=True)
class Access:
    """Rules of access. `token` is new at each start.

    `host` is what the server listens at; the names by which pages may ask for it follow from that, so that no other
    site can pass itself off as it (DNS rebinding). None leaves that to a server around this one.
    """

    host: str | None = LOOPBACK
    token: str = field(default_factory=lambda: secrets.token_urlsafe(_TOKEN_BYTES))

    def knows(self, request: web.Request) -> bool:
        """Tell whether a request bears the token."""
        return hmac.compare_digest(request.query.get("token", "").encode(), self.token.encode())

    def is_own_host(self, request: web.Request) -> bool:
        """Tell whether a request asks for this server by one of its names."""
        if self.host is None:
            return True
        name = _host_name(request.headers.get("Host", ""))
        if name == "localhost" or name == self.host.lower():
            return True
        address = _address(name)
        if address is not None and address.is_loopback:
            return True
        own = _address(self.host)
        return own is not None and own.is_unspecified and (address is not None or name == socket.gethostname().lower())

    def is_own_origin(self, request: web.Request, required: bool) -> bool:
        """Tell whether a page of this server asks; a request without an origin is no page's of another one."""
        origin = request.headers.get("Origin")
        if origin is None:
            return not required
        schemes = (request.scheme,) if self.host is not None else ("http", "https")  # behind a proxy it is unknown
        host = request.headers.get("Host", "")
        return origin.lower() in [f"{scheme}://{host}".lower() for scheme in schemes]

    def guarded(self, handler: Handler, *, needs_origin: bool = False) -> Handler:
        """Return a handler that answers only pages of this server that know the token."""

        async def answer(request: web.Request) -> web.StreamResponse:
            if not self.is_own_origin(request, needs_origin):
                log.warning("Refused a page of %s.", quote(request.headers.get("Origin", "no origin")))
                return refusal(FOREIGN)
            if not self.knows(request):
                log.warning("Refused a page with a wrong token (%s %s).", request.method, quote(request.path))
                return refusal(WRONG_TOKEN)
            return await handler(request)

        return answer

    def middleware(self) -> Middleware:
        """Make the middleware that turns strangers' names for this server away, and adds headers to every answer."""

        @web.middleware
        async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
            if self.is_own_host(request):
                return await handler(request)
            log.warning("Refused a request for the host %s.", quote(request.headers.get("Host", "")))
            return refusal(FOREIGN)

        return check


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add the headers that have a browser keep to this server; sent with everything but WebSockets."""
    host = request.headers.get("Host", "")
    host = host if _PLAIN_HOST.fullmatch(host) else ""
    for name, value in HEADERS.items():
        response.headers[name] = value.replace("{sockets}", f"ws://{host} wss://{host}" if host else "")


def refusal(text: str, status: int = 403) -> web.Response:
    """Make an answer that says in words why there is no other."""
    return web.Response(status=status, body=json.dumps({"error": text}).encode(), content_type="application/json")


def _host_name(host: str) -> str:
    """Return the name in a Host header, without the port; nothing where it is no host."""
    try:
        return (urlsplit(f"//{host}").hostname or "") if _PLAIN_HOST.fullmatch(host) else ""
    except ValueError:  # what stands in brackets is no address
        return ""


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
