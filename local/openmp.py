"""`python -m local.openmp`: sees to it that LightGBM can be loaded, on a bare machine, too.

LightGBM's wheel expects the OpenMP runtime (libgomp) of the system. Small images and fresh servers lack it,
and only an administrator can install it. scikit-learn's wheel carries a copy under a name of its own: where
the system has none, that copy is put into this virtual environment under the usual name, and a .pth file
loads it whenever Python starts. The linker then finds it loaded, and looks no further.
"""

import re
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

REQUIREMENTS = Path(__file__).parents[1] / "requirements-openmp.txt"
NAME = "libgomp.so.1"
COPY = re.compile(r"libgomp-[0-9a-f]+\.so\.1[.0-9]*")

REMEDY = (
    "It needs the OpenMP runtime. Install it, then run make again:\n"
    "    Debian, Ubuntu   apt-get install libgomp1\n"
    "    Fedora, RHEL     dnf install libgomp\n"
    "    macOS            brew install libomp"
)


class OpenMpMissing(Exception):
    """LightGBM cannot be loaded here; the message says why, and what to install."""

    def __init__(self, why: str) -> None:
        super().__init__(f"LightGBM cannot be loaded: {why}\n{REMEDY}")


def trouble() -> str:
    """Why LightGBM cannot be loaded in a new process; empty if it can."""
    tried = subprocess.run([sys.executable, "-c", "import lightgbm"], capture_output=True, text=True)
    return tried.stderr.strip().rpartition("\n")[2] if tried.returncode else ""


def runtime_in(wheel: Path) -> bytes:
    """The OpenMP runtime that a wheel carries, under the name by which programs ask for it.

    Raises:
        OpenMpMissing: the wheel carries none.
    """
    with zipfile.ZipFile(wheel) as archive:
        for path in archive.namelist():
            own = path.rpartition("/")[2]
            if COPY.fullmatch(own):
                return named(archive.read(path), own)
    raise OpenMpMissing(f"{wheel.name} carries no libgomp.")


def named(library: bytes, own: str) -> bytes:
    """A library that calls itself libgomp.so.1: the linker goes by what a library says of itself."""
    said = own.encode() + b"\0"
    return library.replace(said, (NAME.encode() + b"\0").ljust(len(said), b"\0"))


def install(library: bytes, prefix: Path, packages: Path) -> None:
    """Put the runtime into a virtual environment, and have each of its processes load it first."""
    place = prefix / "lib" / NAME
    place.write_bytes(library)
    (packages / "openmp.pth").write_text(
        f"import ctypes; ctypes.CDLL({str(place)!r}, mode=ctypes.RTLD_GLOBAL)\n"
    )


def _fetched(folder: str) -> Path:
    """The wheel, downloaded but not installed."""
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--quiet", "--no-deps"]
    subprocess.run([*command, "--dest", folder, "-r", str(REQUIREMENTS)], check=True)
    (wheel,) = Path(folder).glob("*.whl")
    return wheel


def provide() -> None:
    """Let LightGBM be loaded, as it is or with a runtime of this virtual environment.

    Raises:
        OpenMpMissing: it cannot, and what to do.
    """
    why = trouble()
    if not why:
        return
    if NAME not in why:  # another system's library, or another reason
        raise OpenMpMissing(why)
    print("This system has no OpenMP runtime (libgomp), which LightGBM needs: getting one …", flush=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            library = runtime_in(_fetched(folder))
    except (subprocess.CalledProcessError, ValueError) as error:
        raise OpenMpMissing(why) from error
    install(library, Path(sys.prefix), Path(sysconfig.get_path("purelib")))
    why = trouble()
    if why:
        raise OpenMpMissing(why)


if __name__ == "__main__":
    try:
        provide()
    except OpenMpMissing as error:
        sys.exit(str(error))
