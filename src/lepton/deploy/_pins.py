"""The versions that the image installs: those that run here."""

from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution, entry_points

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from lepton.bundle.manifest import Bundle

PACKAGE = "lepton-transfer"


def requirements(bundle: Bundle, *, extra: str = "") -> bytes:
    """A requirements.txt of all that Lepton (with its `extra`) and the app need, but Lepton itself.

    Each stands with the version installed here; what is not installed stands as it was asked for.
    """
    found: dict[str, str] = {}
    wanted = [Requirement(f"{PACKAGE}[{extra}]" if extra else PACKAGE), *_plugins(bundle)]
    seen = set()
    while wanted:
        requirement = wanted.pop()
        asked = (canonicalize_name(requirement.name), *sorted(requirement.extras))
        if asked not in seen:
            seen.add(asked)
            wanted += _pin(requirement, found)
    return "".join(f"{line}\n" for _, line in sorted(found.items())).encode()


def _pin(requirement: Requirement, found: dict[str, str]) -> Iterator[Requirement]:
    """Note how `requirement` is pinned, and give what it needs in turn."""
    name = canonicalize_name(requirement.name)
    try:
        installed = distribution(name)
    except PackageNotFoundError:
        requirement.marker = None
        found[name] = str(requirement)
        return
    if name != PACKAGE:
        found[name] = f"{name}=={Version(installed.version).public}"
    yield from _needs(installed, requirement.extras)


def _needs(installed: Distribution, extras: set[str]) -> Iterator[Requirement]:
    """What a distribution asks for on this platform, with the extras chosen."""
    for text in installed.requires or ():
        requirement = Requirement(text)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


def _plugins(bundle: Bundle) -> Iterator[Requirement]:
    """Other packages that bring the app's task or transform."""
    used = {"tasks": bundle.manifest.task, "transforms": bundle.manifest.transform.name}
    for room, name in used.items():
        for point in entry_points(group=f"lepton.{room}", name=name):
            if point.dist is not None:
                yield Requirement(point.dist.name)
