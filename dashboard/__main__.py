"""`python -m dashboard`: the page on http://127.0.0.1:8700, or where FORECAST_DASHBOARD_PORT says."""

import argparse
import os
import sys
from pathlib import Path

USUAL_PORT = "8700"

# Nothing leaves this machine but the questions to Athena; both themes follow the browser's.
OPTIONS = {
    "server.address": "127.0.0.1",
    "server.headless": "true",
    "server.fileWatcherType": "none",
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "theme.light.primaryColor": "#1f66c7",
    "theme.dark.primaryColor": "#3a76d6",
}


def main() -> None:
    """Become the server of the page."""
    argparse.ArgumentParser(prog="python -m dashboard", description=__doc__).parse_args()
    port = os.environ.get("FORECAST_DASHBOARD_PORT") or USUAL_PORT
    options = [f"--{name}={value}" for name, value in {**OPTIONS, "server.port": port}.items()]
    page = str(Path(__file__).with_name("page.py"))
    os.execv(sys.executable, [sys.executable, "-m", "streamlit", "run", page, *options])


if __name__ == "__main__":
    main()
