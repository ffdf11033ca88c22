"""Nested states on disk: one JSON file, its arrays in one npz, its long texts in files of their own.

state.json     {"weights": {"$array": "0"}, "trees": {"$text": "1.txt"}, …}
arrays.npz     0, 1, …
1.txt          a text too long to read inside JSON, such as a tree model
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

LONGEST_TEXT = 1000  # characters that stay in the JSON file


def write(folder: Path, state: dict[str, Any]) -> None:
    """Write ``state``: JSON values, numpy arrays and texts, in dictionaries and lists."""
    arrays: dict[str, np.ndarray] = {}
    texts: dict[str, str] = {}
    tree = _pack(state, arrays, texts)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    np.savez(folder / "arrays.npz", **arrays)  # type: ignore[arg-type]
    (folder / "state.json").write_text(json.dumps(tree, indent=1), encoding="utf-8")


def _pack(value: Any, arrays: dict[str, np.ndarray], texts: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {str(key): _pack(item, arrays, texts) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_pack(item, arrays, texts) for item in value]
    if isinstance(value, np.ndarray):
        name = str(len(arrays))
        arrays[name] = value
        return {"$array": name}
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        name = f"{len(texts)}.txt"
        texts[name] = value
        return {"$text": name}
    return value.item() if isinstance(value, np.generic) else value


def read(folder: Path) -> dict[str, Any]:
    """The state that ``write`` wrote."""
    tree = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
        return _unpack(tree, dict(arrays), folder)


def _unpack(value: Any, arrays: dict[str, np.ndarray], folder: Path) -> Any:
    if isinstance(value, list):
        return [_unpack(item, arrays, folder) for item in value]
    if not isinstance(value, dict):
        return value
    if "$array" in value:
        return arrays[value["$array"]]
    if "$text" in value:
        return (folder / value["$text"]).read_text(encoding="utf-8")
    return {key: _unpack(item, arrays, folder) for key, item in value.items()}
