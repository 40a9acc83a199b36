"""What a folder needs so that Lepton and the app can be installed from it."""

from lepton.bundle.manifest import Bundle
from lepton.deploy._deployment import Files, app_files
from lepton.deploy._pins import requirements
from lepton.deploy._wheel import wheel

OFFLINE = (
    "`wheels/` holds Lepton itself. Wheels laid beside it are taken before the registry's; "
    "`pip download --dest wheels --requirement requirements.txt`, on a machine of the same kind that has a network, "
    "lays all of them there."
)


def install_files(bundle: Bundle, *, extra: str = "") -> Files:
    """`app/`, `wheels/` with Lepton, and a requirements.txt that pins everything and ends with that wheel."""
    name, data = wheel()
    own = f"./wheels/{name}[{extra}]" if extra else f"./wheels/{name}"
    pinned = requirements(bundle, extra=extra) + f"{own}\n".encode()
    return {**app_files(bundle), f"wheels/{name}": data, "requirements.txt": pinned}
