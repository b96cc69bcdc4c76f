"""What only an archive in a bucket can break: answers that are lost, late, wrong, or no answers at all."""

import asyncio

import pytest

from rayhound.adapters import objects
from rayhound.adapters.objects import ObjectArchive
from rayhound.domain import InDoubt, Misconfigured, NotFound, RayhoundError, StorageFull, Unavailable
from rayhound.ports import Put
from rayhound.records import identify
from tests import s3server
from tests.s3proxy import CUT, LOST, PASSES, STALLS, Fault, refuses
from tests.s3site import KEY, Site, content, listed

pytestmark = pytest.mark.anyio


UNCERTAIN = pytest.mark.parametrize(
    ("fault", "then"),
    [
        (refuses(500), Put.CREATED),
        (refuses(503, "SlowDown"), Put.CREATED),
        (CUT, Put.CREATED),
        (Fault(status=500), Put.SAME),
        (Fault(status=503), Put.SAME),
        (LOST, Put.SAME),
    ],
    ids=["500 before", "503 before", "cut before", "500 after", "503 after", "reply lost"],
)


@UNCERTAIN
async def test_a_fact_without_a_certain_answer_is_put_once_more_and_counts_as_created(
    store: Site, fault: Fault, then: Put
) -> None:
    store.proxy.meets("PUT", fault)
    assert await store.archive.put(KEY, b"{}") is Put.CREATED
    assert store.lies() == {KEY: b"{}"}
    assert len(store.proxy.conditions) == 2
    store.proxy.meets("PUT", fault)
    assert await store.archive.put(KEY, b"other") is Put.OTHER
    assert store.lies() == {KEY: b"{}"}


@UNCERTAIN
async def test_without_a_certain_answer_to_two_puts_a_fact_is_in_doubt_and_can_be_put_later(
    store: Site, fault: Fault, then: Put
) -> None:
    store.proxy.meets("PUT", fault, fault)
    with pytest.raises(InDoubt):
        await store.archive.put(KEY, b"{}")
    assert store.proxy.count("PUT") == 2
    assert await store.archive.put(KEY, b"{}") is then
    assert store.lies() == {KEY: b"{}"}
    assert len(store.proxy.conditions) == 3


@pytest.mark.parametrize("refusal", [refuses(403, "AccessDenied"), refuses(403, "QuotaExceeded")])
async def test_a_refusal_of_the_second_put_says_nothing_of_the_first(store: Site, refusal: Fault) -> None:
    store.proxy.meets("PUT", LOST, refusal)
    with pytest.raises(InDoubt):
        await store.archive.put(KEY, b"{}")
    assert store.lies() == {KEY: b"{}"}


@pytest.mark.parametrize(
    ("fault", "error", "hint"),
    [
        (refuses(403, "AccessDenied"), Unavailable, "s3:ListBucket"),
        (refuses(403, "RequestTimeTooSkewed"), Unavailable, "clock"),
        (refuses(400, "AuthorizationHeaderMalformed"), Unavailable, "AWS_REGION"),
        (refuses(404, "NoSuchBucket"), Unavailable, "RAYHOUND_ARCHIVE"),
        (refuses(403, "QuotaExceeded"), StorageFull, "quota"),
        (refuses(400, "XMinioAdminBucketQuotaExceeded"), StorageFull, "quota"),
    ],
)
async def test_a_refusal_is_a_sure_failure_and_tells_what_to_do(
    store: Site, fault: Fault, error: type[RayhoundError], hint: str
) -> None:
    store.proxy.meets("PUT", fault)
    with pytest.raises(error) as told:
        await store.archive.put(KEY, b"{}")
    assert fault.code in told.value.detail
    assert hint in told.value.hint
    assert store.lies() == {}


async def test_wrong_keys_are_told_as_such(store: Site) -> None:
    wrong = s3server.environment(store.server.port) | {"AWS_SECRET_ACCESS_KEY": "wrong"}
    archive = ObjectArchive(f"s3://{store.bucket}", wrong)
    with pytest.raises(Unavailable) as told:
        await archive.put(KEY, b"{}")
    assert "AWS_SECRET_ACCESS_KEY" in told.value.hint
    assert "wrong" not in told.value.detail


async def test_a_conflict_with_a_put_under_way_is_looked_at_and_tried_again(store: Site) -> None:
    store.proxy.meets("PUT", refuses(409, "ConditionalRequestConflict"))
    assert await store.archive.put(KEY, b"{}") is Put.CREATED
    store.proxy.meets("PUT", refuses(409, "ConditionalRequestConflict"))
    assert await store.archive.put(KEY, b"other") is Put.OTHER
    assert store.lies() == {KEY: b"{}"}


