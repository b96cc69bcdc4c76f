"""The page about Amazon EKS, typed by a shell whose programs note what they are asked, and answer from a table."""

import json
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests import guides
from tests.terraform.roots import declared

TAG, PASSWORD, VOLUME = "0a1b2c3", "0123456789abcdef", "pvc-0"
REGISTRY = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/rayhound"
BACKEND = 'bucket = "rayhound-state"\nregion = "eu-central-1"\n'
# Keyed by how a command begins; one that is not here is answered with nothing, but Terraform has no other outputs.
ANSWERS = {
    "aws s3api list-object-versions": "images/2026/11/26/0/image.jpg\tversion\n",
    "git rev-parse": TAG,
    "kubectl get persistentvolumeclaim rabbitmq-pvc": VOLUME,
    "openssl rand": PASSWORD,
    "terraform -chdir=terraform/bootstrap output -raw backend": BACKEND,
    "terraform -chdir=terraform/archive output -raw bucket": "rayhound-archive-111122223333-eu-central-1",
    "terraform -chdir=terraform/archive output -raw key_arn": "arn:aws:kms:eu-central-1:111122223333:key/0",
    "terraform -chdir=terraform/cluster output -raw cluster_name": "rayhound",
    "terraform -chdir=terraform/cluster output -raw helm_values": "{}",
    "terraform -chdir=terraform/cluster output -raw registry": REGISTRY,
}
PROGRAMS = ("aws", "curl", "docker", "git", "helm", "kubectl", "openssl", "terraform")
STAND_IN = """#!{python}
import json, pathlib, sys
folder, program = pathlib.Path({folder!r}), pathlib.Path(sys.argv[0]).name
with (folder / "asked").open("a") as asked:
    asked.write(json.dumps([program, *sys.argv[1:]]) + "\\n")
line = " ".join([program, *sys.argv[1:]])
found = [answer for begin, answer in {answers!r}.items() if line.startswith(begin)]
if not found and sys.argv[2:3] == ["output"]:
    sys.exit("there is no such output: " + line)
sys.stdout.write("".join(found))
"""


@dataclass(frozen=True, slots=True)
class Typed:
    """What came of typing the page: the words of each command, and the folder with the files that it made."""

    commands: tuple[tuple[str, ...], ...]
    folder: Path

    def of(self, *programs: str) -> list[tuple[str, ...]]:
        """What some programs were asked."""
        return [words for words in self.commands if words[0] in programs]


def text() -> str:
    """The page."""
    return (guides.ROOT / "docs/guides/eks.md").read_text()


def prose() -> str:
    """The page without its blocks."""
    return re.sub(r"```.*?```", "", text(), flags=re.DOTALL)


def blocks(language: str) -> list[str]:
    """Its blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", text(), re.DOTALL)


def quoted(pattern: str) -> set[str]:
    """What stands between backticks in its prose and has a form."""
    return set(re.findall(rf"`({pattern})`", prose()))


def typed(folder: Path) -> Typed:
    """Type every block of the page, in one shell that knows no other programs than these, `cat` and `grep`."""
    programs, clone = folder / "programs", folder / "clone"
    programs.mkdir()
    (clone / "terraform/cluster").mkdir(parents=True)
    stand_in = folder / "stand-in"
    stand_in.write_text(STAND_IN.format(python=sys.executable, folder=str(folder), answers=ANSWERS))
    stand_in.chmod(0o755)
    for name in PROGRAMS:
        (programs / name).symlink_to(stand_in)
    for name in ("bash", "cat", "grep"):
        (programs / name).symlink_to(shutil.which(name) or name)
    guides.run("\n".join(blocks("sh")), clone, {"PATH": str(programs)})
    asked = [tuple(json.loads(line)) for line in (folder / "asked").read_text().splitlines()]
    between_words = [tuple(shlex.split(line)) for line in quoted(r"[a-z]+ [^`\n]+")]
    return Typed((*asked, *(words for words in between_words if words[0] in PROGRAMS)), clone)


def names(root: str, kind: str, having: str = "") -> set[str]:
    """The variables or outputs of one of Terraform's roots; if asked, those alone that say something of themselves."""
    return {name for name, body in declared(root, kind).items() if re.search(rf"^  {having}", body, re.MULTILINE)}


def variables(block: str) -> dict[str, Any]:
    """The variables that a file for Terraform sets; on the page each is on a line, and written as JSON would be."""
    pairs = [line.partition("=") for line in block.splitlines()]
    return {name.strip(): json.loads(value) for name, _, value in pairs}


def form(words: tuple[str, ...]) -> str:
    """A command without what it is given: its verbs and the names of its options."""
    first_option = next((n for n, word in enumerate(words) if word.startswith("-")), len(words))
    return " ".join([*words[:first_option], *(word for word in words if word.startswith("-"))])


def meant(words: tuple[str, ...]) -> list[tuple[str, str]]:
    """Kind and name of each object that a kubectl command is about; without a name, all of a kind."""
    said = words[1 : words.index("--")] if "--" in words else words[1:]
    given = {word for option, word in pairwise(said) if option in ("--output", "--patch")}
    match [word for word in said if not word.startswith("--") and word not in given]:
        case ["config", "set-context"]:
            return []
        case ["logs", selector]:
            return [("deployment", selector.removeprefix("app.kubernetes.io/name="))]
        case ["create", "secret", "generic", name] | ["annotate", "secret", name, _]:
            return [("secret", name)]
        case ["exec", pod] if "/" not in pod:
            return [("pod", pod)]
        case ["get" | "delete" | "patch" | "create", kind, name] if "/" not in kind:
            return [(kind, name)]
        case ["get", kind]:
            return [(kind, "")]
        case others:
            found = [word.partition("/") for word in others if "/" in word]
            assert found, f"it is not known what kubectl is asked by {words}"
            return [(kind.replace("svc", "service"), name) for kind, _, name in found]
