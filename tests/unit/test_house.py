"""The house keeps its own rules: layers, types, form, size, and documents in step with the code."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from rayhound.cli import app
from rayhound.settings import Settings
from scripts import reference

ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent
LONGEST_FILE, LONGEST_FUNCTION, MOST_PARAMETERS, MOST_SETTINGS, MOST_METHODS = 300, 40, 5, 20, 5
REGISTRIES = [
    ".".join(words) for words in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("crates", "io"))
]

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def files_of_the_project() -> list[Path]:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def python(*folders: str) -> list[Path]:
    return [f for f in files_of_the_project() if f.suffix == ".py" and f.relative_to(ROOT).parts[0] in folders]


def pages() -> list[Path]:
    return [f for f in files_of_the_project() if f.suffix == ".md"]


def named(path: Path, node: Any) -> str:
    return f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, Function):
            yield node


def length(function: Function) -> int:
    """Lines of a function from `def` to its end, without its docstring: prose is not what makes code long."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function) is not None:
        lines -= (function.body[0].end_lineno or 0) - function.body[0].lineno + 1
    return lines


def parameters(function: Function) -> int:
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return len([name for name in names if name not in ("self", "cls")])


def undocumented(body: list[ast.stmt], path: Path) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            if ast.get_docstring(node) is None:
                yield named(path, node)
            if isinstance(node, ast.ClassDef):
                yield from undocumented(node.body, path)


@pytest.mark.parametrize(
    "command",
    [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"], ["lint-imports"]],
    ids=["lint", "form", "types", "layers"],
)
def test_a_machine_finds_nothing_to_say(command: list[str]) -> None:
    done = subprocess.run([BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_and_no_function_is_too_long() -> None:
    everywhere = python("src", "tests", "scripts", "benchmarks", "training")
    sizes = {str(f.relative_to(ROOT)): len(f.read_text().splitlines()) for f in everywhere}
    assert not {name: lines for name, lines in sizes.items() if lines > LONGEST_FILE}
    lengths = {named(f, function): length(function) for f in everywhere for function in functions(f)}
    assert not {name: lines for name, lines in lengths.items() if lines > LONGEST_FUNCTION}


def test_no_function_takes_too_much() -> None:
    ours = python("src", "scripts", "training")
    taken = {named(f, function): parameters(function) for f in ours for function in functions(f)}
    assert not {name: count for name, count in taken.items() if count > MOST_PARAMETERS}


def test_seams_and_settings_stay_narrow() -> None:
    assert len(fields(Settings)) <= MOST_SETTINGS
    ports = ast.parse((ROOT / "src/rayhound/ports.py").read_text())
    widths = {c.name: sum(isinstance(n, Function) for n in c.body) for c in ports.body if isinstance(c, ast.ClassDef)}
    assert not {name: methods for name, methods in widths.items() if methods > MOST_METHODS}


def test_every_public_name_is_documented() -> None:
    parsed = {f: ast.parse(f.read_text()) for f in python("src", "scripts", "training")}
    assert not [str(f) for f, module in parsed.items() if ast.get_docstring(module) is None]
    assert not [name for f, module in parsed.items() for name in undocumented(module.body, f)]


@pytest.mark.parametrize("page", reference.PAGES)
def test_the_reference_says_what_the_code_says(page: str) -> None:
    written = (ROOT / "docs/reference" / page).read_text()
    assert written == reference.PAGES[page](), "run `just docs`"


def test_every_command_and_option_has_a_help() -> None:
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        assert command.help, name
        assert all(parameter.help for parameter in command.params), name


def test_every_link_between_pages_leads_somewhere() -> None:
    for page in pages():
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"


def test_every_command_that_a_page_shows_exists() -> None:
    group: Any = typer.main.get_command(app)
    for page in pages():
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
            for script in re.findall(r"^\./(\w+)", block, re.MULTILINE):
                assert (ROOT / script).stat().st_mode & 0o111, f"{page.name} shows ./{script}"
            for command in re.findall(r"^(?:\S*bin/)?rayhound (\w+)", block, re.MULTILINE):
                assert command in group.commands, f"{page.name} shows rayhound {command}"


def test_every_metric_that_a_page_names_exists() -> None:
    known = set(re.findall(r"^\| `(\w+)`", (ROOT / "docs/reference/metrics.md").read_text(), re.MULTILINE))
    for page in [p for p in pages() if p.parent.name != "changes"]:
        for name in re.findall(r"\brayhound_\w+", page.read_text()):
            assert name in known or re.sub("_(bucket|count|sum)$", "", name) in known, f"{page.name} names {name}"


def test_every_change_is_told_in_a_few_sentences() -> None:
    fragments = [f for f in (ROOT / "changes").iterdir() if f.name != "README.md"]
    assert fragments
    for fragment in fragments:
        assert re.fullmatch(r"[a-z0-9-]+\.(added|changed|fixed|removed)\.md", fragment.name), fragment.name
        assert 1 <= len(re.findall(r"[.!](?:\s|$)", fragment.read_text())) <= 3, fragment.name


def test_no_file_names_a_registry() -> None:
    for path in files_of_the_project():
        text = path.read_bytes().decode(errors="ignore")
        assert not [host for host in REGISTRIES if host in text], path
    locks = [f.read_text() for f in (ROOT / "requirements").iterdir()]
    assert not [lock for lock in locks if "://" in lock]


def test_every_locked_package_has_a_hash() -> None:
    for lock in (ROOT / "requirements").iterdir():
        for requirement in re.split(r"\n(?=\S)", lock.read_text().strip()):
            assert "--hash=sha256:" in requirement, f"{lock.name}: {requirement}"


def test_nothing_says_what_style_forbids() -> None:
    forbidden = re.compile(r"\bsimply\b", re.IGNORECASE)
    assert not [page.name for page in pages() if forbidden.search(page.read_text())]
