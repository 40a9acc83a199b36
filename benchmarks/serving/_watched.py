"""`lepton`, with its log in a file, and a line in another for whatever it does outside itself.

Usage: python _watched.py FOLDER ARGUMENTS...
"""

import os
import sys
from pathlib import Path
from typing import Any

from lepton.cli.__main__ import main

LOG, REACHED = "log", "reached"
OPENED = "open"
_TOLD = frozenset(
    [
        OPENED,
        *("socket.connect", "socket.getaddrinfo", "subprocess.Popen"),
        *("os.system", "os.exec", "os.posix_spawn", "os.listdir", "os.scandir"),
        *("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.chmod", "shutil.move"),
    ]
)


def watch(folder: Path) -> None:
    """Write down from now on what this process opens, starts, changes and connects to."""
    told = os.open(folder / REACHED, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        # An open of a number is one of what is open already.
        if event in _TOLD and not isinstance(arguments[0], int):
            os.write(told, f"{event} {arguments[0]!s}\n".encode(errors="backslashreplace"))

    sys.addaudithook(hook)


if __name__ == "__main__":
    os.dup2(os.open(Path(sys.argv[1]) / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND), sys.stderr.fileno())
    watch(Path(sys.argv[1]))
    sys.exit(main(sys.argv[2:]))
