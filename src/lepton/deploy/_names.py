"""Names as registries and clusters take them."""

import re
import unicodedata

from lepton.bundle.manifest import Bundle
from lepton.core.errors import UserError

_LONGEST = 40
_IMAGE = re.compile(
    r"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
    r"(?:@sha256:[0-9a-f]{64})?"
)


def label(bundle: Bundle) -> str:
    """The app's name as a DNS label (RFC 1035): small letters, digits and hyphens, a letter first, at most 40.

    A label may have 63; what clusters put before and behind it needs the rest.
    """
    plain = unicodedata.normalize("NFKD", bundle.manifest.name).encode("ascii", "ignore").decode().lower()
    found = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    whole = found if found[:1].isalpha() else f"app-{found}"
    return whole[:_LONGEST].strip("-")


def image(bundle: Bundle, given: str | None) -> str:
    """The image's name: the one given, else the app's with its id as the tag, so that another app has another tag.

    Raises UserError for what is no name of an image.
    """
    if given is not None and not _IMAGE.fullmatch(given):
        rule = "An image is named [HOST[:PORT]/]NAME[:TAG], the name in small letters"
        remedy = "Say for instance --image registry.example/team/app:1"
        raise UserError("This names no image", rule=rule, received=given, remedy=remedy)
    return given or f"{label(bundle)}:{version(bundle)}"


def version(bundle: Bundle) -> str:
    """The first digits of the app's id, which changes with any of its files."""
    return bundle.id[:12]
