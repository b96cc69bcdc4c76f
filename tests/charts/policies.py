"""What NetworkPolicies let pass, by the rules of Kubernetes, as a network that enforces them would.

https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from tests.charts.rendering import Document

NAMESPACE = "images"
NAMESPACE_NAME = "kubernetes.io/metadata.name"


@dataclass(frozen=True, slots=True)
class End:
    """One end of a connection: a pod, or where it has no namespace anything else with an address."""

    address: str
    namespace: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Flow:
    """A connection that somebody opens."""

    source: End
    target: End
    port: int
    protocol: str = "TCP"


def passes(policies: Iterable[Document], flow: Flow) -> bool:
    """Whether a connection is let out where it begins, and let in where it ends."""
    policies = tuple(policies)
    ends = (("Egress", "to", flow.source, flow.target), ("Ingress", "from", flow.target, flow.source))
    return all(_lets(policies, flow, direction, key, held=held, other=other) for direction, key, held, other in ends)


def _lets(policies: tuple[Document, ...], flow: Flow, direction: str, key: str, *, held: End, other: End) -> bool:
    """Whether no policy holds this end in one direction, or a rule of one of them lets the other end pass."""
    holding = [p for p in policies if direction in p.spec["policyTypes"] and _is_pod(held, p.spec["podSelector"])]
    rules = [rule for policy in holding for rule in policy.spec.get(direction.lower(), [])]
    return not holding or any(_rule_lets(rule, flow, key, other) for rule in rules)


def _rule_lets(rule: Any, flow: Flow, key: str, other: End) -> bool:
    # A rule without peers is for everybody; one whose list of them is empty would be too, and is never meant.
    assert rule.get(key) != [], rule
    assert all(isinstance(port["port"], int) for port in rule["ports"]), "EKS does not know ports by their names"
    ports = {(port["port"], port.get("protocol", "TCP")) for port in rule["ports"]}
    return (flow.port, flow.protocol) in ports and (key not in rule or any(_is_peer(other, p) for p in rule[key]))


def _is_peer(end: End, peer: Any) -> bool:
    if "ipBlock" in peer:
        return ip_address(end.address) in ip_network(peer["ipBlock"]["cidr"])
    if "namespaceSelector" in peer:
        about = {NAMESPACE_NAME: end.namespace or ""}
        return end.namespace is not None and _matches(peer["namespaceSelector"], about) and "podSelector" not in peer
    return _is_pod(end, peer["podSelector"])


def _is_pod(end: End, selector: Any) -> bool:
    """Whether an end is a pod that a policy of this namespace selects."""
    return end.namespace == NAMESPACE and _matches(selector, end.labels)


def _matches(selector: Any, labels: Mapping[str, str]) -> bool:
    assert set(selector) <= {"matchLabels", "matchExpressions"}
    expressions = selector.get("matchExpressions", [])
    assert all(expression["operator"] == "In" for expression in expressions)
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        labels.get(expression["key"]) in expression["values"] for expression in expressions
    )
