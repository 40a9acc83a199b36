import pytest

from lepton.core.errors import UserError
from lepton.core.types import Box
from lepton.formats import _read, cvat


def document(*images):
    return f"<annotations><version>1.1</version>{''.join(images)}</annotations>"


def image(name, *shapes, subset="train"):
    return f'<image id="0" name="{name}" subset="{subset}" width="4" height="3">{"".join(shapes)}</image>'


BOX = '<box label="cat" occluded="0" xtl="1" ytl="2" xbr="3.5" ybr="3"/>'


@pytest.fixture
def made(put, png):
    def make(*images):
        for name in ("a", "b"):
            put(f"set/images/{name}.png", png())
        return put("set/annotations.xml", document(*images))

    return make


def test_boxes_and_outlines(made, tmp_path):
    outline = '<polygon label="dog" points="1,1;3,1;2,2.5"/>'
    ellipse = '<ellipse label="dog" cx="2" cy="1.5" rx="1" ry="0.5"/>'
    turned = '<box label="cat" xtl="0" ytl="0" xbr="2" ybr="1" rotation="90"/>'
    made(
        image("a.png", BOX, outline, ellipse, turned), image("b.png", '<points label="x" points="1,1"/>', subset="val")
    )
    reading = _read.read(str(tmp_path / "set"), base=tmp_path)
    first, second = reading.records
    assert first.label == (
        Box(1, 2, 3.5, 3, "cat"),
        Box(1, 1, 3, 2.5, "dog"),
        Box(1, 1, 3, 2, "dog"),
        Box(0.5, -0.5, 1.5, 1.5, "cat"),
    )
    assert (second.id, second.split, second.label) == ("images/b.png", "validation", ())
    assert sorted(reading.notes) == [
        "1 points, lines and masks left out",
        "2 outlines left aside: the boxes around them were read",
    ]


def test_tags_alone_are_classes(made, tmp_path):
    tag = '<tag label="cat"/>'
    path = made(image("a.png", tag), image("b.png", tag, tag))
    reading = cvat.read(path)
    assert [record.label for record in reading.records] == ["cat"]
    assert [bad.reason for bad in reading.bad] == ["has 2 tags, and a class is one"]


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (image("a.png", '<box xtl="1" ytl="2" xbr="3" ybr="3"/>'), "without a label"),
        (image("a.png", '<box label="cat" xtl="1" ytl="2" xbr="3"/>'), "without its numbers"),
        (image("a.png", '<polygon label="cat" points="1;2"/>'), "without its numbers"),
        (image("a.png", '<polygon label="cat" points=""/>'), "without its numbers"),
        (image("../../secret.png"), "outside of the data set's folder"),
        (image("gone.png"), "there is no picture"),
    ],
)
def test_what_is_wrong_is_set_aside(made, put, png, tmp_path, wrong, reason):
    put("secret.png", png())
    made(wrong, image("b.png", BOX))
    reading = cvat.read(tmp_path / "set")
    assert [record.id for record in reading.records] == ["images/b.png"]
    assert [reason in bad.reason for bad in reading.bad] == [True]


@pytest.mark.parametrize("text", ["<annotations><image ", '<!DOCTYPE a [<!ENTITY b "c">]><annotations/>', ""])
def test_what_is_no_such_file_is_refused(put, text):
    with pytest.raises(UserError):
        cvat.read(put("a.xml", text))
