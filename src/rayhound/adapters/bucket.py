"""An S3-compatible bucket as the environment describes it: where it is, and whose credentials open it.

Endpoint, region and credentials have the names that AWS gave them, so that what works for other S3 tools works here.
Nothing else of Rayhound reads these names.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from obstore.exceptions import BaseError
from obstore.store import S3Store

from rayhound.domain import Misconfigured

ENDPOINT = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
REGION = ("AWS_REGION", "AWS_DEFAULT_REGION")
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
ROLE = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_ENDPOINT_URL_STS")
CONTAINER = (
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
)
TOKEN_FILE = CONTAINER[2]
CERTIFICATES = "AWS_CA_BUNDLE"

CONNECT_SECONDS = 5

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")


@dataclass(frozen=True, slots=True)
class Manners:
    """How requests to a bucket are sent: how often again, and how long one may take or be silent, in seconds."""

    retries: int
    whole: float | None = None
    silence: float | None = None


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket, and the folder in it (empty for all of it) that an archive lies in."""

    name: str
    prefix: str
    environment: Mapping[str, str]

    def open(self, manners: Manners) -> S3Store:
        """A client of the bucket, which connects at its first request; raises `Misconfigured`."""
        endpoint = self.environment.get(_first(ENDPOINT, self.environment), "")
        options: dict[str, Any] = {
            "allow_http": endpoint.startswith("http://"),
            "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
            # its own default is 30 s, the body included: too little for an image that is read slowly
            "timeout": timedelta(seconds=manners.whole or 3600),
        }
        if manners.silence:
            options["read_timeout"] = timedelta(seconds=manners.silence)
        if CERTIFICATES in self.environment:
            options["root_certificate"] = _read(CERTIFICATES, self.environment, "a PEM file is wanted")
        if TOKEN_FILE in self.environment:
            wanted = "one line without an end is wanted, as EKS writes it"
            # sent as it is, and an end of line in a header makes the client panic
            token = _read(TOKEN_FILE, self.environment, wanted).decode(errors="replace")
            if not token or not token.isprintable():
                raise Misconfigured(f"{TOKEN_FILE} names a file that holds no token", wanted)
        backoff = {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=2), "base": 2}
        again = {"max_retries": manners.retries, "retry_timeout": timedelta(seconds=30), "backoff": backoff}
        try:
            return S3Store(
                self.name,
                prefix=self.prefix or None,
                config=self._config(endpoint),
                client_options=options,  # type: ignore[arg-type]  # a TypedDict that exists for type checkers alone
                retry_config=again,  # type: ignore[arg-type]
            )
        except (BaseError, ValueError) as e:
            said = str(e).partition("\n")[0]
            raise Misconfigured(f"the bucket {self.name} cannot be opened: {said}", "look at the AWS_… names") from e

    def _config(self, endpoint: str) -> Any:
        config = {"conditional_put": "etag", "disable_bulk_delete": "true"}  # not every store has the bulk request
        for name in (*REGION, *KEYS, *ROLE, *CONTAINER):
            if name in self.environment:
                config[name.lower()] = self.environment[name]
        if endpoint:
            config["aws_endpoint"] = endpoint
        return config


def bucket(url: str, environment: Mapping[str, str] = os.environ) -> Bucket:
    """The bucket of `s3://bucket/prefix`; raises `Misconfigured` for what is no such URL, and for an empty name."""
    name, _, prefix = url.removeprefix("s3://").partition("/")
    prefix = prefix.rstrip("/")
    if not url.startswith("s3://") or not _BUCKET.fullmatch(name) or (prefix and not _PREFIX.fullmatch(prefix)):
        raise Misconfigured(f"{url} names no bucket", "write it as s3://bucket or s3://bucket/prefix")
    for known in (*ENDPOINT, *REGION, *KEYS, *ROLE, *CONTAINER, CERTIFICATES):
        if environment.get(known) == "":
            raise Misconfigured(f"{known} is empty", "give it a value, or leave it out of the environment")
    return Bucket(name, prefix, environment)


def sources(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Where endpoint, region, credentials and certificates come from, never a secret itself."""
    endpoint, region = _first(ENDPOINT, environment), _first(REGION, environment)
    return {
        "endpoint": f"environment variable {endpoint}" if endpoint else "AWS's own for the region",
        "region": f"environment variable {region}" if region else "the default, us-east-1",
        "credentials": _credentials(environment),
        "certificates": f"environment variable {CERTIFICATES}" if environment.get(CERTIFICATES) else "the system's",
    }


def _credentials(environment: Mapping[str, str]) -> str:
    """In the order in which obstore's builder looks for them."""
    if environment.get("AWS_SKIP_SIGNATURE", "").lower() in ("1", "true", "yes", "on", "y"):
        return "none, as environment variable AWS_SKIP_SIGNATURE says"
    if environment.get(KEYS[0]) and environment.get(KEYS[1]):
        return f"environment variable {KEYS[0]}"
    if environment.get(ROLE[0]) and environment.get(ROLE[1]):
        return f"web identity, environment variable {ROLE[0]}"
    if environment.get(CONTAINER[0]):
        return f"container credentials, environment variable {CONTAINER[0]}"
    if environment.get(CONTAINER[1]) and environment.get(TOKEN_FILE):
        return f"container credentials, environment variable {CONTAINER[1]}"
    return "instance metadata"


def _first(names: tuple[str, ...], environment: Mapping[str, str]) -> str:
    return next((name for name in names if environment.get(name)), "")


def _read(name: str, environment: Mapping[str, str], wanted: str) -> bytes:
    path = environment[name]
    try:
        return Path(path).read_bytes()
    except OSError as e:
        raise Misconfigured(f"{name} names {path}, which cannot be read: {e.strerror}", wanted) from e
