"""What Amazon S3 says beyond what every store does: of rights, of KMS keys, of regions, and of conflicts."""

import os
from pathlib import Path

import pytest

from rayhound.adapters.objects import PART, ObjectArchive
from rayhound.domain import NotFound, RayhoundError, TryLater, Unavailable
from rayhound.ports import Put
from rayhound.records import identify
from tests import s3roles, s3server
from tests.lending import PodSite
from tests.s3proxy import Fault, refuses
from tests.s3site import IMAGE, KEY, Site, content, listed

pytestmark = pytest.mark.anyio

DENIED = (
    "User: arn:aws:sts::111122223333:assumed-role/rayhound-web-server/eks-rayhound-web-server-0c8e-1f2a is not "
    "authorized to perform: {} on resource: arn:aws:kms:eu-north-1:111122223333:key/1234abcd-12ab-34cd-56ef "
    "because no identity-based policy allows the {} action"
)
GENERATE, DECRYPT = (DENIED.format(right, right) for right in ("kms:GenerateDataKey", "kms:Decrypt"))
NOT_SAID = Fault(of=404, status=403, code="AccessDenied")  # what is missing, without s3:ListBucket


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image of two parts."""
    path = tmp_path / "spooled"
    path.write_bytes(os.urandom(PART + 12_345))
    return path


async def test_who_may_not_list_is_told_so_before_anything_is_put(pod: PodSite) -> None:
    pod.roles.allow(pod.bucket, s3roles.policy(pod.bucket, lists=False))
    with pytest.raises(Unavailable, match=f"{pod.bucket} would not list") as told:
        await identify(pod.archive)
    assert "give it the right s3:ListBucket" in told.value.hint
    assert pod.lies() == {}


async def test_nothing_is_taken_for_missing_by_who_may_no_longer_list(pod: PodSite, image: Path) -> None:
    await pod.archive.put(KEY, b"{}")
    pod.roles.allow(pod.bucket, s3roles.policy(pod.bucket, lists=False))
    pod.proxy.meets("GET", NOT_SAID, ever=True)
    with pytest.raises(Unavailable) as told:
        await content(pod.archive, "keys/none.json")
    assert "s3:ListBucket" in told.value.hint
    with pytest.raises(Unavailable):
        await listed(pod.archive)
    with pytest.raises(Unavailable):
        await pod.archive.put(IMAGE, image)
    assert await pod.archive.put(KEY, b"{}") is Put.SAME
    assert await pod.archive.put(KEY, b"other") is Put.OTHER
    assert await pod.archive.put("outbox/a", b"{}") is Put.CREATED
    await pod.archive.delete("outbox/a")
    assert pod.lies() == {f"images/{KEY}": b"{}"}
    pod.roles.allow(pod.bucket, s3roles.policy(pod.bucket))
    pod.proxy.mend()
    with pytest.raises(NotFound):
        await content(pod.archive, "keys/none.json")
    assert await pod.archive.put(IMAGE, image) is Put.CREATED


@pytest.mark.parametrize("right", ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"])
async def test_a_right_that_is_lacking_is_named(pod: PodSite, right: str) -> None:
    rights = s3roles.policy(pod.bucket)
    rights["Statement"][0]["Action"].remove(right)
    pod.roles.allow(pod.bucket, rights)
    with pytest.raises(RayhoundError) as told:
        await pod.archive.ping()
    assert f"give it the right {right}" in told.value.hint


async def test_nothing_leans_on_an_etag_where_a_kms_key_encrypts(store: Site, image: Path) -> None:
    store.proxy.encrypted = True
    assert await store.archive.put(KEY, b"{}") is Put.CREATED
    assert await store.archive.put(KEY, b"{}") is Put.SAME
    assert await store.archive.put(KEY, b"other") is Put.OTHER
    assert await store.archive.put(IMAGE, image) is Put.CREATED
    assert await store.archive.put(IMAGE, image) is Put.SAME
    assert await content(store.archive, IMAGE) == image.read_bytes()
    assert await listed(store.archive) == [KEY, IMAGE]
    await store.archive.ping()
    assert store.lies() == {KEY: b"{}", IMAGE: image.read_bytes()}


@pytest.mark.parametrize(
    ("status", "code", "message", "hint"),
    [
        (403, "AccessDenied", GENERATE, "kms:GenerateDataKey on the bucket's KMS key"),
        (403, "AccessDenied", DECRYPT, "kms:Decrypt on the bucket's KMS key"),
        (400, "KMS.DisabledException", "it is disabled.", "enable the bucket's KMS key"),
        (400, "KMS.KMSInvalidStateException", "it is pending deletion.", "cancel that"),
        (400, "KMS.ThrottlingException", "Rate exceeded", "fewer requests"),
        (503, "SlowDown", "Please reduce your request rate for operations involving AWS KMS.", "fewer requests"),
    ],
)
async def test_a_kms_key_that_does_not_serve_is_told_and_comes_again(
    store: Site, image: Path, status: int, code: str, message: str, hint: str
) -> None:
    await store.archive.put(KEY, b"{}")
    store.proxy.meets("", refuses(status, code, message), ever=True)
    for doing in (content(store.archive, KEY), store.archive.put("outbox/a", b"{}"), store.archive.put(IMAGE, image)):
        with pytest.raises(TryLater) as told:
            await doing
        assert hint in told.value.hint
    store.proxy.mend()
    assert store.lies() == {KEY: b"{}"}
    assert await store.archive.put(IMAGE, image) is Put.CREATED


async def test_a_kms_key_that_is_throttled_for_a_moment_costs_neither_fact_nor_image(store: Site, image: Path) -> None:
    store.proxy.meets("PUT|POST", refuses(503, "SlowDown"))
    assert await store.archive.put(KEY, b"{}") is Put.CREATED
    for asked in ("uploads", "partNumber=1", "partNumber=2", "POST .*uploadId"):
        store.proxy.meets(asked, refuses(503, "SlowDown"), refuses(503, "SlowDown"))
    assert await store.archive.put(IMAGE, image) is Put.CREATED
    assert store.lies() == {KEY: b"{}", IMAGE: image.read_bytes()}


async def test_a_bucket_in_another_region_is_told_with_the_name_of_that_region(store: Site) -> None:
    elsewhere = s3server.environment(store.server.port) | {"AWS_REGION": "eu-north-1"}
    with pytest.raises(Unavailable, match="AuthorizationHeaderMalformed") as told:
        await identify(ObjectArchive(f"s3://{store.bucket}", elsewhere))
    assert "set AWS_REGION to us-east-1" in told.value.hint
    assert store.lies() == {}


@pytest.mark.parametrize("status", [301, 307])
async def test_a_redirect_is_told_as_another_region(store: Site, status: int) -> None:
    store.proxy.meets("", refuses(status, "PermanentRedirect"), ever=True)
    with pytest.raises(Unavailable) as told:
        await identify(store.archive)
    assert "AWS_REGION" in told.value.hint


@pytest.mark.parametrize("code", ["ConditionalRequestConflict", "OperationAborted"])
async def test_a_conflict_that_goes_on_is_a_sure_failure(store: Site, code: str) -> None:
    store.proxy.meets("PUT", *[refuses(409, code)] * 3)
    assert await store.archive.put(KEY, b"{}") is Put.CREATED
    store.proxy.meets("PUT", refuses(409, code), ever=True)
    with pytest.raises(Unavailable, match=f"409 {code}") as told:
        await store.archive.put("outbox/a", b"{}")
    assert "come again" in told.value.hint
    assert await store.archive.put(KEY, b"{}") is Put.SAME
    store.proxy.meets("DELETE", refuses(409, code))
    with pytest.raises(Unavailable, match=f"409 {code}"):
        await store.archive.delete(KEY)
    assert store.lies() == {KEY: b"{}"}
    await store.archive.delete(KEY)
    assert store.lies() == {}
