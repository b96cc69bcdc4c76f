"""The page about Amazon EKS, as far as a Kubernetes of another kind can take its commands."""

from pathlib import Path

import pytest

from tests.cluster.kubernetes import Namespace, run
from tests.terraform import page

BEYOND_THE_NAMESPACE = ("config", "create namespace")


@pytest.mark.usefixtures("autoscaling")
def test_kubectl_understands_every_command_of_the_page(namespace: Namespace, tmp_path: Path) -> None:
    asked = page.typed(tmp_path).of("kubectl")
    here = [words for words in asked if not " ".join(words[1:]).startswith(BEYOND_THE_NAMESPACE)]
    assert len(here) > 20
    for words in here:
        said = run(words, namespace.environment).stderr
        assert not said or said.startswith(("Error from server (NotFound)", "No resources found")), f"{words}\n{said}"
