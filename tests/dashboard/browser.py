"""A headless Chromium that tests look at pages with, through its DevTools protocol."""

import json
import os
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

START_S = 60.0

# What each key is to the page: code, key code, and the text that it types.
KEYS = {
    "Tab": ("Tab", 9, ""),
    "Enter": ("Enter", 13, "\r"),
    "ArrowDown": ("ArrowDown", 40, ""),
    "ArrowUp": ("ArrowUp", 38, ""),
}


def program() -> str | None:
    """Chromium, if this machine has one."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


class Browser:
    """One page; only addresses on this machine are reached."""

    def __init__(self, width: int = 1400, height: int = 1000, is_dark: bool = False) -> None:
        found = program()
        assert found is not None
        self._folder = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        command = [found, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
        command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
        command += ["--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", "--hide-scrollbars"]
        command += [f"--window-size={width},{height}", f"--user-data-dir={self._folder.name}"]
        command += ["--remote-debugging-port=0", "about:blank"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._ids = count(1)
        self._socket = connect(self._address(), max_size=None, proxy=None)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.enable")

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(30)
        self._folder.cleanup()

    def _address(self) -> str:
        """Of the first page's DevTools."""
        file = Path(self._folder.name) / "DevToolsActivePort"
        until(lambda: file.exists() and file.read_text().count("\n"), "Chromium to start", START_S)
        port = file.read_text().split("\n")[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=30) as answer:
            pages = json.load(answer)
        return str(next(page for page in pages if page["type"] == "page")["webSocketDebuggerUrl"])

    def call(self, method: str, **given: Any) -> dict[str, Any]:
        """One command of the protocol, and its result."""
        number = next(self._ids)
        self._socket.send(json.dumps({"id": number, "method": method, "params": given}))
        while (answer := json.loads(self._socket.recv(60))).get("id") != number:
            pass  # events, which nobody waits for
        assert "error" not in answer, answer
        return dict(answer["result"])

    def open(self, url: str) -> None:
        """Go to an address."""
        self.call("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    @property
    def text(self) -> str:
        """What the page says."""
        return str(self.run("document.body ? document.body.innerText : ''"))

    def waits_for(self, condition: str, what: str, seconds: float = 30.0) -> float:
        """Wait until an expression is true; returns how many seconds that took."""
        begun = time.monotonic()
        try:
            until(lambda: self.run(condition), what, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; the page says:\n{self.text[:2000]}") from error
        return time.monotonic() - begun

    def shows(self, wanted: str, seconds: float = 30.0) -> float:
        """Wait until the page shows a text; returns how many seconds that took."""
        return self.waits_for(
            f"document.body && document.body.innerText.includes({json.dumps(wanted)})", wanted, seconds
        )

    def press(self, key: str, times: int = 1) -> None:
        """Press and release a key."""
        code, number, typed = KEYS[key]
        own = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        for _ in range(times):
            down = "keyDown" if typed else "rawKeyDown"
            self.call("Input.dispatchKeyEvent", type=down, **own, **({"text": typed} if typed else {}))
            self.call("Input.dispatchKeyEvent", type="keyUp", **own)

    def type(self, text: str) -> None:
        """Type a text into what has the focus."""
        self.call("Input.insertText", text=text)


def until(found: Callable[[], Any], what: str, seconds: float) -> Any:
    """The first true value of a function."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = found()
        if value:
            return value
        time.sleep(0.02)  # there is nothing to wait on but the page itself
    raise AssertionError(f"waited {seconds:.0f} s for {what}")
