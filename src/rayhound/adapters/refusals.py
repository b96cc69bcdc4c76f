"""What an S3 server's refusal means: surely not done, or in doubt.

Only a 4xx to a request that was sent once is a sure failure. A 5xx, a time-out, a lost connection, and whatever comes
after CompleteMultipartUpload was sent (a 404 too, which its repetition is answered once the first one was done) is
doubt. So is a lack of credentials: it may be the abort of an upload in parts that lacks them, and it passes. obstore
tells statuses in its errors' text alone, so this reads them there: what it does not understand is doubt.

Error codes are those of the Amazon S3 API Reference, "Error responses", of AWS KMS, whose refusals S3 hands on, and of
MinIO and Ceph where they say so.
"""

import re
from dataclasses import dataclass
from html import unescape

from rayhound.domain import InDoubt, RayhoundError, StorageFull, Unavailable

# Error performing PUT http://… in 1.2ms[, after 2 retries, …] - Server returned non-2xx status code: 403 Forbidden: …
_SAID = re.compile(
    r"Error performing (?P<method>[A-Z]+) (?P<uri>\S+) in \S+?(?P<again>, after \d+ retries,.*?)?\s+- "
    r"(?:Server returned non-2xx status code: (?P<status>\d{3}))?(?P<rest>.*)",
    re.DOTALL,
)
_CODE, _MESSAGE = re.compile(r"<Code>([\w.]+)</Code>"), re.compile(r"<Message>([^<]{1,1000})</Message>")

_KIND = re.compile(r"HttpError \{\s+kind: (\w+)")
_LOST = {"Timeout": "no answer in time", "Connect": "no connection"}

_FULL = re.compile(r"Quota|StorageFull|InsufficientStorage|NoSpace", re.IGNORECASE)
_RIGHTS = "give it the rights that docs/guides/s3.md lists; without s3:ListBucket a key that is missing answers 403 too"
_REACHED = "can AWS_ENDPOINT_URL be reached from here?"
_FEWER = "the store asks for fewer requests"
_REGION = "the bucket is in another region: set AWS_REGION to it"
_AGENT = "has the pod's service account a pod identity association, and may the pod reach the agent of its node?"
_KEYS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine or pod a role"
# where credentials come from: the agent of a node, the machine's metadata, STS (its URL holds a token), a token's file
_CREDENTIALS = re.compile(r"/v1/credentials$|//169\.254\.|//\[fd00:ec2|^REDACTED$")
_TOKEN = re.compile(r"Failed to read (EKS )?token file")
_DENIED = re.compile(r"is not authorized to perform: (?P<right>(?P<service>\w+):\w+)")
_EXPECTED = re.compile(r"expecting ['\"](?P<region>[a-z0-9-]+)")
_BY_STATUS = {403: _RIGHTS, 503: f"{_FEWER}, or is away for a moment"}  # a 5xx comes without its code
_HINTS = {
    "NoSuchBucket": "make the bucket, or set RAYHOUND_ARCHIVE right",
    "AccessDenied": _RIGHTS,
    "InvalidAccessKeyId": "look at AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL",
    "SignatureDoesNotMatch": "look at AWS_SECRET_ACCESS_KEY and AWS_REGION",
    "ExpiredToken": "the credentials are too old: renew them",
    "RequestTimeTooSkewed": "set this machine's clock",
    "PermanentRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "SlowDown": _FEWER,
    "ThrottlingException": _FEWER,
    "KMS.ThrottlingException": f"{_FEWER} of its KMS key: an S3 Bucket Key saves most of them",
    "KMS.DisabledException": "enable the bucket's KMS key",
    "KMS.KMSInvalidStateException": "is the bucket's KMS key about to be deleted? Then cancel that now",
    "PreconditionFailed": "nothing lies there: does a proxy cache the bucket's answers?",
    "ConditionalRequestConflict": "others put it at this very moment: come again",
    "OperationAborted": "others put it at this very moment: come again",
    "NotImplemented": "the store must know If-None-Match on PutObject: see docs/guides/s3.md",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an S3 server, or the lack of its answer, said to a request."""

    method: str
    uri: str
    again: bool
    status: int
    code: str
    message: str

    @property
    def sure(self) -> bool:
        """Whether surely nothing was done."""
        completing = "uploadId=" in self.uri and self.method != "PUT"  # or aborting, which hides what came before it
        return 400 <= self.status < 500 and not self.again and not completing and not self.unsigned

    @property
    def unsigned(self) -> bool:
        """Whether no credentials could be had, so that the bucket itself was not asked."""
        return bool(_CREDENTIALS.search(self.uri) or (not self.uri and _TOKEN.search(self.message)))

    @property
    def missing(self) -> bool:
        """Whether it says of this key that it is not there: another 404 may come from a proxy, or lack the bucket."""
        return self.status == 404 and self.code == "NoSuchKey"


def refusal(error: Exception) -> Refusal:
    """What an error of obstore tells."""
    text, _, inside = str(error).partition("\n\nDebug source:")
    said = _SAID.search(text)
    if said is None:
        return Refusal("", "", False, 0, "", text.partition("\n")[0][:300])
    rest, kind = said["rest"], _KIND.search(inside)
    code, message = _CODE.search(rest), _MESSAGE.search(rest)
    words = unescape(message[1]) if message else "" if code else rest.strip(": \n").partition("\n")[0][:300]
    status = int(said["status"] or 0)
    if not status and kind:
        words = _LOST.get(kind[1], "the connection was lost")
    return Refusal(said["method"], said["uri"], bool(said["again"]), status, code[1] if code else "", words)


def explained(error: Exception, bucket: str, doing: str) -> RayhoundError:
    """The error to raise of a request that was to change something; `doing` says what, as in `store keys/a.json`."""
    said = refusal(error)
    detail, hint = _told(said, bucket, doing)
    if not said.sure:
        return InDoubt(detail, hint)
    if _FULL.search(said.code):
        return StorageFull(detail, "free space, or raise the bucket's quota")
    return Unavailable(detail, hint)


def away(error: Exception, bucket: str, doing: str) -> Unavailable:
    """The error to raise of a request that only reads."""
    return Unavailable(*_told(refusal(error), bucket, doing))


def _told(said: Refusal, bucket: str, doing: str) -> tuple[str, str]:
    answer = " ".join(part for part in (str(said.status or ""), said.code) if part)
    words = " ".join(said.message.split())
    why = ": ".join(part for part in ("no credentials" if said.unsigned else "", answer, words) if part)
    return f"the bucket {bucket} would not {doing}: {why}", _hint(said)


def _hint(said: Refusal) -> str:
    if said.unsigned:
        return _AGENT if said.uri.endswith("/v1/credentials") or "EKS" in said.message else _KEYS
    if denied := _DENIED.search(said.message):
        on = " on the bucket's KMS key, in the key's own policy too" if denied["service"] == "kms" else ""
        return f"give it the right {denied['right']}{on}: docs/guides/s3.md lists all that it needs"
    if region := _EXPECTED.search(said.message):
        return f"the bucket is in another region: set AWS_REGION to {region['region']}"
    if "redirect" in said.message or 300 <= said.status < 400:
        return _REGION
    return _HINTS.get(said.code) or _BY_STATUS.get(said.status) or ("" if said.status else _REACHED)
