"""Nobody needs to know in which order the three charts go."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import cycle, permutations
from pathlib import Path

import pytest

from tests.cluster.conftest import Namespaces
from tests.cluster.installation import install, until_ready
from tests.cluster.kubernetes import PARTS, Namespace

AT_ONCE = 2  # as many as the requests of a node with two cores bear


def test_the_three_charts_are_installed_in_any_order_and_an_image_is_analysed(
    namespaces: Namespaces, cat: Path, tell: Callable[[str], None]
) -> None:
    orders = list(permutations(PARTS))
    helms = [helm for helm in ("helm", "helm4") if shutil.which(helm)]

    def analysed(order: tuple[str, ...], helm: str) -> str:
        with namespaces.fresh(helm) as namespace:
            install(namespace, *order)
            until_ready(namespace)
            assert namespace.helm("list", "--short").split() == sorted(f"my-{part}" for part in PARTS)
            assert "STATUS: deployed" in namespace.helm("status", "my-consumer")
            return said_of(namespace, cat)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        said = list(threads.map(analysed, orders, cycle(helms)))
    assert said == ["cat"] * len(orders)
    tell(f"orders: {len(said)} of {len(orders)} installed and an image analysed, by turns with {' and '.join(helms)}")
    if "helm4" not in helms:
        pytest.skip("all went well with helm; helm4, which is Helm 4, is not installed")


def said_of(namespace: Namespace, image: Path) -> str:
    """What is said of an image that is uploaded: in its record, and in the consumer's log."""
    server = namespace.web_server()
    with closing(server.http):
        image_id = server.accepted(image.read_bytes())
        contains = str(server.answered(image_id)["contains"])
        server.log.write_text(namespace.kubectl("logs", "deployment/consumer"))
    [line] = [line for line in server.events("analysed") if line["image_id"] == image_id]
    assert line["contains"] == contains
    return contains
