"""An archive whose keys an agent lends to a pod, on a server that knows when they end and what they allow."""

import asyncio
import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from rayhound.adapters import objects
from rayhound.adapters.objects import PART, ObjectArchive
from rayhound.domain import InDoubt, Misconfigured, Unavailable
from rayhound.ports import Put
from tests import s3server
from tests.lending import PodSite, environment, opened_by_a_pod, sts
from tests.s3proxy import Fault
from tests.s3roles import Session
from tests.s3site import IMAGE, KEY, content, listed

pytestmark = pytest.mark.anyio

SHORT = 60.0  # the client renews what ends within five minutes


async def opens(site: PodSite, session: Session, token: str | None = None) -> bool:
    """Whether the server still takes the keys of a session, with its token or another."""
    given = {"AWS_ACCESS_KEY_ID": session.access, "AWS_SECRET_ACCESS_KEY": session.secret}
    named = s3server.environment(site.server.port) | given | {"AWS_SESSION_TOKEN": token or session.token}
    try:
        await listed(ObjectArchive(site.archive.url, named))
    except Unavailable:
        return False
    return True


async def test_keys_are_lent_once_and_kept_while_they_have_long_to_go(pod: PodSite) -> None:
    for number in range(20):
        assert await pod.archive.put(f"outbox/{number}", b"{}") is Put.CREATED
    assert len(pod.lender.lent) == 1
    assert pod.lender.asked == ["the-first-token"]


async def test_the_server_takes_no_key_without_the_token_that_came_with_it(pod: PodSite) -> None:
    await pod.archive.put(KEY, b"{}")
    [session] = pod.lender.lent
    assert await opens(pod, session)
    assert not await opens(pod, session, token="another")
    assert not await opens(pod, replace(session, secret="another"))


async def test_keys_are_renewed_before_they_end(tmp_path: Path) -> None:
    async with opened_by_a_pod(tmp_path, SHORT) as pod:
        for number in range(3):
            assert await pod.archive.put(f"outbox/{number}", b"{}") is Put.CREATED
            await asyncio.sleep(0.2)
        first, *_, last = pod.lender.lent
        assert first != last
        assert await opens(pod, first), "they were renewed while they were good"


async def test_keys_that_end_within_seconds_open_the_bucket_for_as_long_as_one_likes(tmp_path: Path) -> None:
    async with opened_by_a_pod(tmp_path, seconds=4) as pod:
        await pod.archive.put(KEY, b"{}")
        first = pod.lender.lent[0]
        for number in range(12):
            assert await pod.archive.put(f"outbox/{number}", b"{}") is Put.CREATED
            assert await content(pod.archive, KEY) == b"{}"
            await asyncio.sleep(0.4)
        assert not await opens(pod, first)
        assert len(pod.lies()) == 13


async def test_an_image_goes_on_in_parts_though_the_keys_that_it_began_with_have_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "PARTS_TOGETHER", 1)
    image = tmp_path / "spooled"
    image.write_bytes(os.urandom(2 * PART + 1))
    async with opened_by_a_pod(tmp_path, seconds=4) as pod:
        pod.proxy.meets("partNumber=1", Fault(after=4.5))
        assert await pod.archive.put(IMAGE, image) is Put.CREATED
        assert not await opens(pod, pod.lender.lent[0])
        assert await content(pod.archive, IMAGE) == image.read_bytes()


async def test_a_token_that_was_rotated_is_read_anew(tmp_path: Path) -> None:
    async with opened_by_a_pod(tmp_path, SHORT) as pod:
        await pod.archive.put(KEY, b"{}")
        pod.lender.rotate("the-second-token")
        await asyncio.sleep(0.2)
        assert await pod.archive.put("outbox/a", b"{}") is Put.CREATED
        assert pod.lender.asked == ["the-first-token", "the-second-token"]


AWAY = (503, "no")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
async def test_an_agent_that_lends_nothing_is_told_with_a_hint_and_nothing_is_lost(pod: PodSite, status: int) -> None:
    pod.lender.refuses = (status, "(AccessDeniedException): no association")
    with pytest.raises(InDoubt) as told:
        await pod.archive.put(KEY, b"{}")
    assert f"{pod.bucket} would not store {KEY}: no credentials: {status}" in told.value.detail
    assert "pod identity association" in told.value.hint
    with pytest.raises(Unavailable, match="no credentials"):
        await content(pod.archive, KEY)
    assert pod.proxy.asked == []
    pod.lender.refuses = None
    assert await pod.archive.put(KEY, b"{}") is Put.CREATED


