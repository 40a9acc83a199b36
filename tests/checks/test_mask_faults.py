import numpy as np
import pytest

from lepton.checks import _audit, conflicting_labels, mask_faults
from lepton.core.types import Mask, Record

CLASSES = ((0, "ground"), (1, "tree"))


@pytest.fixture
def record(tmp_path, picture):
    """A record of a picture of 4 x 3 with this mask."""

    def make(pixels, name="a", classes=CLASSES, ignored=(), shape=(3, 4)):
        path = tmp_path / f"{name}.png"
        path.write_bytes(pixels if isinstance(pixels, bytes) else picture(pixels))
        return Record(name, picture(np.zeros(shape)), Mask(str(path), classes, ignored), "train")

    return make


def marked(*values):
    """Pixels (3, 4) of 0 with these values first."""
    pixels = np.zeros(12)
    pixels[: len(values)] = values
    return pixels.reshape(3, 4)


def test_masks_as_they_should_be(record):
    assert mask_faults.find([record(marked(1)), record(marked(1, 255), "b", ignored=(255,))]) == []


@pytest.mark.parametrize("pixels", [b"", b"no picture", b"\x89PNG\r\n\x1a\n"])
def test_unreadable(record, pixels):
    [finding] = mask_faults.find([record(pixels)])
    assert finding.message == "1 mask cannot be read, such as that of a (it cannot be opened as a picture)."


def test_gone(record, tmp_path):
    gone = record(marked(1))
    (tmp_path / "a.png").unlink()
    [finding] = mask_faults.find([gone])
    assert [suspect.id for suspect in finding.records] == ["a"]


def test_of_another_size(record):
    [finding] = mask_faults.find([record(marked(1), shape=(4, 3)), record(marked(1), "b")])
    assert finding.message.startswith("1 mask not of the size of their picture, such as that of a (4 x 3 beside 3 x 4)")
    assert finding.severity == "error"


def test_unknown_values_the_worst_first(record):
    [finding] = mask_faults.find([record(marked(1, 7)), record(marked(7, 8, 9), "b")])
    assert finding.message == "2 masks with values of no class, such as that of b (25.00% of the pixels)."
    assert [(suspect.id, suspect.score) for suspect in finding.records] == [("b", 0.25), ("a", pytest.approx(1 / 12))]


@pytest.mark.parametrize(("pixels", "ignored"), [(marked(), ()), (marked(255), (255,)), (marked(*[255] * 12), (255,))])
def test_nothing_but_background(record, pixels, ignored):
    [finding] = mask_faults.find([record(pixels, ignored=ignored)])
    assert finding.severity == "warning"
    assert finding.message.startswith("1 mask with nothing but background, such as that of a")


def test_colours(record):
    classes = (((0, 0, 0), "ground"), ((255, 0, 0), "tree"))
    pixels = np.zeros((3, 4, 3))
    assert [finding.severity for finding in mask_faults.find([record(pixels, classes=classes)])] == ["warning"]
    pixels[0, 0] = 255, 0, 0
    assert mask_faults.find([record(pixels, classes=classes)]) == []
    pixels[0, 1] = 254, 0, 0
    assert [finding.severity for finding in mask_faults.find([record(pixels, classes=classes)])] == ["error"]


def test_every_check_copes_with_masks(record):
    records = [record(marked(1), "a"), record(marked(1), "b"), record(marked(2), "c")]
    found = _audit.findings(records, {"digests": dict.fromkeys("abc", "one")})
    assert {"conflicting_labels", "exact_duplicates", "mask_faults"} <= {finding.check for finding in found}
    [conflict] = (finding for finding in found if finding.check == "conflicting_labels")
    assert [(suspect.id, suspect.suggested) for suspect in conflict.records] == [
        ("c", "mask a.png"),
        ("a", "mask a.png"),
        ("b", "mask a.png"),
    ]
    assert conflicting_labels.find(records[:2], digests=dict.fromkeys("ab", "one")) == []
