"""Names that tell equal things apart from others and nothing else: for patients, whose own must not reach a report.

A number of seven digits behind a plain hash is found by trying them all, so the hash has a key, drawn once for each
user and kept where no report looks.
"""

import hashlib
import os
import secrets
from functools import lru_cache
from pathlib import Path

_LENGTH = 12


def pseudonym(*parts: str) -> str:
    """Twelve hexadecimal digits: the same for the same parts, for this user on this machine."""
    made = hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), key=_key(_place()), digest_size=_LENGTH // 2)
    return made.hexdigest()


def _place() -> Path | None:
    """The file of the key; None where there is no home."""
    try:
        return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "lepton" / "pseudonyms.key"
    except RuntimeError:
        return None


@lru_cache(maxsize=8)
def _key(place: Path | None) -> bytes:
    """The key, drawn where there is none; where it cannot be kept it lasts as long as the process."""
    drawn = secrets.token_bytes(32)
    if place is None:
        return drawn
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with open(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(drawn)
        return drawn
    except FileExistsError:
        return place.read_bytes()[:64] or drawn
    except OSError:
        return drawn
