"""Who may ask, and how often: API keys, each with a rate of its own."""

import hashlib
import time
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from lepton.core.errors import UserError
from lepton.serve._problems import Problem

_OPEN = ("/healthz", "/readyz", "/openapi.json", "/", "/v2/health/live", "/v2/health/ready")
_OPEN_FOLDER = "/console/"


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    """One `[[key]]` of a file: the key itself or its sha256, requests a second, and whether it may swap apps."""

    name: str
    key: str = ""
    sha256: str = ""
    rate: float = float("inf")
    burst: float = 0.0
    admin: bool = False


class _File(msgspec.Struct, forbid_unknown_fields=True):
    key: list[_Entry]


@dataclass(slots=True)
class Holder:
    """Whoever holds a key: a token bucket fills at `rate` tokens a second up to `burst`."""

    name: str
    rate: float = float("inf")
    burst: float = 0.0
    admin: bool = False
    _tokens: float = field(default=-1.0, init=False)
    _last: float = field(default=0.0, init=False)

    def spend(self) -> float:
        """Take a token. Seconds until there is one where there is none now, else 0."""
        if self.rate == float("inf"):
            return 0.0
        now = time.monotonic()
        full = self.burst or max(1.0, self.rate)
        self._tokens = full if self._tokens < 0 else min(full, self._tokens + (now - self._last) * self.rate)
        self._last = now
        if self._tokens < 1:
            return (1 - self._tokens) / self.rate
        self._tokens -= 1
        return 0.0


class Guard:
    """Lets requests in. Without any key everybody may ask and nobody may swap."""

    def __init__(self, holders: Mapping[bytes, Holder] | None = None) -> None:
        """Take the holders by the sha256 of their keys; keys themselves are not kept."""
        self._holders = dict(holders or {})
        self._closed = any(not holder.admin for holder in self._holders.values())

    def admit(self, path: str, headers: Iterable[tuple[bytes, bytes]]) -> Holder | None:
        """Whoever asks what stands at `path`, None where nobody need say.

        Raises Problem: 401 without a right key, 429 with Retry-After above its rate, 403 for a swap without an admin's.
        """
        if path in _OPEN or path.startswith(_OPEN_FOLDER):
            return None
        is_admin = path.endswith(":swap")
        if not self._closed and not is_admin:
            return None
        holder = self._holder(headers)
        if is_admin and not (holder and holder.admin):
            remedy = "Start the server with --keys FILE in which a key says admin = true, and send that"
            raise Problem(403, "Only an admin's key may swap apps", remedy=remedy)
        if holder is None:
            how = {"WWW-Authenticate": 'Bearer realm="lepton"'}
            raise Problem(401, "This server asks for a key", remedy="Send Authorization: Bearer KEY", headers=how)
        wait = holder.spend()
        if wait:
            detail = f"{holder.name} may ask {holder.rate:g} times a second"
            raise Problem(429, detail, headers={"Retry-After": str(int(wait) + 1)}, remedy="Ask more slowly")
        return holder

    def _holder(self, headers: Iterable[tuple[bytes, bytes]]) -> Holder | None:
        # What is compared is a digest, so the time it takes tells nothing of a key.
        for name, value in headers:
            if name == b"authorization" and value[:7].lower() == b"bearer ":
                return self._holders.get(_digest(value[7:].strip()))
            if name == b"x-api-key":
                return self._holders.get(_digest(value.strip()))
        return None


def read_keys(path: Path, *, workers: int = 1) -> Guard:
    """The guard that a TOML file of `[[key]]` tables tells; each of `workers` processes grants its part of a rate.

    Raises UserError for a file that cannot be read, a table that is no key, and keys that stand twice.
    """
    try:
        entries = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File).key
    except (OSError, ValueError, msgspec.ValidationError) as error:
        remedy = 'Write tables such as [[key]] name = "shop", key = "..." and, if it may swap apps, admin = true'
        raise UserError(f"The keys in {path} cannot be read", rule=str(error), remedy=remedy) from error
    holders: dict[bytes, Holder] = {}
    for entry in entries:
        digest = _entry_digest(entry, path)
        if digest in holders:
            raise UserError(f"A key stands twice in {path}", received=entry.name, remedy="Give each holder its own")
        holders[digest] = Holder(entry.name, entry.rate / workers, entry.burst / workers, entry.admin)
    return Guard(holders)


def _entry_digest(entry: _Entry, path: Path) -> bytes:
    if len(entry.key) >= 16 and not entry.sha256:
        return _digest(entry.key.encode())
    if len(entry.sha256) == 64 and not entry.key and _is_hex(entry.sha256):
        return bytes.fromhex(entry.sha256)
    rule = "It has either key, of at least 16 characters, or sha256, the key's in 64 hexadecimal digits"
    remedy = 'Make one: python -c "import secrets; print(secrets.token_urlsafe())"'
    raise UserError(f"The key of {entry.name!r} in {path} is none", rule=rule, remedy=remedy)


def _is_hex(text: str) -> bool:
    return all(character in "0123456789abcdefABCDEF" for character in text)


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
