"""A database as a Prefect server of today's version makes it, for tests that each want one of their own."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import prefect


def migrated_database() -> Path:
    """An empty database with today's tables, made once per Prefect version: that takes most of the start."""
    made = Path(tempfile.gettempdir()) / f"prefect-template-{prefect.__version__}.db"
    if not made.exists():
        part = made.with_suffix(f".{os.getpid()}")
        url = f"sqlite+aiosqlite:///{part}"
        subprocess.run(
            [sys.executable, "-m", "prefect", "server", "database", "upgrade", "-y"],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PREFECT_SERVER_DATABASE_CONNECTION_URL": url},
        )
        part.rename(made)
    return made
