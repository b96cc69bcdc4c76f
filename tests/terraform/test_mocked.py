"""The tests that lie beside the configuration, with a provider that makes nothing."""

from pathlib import Path

import pytest

from tests.terraform.roots import ROOTS, copied, done, initialised


@pytest.mark.parametrize("root", ROOTS)
def test_wrong_variables_are_refused_and_helm_is_told_what_it_must_know(root: str, tmp_path: Path) -> None:
    copy = copied(tmp_path / "terraform")
    initialised(copy, root, "-backend=false")
    done(copy, root, "test", "-no-color")
