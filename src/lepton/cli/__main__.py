"""The command line: finds the command by its file's name, imports only that one, and turns errors into exit codes.

0 done, 1 our bug (with its traceback), 2 the user's mistake (one message), 3 the contract was not kept.
"""

import argparse
import ast
import io
import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from lepton.core import plugins
from lepton.core.errors import Ended, UserError

_INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` names and give its exit code."""
    code = _main(argv)
    processes = sys.modules.get("lepton.training.processes")
    if processes is not None and processes.launched():
        processes.leave(code)
    return code


def _main(argv: Sequence[str] | None) -> int:
    given = list(sys.argv[1:] if argv is None else argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # File names need not be text; the escape that stands for an odd byte is one that JSON knows too.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = _dispatch(given)
        sys.stdout.flush()
        return code
    except Ended:
        # With another code the launcher would kill the process that failed before it has said why.
        return 0
    except UserError as error:
        print(f"lepton: {error.message}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`); Python's own flush at the end must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _dispatch(given: list[str]) -> int:
    if not given or given[0] in ("-h", "--help"):
        print(overview())
        return 0 if given else 2
    if given[0] == "--version":
        print(f"lepton {_version()}")
        return 0
    command = _load(given[0])
    parser = argparse.ArgumentParser(prog=f"lepton {given[0]}", description=command.HELP, allow_abbrev=False)
    command.arguments(parser)
    code: int = command.main(parser.parse_args(given[1:]))
    return code


def _load(name: str) -> ModuleType:
    if name.startswith("-"):
        raise UserError("A command comes first", received=name, remedy="lepton --help lists the commands")
    known = plugins.names("cli")
    if name not in known:
        raise plugins.unknown("command", name, known)
    return plugins.load("cli", name)


def overview() -> str:
    """What `lepton --help` prints: every command with its help, read without importing any."""
    names = plugins.names("cli")
    width = max(map(len, names), default=0)
    lines = [f"  {name:<{width}}  {_help(name)}".rstrip() for name in names]
    head = "usage: lepton COMMAND ...\n\nFrom a dataset and a model idea to a small, verified application.\n\ncommands:"
    return "\n".join([head, *lines, "", "lepton COMMAND --help says it all."])


def _help(name: str) -> str:
    """The HELP of a command of ours, from its source; another package's is not imported for this."""
    spec = find_spec(f"lepton.cli.{name.replace('-', '_')}")
    if spec is None or spec.origin is None:
        return "(from another package)"
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    assigned = (node for node in tree.body if isinstance(node, ast.Assign))
    found = (node.value for node in assigned for target in node.targets if ast.unparse(target) == "HELP")
    return next((str(ast.literal_eval(value)) for value in found), "")


def _version() -> str:
    from importlib.metadata import version

    return version("lepton-transfer")


if __name__ == "__main__":
    sys.exit(main())
