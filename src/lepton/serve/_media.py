"""Media that stand in JSON."""

import binascii

from lepton.serve._problems import Problem


def from_base64(item: str, index: int) -> bytes:
    """The bytes that a text in base64, or a data URL, stands for. Raises Problem 422 that names the `index`."""
    text = item.partition(",")[2] if item.startswith("data:") else item
    try:
        return binascii.a2b_base64("".join(text.split()), strict_mode=True)
    except ValueError as error:
        raise Problem(422, f"Input {index} is not base64: {error}", index=index) from error
