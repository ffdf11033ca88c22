"""Reads Parquet files to their end in a process of its own, because a damaged one can kill its reader.

    survives(path) ──path──▶ python -m pipeline.parquetprobe ──"read"──▶ True
                                    dies ──────────────────────────────▶ False

The library that reads Parquet ends the whole process at some kinds of damage, and a run that dies tells
nobody which file it was. Where this process has survived, the run does the same with the same bytes. There is
one for all files of a process; it ends with it.
"""

import atexit
import contextlib
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
READ = "read"


class Probe:
    """The other process, started when it is needed first, and again after it has died.

    Args:
        command: of it.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def survives(self, path: str) -> bool:
        """Whether a process that reads the file to its end, or to an error, is still there."""
        with self._lock:
            process = self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            with contextlib.suppress(BrokenPipeError):  # the missing answer tells
                process.stdin.write(f"{path}\n")
                process.stdin.flush()
            has_read = process.stdout.readline().strip() == READ
            if not has_read:
                self.close()
            return has_read

    def close(self) -> None:
        """Ends the process."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(BrokenPipeError):
                process.communicate()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
            self._process = subprocess.Popen(
                self._command, cwd=ROOT, text=True, stdin=pipe, stdout=pipe, stderr=nowhere
            )
        return self._process


_probe = Probe([sys.executable, "-m", "pipeline.parquetprobe"])
atexit.register(_probe.close)
survives = _probe.survives


def main() -> None:
    """Reads the files whose paths come in, a line each, and answers."""
    from pipeline.datafile import read_through

    for line in sys.stdin:
        read_through(Path(line.rstrip("\n")))
        print(READ, flush=True)


if __name__ == "__main__":
    main()
