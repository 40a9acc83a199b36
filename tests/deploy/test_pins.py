import importlib.metadata
from collections.abc import Callable
from importlib.metadata import EntryPoint, version
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lepton.bundle.manifest import Bundle, Transform
from lepton.deploy import _pins


def lines(bundle: Bundle, **options: Any) -> list[Requirement]:
    return [Requirement(line) for line in _pins.requirements(bundle, **options).decode().splitlines()]


def test_everything_the_base_install_needs_is_pinned_as_it_is_installed(image_app: Bundle) -> None:
    found = {canonicalize_name(item.name): str(item.specifier) for item in lines(image_app)}
    base = [Requirement(text) for text in importlib.metadata.requires(_pins.PACKAGE) or ()]
    direct = {canonicalize_name(item.name) for item in base if item.marker is None}
    assert len(direct) > 8
    assert direct < set(found), "what these need in turn stands there too"
    assert found == {name: f"=={version(name)}" for name in found}


def test_nothing_of_the_research_side_is_among_them(image_app: Bundle) -> None:
    names = {canonicalize_name(item.name) for item in lines(image_app)}
    assert not names & {"torch", "transformers", "onnx", "scikit-learn", "safetensors", "lepton-transfer"}


class Installed:
    """Distributions as `importlib.metadata` tells of them."""

    def __init__(self, known: dict[str, tuple[str, list[str]]]) -> None:
        self.known = known

    def __call__(self, name: str) -> Any:
        if name not in self.known:
            raise importlib.metadata.PackageNotFoundError(name)
        number, requires = self.known[name]
        return type("Distribution", (), {"version": number, "requires": requires})()


def test_extras_markers_and_rings_are_followed(image_app: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {
        "lepton-transfer": ("1", ["a[fast]>=1", "winonly; sys_platform == 'win32'", "dev-tool; extra == 'dev'"]),
        "a": ("2.0+cpu", ["b; extra == 'fast'", "c; extra == 'slow'"]),
        "b": ("3.1", ["a"]),
    }
    monkeypatch.setattr(_pins, "distribution", Installed(known))
    assert _pins.requirements(image_app) == b"a==2.0\nb==3.1\n"


def test_what_is_not_installed_stands_as_it_was_asked_for(image_app: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"lepton-transfer": ("1", ["ray[serve]>=2.40; extra == 'ray'"])}
    monkeypatch.setattr(_pins, "distribution", Installed(known))
    assert _pins.requirements(image_app) == b""
    assert _pins.requirements(image_app, extra="ray") == b"ray[serve]>=2.40\n"


def test_another_package_that_brings_the_apps_transform_comes_along(
    changed: Callable[..., Bundle], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {"lepton-transfer": ("1", []), "spectra": ("0.3", [])}
    point = EntryPoint("wavelet", "spectra.wavelet", "lepton.transforms")._for(type("Dist", (), {"name": "spectra"})())

    def points(*, group: str, name: str) -> list[EntryPoint]:
        return [point] if (group, name) == ("lepton.transforms", "wavelet") else []

    monkeypatch.setattr(_pins, "distribution", Installed(known))
    monkeypatch.setattr(_pins, "entry_points", points)
    assert _pins.requirements(changed(transform=Transform(name="wavelet"))) == b"spectra==0.3\n"
    assert _pins.requirements(changed(transform=Transform(name="image"))) == b""
