import json

import pytest

from lepton.core import labels
from lepton.core.types import Box, Mask, Span

BOX, SPAN = Box(0, 0.5, 2, 3, "cat"), Span(0, 2, "name")
MASK = Mask("/data/a.png", ((0, "sky"), (1, "road")), (255,))
COLOURED = Mask("/data/a.png", (((0, 0, 0), "sky"), ((255, 0, 0), "car")), ((1, 2, 3),))


@pytest.mark.parametrize("label", [None, "cat", (), (SPAN, SPAN), (BOX, BOX), MASK, COLOURED])
def test_json_gives_a_label_back(label):
    back = labels.from_json(json.loads(json.dumps(label)))
    assert back == label
    assert type(back) is type(label)
    assert hash(back) == hash(label)
    assert [type(part) for part in back or ()] == [type(part) for part in label or ()]


@pytest.mark.parametrize(
    ("label", "names"),
    [(None, []), ("", []), ("cat", ["cat"]), ((BOX, BOX), ["cat"] * 2), ((SPAN,), ["name"]), (MASK, ["sky", "road"])],
)
def test_the_classes_that_a_label_names(label, names):
    assert labels.names(label) == names


@pytest.mark.parametrize("label", [None, "cat", (SPAN,), (BOX,), MASK])
def test_parts_of_one_kind(label):
    assert labels.boxes(label) == ((BOX,) if label == (BOX,) else ())
    assert labels.spans(label) == ((SPAN,) if label == (SPAN,) else ())


def test_the_content_of_a_mask_is_that_of_its_file(tmp_path):
    for name, data in (("a.png", b"one"), ("b.png", b"one"), ("c.png", b"two")):
        (tmp_path / name).write_bytes(data)
    one, same, other = (
        labels.content(MASK._replace(path=str(tmp_path / name))) for name in ("a.png", "b.png", "c.png")
    )
    assert one == same != other
    assert labels.content(MASK).path == "a.png"
    assert labels.content((BOX,)) == (BOX,)
