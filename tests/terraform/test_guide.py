"""The page about Amazon EKS: every command on it is accounted for, and every name that it says exists."""

import re
from typing import Any

import pytest
import typer
import yaml

from rayhound.cli import app
from tests.charts.eks import FILE
from tests.charts.rendering import CHARTS, HELMS, Document, Loader, at, defaults, merged, one, pods, rendered, run
from tests.terraform import page
from tests.terraform.roots import ROOTS, TERRAFORM
from tests.terraform.values import helm_values

# What these programs may be asked; each was looked up in their references.
KNOWN = {
    "aws ecr get-login-password",
    "aws eks update-kubeconfig --name",
    "aws logs delete-log-group --log-group-name",
    "aws s3api list-object-versions --bucket --prefix --query --output",
    "aws s3api delete-object --bucket --key --version-id",
    "docker login --username --password-stdin",
    "docker buildx build --platform --tag --push",
    "git rev-parse --short",
    "openssl rand -hex",
}
NOT_FROM_CHARTS = {
    ("namespace", "rayhound"),
    ("nodes", ""),
    ("persistentvolume", ""),
    ("persistentvolume", page.VOLUME),
    ("persistentvolumeclaim", ""),
    ("pod", "rabbitmq-0"),
}


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> page.Typed:
    """The page, typed once."""
    return page.typed(tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="module")
