"""The server's log: one JSON object a line on standard error."""

import logging
import sys
import time
import warnings

import msgspec

from lepton.serve._front import ACCESS


class Lines(logging.Formatter):
    """A record as a JSON object: time, level, message, and the facts that came with it."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        told = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {"time": f"{told}.{int(record.msecs):03d}Z", "level": record.levelname.lower(), "from": record.name}
        line |= {"message": record.getMessage(), **getattr(record, "facts", {})}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def start(*, access: bool) -> None:
    """Write warnings and worse; with `access` a line for every request that asked an app, too.

    Python's own warnings are left out unless it was started with -W: their texts, which Pillow makes of what clients
    send, are kept for good once they are told.
    """
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    logging.getLogger("uvicorn.error").addFilter(_is_fault)
    handler = logging.StreamHandler()
    handler.setFormatter(Lines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    ACCESS.setLevel(logging.INFO if access else logging.WARNING)


def _is_fault(record: logging.LogRecord) -> bool:
    """Whether a line is worth telling: a client that resets the connection as it is answered is no fault.

    uvloop raises where something is written then, and uvicorn takes it for the application's.
    """
    return not (record.exc_info and isinstance(record.exc_info[1], RuntimeError) and _RESET in str(record.exc_info[1]))


_RESET = "the handler is closed"
