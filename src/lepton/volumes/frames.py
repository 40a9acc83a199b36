"""Where the frames of DICOM files are in the patient, and how they make one volume.

DICOM PS3.3 C.7.6.2 (image plane), C.7.6.16 (functional groups), C.8.8.3 (dose). All places here are LPS+ in mm.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lepton.core.errors import BadInput
from lepton.volumes import dicom
from lepton.volumes.volume import FLIP

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_PLACES = 0.01  # of the distance between slices by which two slices of one place may differ
_EVEN = 0.05  # of it by which distances between neighbours may differ
_SQUARE = 0.01  # by which directions may miss being of length 1 and square on each other
_TURNED = 0.005  # by which directions of parallel slices may differ
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """One frame: where its first pixel is, and the directions along a row and down a column; None where not told.

    `steps` are mm between rows and between columns, `thickness` that of the slice (1 where not told).
    """

    position: np.ndarray | None
    along: np.ndarray
    down: np.ndarray
    steps: tuple[float, float]
    thickness: float

    @property
    def normal(self) -> np.ndarray:
        """The direction that the slices are stacked in."""
        return np.cross(self.along, self.down)

    def parallel(self, other: "Plane") -> bool:
        """Whether both can be slices of one volume: placed, of the same directions and of the same steps."""
        turned = max(np.abs(self.along - other.along).max(), np.abs(self.down - other.down).max())
        placed = self.position is not None and other.position is not None
        return placed and bool(turned < _TURNED and np.allclose(self.steps, other.steps, rtol=1e-3))


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """How frames make a volume: `order` (K, T), which frame is at which place and time, and the affine in RAS+."""

    order: np.ndarray
    affine: np.ndarray
    placed: bool


def group(data: "Dataset", frame: int, name: str) -> "Dataset":
    """Where the elements of a functional group stand for a frame: for it alone, shared, or in the data set itself."""
    per_frame = dicom.sequence(data, "PerFrameFunctionalGroupsSequence")
    shared = dicom.sequence(data, "SharedFunctionalGroupsSequence")
    for place in (*per_frame[frame : frame + 1], *shared[:1]):
        items = dicom.sequence(place, name)
        if items:
            return items[0]
    return data


def planes(data: "Dataset", frames: int) -> list[Plane]:
    """Where each frame is. Raises BadInput for places and directions that are no numbers or make no sense."""
    offsets = _offsets(data, frames)
    return [_plane(data, frame, offset) for frame, offset in enumerate(offsets)]


def stack(found: Sequence[Plane]) -> Stack:
    """The frames in the order of their places, whatever the order of the files; several at each place are time points.

    A lone frame, and frames that all have no place, are stacked as they come. The affine follows the places themselves,
    so that the shear of a tilted gantry is in it. Raises BadInput for frames that make no volume: of several
    directions, with slices missing, or with more frames at some places than at others.
    """
    first = found[0]
    if all(plane.position is None for plane in found):
        return Stack(np.arange(len(found))[:, None], _unplaced(first), False)
    if not all(first.parallel(plane) for plane in found):
        raise BadInput("The slices lie in several directions", rule="The slices of a volume are parallel")
    places = np.array([plane.position for plane in found])
    order = _by_place(places @ first.normal, first)
    middle = places[order].mean(axis=1)
    step = (middle[-1] - middle[0]) / (len(middle) - 1) if len(middle) > 1 else first.normal * first.thickness
    _check_line(middle, step)
    return Stack(order, affine(first, middle[0], step), True)


def affine(plane: Plane, origin: np.ndarray, step: np.ndarray) -> np.ndarray:
    """(4, 4) from column, row and slice to RAS+, by the equation of PS3.3 C.7.6.2.1.1; column comes first, as I."""
    lps = np.eye(4)
    lps[:3, 0] = plane.along * plane.steps[1]
    lps[:3, 1] = plane.down * plane.steps[0]
    lps[:3, 2] = step
    lps[:3, 3] = origin
    return np.asarray(FLIP @ lps)


def _plane(data: "Dataset", frame: int, offset: float) -> Plane:
    place = group(data, frame, "PlanePositionSequence")
    turn = group(data, frame, "PlaneOrientationSequence")
    measures = group(data, frame, "PixelMeasuresSequence")
    position = dicom.several(place, "ImagePositionPatient", 3)
    directions = dicom.several(turn, "ImageOrientationPatient", 6)
    along, down = _directions(directions)
    spacings = (dicom.several(measures, name, 2) for name in _SPACINGS)
    steps = next((found for found in spacings if found and min(found) > 0), None) or [1.0, 1.0]
    thickness = dicom.several(measures, "SpacingBetweenSlices", 1) or dicom.several(measures, "SliceThickness", 1)
    plane = Plane(None, along, down, (steps[0], steps[1]), abs(thickness[0]) if thickness and thickness[0] else 1.0)
    if position is None or directions is None or "MOSAIC" in dicom.text(data, "ImageType"):
        return plane
    return Plane(np.array(position) + offset * plane.normal, along, down, plane.steps, plane.thickness)


def _directions(numbers: Sequence[float] | None) -> tuple[np.ndarray, np.ndarray]:
    """Directions of length 1; along x and y where none are told."""
    along, down = np.array(numbers or [1.0, 0, 0, 0, 1, 0]).reshape(2, 3)
    lengths = np.linalg.norm(along), np.linalg.norm(down)
    if min(lengths) < 0.5 or max(abs(lengths[0] - 1), abs(lengths[1] - 1), abs(along @ down)) > _SQUARE:
        raise BadInput("The image's directions make no sense", rule="They must be square on each other and of length 1")
    return along / lengths[0], down / lengths[1]


def _offsets(data: "Dataset", frames: int) -> list[float]:
    """How far each frame lies from the place that the data set gives: only doses say so."""
    return dicom.several(data, "GridFrameOffsetVector", frames) or [0.0] * frames


def _unplaced(plane: Plane) -> np.ndarray:
    """Voxel sizes alone, upright: rows run down, columns to the patient's left."""
    return np.asarray(FLIP @ np.diag([plane.steps[1], plane.steps[0], plane.thickness, 1.0]))


def _by_place(heights: np.ndarray, plane: Plane) -> np.ndarray:
    """Which frame lies at which height along the normal (K, T). Raises BadInput for uneven numbers and distances."""
    order = np.argsort(heights, kind="stable")
    rising = np.diff(heights[order])
    same = _PLACES * plane.thickness
    gaps = rising[rising > same]
    counts = np.diff(np.flatnonzero(np.concatenate([[True], rising > same, [True]])))
    if len(set(counts.tolist())) > 1:
        received = f"{counts.min()} to {counts.max()} frames at a place"
        raise BadInput("Slices are missing or doubled", rule="Every place has equally many", received=received)
    if len(gaps) and gaps.max() - gaps.min() > 2 * _EVEN * np.median(gaps):
        received = f"{gaps.min():.4g} to {gaps.max():.4g} mm apart"
        raise BadInput("Slices are missing or lie unevenly", rule="They must be equally far apart", received=received)
    return order.reshape(-1, counts[0])


def _check_line(middle: np.ndarray, step: np.ndarray) -> None:
    """Raise BadInput where the slices' first pixels lie on no straight line, evenly."""
    wanted = middle[0] + np.arange(len(middle))[:, None] * step
    if np.abs(middle - wanted).max() > 2 * _EVEN * max(float(np.linalg.norm(step)), 1.0):
        raise BadInput("The slices are shifted against each other", rule="Their first pixels must lie on a line")
