"""An archive in an S3-compatible bucket: Amazon's own, MinIO, Ceph, and others that know conditional writes.

Facts, markers and images up to 5 MiB are created by one conditional PutObject (`If-None-Match: *`), so whoever comes
second is told. A larger image goes in parts under its fresh id, and its key is looked at first instead: nobody else
puts that key, and a condition would make the client hold the image whole in memory.

The client's blocking calls run in threads of ours. Its own asyncio ones let a thread of Rust's touch Python after they
are done, and a process that ends at that moment is aborted (seen in one of twenty that put an image and left).
"""

import asyncio
import os
import re
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from rayhound.adapters.bucket import Manners, bucket
from rayhound.adapters.refusals import away, explained, refusal
from rayhound.domain import InDoubt, Misconfigured, NotFound, RayhoundError, StorageFull, Unavailable
from rayhound.ports import Entry, Put, Storage

T = TypeVar("T")

THREADS = 64
PART = 5 * 1024 * 1024  # the smallest part that S3 takes
PARTS_TOGETHER = 3
IMAGES_TOGETHER = 8  # each holds some parts in memory
PIECE = 1024 * 1024
PAGE = 256

WHOLE_SECONDS = 60.0  # for one request, its body of at most 5 MiB included
SILENCE_SECONDS = 30.0
PING_SECONDS = 20.0
FACT_SECONDS = 20.0  # for a fact or a marker, which is small; put twice, it is told before most senders give up
REPEAT_SECONDS = 0.5  # before a fact whose put is in doubt is put again
PAUSES = (0.1, 0.3, 1.0, 0.0)  # before a put that met "exists", and then nothing there, is tried again

_PROBE = b"rayhound"
_WORD = r"[A-Za-z0-9][A-Za-z0-9._@-]*"
_OURS = re.compile(rf"{_WORD}(?:/{_WORD})*")
_FAILURES = (BaseError, OSError)  # obstore says FileNotFoundError for every 404


