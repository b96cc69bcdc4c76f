"""`check`, `serve` and `consume` on a bucket: where its settings come from, and what is said when it is away."""

import subprocess
import sys
from collections.abc import Mapping
from os import environ

import pytest

from tests import s3roles, s3server
from tests.brokers import free_ports


def rayhound(command: str, settings: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """A command that reads its settings from the environment, to its end."""
    kept = {name: value for name, value in environ.items() if not name.startswith(("RAYHOUND_", "AWS_"))}
    run = [sys.executable, "-m", "rayhound", command]
    return subprocess.run(run, env={**kept, **settings}, capture_output=True, text=True, timeout=120)


def test_check_says_where_each_setting_of_a_bucket_comes_from_and_no_secret() -> None:
    server = s3server.start()
    settings = s3server.environment(server.port)
    done = rayhound("check", {**settings, "RAYHOUND_ARCHIVE": f"s3://{server.bucket()}/images"})
    assert done.returncode == 0, done.stdout
    for said in (
        "endpoint: environment variable AWS_ENDPOINT_URL",
        "region: environment variable AWS_REGION",
        "credentials: environment variable AWS_ACCESS_KEY_ID",
    ):
        assert said in done.stdout
    assert settings["AWS_SECRET_ACCESS_KEY"] not in done.stdout + done.stderr


@pytest.mark.parametrize("command", ["check", "serve", "consume"])
def test_a_bucket_that_is_away_is_told_with_a_hint(command: str) -> None:
    [nobody, broker] = free_ports(2)
    queue = {"RAYHOUND_QUEUE": f"amqp://127.0.0.1:{broker}/"} if command != "check" else {}
    done = rayhound(command, {**s3server.environment(nobody), "RAYHOUND_ARCHIVE": "s3://bucket", **queue})
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert "no connection" in said
    assert "hint:" in said
    assert "AWS_ENDPOINT_URL" in said


@pytest.mark.parametrize("command", ["check", "serve", "consume"])
def test_who_may_not_list_a_bucket_is_told_at_the_start(command: str) -> None:
    [broker] = free_ports(1)
    roles = s3roles.start()
    bucket = roles.server.bucket()
    roles.allow(bucket, s3roles.policy(bucket, lists=False))
    lent = roles.lend(bucket, seconds=600)
    keys = {"AWS_ACCESS_KEY_ID": lent.access, "AWS_SECRET_ACCESS_KEY": lent.secret, "AWS_SESSION_TOKEN": lent.token}
    queue = {"RAYHOUND_QUEUE": f"amqp://127.0.0.1:{broker}/"} if command != "check" else {}
    known = s3server.environment(roles.server.port) | keys
    done = rayhound(command, {**known, "RAYHOUND_ARCHIVE": f"s3://{bucket}/images", **queue})
    assert done.returncode == 1
    assert f"the bucket {bucket} would not list" in done.stdout + done.stderr
    assert "give it the right s3:ListBucket" in done.stdout + done.stderr
    assert roles.server.lies(bucket) == {}