def documents(typed: page.Typed, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What Terraform writes for Helm with the page's variables, and with each of its additions."""
    written = (typed.folder / "terraform/cluster/terraform.tfvars").read_text()
    given = {"region": "eu-central-1", "image_tag": page.TAG, "mq_password": page.PASSWORD}
    return [
        helm_values(tmp_path_factory.mktemp("values") / "terraform", **given, **page.variables(written + more))
        for more in ("", *page.blocks("hcl"))
    ]


@pytest.fixture(scope="module")
def shapes(documents: list[str]) -> list[list[Document]]:
    """All that the page's release of Rayhound makes, for each of these documents."""
    for_eks = yaml.load(FILE.read_text(), Loader)
    values = [merged(for_eks, yaml.load(document, Loader)) for document in documents]
    return [rendered("rayhound", shape, release="rayhound") for shape in values]


def test_terraform_is_asked_for_roots_outputs_and_variables_that_exist(typed: page.Typed) -> None:
    assert (typed.folder / "terraform/backend.hcl").read_text() == page.BACKEND
    for _, chdir, verb, *rest in typed.of("terraform"):
        root = chdir.removeprefix("-chdir=terraform/")
        assert root in ROOTS
        match verb, rest:
            case "output", ["-raw", name]:
                assert name in page.names(root, "output")
            case "init", options:
                assert options == ([] if root == "bootstrap" else ["-backend-config=../backend.hcl"])
            case "apply", [replaced]:
                kind, name = replaced.removeprefix("-replace=").removesuffix("[0]").split(".")
                assert f'resource "{kind}" "{name}"' in (TERRAFORM / root / "broker.tf").read_text()
            case _:
                assert verb in ("apply", "destroy")
                assert not rest
    assert set(re.findall(r"\bTF_VAR_(\w+)", page.text())) <= page.names("cluster", "variable")


def test_the_page_sets_every_variable_that_has_no_default(typed: page.Typed) -> None:
    written = page.variables((typed.folder / "terraform/cluster/terraform.tfvars").read_text())
    by_shell = set(re.findall(r"\bTF_VAR_(\w+)", page.text()))
    required = {root: page.names(root, "variable") - page.names(root, "variable", "default") for root in ROOTS}
    assert required["bootstrap"] | required["archive"] <= by_shell
    assert required["cluster"] <= by_shell | set(written)


def test_terraform_takes_the_variables_of_the_page_and_tells_helm_of_them(documents: list[str]) -> None:
    plain, with_amazon_mq, with_ingress = (yaml.load(document, Loader) for document in documents)
    assert plain["rabbitmq"]["enabled"]
    assert plain["consumer"]["image"]["tag"] == page.TAG
    assert not with_amazon_mq["rabbitmq"]["enabled"]
    assert with_ingress["web-server"]["ingress"]["enabled"]


@pytest.mark.parametrize("program", HELMS)
def test_helm_takes_every_release_of_the_page(typed: page.Typed, documents: list[str], program: str) -> None:
    generated = typed.folder / "eks.generated.yaml"
    releases: dict[str, str] = {}
    for _, verb, *rest in typed.of("helm"):
        match verb, rest:
            case "repo", ["add", "kedacore", "https://kedacore.github.io/charts"]:
                pass
            case "upgrade", ["--install", "keda", "kedacore/keda", "--version", version, "-n", where, _]:
                assert f"{version.rpartition('.')[0]} is [tested with]" in page.text()
                releases["keda"] = where
            case "upgrade", ["--install", name, chart, "-n", where, *options]:
                releases[name] = where
                files = [o for o in options if o not in ("--create-namespace", "--take-ownership")]
                paths = [str(generated) if f == generated.name else f.replace("charts", str(CHARTS)) for f in files]
                for document in documents:
                    generated.write_text(document)
                    done = run(program, "template", name, str(CHARTS.parent / chart), "-n", where, *paths)
                    assert done.returncode == 0, done.stderr
            case "uninstall" | "test" | "rollback", [name, "-n", where]:
                assert releases[name] == where
            case _:
                pytest.fail(f"it is not known what helm is asked by {verb} {rest}")


def test_kubectl_is_asked_for_what_the_release_makes(typed: page.Typed, shapes: list[list[Document]]) -> None:
    known = {(document.kind.lower(), document.name) for shape in shapes for document in shape} | NOT_FROM_CHARTS
    asked = [meant for words in typed.of("kubectl") for meant in page.meant(words)]
    assert len(asked) > 20
    assert not set(asked) - known


def test_rayhound_is_asked_for_what_it_knows(typed: page.Typed) -> None:
    group: Any = typer.main.get_command(app)
    within = [words[words.index("--") + 1 :] for words in typed.of("kubectl") if "--" in words]
    asked = {words[1] for words in within if words[0] == "rayhound"}
    assert asked == {"check", "requeue"}
    assert asked <= set(group.commands)


def test_every_other_program_is_asked_for_what_was_looked_up(typed: page.Typed) -> None:
    assert {page.form(words) for words in typed.of("aws", "docker", "git", "openssl")} == KNOWN


def test_the_image_that_is_pushed_is_the_one_that_helm_installs(typed: page.Typed, documents: list[str]) -> None:
    pushed = [words for words in typed.of("docker") if "--push" in words]
    assert {words[words.index("--tag") + 1] for words in pushed} == {f"{page.REGISTRY}:{page.TAG}"}
    assert {words[words.index("--platform") + 1] for words in pushed} == {"linux/amd64"}
    logins = {words[-1] for words in typed.of("docker") if "login" in words}
    assert logins == {page.REGISTRY.partition("/")[0]}


def test_the_first_upload_goes_to_the_port_that_is_forwarded(typed: page.Typed, shapes: list[list[Document]]) -> None:
    [port] = [port["port"] for port in one(shapes[0], "Service", "web-server").spec["ports"]]
    assert ("kubectl", "port-forward", "svc/web-server", str(port)) in typed.commands
    assert typed.of("curl") == [("curl", "-F", "image=@cat.jpg", f"localhost:{port}/upload")]


def test_the_pods_ask_for_as_much_as_the_page_says(shapes: list[list[Document]]) -> None:
    [shape, *_] = shapes
    least = {
        "web-server": one(shape, "HorizontalPodAutoscaler").spec["minReplicas"],
        "consumer": one(shape, "ScaledObject").spec["minReplicaCount"],
        "rabbitmq": 1,
    }
    asked = [(least[p.owner.name], p.container["resources"]["requests"]) for p in pods(shape) if p.owner.kind != "Pod"]
    cores = sum(number * int(requests["cpu"].removesuffix("m")) for number, requests in asked) / 1000
    memory = sum(number * int(requests["memory"].removesuffix("Mi")) for number, requests in asked) / 1024
    assert f"{cores:g} cores and {memory:g} GB" in page.text()


def test_the_rights_in_the_table_are_those_of_the_policy() -> None:
    policy = (TERRAFORM / "cluster/identities.tf").read_text()
    assert page.quoted(r"(?:s3|kms):\w+") == set(re.findall(r'"((?:s3|kms):\w+)"', policy))


def test_every_variable_and_every_value_that_the_page_names_exists() -> None:
    known = {name for root in ROOTS for kind in ("variable", "output") for name in page.names(root, kind)}
    named = {name.partition(" = ")[0] for name in page.quoted(r"[a-z]+(?:_[a-z]+)+(?: = [^`]*)?")}
    assert named - known == {"prevent_destroy"}
    for value in page.quoted(r"(?:rabbitmq|web-server|consumer)(?:\.\w+)+"):
        part, *path = value.split(".")
        assert at(defaults(f"{part}-chart"), path) is not None, value


def test_what_the_page_says_of_terraform_stands_there() -> None:
    archive = "".join(file.read_text() for file in (TERRAFORM / "archive").glob("*.tf"))
    assert archive.count("prevent_destroy = true") == 2
    variables = (TERRAFORM / "cluster/variables.tf").read_text()
    [version] = re.findall(r'variable "kubernetes_version" \{.*?default\s+= "([\d.]+)"', variables, re.DOTALL)
    assert f"{version}, which is the default" in page.text()
