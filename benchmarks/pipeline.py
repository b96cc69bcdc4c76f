"""How much of the bare loop of decode and classify is left once images are kept safe, queued and answered.

    python -m benchmarks.pipeline [--images N] [--rounds N] [--photos FOLDER]

All in one run on the same cores, so that the ratios mean something on a noisy machine:

- bare: as many processes as cores, each decoding and classifying the same photos;
- drain: a backlog that was accepted before, from the first stored analysis to the last; and the same after a SIGKILL;
- end to end: a sender on the same machine uploads while Rayhound analyses; the sender's CPU is told apart;
- accept: from request to `202`, with one sender on an idle machine and with eight;
- memory: the peak of each process while it analyses 12-megapixel photos.
"""

import argparse
import multiprocessing
import os
import random
import resource
import signal
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from io import BytesIO
from multiprocessing.synchronize import Barrier
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from benchmarks.running import Server, peak_memory, up
from rayhound.adapters.onnx import OnnxClassifier
from rayhound.analysers.cores import cores
from rayhound.domain import Limits
from rayhound.reading import read
from rayhound.settings import DEFAULT_MODEL

SENDERS = 8


@dataclass(frozen=True)
class Run:
    """What one measurement gave: images a second, and CPU milliseconds an image by process."""

    rate: float
    server: float = 0.0
    analysers: float = 0.0
    sender: float = 0.0