class ObjectArchive:
    """An archive at `s3://bucket/prefix`; endpoint, region and credentials come from the environment."""

    def __init__(self, url: str, environment: Mapping[str, str] = os.environ) -> None:
        self.url = url
        place = bucket(url, environment)
        self._bucket = place.name
        # A request that was sent again may have been done the first time, so the client sends once what creates.
        self._once = place.open(Manners(retries=0, whole=WHOLE_SECONDS))
        self._facts = place.open(Manners(retries=0, whole=FACT_SECONDS))
        self._reading = place.open(Manners(retries=3, silence=SILENCE_SECONDS))
        self._parts = place.open(Manners(retries=3, whole=WHOLE_SECONDS))
        self._images = asyncio.Semaphore(IMAGES_TOGETHER)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="archive")

    async def close(self) -> None:
        """Wait for what is under way, and end the threads."""
        await asyncio.get_running_loop().run_in_executor(None, self._threads.shutdown)

    async def put(self, key: str, content: bytes | Path) -> Put:
        """As `Archive.put`."""
        if isinstance(content, bytes):
            return await self._create_fact(key, content)
        try:
            async with asyncio.timeout(WHOLE_SECONDS):
                await self._images.acquire()
        except TimeoutError as e:
            raise Unavailable(f"the bucket {self._bucket} is too slow for so many images", "come again later") from e
        try:
            return await self._put_image(key, content)
        finally:
            self._images.release()

    async def get(self, key: str) -> AsyncGenerator[bytes, None]:
        """As `Archive.get`; a connection that is lost meanwhile is taken up where it ended."""
        try:
            got = await self._run(lambda: obstore.get(self._reading, key))
            pieces = iter(got.stream(min_chunk_size=PIECE))
            while (piece := await self._run(lambda: next(pieces, None))) is not None:
                yield bytes(piece)
        except _FAILURES as e:
            if refusal(e).missing:
                raise NotFound(f"the archive has no {key}") from e
            raise away(e, self._bucket, f"give {key}") from e

    async def list(self, prefix: str, after: str = "") -> AsyncGenerator[Entry, None]:
        """As `Archive.list`; names that are not ours (`.probe/…`) are left out."""
        last = ""
        try:
            pages = iter(obstore.list(self._reading, prefix or None, offset=after or None, chunk_size=PAGE))
            while (page := await self._run(lambda: next(pages, None))) is not None:
                for found in page:
                    key = found["path"]
                    if key < last:
                        raise Misconfigured(f"the bucket {self._bucket} lists unsorted", "use a general purpose bucket")
                    last = key
                    # the client leaves off a trailing `/` of `after`, and S3 compares the text as it is
                    if key > after and _OURS.fullmatch(key):
                        yield Entry(key, found["size"], found["last_modified"])
        except _FAILURES as e:
            raise away(e, self._bucket, f"list {prefix or 'its keys'}") from e

    async def delete(self, key: str) -> None:
        """As `Archive.delete`."""
        try:
            await self._run(lambda: obstore.delete(self._reading, key))
        except _FAILURES as e:
            if not refusal(e).missing:
                raise explained(e, self._bucket, f"delete {key}") from e

    async def ping(self) -> Storage:
        """As `Archive.ping`; a bucket has no end, so no room is told, and its time is in whole seconds."""
        key = f".probe/{secrets.token_hex(16)}"
        try:
            async with asyncio.timeout(PING_SECONDS):
                await self._create(self._facts, key, _PROBE)
                try:
                    now = await self._probe(key)
                except RayhoundError:
                    with suppress(RayhoundError):
                        await self.delete(key)
                    raise
                await self.delete(key)
                return Storage(now, None, None)
        except TimeoutError as e:
            raise InDoubt(f"the bucket {self._bucket} does not answer", "can its endpoint be reached from here?") from e

    async def _run(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def _probe(self, key: str) -> datetime:
        try:
            got = await self._run(lambda: obstore.get(self._reading, key))
            written, content = got.meta["last_modified"], bytes(await self._run(got.bytes))
        except _FAILURES as e:
            raise away(e, self._bucket, "read back what was written") from e
        if content != _PROBE:
            raise Unavailable(f"the bucket {self._bucket} does not read back what was written")
        if written.year < 2000:  # what the client makes of an answer without Last-Modified
            detail = f"the bucket {self._bucket} does not tell when an object was written"
            raise Unavailable(detail, "does a proxy drop its headers?")
        return written.astimezone(UTC)

    async def _create(self, store: S3Store, key: str, content: bytes) -> Put:
        """Create an object by one request, conditionally.

        *Exists* (412, or 409 while another put of this key is under way) is looked at; where nothing lies after all,
        the put is tried again.
        """
        for pause in PAUSES:
            try:
                await self._run(lambda: _put_whole(store, key, content))
                return Put.CREATED
            except AlreadyExistsError as e:
                put = await self._look(key, content)
                if put is not None:
                    return put
                refused = e
            except _FAILURES as e:
                raise explained(e, self._bucket, f"store {key}") from e
            await asyncio.sleep(pause)
        raise explained(refused, self._bucket, f"store {key}") from refused

    async def _create_fact(self, key: str, content: bytes) -> Put:
        """As `_create`, put once more where that is in doubt: so one bad moment of the store costs no upload a 503.

        What lies there then with the same bytes counts as created. A refusal of the second put tells nothing of the
        first, so doubt stays doubt. The first may yet come when what the second made is deleted already: a marker or
        an attempt too many does no harm, but an image would lie there for ever, so images are not put again.
        """
        try:
            return await self._create(self._facts, key, content)
        except InDoubt:
            await asyncio.sleep(REPEAT_SECONDS)
        try:
            put = await self._create(self._facts, key, content)
        except (Unavailable, StorageFull) as e:
            raise InDoubt(e.detail, e.hint) from e
        return Put.CREATED if put is Put.SAME else put

    async def _create_image(self, key: str, content: bytes) -> Put:
        """As `_create`; a server may answer *exists* and hang up while an image is still sent, which loses the answer.

        So where there was none, what lies there is one; where nothing does, it may still come, and doubt stays doubt.
        """
        try:
            return await self._create(self._once, key, content)
        except InDoubt:
            with suppress(RayhoundError):
                put = await self._compare(key, content)
                if put is not None:
                    return put
            raise

    def _put_parts(self, key: str, image: Path) -> None:
        obstore.put(self._parts, key, image, use_multipart=True, chunk_size=PART, max_concurrency=PARTS_TOGETHER)

    async def _put_image(self, key: str, spooled: Path) -> Put:
        try:
            if spooled.stat().st_size <= PART:
                return await self._create_image(key, await self._run(spooled.read_bytes))
            put = await self._compare(key, spooled)  # nothing was sent yet: a failure to look is a sure one
        except OSError as e:
            raise Unavailable(f"the spooled image cannot be read: {e.strerror}", "is the disk well?") from e
        if put is not None:
            return put
        try:
            await self._run(lambda: self._put_parts(key, spooled))
        except _FAILURES as e:
            raise explained(e, self._bucket, f"store {key}") from e
        return Put.CREATED

    async def _look(self, key: str, content: bytes) -> Put | None:
        """As `_compare`, of a key that is said to be taken: it may be by us, in a put whose reply was lost."""
        try:
            return await self._compare(key, content)
        except Unavailable as e:
            raise InDoubt(e.detail, e.hint) from e

    async def _compare(self, key: str, content: bytes | Path) -> Put | None:
        """What lies there, against what was to be put; none where nothing lies."""
        same, offset = True, 0
        try:
            async with aclosing(self.get(key)) as pieces:
                async for piece in pieces:
                    same = piece == await self._run(partial(_part, content, offset, len(piece)))
                    offset += len(piece)
                    if not same:
                        break
        except NotFound:
            return None
        size = len(content) if isinstance(content, bytes) else content.stat().st_size
        return Put.SAME if same and offset == size else Put.OTHER


def _put_whole(store: S3Store, key: str, content: bytes) -> None:
    # a file is copied into Rust's memory, where bytes are Python's, to be let go by a thread of Rust's
    obstore.put(store, key, BytesIO(content), mode="create", use_multipart=False)


def _part(content: bytes | Path, offset: int, size: int) -> bytes:
    if isinstance(content, bytes):
        return content[offset : offset + size]
    with content.open("rb") as file:
        file.seek(offset)
        return file.read(size)
