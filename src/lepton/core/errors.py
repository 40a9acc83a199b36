"""Two kinds of error: the user's mistakes live here, everything else is our bug and keeps its traceback."""

from collections.abc import Sequence


class UserError(Exception):
    """A mistake the user can mend: what is wrong, the rule, what was received, what to do.

    The command line prints it and exits with `exit_code`; the server answers 4xx with it.
    """

    exit_code = 2

    def __init__(self, what: str, *, rule: str = "", received: object = None, remedy: str = "") -> None:
        self.what = what
        self.rule = rule
        self.received = "" if received is None else shorten(str(received))
        self.remedy = remedy
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """The four parts as one line; parts that were not given are left out."""
        parts = [self.what.rstrip("."), self.rule.rstrip(".")]
        if self.received:
            parts.append(f"Received: {self.received}")
        parts.append(self.remedy.rstrip("."))
        return ". ".join(part for part in parts if part) + "."


class BadInput(UserError):
    """One raw input (an image, a text, a recording) that cannot be read or answered."""


class MissingExtra(UserError):
    """A part that was not installed; the remedy is the install line."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(what, remedy=f'Install it with: pip install "lepton-transfer[{extra}]"')


class ContractNotKept(UserError):
    """No candidate keeps the contract, so nothing is packaged. Exit code 3."""

    exit_code = 3


class Ended(UserError):
    """Raised in a process that helped another one, which has failed and tells why itself."""


class Faults(UserError):
    """Several mistakes at once, each a `UserError` with its own place."""

    def __init__(self, where: str, faults: Sequence[UserError]) -> None:
        self.faults = tuple(faults)
        count = len(self.faults)
        super().__init__(f"{where} has {count} fault{'s' * (count != 1)}")

    @property
    def message(self) -> str:
        """The heading and one line for each fault."""
        faults = getattr(self, "faults", ())
        return "\n".join([f"{self.what}:", *(f"  - {fault.message}" for fault in faults)])


def shorten(text: str, limit: int = 200) -> str:
    """Cut `text` to `limit` characters, so that a message stays readable whatever was received."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
