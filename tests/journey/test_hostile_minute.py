"""A minute of hostile pictures, as no hand would make them: only answers and errors of ours come out."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import ON_CI
from tests.pictures import every_kind, scene
from tests.unit.test_reading_hostile import outcome

KINDS = every_kind(scene((64, 48)))
MINUTE = settings(
    max_examples=5_000 if ON_CI else 500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@MINUTE
@given(
    kind=st.sampled_from(KINDS),
    edits=st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4), st.integers(0, 64)), min_size=1, max_size=6),
)
def test_bytes_put_in_taken_out_and_overwritten_end_in_a_picture_or_an_error_of_ours(
    kind: tuple[str, str, bytes], edits: list[tuple[float, bytes, int]], tmp_path: Path
) -> None:
    content = kind[2]
    for where, what, taken in edits:
        at = int(where * len(content))
        content = content[:at] + what + content[at + taken :]
    outcome(tmp_path / "image", content)
