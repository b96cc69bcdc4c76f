"""An S3 server that knows roles: what their policies allow, and temporary credentials that end.

It is versitygw with its own IAM service, which reads roles and sessions from a file anew for every request. Sessions
are written there as its STS would, which lends none for less than a quarter of an hour.
"""

import json
import re
import secrets
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from tests import s3server
from tests.s3server import S3Server

GUIDE = Path(__file__).parent.parent / "docs/guides/s3.md"


@dataclass(frozen=True)
class Session:
    """What a role's pod is lent: a pair of keys and their token, until they end."""

    access: str
    secret: str
    token: str
    ends: datetime


def policy(bucket: str, lists: bool = True) -> dict[str, Any]:
    """The rights of docs/guides/s3.md on the folder `images` of a bucket, or those without `s3:ListBucket`."""
    shown = re.search(r"```json\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert shown, "the guide shows the rights first"
    rights = json.loads(shown[1].replace("my-images/rayhound/", f"{bucket}/images/").replace("my-images", bucket))
    if not lists:
        rights["Statement"] = [one for one in rights["Statement"] if one["Action"] != "s3:ListBucket"]
    return dict(rights)


@dataclass
class Roles:
    """The server, and the roles that it knows."""

    server: S3Server
    kept: Path
    _roles: dict[str, Any] = field(default_factory=dict)
    _sessions: dict[str, Any] = field(default_factory=dict)
    _alone: threading.Lock = field(default_factory=threading.Lock)

    def allow(self, role: str, rights: Mapping[str, Any]) -> None:
        """Give a role these rights, in place of those that it had."""
        inline = [{"PolicyName": "rights", "PolicyDocument": json.dumps(rights)}]
        # the service notes down when a role was last used, over what was written meanwhile: in a day, not now
        used = {"LastUsedDate": (datetime.now(UTC) + timedelta(days=1)).isoformat(), "Region": "us-east-1"}
        self._roles[role] = {
            "RoleName": role,
            "RoleID": role,
            "Arn": _arn(role),
            "Path": "/",
            "RoleLastUsed": used,
            "Policies": {"inline": inline},
        }
        self._keep()

    def lend(self, role: str, seconds: float) -> Session:
        """Lend keys of a role for so long."""
        now = datetime.now(UTC)
        ends = now + timedelta(seconds=seconds)
        made = Session(f"ASIA{secrets.token_hex(8)}", secrets.token_hex(16), secrets.token_hex(16), ends)
        self._sessions[made.access] = {
            "accessKeyId": made.access,
            "secretAccessKey": made.secret,
            "sessionToken": made.token,
            "roleArn": _arn(role),
            "roleName": role,
            "roleId": role,
            "roleSessionName": "pod",
            "createDate": now.isoformat(),
            "expiration": made.ends.isoformat(),
        }
        self._keep()
        return made

    def end(self) -> None:
        """End all that was lent, before its time."""
        self._sessions.clear()
        self._keep()

    def _keep(self) -> None:
        with self._alone:  # several ask at the same time
            new = self.kept.with_suffix(".new")
            new.write_text(json.dumps({"roles": self._roles, "sessions": self._sessions.copy()}))
            new.replace(self.kept)


@cache
def start() -> Roles:
    """The server of this test run; skips the test that asks where versitygw is not installed."""
    s3server.installed()
    folder = Path(tempfile.mkdtemp(prefix="rayhound-iam-"))
    (folder / "iam").mkdir()
    private = str(folder / "socket")
    public = f"{s3server.LOCAL}:{s3server.free_port()}"
    s3server.launch(folder, "--port", public, "iam", "--dir", str(folder / "iam"), "--private-ports", private)
    server = s3server.started(s3server.LOCAL, "--iam-cache-disable", "--iam-standalone-endpoint", private)
    return Roles(server, folder / "iam" / "iam.json")


def _arn(role: str) -> str:
    return f"arn:aws:iam::000000000000:role/{role}"
