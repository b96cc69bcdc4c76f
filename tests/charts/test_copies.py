"""What charts share lies in each of them, so that each can be installed by itself, and lies there alike."""

import pytest

from tests.charts.rendering import CHARTS, OURS, PARTS

SHARED = {"_helpers.tpl": PARTS, "_parts.tpl": OURS}


@pytest.mark.parametrize("name", SHARED)
def test_copies_are_alike(name: str) -> None:
    assert len({(CHARTS / chart / "templates" / name).read_bytes() for chart in SHARED[name]}) == 1


def test_whatever_two_charts_have_under_a_name_in_common_is_a_copy_or_renders_an_object() -> None:
    held = [{file.name for file in (CHARTS / chart / "templates").glob("*.tpl")} for chart in PARTS]
    twice = {name for names in held for name in names if sum(name in others for others in held) > 1}
    assert twice == set(SHARED)


def test_the_umbrella_holds_the_charts_themselves() -> None:
    links = {link.name: link.resolve() for link in (CHARTS / "rayhound" / "charts").iterdir()}
    assert links == {chart: (CHARTS / chart).resolve() for chart in PARTS}
