"""Runs with Label Studio's own Python: its brush encoder and decoder, which know nothing of edgeseg.

python brushes.py encode|decode FILE.npz     adds the answer to the file's folder as answer.npz or answer.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from label_studio_sdk.converter import brush


def main() -> None:
    action, path = sys.argv[1], Path(sys.argv[2])
    if action == "encode":
        masks = np.load(path)
        answer = {name: brush.mask2rle(masks[name].astype(np.uint8) * 255) for name in masks.files}
        (path.parent / "answer.json").write_text(json.dumps(answer))
        return
    plain = json.loads(path.read_text())
    masks = {
        name: brush.decode_rle(one["rle"]).reshape(one["height"], one["width"], 4)[:, :, 3]
        for name, one in plain.items()
    }
    np.savez_compressed(path.parent / "answer.npz", **masks)


if __name__ == "__main__":
    main()
