"""The page about Minikube, typed as it stands there."""

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests import guides
from tests.cluster import kubernetes
from tests.cluster.conftest import MADE_OF, copied
from tests.cluster.installation import until_answering
from tests.cluster.kubernetes import LONG, Namespace
from tests.journey.upping import PATIENCE, within

PAGE = "docs/guides/minikube.md"
TYPED, BESIDE = "run on minikube", "run on minikube, beside the rest"


def test_the_page_leads_from_nothing_to_the_line_that_says_cat_and_into_the_queue(
    namespace: Namespace, cat: Path, free_port: int, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    clone = copied(tmp_path / "clone", *MADE_OF, "charts")
    shutil.copy(cat, clone / "cat.jpg")

    def typed(block: str) -> str:
        return guides.run(block, clone, namespace.environment, seconds=2 * LONG)

    install, look, send, see, queue, peek, go_on, try_it, again, list_all = (
        here(block, namespace, free_port) for block in guides.blocks(PAGE, TYPED)
    )
    [forward] = (here(block, namespace, free_port) for block in guides.blocks(PAGE, BESIDE))
    typed(install)
    assert set(re.findall(r"^my-\S+", typed(look), re.MULTILINE)) >= {"my-rabbitmq", "my-web-server", "my-consumer"}
    until_answering(namespace)
    first = image_id(typed(send))
    seen = typed(see)
    assert re.search(rf" retrieved image_id={first} ", seen)
    assert re.search(rf" analysed image_id={first} .*\bcontains=cat\b", seen)
    waiting = typed(queue)
    second = image_id(waiting)
    assert re.search(r"^images\s+1$", waiting, re.MULTILINE), waiting
    with beside(forward, clone, namespace, free_port):
        assert f'\\"subject\\":\\"{second}\\"' in typed(peek).replace(" ", "")
    typed(go_on)
    assert typed(try_it).count("Phase:          Succeeded") == 3
    typed(again)
    until_answering(namespace)
    said = typed(list_all)
    listed, _ = json.JSONDecoder().raw_decode(said, said.index('{"images":'))
    assert {(r["image_id"], r["status"]) for r in listed["images"]} >= {(first, "analysed"), (second, "analysed")}
    tell(f"the guide: all commands of {PAGE} typed")


def here(block: str, namespace: Namespace, port: int) -> str:
    """A block of the page in this namespace, with a free port where it takes RabbitMQ's own."""
    block = block.replace("15672:15672", f"{port}:15672").replace("127.0.0.1:15672", f"127.0.0.1:{port}")
    if kubernetes.context() == "minikube":  # the real one looks into `default` unless it is told
        block = block.replace("minikube service ", f"minikube service --namespace {namespace.name} ")
    return block


def image_id(answer: str) -> str:
    """The id in what an upload was answered."""
    found = re.search(r'"image_id": ?"([^"]+)"', answer)
    assert found, answer
    return found[1]


@contextmanager
def beside(block: str, folder: Path, namespace: Namespace, port: int) -> Generator[None]:
    """A block that goes on until it is stopped, from when its port answers."""
    with (namespace.folder / "beside").open("w") as output:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {block}"], cwd=folder, env=namespace.environment, stdout=output, stderr=output
        )
    try:
        assert any(listens(port) for _ in within(PATIENCE)), (namespace.folder / "beside").read_text()
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE)


def listens(port: int) -> bool:
    """Whether somebody listens on a port of this machine."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=PATIENCE):
        return True
    return False
