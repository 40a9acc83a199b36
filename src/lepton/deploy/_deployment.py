"""What a target gives: the files of a folder, and what to type next; and how the folder is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lepton.bundle.manifest import MANIFEST, Bundle
from lepton.core.errors import UserError
from lepton.core.files import folder_aside, write_bytes

README = "README.md"
Files = Mapping[str, bytes | Path]
"""Paths inside a folder, and their bytes or the file to copy."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """A folder to be written: its files, and the commands that bring it into service, typed inside it."""

    files: Files
    commands: Sequence[str]


def deployment(title: str, files: Files, *, commands: Sequence[str], notes: Sequence[str] = ()) -> Deployment:
    """The deployment of `files`, with a README.md that shows `commands` and says `notes`, a paragraph each."""
    shown = "\n".join(["```sh", *commands, "```"])
    parts = [f"# {title}", "In this folder:", shown, *filter(None, notes)]
    return Deployment({**files, README: ("\n\n".join(parts) + "\n").encode()}, commands)


def app_files(bundle: Bundle) -> Files:
    """The app as `app/`: its manifest and what that lists, nothing else that lies beside them."""
    return {f"app/{name}": bundle.folder / name for name in (MANIFEST, *bundle.manifest.files)}


def check(folder: Path) -> None:
    """Raise UserError unless `folder` is new or empty, and not the working folder, which cannot be replaced."""
    rule = "A deployment is written into a new or an empty folder, and never over anything"
    if folder.resolve() == Path.cwd():
        raise UserError("This is the working folder", rule=rule, received=folder, remedy="Name another with -o")
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UserError(f"{folder} exists already", rule=rule, remedy="Remove it, or name another with -o")


def write(folder: Path, made: Deployment) -> None:
    """Write the files aside and move the folder into place; raises UserError where that is not allowed."""
    check(folder)
    try:
        with folder_aside(folder.resolve()) as aside:
            for name, content in made.files.items():
                write_bytes(aside / name, content if isinstance(content, bytes) else content.read_bytes())
    except OSError as error:
        rule = error.strerror or str(error)
        raise UserError(f"{folder} cannot be written", rule=rule, remedy="Name another with -o") from error