async def test_an_agent_that_is_away_for_a_moment_costs_no_fact(pod: PodSite) -> None:
    pod.lender.refuses = AWAY
    putting = asyncio.create_task(pod.archive.put(KEY, b"{}"))
    async with asyncio.timeout(60):
        while not pod.lender.asked:
            await asyncio.sleep(0.01)
    pod.lender.refuses = None
    assert await putting is Put.CREATED


async def test_an_agent_that_is_away_when_an_image_is_completed_leaves_it_in_doubt(tmp_path: Path) -> None:
    image = tmp_path / "spooled"
    image.write_bytes(os.urandom(PART + 1))
    async with opened_by_a_pod(tmp_path, SHORT) as pod:
        pod.proxy.meets("partNumber=2", Fault(after=0.5))
        putting = asyncio.create_task(pod.archive.put(IMAGE, image))
        await pod.proxy.saw("partNumber=2")
        pod.lender.refuses = (403, "(AccessDeniedException): no association")
        with pytest.raises(InDoubt, match="no credentials"):
            await putting
        pod.lender.refuses = None
        assert await pod.archive.put(IMAGE, image) is Put.CREATED
        assert pod.lies() == {f"images/{IMAGE}": image.read_bytes()}


async def test_an_agent_that_answers_nothing_is_waited_for_within_bounds(
    pod: PodSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "FACT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        pod.lender.port = silent.getsockname()[1]
        async with asyncio.timeout(60):
            with pytest.raises(InDoubt, match="no credentials: no answer in time"):
                await pod.another().put(KEY, b"{}")


async def test_an_agent_that_is_not_there_is_told(pod: PodSite, free_port: int) -> None:
    pod.lender.port = free_port
    with pytest.raises(InDoubt, match="no credentials: no connection"):
        await pod.another().put(KEY, b"{}")


@pytest.mark.parametrize("token", ["ends in a newline\n", "two\nlines", ""])
async def test_a_token_that_cannot_be_sent_is_told_at_the_start(pod: PodSite, token: str) -> None:
    pod.lender.rotate(token)
    with pytest.raises(Misconfigured, match="AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") as told:
        pod.another()
    assert "one line" in told.value.hint
    assert not token or token not in told.value.detail


async def test_a_token_that_is_gone_is_told_at_the_start_and_later(pod: PodSite) -> None:
    pod.lender.token_file.unlink()
    with pytest.raises(InDoubt, match=r"no credentials.*token file") as told:
        await pod.archive.put(KEY, b"{}")
    assert "pod identity association" in told.value.hint
    with pytest.raises(Misconfigured, match="cannot be read"):
        pod.another()


async def test_sts_lends_keys_for_a_web_identity_and_renews_them_with_the_token_of_the_day(tmp_path: Path) -> None:
    async with opened_by_a_pod(tmp_path, SHORT, by=sts) as pod:
        assert await pod.archive.put(KEY, b"{}") is Put.CREATED
        pod.lender.rotate("the-second-token")
        await asyncio.sleep(0.2)
        assert await pod.archive.put("outbox/a", b"{}") is Put.CREATED
        assert pod.lender.asked == ["the-first-token", "the-second-token"]
        assert pod.lender.lent[0] != pod.lender.lent[1]


async def test_sts_that_refuses_or_that_nobody_vouches_for_is_told(tmp_path: Path) -> None:
    async with opened_by_a_pod(tmp_path, by=sts) as pod:
        unknown = {
            name: value for name, value in environment(pod.proxy.port, pod.lender).items() if name != "AWS_CA_BUNDLE"
        }
        with pytest.raises(InDoubt, match="no credentials"):
            await ObjectArchive(pod.archive.url, unknown).put(KEY, b"{}")
        assert pod.lender.asked == []
        pod.lender.refuses = (403, "<Error><Code>AccessDenied</Code><Message>Not you</Message></Error>")
        with pytest.raises(InDoubt, match="no credentials: 403 AccessDenied: Not you") as told:
            await pod.archive.put(KEY, b"{}")
        assert "the-first-token" not in told.value.detail
        pod.lender.refuses = None
        assert await pod.archive.put(KEY, b"{}") is Put.CREATED
