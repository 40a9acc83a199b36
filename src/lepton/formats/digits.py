"""The 1,797 handwritten digits that come with scikit-learn: 8x8 pixels, 10 classes, nothing to download.

E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI, 1998.
"""

from pathlib import Path

import numpy as np

from lepton.core.errors import MissingExtra, UserError
from lepton.core.types import Reading, Record
from lepton.formats import _png

MODALITY = "image"


def sniff(path: Path) -> bool:
    """Whether `path` is the built-in name `digits` and nothing on disk bears it."""
    return path.name == "digits" and not path.exists()


def read(path: Path) -> Reading:
    """Give the digits as PNG bytes, their 17 grey levels spread over 0 to 255; ids are `digits#17`.

    Raises MissingExtra without scikit-learn, UserError for a path that is not the name.
    """
    if not sniff(path):
        raise UserError("The built-in digits have no path", rule='Say source = "digits"', received=path)
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingExtra("The built-in digits come with scikit-learn", "train") from error
    images, labels = load_digits(return_X_y=True)
    pixels = np.rint(images.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    return Reading(
        [
            Record(f"digits#{at}", _png.encode(image), str(label))
            for at, (image, label) in enumerate(zip(pixels, labels, strict=True))
        ]
    )
