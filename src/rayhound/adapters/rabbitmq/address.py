"""Where a broker is, and how it lets us in."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from rayhound.domain import Misconfigured

FORM = "amqp://user:password@host:5672/vhost, or amqps://…"
PORTS = {"amqp": 5672, "amqps": 5671}


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM form: the authority that the broker's certificate is from (the system's, if none), and our own."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Read the files, as they are now: whoever renews a certificate needs no restart. Raises `Misconfigured`."""
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.certificate is not None:
                context.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as e:
            files = ", ".join(str(file) for file in (self.ca, self.certificate, self.key) if file is not None)
            raise Misconfigured(f"the TLS files cannot be used: {e}", f"look at {files}; they must be PEM") from e
        return context


@dataclass(frozen=True, slots=True)
class Address:
    """An AMQP URI (rabbitmq.com/docs/uri-spec) without query; user and password may stand apart from it.

    `kept_in` names the Secret that they come from, for whoever has to mend them. `str()` gives the address without the
    password. Raises `Misconfigured`.
    """

    url: str = field(repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: Tls = Tls()
    kept_in: str | None = None

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        try:
            known = parts.scheme in PORTS and parts.hostname and parts.port != 0
        except ValueError:  # a port that is none
            known = False
        if not known:
            raise Misconfigured("this is no address of a broker", f"write {FORM}")
        if parts.query or parts.fragment:
            raise Misconfigured("the address of a broker takes no parameters", f"write {FORM}, and nothing after it")
        if parts.scheme == "amqp" and self.tls != Tls():
            raise Misconfigured("certificates are given, but the broker's address says no TLS", "write amqps://…")

    def __str__(self) -> str:
        parts = self._parts
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{parts.scheme}://{self.login}@{host}:{self.port}{parts.path or '/'}"

    @property
    def _parts(self) -> SplitResult:
        return urlsplit(self.url)

    @property
    def host(self) -> str:
        """Its name or address."""
        return self._parts.hostname or ""

    @property
    def port(self) -> int:
        """Its port; where the URI names none, the one that is registered for the scheme."""
        return self._parts.port or PORTS[self._parts.scheme]

    @property
    def secure(self) -> bool:
        """Whether it speaks TLS."""
        return self._parts.scheme == "amqps"

    @property
    def login(self) -> str:
        """The user's name."""
        return unquote(self._parts.username or "") or self.user or "guest"

    @property
    def secret(self) -> str:
        """The user's password."""
        return unquote(self._parts.password or "") or self.password or "guest"

    @property
    def virtual_host(self) -> str:
        """The virtual host; `/`, the broker's default, where the URI names none."""
        return unquote(self._parts.path[1:]) or "/"
