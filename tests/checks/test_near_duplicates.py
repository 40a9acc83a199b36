import io

import numpy as np
from PIL import Image

from lepton.checks import _near, near_duplicates
from lepton.core.types import Record


def photo(seed, size=64):
    """A smooth picture, as photos are."""
    coarse = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), np.uint8)
    return Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)


def stored(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def test_texts_without_case_space_and_punctuation(texts):
    records = texts(("Where is it?", "x", "train"), ("where is it", "x", "test"), ("Where was it?", "x", "test"))
    assert set(_near.clusters(records)) == {"0", "1"}
    [finding] = near_duplicates.find(records)
    assert [suspect.id for suspect in finding.records] == ["0", "1"]
    assert finding.severity == "warning"


def test_only_signs_are_compared_as_they_are(texts):
    assert _near.clusters(texts(("???", "x"), ("!!!", "x"), ("???", "x"))).keys() == {"0", "2"}


def test_exact_duplicates_cluster_and_are_no_finding_here(texts):
    records = texts(("same", "x"), ("same", "x"), ("nearly", "x"), ("Nearly", "x"))
    assert set(_near.clusters(records)) == {"0", "1", "2", "3"}
    [finding] = near_duplicates.find(records)
    assert [suspect.id for suspect in finding.records] == ["3"]


def test_pictures_saved_again_or_made_smaller_are_near():
    raws = [stored(photo(seed)) for seed in range(30)]
    raws += [stored(photo(3), "JPEG", quality=80), stored(photo(4).resize((48, 48)))]
    records = [Record(str(at), raw, "x") for at, raw in enumerate(raws)]
    clusters = _near.clusters(records)
    assert set(clusters) == {"3", "4", "30", "31"}
    assert clusters["3"] == clusters["30"] != clusters["4"] == clusters["31"]


def test_what_cannot_be_decoded_stands_alone(tmp_path):
    raws = [b"noise", b"noise", tmp_path / "gone", stored(photo(0))]
    assert _near.clusters([Record(str(at), raw, "x") for at, raw in enumerate(raws)]) == {}


def test_real_photos_are_all_different(real):
    paths = sorted(real("clothing").glob("validation/*/*.jpg"))
    assert len(paths) == 146
    assert _near.clusters([Record(path.name, path, None) for path in paths]) == {}