async def test_what_exists_and_is_not_there_is_put_again_but_not_for_ever(store: Site) -> None:
    store.proxy.meets("PUT", refuses(412, "PreconditionFailed"))
    assert await store.archive.put(KEY, b"{}") is Put.CREATED
    store.proxy.meets("PUT", refuses(412, "PreconditionFailed"), ever=True)
    with pytest.raises(Unavailable):
        await store.archive.put("keys/a.json", b"{}")


async def test_what_exists_and_cannot_be_read_is_in_doubt(store: Site) -> None:
    await store.archive.put(KEY, b"{}")
    store.proxy.meets("GET", refuses(403, "AccessDenied"), ever=True)
    with pytest.raises(InDoubt):
        await store.archive.put(KEY, b"{}")


@pytest.mark.parametrize(
    "fault", [refuses(403, "AccessDenied"), refuses(404, "NoSuchBucket"), Fault(False, 404, body="<h1>not here</h1>")]
)
async def test_only_the_stores_own_word_makes_a_key_missing(store: Site, fault: Fault) -> None:
    with pytest.raises(NotFound):
        await content(store.archive, KEY)
    store.proxy.meets("GET", fault)
    with pytest.raises(Unavailable):
        await content(store.archive, KEY)


async def test_what_only_reads_is_asked_again_within_bounds(store: Site) -> None:
    await store.archive.put(KEY, b"{}")
    store.proxy.meets("GET", refuses(500), CUT, PASSES, CUT, refuses(503))
    assert await content(store.archive, KEY) == b"{}"
    assert await listed(store.archive) == [KEY]
    store.proxy.meets("GET", refuses(500), ever=True)
    with pytest.raises(Unavailable):
        await content(store.archive, KEY)
    with pytest.raises(Unavailable):
        await listed(store.archive)


async def test_deleting_is_asked_again_and_in_doubt_without_an_answer(store: Site) -> None:
    await store.archive.put(KEY, b"{}")
    store.proxy.meets("DELETE", LOST)
    await store.archive.delete(KEY)
    assert store.lies() == {}
    store.proxy.meets("DELETE", refuses(500), ever=True)
    with pytest.raises(InDoubt):
        await store.archive.delete(KEY)
    store.proxy.mend()
    store.proxy.meets("DELETE", refuses(403, "AccessDenied"))
    with pytest.raises(Unavailable):
        await store.archive.delete(KEY)


async def test_a_store_that_answers_nothing_is_waited_for_within_bounds(
    store: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WHOLE_SECONDS", "FACT_SECONDS", "SILENCE_SECONDS", "PING_SECONDS"):
        monkeypatch.setattr(objects, name, 0.5)
    archive = store.another()
    store.proxy.meets("", STALLS, ever=True)
    async with asyncio.timeout(60):
        with pytest.raises(InDoubt):
            await archive.put(KEY, b"{}")
        with pytest.raises(InDoubt):
            await archive.ping()
        with pytest.raises(Unavailable):
            await content(archive, KEY)


async def test_a_probe_tells_when_the_store_may_be_written_but_not_read(store: Site) -> None:
    store.proxy.meets("GET", refuses(403, "AccessDenied"))
    with pytest.raises(Unavailable, match="AccessDenied"):
        await store.archive.ping()
    assert store.lies() == {}
    assert store.proxy.count("/.probe/") == 3


async def test_names_that_are_not_ours_are_not_listed(store: Site) -> None:
    for name in (".probe/left-over", "outbox/a", "outbox/.b", "2026/x~"):
        path = store.server.root / store.bucket / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    assert await listed(store.archive) == ["outbox/a"]


async def test_a_store_that_lets_a_second_create_through_is_refused(store: Site) -> None:
    store.proxy.meets("PUT", PASSES, Fault(status=200))  # its own 412 is turned into "done"
    with pytest.raises(Misconfigured, match="only once"):
        await identify(store.archive)


async def test_a_store_that_lists_its_keys_unsorted_is_refused(store: Site) -> None:
    found = "<Contents><Key>{}</Key><Size>1</Size><LastModified>2026-11-23T10:00:00.000Z</LastModified></Contents>"
    inside = "<IsTruncated>false</IsTruncated>" + found.format("outbox/b") + found.format("outbox/a")
    store.proxy.meets("GET", Fault(False, 200, body=f"<ListBucketResult>{inside}</ListBucketResult>"))
    with pytest.raises(Misconfigured, match="unsorted"):
        await listed(store.archive)
