"""The medical files of many kinds: what is read and what is refused and why, held against pydicom and nibabel.

Usage: python benchmarks/data/medical.py

Every file of the folders `dicom` and `nifti` is accounted for: read, set aside with a reason by `lepton`'s reader, not
decodable, or no medical file at all. What is read is compared: stored pixels with pydicom's, places with those of
nibabel's own DICOM reader and of its NIfTI images. Then it is written as NIfTI, read by Lepton and by nibabel, and its
affine and voxels compared. At last each file is broken in many ways, cut off or with bytes changed: it must be read or
refused. Times are the longest of one file; memory is the peak of the process.
"""

import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom

with warnings.catch_warnings():  # nibabel calls its own DICOM reader an experiment
    warnings.simplefilter("ignore")
    from nibabel.nicom.dicomwrappers import WrapperError, WrapperPrecisionError, wrapper_from_data

sys.path.insert(0, str(Path(__file__).parents[1]))
from _table import DATA, RESULTS, keep, markdown

from lepton.core.errors import BadInput
from lepton.core.types import Files, Reading, Record
from lepton.formats import _read, nifti
from lepton.volumes import dicom as headers
from lepton.volumes.decode import decode, head
from lepton.volumes.volume import Volume

FOLDERS = ("dicom", "nifti")
BROKEN = 12  # variants of each file
_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])

Row = dict[str, Any]


def main() -> int:
    """Print four tables and keep them."""
    warnings.simplefilter("ignore")
    reasons, compared, broken = [], [], []
    for name in FOLDERS:
        folder = DATA / name
        reading = _read.read(str(folder), base=folder)
        told, volumes = account(folder, reading)
        reasons += [{"folder": name, "fate": fate, "files": count} for fate, count in told.most_common()]
        compared.append({"folder": name, **compare(volumes)})
        broken.append({"folder": name, **breakage(folder)})
    print(markdown(reasons), "\n")
    print(markdown(broken), "\n")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    keep("medical", compared, reasons=reasons, broken=broken, peak_mb=memory)
    print(f"\npeak memory {memory} MB; kept in {RESULTS / 'medical.json'}")
    failed = sum(row["other exceptions"] for row in broken)
    return int(bool(failed))


def account(folder: Path, reading: Reading) -> tuple[Counter[str], list[tuple[Record, Volume]]]:
    """What became of every file under a folder, counted, and the volumes that were decoded."""
    fates: dict[Path, str] = {}
    volumes = []
    for record in reading.records:
        try:
            volumes.append((record, decode(record.read())))
            fate = "read"
        except BadInput as error:
            fate = f"cannot be decoded: {error.what}"
        fates.update(dict.fromkeys(paths_of(record), fate))
    fates.update({folder / bad.id: "set aside: " + bad.reason.split(". ")[0].strip(".") for bad in reading.bad})
    for path in (path for path in sorted(folder.rglob("*")) if path.is_file()):
        beside = (
            "set aside: slice of a series with slices missing" if headers.is_dicom(head(path)) else "no medical file"
        )
        fates.setdefault(path, beside)
    return Counter(fates.values()), volumes


def paths_of(record: Record) -> tuple[Path, ...]:
    """The files of a record."""
    return record.raw.paths if isinstance(record.raw, Files) else (Path(str(record.raw)),)


def compare(volumes: list[tuple[Record, Volume]]) -> Row:
    """How far volumes are from what the libraries say, and from themselves once written as NIfTI."""
    pixels = [found for record, volume in volumes if (found := same_pixels(record, volume)) is not None]
    places = [found for record, volume in volumes if (found := misplaced(record, volume)) is not None]
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        told = nifti.write([record for record, _ in volumes], Path(folder))
        seconds = time.perf_counter() - start
        trips = [round_trip(volume, path) for (_, volume), path in zip(volumes, written(folder), strict=True)]
    return {
        "volumes": len(volumes),
        "pixels compared": len(pixels),
        "pixels equal": sum(pixels),
        "places compared": len(places),
        "largest misplacement (mm)": max(places, default=0.0),
        "written as NIfTI": len(volumes) - len(told),
        "affine changed by (mm)": max(trip[0] for trip in trips),
        "orientation and spacing kept": sum(trip[1] for trip in trips),
        "voxels equal": sum(trip[2] for trip in trips),
        "seconds to write all": seconds,
    }


