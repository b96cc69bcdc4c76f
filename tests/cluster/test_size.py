"""Images as large as they come."""

from collections.abc import Callable
from contextlib import closing

from PIL import Image

from tests.cluster.kubernetes import Namespace
from tests.pictures import encoded

WIDTH, HEIGHT = 8192, 8140  # 200 MB, three bytes to a pixel


def test_an_image_of_200_megabytes_is_accepted_and_analysed(installed: Namespace, tell: Callable[[str], None]) -> None:
    content = encoded(Image.new("RGB", (WIDTH, HEIGHT), (200, 30, 40)), "BMP")
    assert len(content) > 200_000_000
    server = installed.web_server()
    with closing(server.http):
        record = server.answered(server.accepted(content))
    assert (record["status"], record["width"], record["height"]) == ("analysed", WIDTH, HEIGHT), record
    assert record["bytes"] == len(content)
    assert installed.restarts("web-server") == installed.restarts("consumer") == 0
    tell(f"an image of {len(content) / 1e6:.0f} MB analysed")
