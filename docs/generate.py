"""Write the reference from the code: `python docs/generate.py` (with `--check`, only say whether it is up to date)."""

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lepton.core import plugins, settings
from lepton.core.settings import Plugin
from lepton.stages import _methods, _recipe

HERE = Path(__file__).parent / "reference"
VERBS = {
    "models": "build",
    "transforms": "fit",
    "compress": "compress",
    "adapt": "adapt",
    "checks": "find",
    "formats": "read",
    "streams": "source",
    "deploy": "deploy",
}
ROOMS = (
    *("tasks", "formats", "transforms", "models", "adapt", "compress", "metrics", "checks", "stages"),
    *("streams", "deploy", "cli"),
)


def main() -> int:
    """Write both pages, or compare them with what is there."""
    pages = {"recipe.md": recipe_page(), "plugins.md": plugins_page()}
    stale = [name for name, text in pages.items() if not _same(HERE / name, text)]
    if "--check" in sys.argv:
        print(f"stale: {', '.join(stale)}" if stale else f"{len(pages)} pages up to date")
        return int(bool(stale))
    for name in stale:
        (HERE / name).write_text(pages[name], encoding="utf-8")
    return 0


def recipe_page() -> str:
    """Every section of a recipe with its keys, defaults and rules."""
    parts = ["# Recipes\n\nGenerated from the signatures that check a recipe.\n"]
    for name, schema in _recipe.schemas().items():
        if not isinstance(schema, Plugin):
            parts += [f"## [{name}]\n", inspect.getdoc(schema) or "", "", *_rows(schema), ""]
    parts += ['## [adapt] name = "auto"\n', inspect.getdoc(_methods.Auto) or "", "", *_rows(_methods.Auto), ""]
    return "\n".join(parts)


def plugins_page() -> str:
    """Every plug-in of every room with its settings."""
    parts = ["# Plug-ins\n\nGenerated from the files that are there.\n"]
    for room in ROOMS:
        parts.append(f"## {room}\n")
        for name in plugins.names(room):
            parts += list(_plugin(room, name))
    return "\n".join(parts)


def _plugin(room: str, name: str) -> Iterator[str]:
    module = plugins.load(room, name)
    yield f"### {name}\n\n{(inspect.getdoc(module) or '').strip()}\n"
    verb = getattr(module, VERBS.get(room, ""), None)
    if verb is not None and settings.parameters(verb):
        yield from _rows(verb)
        yield ""


def _rows(target: Any) -> Iterator[str]:
    yield "| key | default | rule |\n|---|---|---|"
    for name, parameter in settings.parameters(target).items():
        required = parameter.default is inspect.Parameter.empty
        default = "required" if required else f"`{settings.plain(parameter.default)!r}`"
        yield f"| {name} | {default} | {settings.words(parameter.annotation)} |"


def _same(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
