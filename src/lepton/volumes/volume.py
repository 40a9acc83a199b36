"""A volume: voxels, and where they are in the patient.

Shapes: I, J, K voxels along three axes; C channels (time points, or red, green and blue). Places are in millimetres and
RAS+: x grows to the patient's right, y to the front, z to the head, as NIfTI has it. DICOM counts x to the left and
y to the back, LPS+.
"""

from dataclasses import dataclass, replace

import numpy as np

MAX_VOXELS = 1 << 29
"""Values a volume may have unless told otherwise: 1,024 slices of 512 x 512 twice over; a gigabyte in 16 bits."""

FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])
"""From LPS+ to RAS+ and back."""

_ENDS = ("LR", "PA", "IS")


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """Voxels (I, J, K, C), and the affine (4, 4) from voxel indices (i, j, k, 1) to places in mm, RAS+.

    `window` are the values to be shown as black and as white, where the file says so. `colour`: channels are red, green
    and blue. `placed`: the file told where in the patient the voxels are, not only how far they are apart. `interval`:
    seconds between time points, 0 where unknown.
    """

    voxels: np.ndarray
    affine: np.ndarray
    window: tuple[float, float] | None = None
    colour: bool = False
    placed: bool = True
    interval: float = 0.0

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Millimetres between neighbours along I, J and K."""
        steps = np.sqrt((self.affine[:3, :3] ** 2).sum(axis=0))
        return float(steps[0]), float(steps[1]), float(steps[2])

    @property
    def orientation(self) -> str:
        """Where I, J and K grow to, as nearly as one letter tells: "LPS" is left, posterior, superior."""
        axes, signs = _axes(self.affine)
        return "".join(_ENDS[axis][sign > 0] for axis, sign in zip(axes, signs, strict=True))


def canonical(volume: Volume) -> Volume:
    """The volume with its axes swapped and turned so that I, J, K run to the left, the back and the head.

    An axial slice is then upright as radiologists see it. What stands obliquely stays so: nothing is resampled. A lone
    slice keeps its rows and columns.
    """
    if volume.voxels.shape[2] == 1:
        return volume
    axes, signs = _axes(volume.affine)
    order = [axes.index(axis) for axis in range(3)]
    turned = volume.voxels.transpose(*order, 3)
    affine = volume.affine[:, [*order, 3]].copy()
    for at, wanted in enumerate((-1, -1, 1)):
        if signs[order[at]] != wanted:
            turned = np.flip(turned, at)
            affine[:3, 3] += affine[:3, at] * (turned.shape[at] - 1)
            affine[:3, at] *= -1
    return replace(volume, voxels=turned, affine=affine)


def grey(volume: Volume) -> np.ndarray:
    """One value a voxel (I, J, K): the first time point as it is, or the luma of colours as float32."""
    if volume.colour:
        return np.asarray(volume.voxels @ np.array([0.299, 0.587, 0.114], np.float32), np.float32)
    return volume.voxels[..., 0]


def window_of(volume: Volume) -> tuple[float, float]:
    """The values to be shown as black and white: the file's own, 0 and 255 for colours, else from 0.5 % to 99.5 %."""
    if volume.colour:
        return 0.0, 255.0
    if volume.window is not None:
        return volume.window
    values = volume.voxels[..., 0]
    some = values.reshape(-1)[:: max(1, values.size // 1_000_000)]
    finite = some[np.isfinite(some)]
    low, high = np.percentile(finite, [0.5, 99.5]) if finite.size else (0.0, 1.0)
    return float(low), float(high)


def shown(values: np.ndarray, window: tuple[float, float]) -> np.ndarray:
    """Values as float32 between 0 at the window's lower end and 1 at its upper one; what is no number is 0."""
    low, high = window
    scaled = np.subtract(values, np.float32(low), dtype=np.float32)
    np.divide(scaled, np.float32(max(high - low, 1e-6)), out=scaled)
    np.nan_to_num(scaled, copy=False, nan=0.0, posinf=1.0, neginf=0.0)
    return np.asarray(np.clip(scaled, 0, 1, out=scaled))


def picture(volume: Volume) -> np.ndarray:
    """The middle slice as a radiologist sees it, windowed to 8 bits: uint8 (H, W), or (H, W, 3) for colours."""
    upright = canonical(volume)
    middle = upright.voxels.shape[2] // 2
    cut = replace(upright, voxels=upright.voxels[:, :, middle : middle + 1])
    values = cut.voxels[:, :, 0] if cut.colour else cut.voxels[:, :, 0, 0]
    pixels = np.rint(shown(values, window_of(cut)) * 255).astype(np.uint8)
    return np.ascontiguousarray(pixels.swapaxes(0, 1))


def _axes(affine: np.ndarray) -> tuple[list[int], list[int]]:
    """For each of I, J, K the axis in space that it follows most nearly, each once, and its sign there."""
    steps = affine[:3, :3]
    shares = np.abs(steps / np.maximum(np.sqrt((steps**2).sum(axis=0)), 1e-12))
    axes = [0, 0, 0]
    for _ in range(3):
        axis, column = np.unravel_index(int(np.argmax(shares)), shares.shape)
        axes[int(column)] = int(axis)
        shares[axis, :] = shares[:, column] = -1
    return axes, [1 if steps[axis, at] >= 0 else -1 for at, axis in enumerate(axes)]