def drawn(seed: int, size: tuple[int, int]) -> bytes:
    """Something like a photograph: soft shapes and grain, as JPEG."""
    chance = random.Random(seed)
    image = Image.effect_noise(size, 40).convert("RGB")
    pen = ImageDraw.Draw(image)
    for _ in range(60):
        x, y, r = chance.randrange(size[0]), chance.randrange(size[1]), chance.randrange(size[1] // 4)
        pen.ellipse((x - r, y - r, x + r, y + r), tuple(chance.randbytes(3)))
    out = BytesIO()
    image.filter(ImageFilter.GaussianBlur(1)).save(out, "JPEG", quality=85)
    return out.getvalue()


def bare_loop(photos: list[str], count: int, barrier: Barrier) -> float:
    """One process's share of the bare loop; its seconds."""
    classifier = OnnxClassifier(DEFAULT_MODEL)
    limits = Limits()
    barrier.wait()
    began = time.monotonic()
    for number in range(count):
        classifier.classify(read(Path(photos[number % len(photos)]), classifier.side, limits).pixels)
    return time.monotonic() - began


def bare(photos: list[Path], count: int) -> Run:
    """The bare loop on all cores."""
    processes = cores()
    with multiprocessing.Manager() as manager, ProcessPoolExecutor(processes) as pool:
        barrier = manager.Barrier(processes)
        names = [str(p) for p in photos]
        shares = [pool.submit(bare_loop, names, count // processes, barrier) for _ in range(processes)]  # type: ignore[arg-type]
        return Run(count / max(share.result() for share in shares))


def post(connection: HTTPConnection, content: bytes) -> float:
    """Upload one image; the seconds until its 202 was read."""
    head = b'--X\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
    began = time.monotonic()
    body = head + content + b"\r\n--X--\r\n"
    connection.request("POST", "/upload", body, {"Content-Type": "multipart/form-data; boundary=X"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 202, answer.status
    return time.monotonic() - began


def send(port: int, photos: list[Path], count: int, senders: int) -> tuple[list[float], float]:
    """Upload so many images over some connections; the seconds of each, and the CPU seconds that sending took."""
    contents = [p.read_bytes() for p in photos]

    def one(share: int) -> list[float]:
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        return [post(connection, contents[n % len(contents)]) for n in range(share)]

    with ThreadPoolExecutor(senders) as threads:
        times = [t for share in threads.map(one, [count // senders] * senders) for t in share]
    used = resource.getrusage(resource.RUSAGE_SELF)
    return times, used.ru_utime + used.ru_stime


def sent(server: Server, photos: list[Path], count: int, senders: int = SENDERS) -> tuple[list[float], float]:
    """`send`, in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(send, server.port, photos, count, senders).result()


def measured(server: Server, count: int, before: tuple[float, float], sender: float = 0.0) -> Run:
    """The rate from the first to the last of so many analyses, and who spent how much CPU since `before`."""
    times = server.until_analysed(count)
    after = server.cpu()
    own, children = (1000 * (a - b) / count for a, b in zip(after, before, strict=True))
    return Run((count - 1) / (times[-1] - times[0]), own, children, 1000 * sender / count)


def drain(photos: list[Path], count: int, folder: Path) -> Run:
    """A backlog, made while the analysers are stopped, and then drained."""
    with up(folder / "drain") as server:
        server.signal_analysers(signal.SIGSTOP)
        sent(server, photos, count)
        before = server.cpu()
        server.signal_analysers(signal.SIGCONT)
        return measured(server, count, before)


def drain_after_kill(photos: list[Path], count: int, folder: Path) -> Run:
    """The same backlog, whose process was killed and started again."""
    with up(folder / "killed") as server:
        server.signal_analysers(signal.SIGSTOP)
        sent(server, photos, count)
    with up(folder / "killed") as server:
        return measured(server, count, (0.0, 0.0))


def end_to_end(photos: list[Path], count: int, folder: Path) -> Run:
    """Uploading and analysing at once, on the same cores."""
    with up(folder / "end") as server:
        before = server.cpu()
        began = time.time()
        _, sender = sent(server, photos, count)
        run = measured(server, count, before, sender)
        return Run(count / (server.analyses()[-1] - began), run.server, run.analysers, run.sender)


def accept(photos: list[Path], folder: Path) -> None:
    """Times to accept; one sender measures the way of one image, eight a busy server."""
    for senders, count in ((1, 200), (SENDERS, 800)):
        with up(folder / f"accept-{senders}") as server:
            times = sorted(1000 * t for t in sent(server, photos, count, senders)[0])
        p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
        print(f"accept, {senders} sender{'s' * (senders > 1)}: p50 {p50:.1f} ms, p99 {p99:.1f} ms", flush=True)


def memory(folder: Path) -> None:
    """The peak of each process with large photos."""
    large = folder / "large.jpg"
    large.write_bytes(drawn(1, (4000, 3000)))
    with up(folder / "memory") as server:
        sent(server, [large], 48)
        server.until_analysed(48)
        analysers = [peak_memory(pid) for pid in server.analysers]
        own = peak_memory(server.process.pid)
    print(f"memory, 12-megapixel photos: server {own:.0f} MB, an analyser {max(analysers):.0f} MB")


def main() -> None:
    """Measure everything and print it."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--images", type=int, default=1600)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--photos", type=Path, help="a folder of photos; drawn ones of 500×375 otherwise")
    given = options.parse_args()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as name:
        photos = sorted(given.photos.glob("*.jpg")) if given.photos else []
        for seed in range(0 if photos else 20):
            photos.append(Path(name) / f"{seed}.jpg")
            photos[-1].write_bytes(drawn(seed, (500, 375)))
        ways = {"drain": drain, "drain after a SIGKILL": drain_after_kill, "end to end": end_to_end}
        ratios: dict[str, list[float]] = {way: [] for way in ways}
        for number in range(given.rounds):
            loop = bare(photos, given.images)
            print(f"round {number + 1}: bare loop {loop.rate:.0f} images/s on {cores()} cores", flush=True)
            for way, measure in ways.items():
                with tempfile.TemporaryDirectory(dir=name) as folder:
                    run = measure(photos, given.images, Path(folder))
                ratios[way].append(run.rate / loop.rate)
                cost = f"server {run.server:.2f}, analysers {run.analysers:.2f}, sender {run.sender:.2f}"
                print(
                    f"  {way}: {run.rate:.0f} images/s, ratio {ratios[way][-1]:.2f}; CPU ms an image: {cost}",
                    flush=True,
                )
        for way, found in ratios.items():
            print(f"{way}: median ratio {statistics.median(found):.2f} ({min(found):.2f}–{max(found):.2f})")
        accept(photos, Path(name))
        memory(Path(name))


if __name__ == "__main__":
    main()
