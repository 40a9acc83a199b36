import re
from collections.abc import Callable

import pytest

from lepton.bundle.manifest import Bundle
from lepton.core.errors import UserError
from lepton.deploy._names import image, label, version

DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
"""RFC 1035, section 2.3.1, as Kubernetes applies it to services."""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("digits", "digits"),
        ("Spoken_Digits v2", "spoken-digits-v2"),
        ("20-newsgroups", "app-20-newsgroups"),
        ("Modèle été", "modele-ete"),
        ("数字", "app"),
        ("--a--", "a"),
        ("x" * 80, "x" * 40),
        ("a" * 39 + "-b", "a" * 39),
    ],
)
def test_a_name_becomes_a_dns_label(changed: Callable[..., Bundle], name: str, expected: str) -> None:
    found = label(changed(name=name))
    assert found == expected
    assert DNS_LABEL.fullmatch(found)


def test_the_image_is_named_by_the_app_and_tagged_by_its_id(changed: Callable[..., Bundle]) -> None:
    app = changed(name="Spoken digits")
    assert image(app, None) == f"spoken-digits:{app.id[:12]}" == f"spoken-digits:{version(app)}"


@pytest.mark.parametrize(
    "name",
    [
        "digits",
        "team/digits:1.0",
        "localhost:5000/digits",
        "registry.example:443/team/app_one:v1.2-rc.1",
        "digits@sha256:" + "a" * 64,
        "registry.example/digits:1@sha256:" + "0" * 64,
    ],
)
def test_image_names_are_taken_as_given(image_app: Bundle, name: str) -> None:
    assert image(image_app, name) == name


@pytest.mark.parametrize(
    "name", ["", "Digits", "digits:", "digits 1", "digits;ls", "-digits", "a" + ":t" * 2, "a@sha256:1"]
)
def test_what_names_no_image_is_refused(image_app: Bundle, name: str) -> None:
    with pytest.raises(UserError, match="names no image"):
        image(image_app, name)
