"""The tests touch no cluster that somebody may use."""

import pytest

from tests.cluster.kubernetes import refused


@pytest.mark.parametrize("name", ["minikube", "kind-kind", "kind-rayhound", "local"])
def test_a_cluster_that_is_there_for_trials_is_used(name: str) -> None:
    assert refused(name, None) is None


@pytest.mark.parametrize(
    "name", ["", "production", "minikube-of-the-team", "kind-", "a-local", "arn:aws:eks:x:y/local"]
)
def test_any_other_cluster_is_refused_until_it_is_named(name: str) -> None:
    why = refused(name, "another") or ""
    assert repr(name) in why
    assert "hint: " in why
    assert f"RAYHOUND_TEST_CONTEXT={name}" in why
    assert refused(name, name) is None


def test_naming_one_cluster_takes_no_other_away() -> None:
    assert refused("minikube", "production") is None
