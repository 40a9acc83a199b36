import numpy as np
import pytest
from PIL import Image

from lepton.checks import undeclared_groups
from lepton.checks._traits import Traits, traits
from lepton.core.types import Mask, Record


def found(records):
    return undeclared_groups.find(records, traits=Traits())


def files(tmp_path, names, label=lambda at: None, split=lambda at: None, **fields):
    return [
        Record(name, tmp_path / name, label(at), split(at), {key: of(at) for key, of in fields.items()})
        for at, name in enumerate(names)
    ]


def test_patients_in_file_names_come_with_a_pattern_for_the_recipe(tmp_path):
    names = [f"patient{patient:03d}_{view:02d}.png" for patient in range(12) for view in range(4)]
    [finding] = found(files(tmp_path, names, label=lambda at: "ill" if at // 4 % 3 else "well"))
    assert finding.severity == "info"
    assert "48 records" in finding.message
    assert "12 groups" in finding.message
    assert 'pattern = "patient{patient}_{index}.png"' in finding.remedy
    assert 'split = { group = "patient" }' in finding.remedy


def test_groups_that_cross_given_splits_are_a_warning_that_names_their_records(tmp_path):
    names = [
        f"{label}_{who}_{at}.wav" for label in range(3) for who in ("ann", "bob", "cy", "di", "ed") for at in range(6)
    ]
    splits = ["test" if name.split("_")[1] == "ann" and name.endswith("_5.wav") else "train" for name in names]
    records = files(tmp_path, names, label=lambda at: names[at][0], split=lambda at: splits[at])
    [finding] = found(records)
    assert finding.severity == "warning"
    assert "1 of them stands in several splits" in finding.message
    assert {suspect.id.split("_")[1] for suspect in finding.records} == {"ann"}
    assert [suspect.id for suspect in finding.records[:3]] == ["0_ann_5.wav", "1_ann_5.wav", "2_ann_5.wav"]
    assert 'pattern = "{label}_{group}_{index}.wav"' in finding.remedy


def test_two_eyes_of_one_person(tmp_path):
    [finding] = found(files(tmp_path, [f"Image_{at:02d}{eye}.jpg" for at in range(14) for eye in "LR"]))
    assert "14 groups" in finding.message
    assert "pattern" not in finding.remedy


@pytest.mark.parametrize(
    "names",
    [
        [f"img_{at:04d}.png" for at in range(60)],
        [f"{at % 5}_{at:04d}.png" for at in range(60)],
        [f"{hash((at, 'x')) & 0xFFFFFFFF:08x}-{hash((at, 'y')) & 0xFFFF:04x}.jpg" for at in range(60)],
    ],
    ids=["numbers", "label and number", "hexadecimal"],
)
def test_names_that_tell_no_groups(tmp_path, names):
    assert found(files(tmp_path, names, label=lambda at: str(at % 5))) == []


def test_a_declared_field_is_named_and_not_told_twice(tmp_path):
    names = [f"{at % 3}_{'abcde'[at % 5]}x_{at}.wav" for at in range(60)]
    records = files(tmp_path, names, label=lambda at: names[at][0], speaker=lambda at: names[at].split("_")[1])
    [finding] = found(records)
    assert "the field 'speaker'" in finding.message
    assert 'split = { group = "speaker" }' in finding.remedy


def test_labels_that_never_recur_do_not_hide_groups(tmp_path):
    names = [f"{scene}_{at:03d}.png" for scene in ("0001TP", "0006R0", "Seq05VD") for at in range(20)]
    masks = [Mask(name, ((0, "road"),)) for name in names]
    [finding] = found(files(tmp_path, names, label=lambda at: masks[at]))
    assert "3 groups" in finding.message
    assert 'pattern = "{group}_{index}.png"' in finding.remedy


def test_texts_have_no_groups_but_by_their_fields(texts):
    assert found(texts(*[("some text", "a")] * 40)) == []
    rows = [Record(str(at), "text", "a", None, {"author": f"who{at % 4}", "length": str(at % 3)}) for at in range(40)]
    [finding] = found(rows)
    assert "the field 'author'" in finding.message


def test_bursts_of_one_camera(tmp_path):
    records = []
    for at in range(30):
        image = Image.fromarray(np.random.default_rng(at).integers(0, 256, (20, 20, 3)).astype(np.uint8))
        exif = Image.Exif()
        exif[0x0110] = "a camera"
        exif[0x0132] = f"2024:05:01 12:{at // 3:02d}:{at % 3:02d}"
        image.save(tmp_path / f"{at * 7919 % 30:x}x.jpg", exif=exif)
        split = "test" if at == 4 else "train"
        records.append(Record(f"{at * 7919 % 30:x}x.jpg", tmp_path / f"{at * 7919 % 30:x}x.jpg", None, split))
    [finding] = undeclared_groups.find(records, traits=traits(records))
    assert finding.severity == "warning"
    assert "in 10 groups by the same camera within seconds" in finding.message
    assert len(finding.records) == 3


def test_frames_that_follow_each_other_look_alike(tmp_path):
    random = np.random.default_rng(0)
    records = []
    for scene in range(8):
        base = random.integers(0, 256, (8, 8, 3)).astype(float)
        for frame in range(10):
            base += random.normal(0, 3, base.shape)
            path = tmp_path / f"{scene * 10 + frame:04d}.png"
            Image.fromarray(np.clip(base, 0, 255).astype(np.uint8)).save(path)
            records.append(Record(path.name, path, None))
    [finding] = undeclared_groups.find(records, traits=traits(records))
    assert "look alike" in finding.message
    assert "in 8 groups" in finding.message
    shuffled = [Record(one.id, records[at].raw, None) for one, at in zip(records, random.permutation(80), strict=True)]
    assert undeclared_groups.find(shuffled, traits=traits(shuffled)) == []


@pytest.mark.parametrize(
    ("field", "known"),
    [("patient_id", True), ("clientId", True), ("the speaker", True), ("lowercase", False), ("website", False)],
)
def test_fields_are_known_by_words_for_where_records_come_from(field, known):
    rows = [Record(str(at), "text", "a", None, {field: f"v{at % 4}"}) for at in range(40)]
    assert bool(found(rows)) == known
