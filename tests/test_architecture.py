"""Imports point down, none go round, and the application side loads with the research libraries absent."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "lepton"
HEAVY = {"torch", "transformers", "sklearn", "onnx", "peft", "safetensors", "onnxscript", "pydicom", "nibabel"}
APPLICATION = (
    *("core", "metrics", "transforms", "tasks", "formats", "checks"),
    *("volumes", "bundle", "runtime", "streams", "serve", "report", "deploy", "mending"),
)
APART = ("models", "compress", "formats", "metrics", "tasks", "checks", "adapt", "explain", "streams", "deploy", "cli")
MAY_USE = {
    "core": set(),
    "metrics": {"core"},
    "volumes": {"core"},
    "transforms": {"core", "volumes"},
    "tasks": {"core"},
    "formats": {"core", "volumes"},
    "checks": {"core", "volumes"},
    "mending": {"core", "checks"},
    "bundle": {"core"},
    "runtime": {"core", "transforms", "tasks", "metrics", "bundle"},
    "streams": {"core", "transforms", "tasks", "metrics", "bundle", "runtime", "report"},
    "serve": {"core", "transforms", "tasks", "bundle", "runtime", "streams"},
    "report": {"core", "metrics", "checks"},
    "deploy": {"core", "bundle", "runtime"},
    "models": {"core"},
    "training": {"core", "models"},
    "export": {"core"},
    "compress": {"core", "transforms", "models", "export"},
    "adapt": {"core"},
    "explain": {"core"},
}
FILES = sorted(SOURCE.rglob("*.py"))


def imports(path: Path, *, top_only: bool = False) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_only else list(ast.walk(tree))
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def room(path: Path) -> str:
    parts = path.relative_to(SOURCE).parts
    return parts[0] if len(parts) > 1 else ""


def test_every_file_is_looked_at() -> None:
    assert len(FILES) > 80
    assert {room(path) for path in FILES} >= {*MAY_USE, "stages", "cli"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_down(path: Path) -> None:
    allowed = MAY_USE.get(room(path))
    if allowed is None:
        return
    used = {name.split(".")[1] for name in imports(path) if name.startswith("lepton.")}
    assert used <= {*allowed, room(path)}, f"{path} reaches up to {used - allowed}"


@pytest.mark.parametrize("path", [path for path in FILES if room(path) in (*APPLICATION, "cli")], ids=str)
def test_application_side_imports_nothing_heavy_at_module_level(path: Path) -> None:
    assert not {name.split(".")[0] for name in imports(path, top_only=True)} & HEAVY


@pytest.mark.parametrize("path", [path for path in FILES if not path.stem.startswith("_")], ids=str)
def test_plugins_of_a_room_do_not_know_each_other(path: Path) -> None:
    if room(path) not in APART:
        return
    siblings = {
        f"lepton.{room(path)}.{other.stem}" for other in path.parent.glob("*.py") if not other.stem.startswith("_")
    }
    assert not imports(path) & siblings


def test_no_module_imports_itself_through_others() -> None:
    modules = {".".join(("lepton", *path.relative_to(SOURCE).with_suffix("").parts)): path for path in FILES}
    graph = {name: {item for item in imports(path, top_only=True) if item in modules} for name, path in modules.items()}
    state: dict[str, int] = {}

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert state.get(name) != 1, f"a cycle: {' -> '.join((*trail, name))}"
        if state.get(name) == 2:
            return
        state[name] = 1
        for other in graph[name]:
            visit(other, (*trail, name))
        state[name] = 2

    for name in graph:
        visit(name, ())
    assert len(state) == len(FILES)


def test_rooms_have_empty_doors() -> None:
    doors = [path for path in FILES if path.name == "__init__.py" and room(path)]
    assert len(doors) > 12
    assert all(not path.read_text().strip() for path in doors)


def test_application_side_loads_with_torch_unimportable() -> None:
    modules = [
        ".".join(("lepton", *path.relative_to(SOURCE).with_suffix("").parts))
        for path in FILES
        if room(path) in APPLICATION and path.name != "__init__.py"
    ]
    code = (
        "import sys, importlib\n"
        f"for name in {sorted(HEAVY)!r}: sys.modules[name] = None\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print(len([m for m in sys.modules if m.startswith('lepton.')]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= len(modules)
