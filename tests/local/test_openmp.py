"""LightGBM on a system without an OpenMP runtime."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from local import openmp

# What a library says of itself stands among other strings, each ended by a zero.
LIBRARY = b"\x7fELF\0libc.so.6\0libgomp-e985bcbb.so.1.0.0\0GOMP_parallel\0"


def wheel(folder: Path, **files: bytes) -> Path:
    path = folder / "scikit_learn-1.9.1-cp311-cp311-manylinux_2_28_x86_64.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_the_runtime_of_the_wheel_gets_the_name_that_programs_ask_for(tmp_path: Path) -> None:
    carries = {"sklearn/__init__.py": b"", "scikit_learn.libs/libgomp-e985bcbb.so.1.0.0": LIBRARY}
    library = openmp.runtime_in(wheel(tmp_path, **carries))
    assert len(library) == len(LIBRARY), "nothing behind it moves"
    assert library.rstrip(b"\0").split(b"\0")[:3] == [b"\x7fELF", b"libc.so.6", b"libgomp.so.1"]
    assert library.endswith(b"\0GOMP_parallel\0")


def test_a_wheel_without_a_runtime_is_told_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(openmp.OpenMpMissing, match="apt-get install libgomp1"):
        openmp.runtime_in(wheel(tmp_path, **{"sklearn/__init__.py": b""}))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has libgomp")
def test_every_process_of_the_environment_loads_the_runtime(tmp_path: Path) -> None:
    import _ctypes  # some library that there is on every machine

    packages = tmp_path / "lib" / "site-packages"
    packages.mkdir(parents=True)
    openmp.install(Path(_ctypes.__file__).read_bytes(), tmp_path, packages)
    code = f"import site; site.addsitedir({str(packages)!r}); print(open('/proc/self/maps').read())"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path / "lib" / "libgomp.so.1") in loaded


def test_where_lightgbm_loads_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openmp, "trouble", lambda: "")
    monkeypatch.setattr(openmp, "_fetched", lambda folder: pytest.fail("there is no need"))
    openmp.provide()


def test_another_trouble_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openmp, "trouble", lambda: "OSError: Library not loaded: @rpath/libomp.dylib")
    with pytest.raises(openmp.OpenMpMissing, match="brew install libomp"):
        openmp.provide()


def test_a_runtime_that_cannot_be_fetched_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(folder: str) -> Path:
        raise subprocess.CalledProcessError(1, "pip")

    monkeypatch.setattr(openmp, "trouble", lambda: "OSError: libgomp.so.1: cannot open shared object file")
    monkeypatch.setattr(openmp, "_fetched", offline)
    with pytest.raises(openmp.OpenMpMissing, match="apt-get install libgomp1"):
        openmp.provide()
