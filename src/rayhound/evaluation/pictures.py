"""The pictures of an evaluation: reliability, risk against coverage, and a contact sheet of mistakes."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from PIL import Image, ImageDraw, ImageFont

from rayhound.evaluation.reliability import Bin
from rayhound.evaluation.risk import Point

SIDE, LEFT, BELOW, RIGHT, ABOVE = 480, 80, 60, 30, 40
INK, LINE, FAINT, PAPER = (40, 40, 40), (0, 90, 160), (210, 210, 210), (255, 255, 255)
TILE, CAPTION, COLUMNS, GAP, LINE_HEIGHT = 200, 50, 6, 8, 15
FINEST = 0.01  # the least risk that the picture's height stands for

Place = tuple[float, float]


@dataclass(frozen=True)
class Axes:
    """What a chart is about, and the largest value of its vertical axis; both begin at 0, and the other ends at 1."""

    title: str
    across: str
    up: str
    top: float = 1.0

    def at(self, x: float, y: float) -> Place:
        """Where on the chart a pair of values lies."""
        return LEFT + x * SIDE, ABOVE + (1 - min(y / self.top, 1)) * SIDE


@dataclass(frozen=True)
class Tile:
    """One image of the sheet, RGB, and up to three lines below it."""

    picture: Image.Image
    lines: tuple[str, ...]


def reliability(bins: Sequence[Bin], error: float | None) -> Image.Image:
    """A point for each bin, larger where more probabilities are; on the diagonal each came true as often as it said."""
    title = "Nothing to be measured" if error is None else f"Calibration error {error:.4f}, over ten bins"
    chart, axes = _chart(Axes(title, "probability that was said", "share that came true"))
    pen = ImageDraw.Draw(chart)
    pen.line((axes.at(0, 0), axes.at(1, 1)), FAINT, 2)
    points = [axes.at(one.said, one.came) for one in bins]
    pen.line(points, LINE, 2)
    total = sum(one.count for one in bins)
    for (x, y), one in zip(points, bins, strict=True):
        radius = 3 + 9 * (one.count / total) ** 0.5
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), LINE)
    return chart


def risk(points: Sequence[Point], own: tuple[float, float] | None) -> Image.Image:
    """The curve of all points, and `own`: the coverage and risk that the model's own thresholds give."""
    highest = max([FINEST, *(point.risk for point in points), *(own or ())[1:]])
    title = "Risk against coverage" + ("; the dot: the model's own thresholds" if own else "")
    chart, axes = _chart(Axes(title, "share of the photos that get an answer", "share of these that is wrong", highest))
    pen = ImageDraw.Draw(chart)
    pen.line([axes.at(point.coverage, point.risk) for point in points], LINE, 2)
    if own:
        x, y = axes.at(*own)
        pen.ellipse((x - 6, y - 6, x + 6, y + 6), INK)
    return chart


def sheet(tiles: Sequence[Tile]) -> Image.Image:
    """Images in rows of six, each with its caption; a blank one when there are none."""
    rows = max(1, ceil(len(tiles) / COLUMNS))
    size = (GAP + COLUMNS * (TILE + GAP), GAP + rows * (TILE + CAPTION + GAP))
    drawn = Image.new("RGB", size, PAPER)
    pen, font = ImageDraw.Draw(drawn), ImageFont.load_default()
    for number, tile in enumerate(tiles):
        row, column = divmod(number, COLUMNS)
        left, top = GAP + column * (TILE + GAP), GAP + row * (TILE + CAPTION + GAP)
        small = tile.picture.copy()
        small.thumbnail((TILE, TILE))
        drawn.paste(small, (left + (TILE - small.width) // 2, top + (TILE - small.height) // 2))
        for place, line in enumerate(tile.lines):
            pen.text((left, top + TILE + 2 + place * LINE_HEIGHT), _fitting(line, font), INK, font)
    return drawn


def _fitting(line: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> str:
    # The font that Pillow brings knows little beyond ASCII, and without FreeType nothing.
    plain = line.encode("ascii", "replace").decode()
    while plain and font.getlength(plain) > TILE:
        plain = plain[:-1]
    return plain


def _chart(axes: Axes) -> tuple[Image.Image, Axes]:
    chart = Image.new("RGB", (LEFT + SIDE + RIGHT, ABOVE + SIDE + BELOW), PAPER)
    pen, font = ImageDraw.Draw(chart), ImageFont.load_default()
    for tenth in range(0, 11, 2):
        part = tenth / 10
        pen.line((axes.at(part, 0), axes.at(part, axes.top)), FAINT)
        pen.line((axes.at(0, part * axes.top), axes.at(1, part * axes.top)), FAINT)
        x, y = axes.at(part, part * axes.top)
        pen.text((x - 8, ABOVE + SIDE + 6), f"{part:g}", INK, font)
        pen.text((LEFT - 42, y - 6), f"{part * axes.top:.3g}", INK, font)
    pen.rectangle((*axes.at(0, axes.top), *axes.at(1, 0)), outline=INK)
    pen.text((LEFT, ABOVE - 24), axes.title, INK, font)
    pen.text((LEFT + SIDE / 3, ABOVE + SIDE + 30), axes.across, INK, font)
    upright = Image.new("L", (SIDE, 20))
    ImageDraw.Draw(upright).text((SIDE // 3, 2), axes.up, 255, font)
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    chart.paste(INK, (8, ABOVE), turned)
    return chart, axes