def same_pixels(record: Record, volume: Volume) -> bool | None:
    """Whether the voxels are those of the library; None where another reading of them is meant (colours, inversion)."""
    path = paths_of(record)[0]
    if not headers.is_dicom(head(path)):
        if path.suffix == ".hdr":
            return None
        wanted = nibabel.load(path).get_fdata()
        return bool(np.allclose(volume.voxels.reshape(wanted.shape), wanted, rtol=1e-5, equal_nan=True))
    if len(paths_of(record)) > 1 or path.suffix == ".gz":
        return None
    data = pydicom.dcmread(path, force=True)
    if volume.colour or data.get("PhotometricInterpretation") == "MONOCHROME1" or data.get("Modality") == "RTDOSE":
        return None
    wanted = pydicom.pixels.apply_rescale(data.pixel_array, data)
    frames = wanted.reshape(-1, *wanted.shape[-2:])
    return bool(np.allclose(volume.voxels.reshape(*frames.shape[:0:-1], -1)[..., 0].T, frames[0]))


def misplaced(record: Record, volume: Volume) -> float | None:
    """Millimetres between a corner of the volume and where nibabel says it is, the worst of all corners."""
    path = paths_of(record)[0]
    if not headers.is_dicom(head(path)):
        return corners(volume.affine - nibabel.load(path).affine, volume) if path.suffix != ".hdr" else None
    if len(paths_of(record)) > 1 or path.suffix == ".gz" or not volume.placed or volume.voxels.shape[2] > 1:
        return None
    try:
        theirs = wrapper_from_data(pydicom.dcmread(path, force=True)).affine
    except (WrapperError, WrapperPrecisionError):
        return None
    wanted = (_FLIP @ theirs)[:, [1, 0, 2, 3]]  # theirs has rows first, in LPS+
    return corners((volume.affine - wanted)[:, [0, 1, 3]], volume)


def corners(difference: np.ndarray, volume: Volume) -> float:
    """The longest way that a corner moves by a difference of affines, (4, 4) or without the third axis."""
    ends = [length - 1 for length in volume.voxels.shape[: difference.shape[1] - 1]]
    places = np.array(np.meshgrid(*[(0, end) for end in ends], [1])).reshape(len(ends) + 1, -1)
    return float(np.linalg.norm((difference @ places)[:3], axis=0).max())


def written(folder: str) -> Iterator[Path]:
    """The files in the order in which they were written."""
    return iter(sorted(Path(folder).glob("*.nii.gz"), key=lambda path: path.stat().st_mtime_ns))


def round_trip(volume: Volume, path: Path) -> tuple[float, bool, bool]:
    """Millimetres that corners moved, whether orientation and spacing are the same, and whether the voxels are."""
    back = decode(path.read_bytes())
    image = nibabel.load(path)
    moved = max(corners(volume.affine - affine, volume) for affine in (back.affine, image.affine))
    kept = back.orientation == volume.orientation and np.allclose(back.spacing, volume.spacing, rtol=1e-5)
    return moved, bool(kept), bool(np.array_equal(back.voxels, volume.voxels, equal_nan=True))


def breakage(folder: Path) -> Row:
    """What broken variants of all files lead to."""
    random = np.random.default_rng(0)
    fates: Counter[str] = Counter()
    longest = 0.0
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size):
        for variant in variants(path.read_bytes(), random):
            start = time.perf_counter()
            fates[fate_of(variant)] += 1
            longest = max(longest, time.perf_counter() - start)
    return {
        "broken variants": fates.total(),
        "read all the same": fates["read"],
        "refused with a reason": fates["refused"],
        "other exceptions": fates.total() - fates["read"] - fates["refused"],
        "longest (s)": longest,
    }


def variants(raw: bytes, random: np.random.Generator) -> Iterator[bytes]:
    """A file cut off, or with some bytes changed anywhere or in its beginning."""
    for at in range(BROKEN):
        if at % 3 == 0:
            yield raw[: random.integers(len(raw))]
            continue
        changed = bytearray(raw)
        for place in random.integers(0, len(raw) if at % 3 == 1 else min(len(raw), 2000), 12):
            changed[place] = random.integers(256)
        yield bytes(changed)


def fate_of(raw: bytes) -> str:
    """What decoding leads to; anything but a volume or a BadInput goes by its name."""
    try:
        decode(raw)
    except BadInput:
        return "refused"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is counted
        return type(error).__name__
    return "read"


if __name__ == "__main__":
    sys.exit(main())
