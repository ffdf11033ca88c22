"""`python -m local.prefect_setup`: what the workflow expects to find on the Prefect server.

The work pool, the installation's block, and the deployments of prefect.yaml with their automations. And what
it should not find: runs that say they are at work, though all processes of the stack were down.
"""

import datetime as dt
import hashlib
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.workers.process import ProcessWorker

from blocks.__main__ import main as save_blocks
from flows.revival import end_runs_of_before
from local.processes import BEGAN
from local.settings import POOL, ROOT, Settings

DEPLOYMENT = "forecast/upload"

# What a deployment is made of: when none of it changed, installing it again would only take time.
SOURCES = ("prefect.yaml", "flows", "tasks", "blocks")

SERVER_S = 240


def wait_for_server(settings: Settings) -> None:
    """Return when the server answers.

    Raises:
        TimeoutError: it has not for four minutes.
    """
    until = time.monotonic() + SERVER_S
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{settings.prefect_url}/api/health", timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError(f"no Prefect server at {settings.prefect_url} for {SERVER_S} s")


def create_pool(client: SyncPrefectClient) -> None:
    """Create the process work pool, unless it is there."""
    template = ProcessWorker.get_default_base_job_template()
    try:
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process", base_job_template=template))
    except ObjectAlreadyExists:
        return


def deploy(settings: Settings, client: SyncPrefectClient) -> bool:
    """Install the deployments, unless the same ones are installed.

    Returns:
        Whether there was something to do.

    Raises:
        subprocess.CalledProcessError: prefect refused; it has said why.
    """
    note = settings.folder / "deployed"
    digest = digest_of(ROOT)
    if note.exists() and note.read_text() == digest and _is_deployed(client):
        return False
    prefect = str(Path(sys.executable).parent / "prefect")
    subprocess.run(
        [prefect, "--no-prompt", "deploy", "--all"], cwd=ROOT, check=True, stdin=subprocess.DEVNULL
    )
    note.write_text(digest)
    return True


def _is_deployed(client: SyncPrefectClient) -> bool:
    try:
        client.read_deployment_by_name(DEPLOYMENT)
    except ObjectNotFound:
        return False
    return True


def digest_of(root: Path) -> str:
    """A digest of everything that a deployment is made of, and of where it is."""
    digest = hashlib.sha256(str(root).encode())
    for source in SOURCES:
        path = root / source
        for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
            digest.update(f"\0{file.relative_to(root)}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def main() -> None:
    """Wait for the server and set it up; what exists is brought up to date."""
    settings = Settings.from_environment(os.environ)
    wait_for_server(settings)
    with get_client(sync_client=True) as client:
        create_pool(client)
        save_blocks()
        print("installed the deployments" if deploy(settings, client) else "the deployments are up to date")
        if BEGAN in os.environ:
            dead = end_runs_of_before(client, dt.datetime.fromisoformat(os.environ[BEGAN]))
            print(f"{dead} run(s) had been at work when the stack went down")


if __name__ == "__main__":
    main()
