"""Draw the images of the README and the model card: a fake that the shipped detector finds, and some that it misses.

    python tools/draw_card_images.py

All are made from the two public-domain portraits. The fakes are pseudo-fakes, cut and scored as `realface detect` does.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np

from realface import Detector
from realface.bench.face_crops import named_crops
from realface.core.files import write_json
from realface.detection.overlay import write_overlay
from realface.evaluation.pseudo_fakes import available_kinds, draw_pairs, find_faces
from realface.media.images import write_image
from realface.media.sheets import beside

DOCS = Path(__file__).parent.parent / "docs/images"
NUM_PAIRS, NUM_MISSED = 12, 3
VISIBLE = 0.5  # strength of the blend in a fake that counts as missed


def main() -> None:
    """Draw and write the images."""
    detector = Detector.load(device="cpu")
    faces = find_faces(*named_crops(None)).real_faces()
    missed: list[tuple[float, str, np.ndarray, np.ndarray]] = []
    found: list[tuple[float, np.ndarray]] = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in available_kinds():
            for number, pair in enumerate(draw_pairs(kind, faces, NUM_PAIRS, seed=5, input_size=256)[0]):
                path = Path(folder) / f"{kind}-{number}.png"
                write_image(path, pair.image)
                verdict = detector.detect(path)
                if verdict.score is None:
                    continue
                if kind == "swap":
                    found.append((verdict.score, pair.image))
                if pair.mask.max() > VISIBLE:
                    missed.append((verdict.score, kind, pair.real, pair.image))
        best = max(found, key=lambda each: each[0])
        write_image(Path(folder) / "portrait.png", best[1])
        verdict = detector.detect(Path(folder) / "portrait.png")
        shutil.copy(write_overlay(detector, verdict, Path(folder) / "overlays"), DOCS / "detect.jpg")
    kinds: dict[str, tuple[float, str, np.ndarray, np.ndarray]] = {}
    for each in sorted(missed, key=lambda one: one[0]):
        kinds.setdefault(each[1], each)
    entries = []
    for score, kind, real, fake in sorted(kinds.values(), key=lambda one: one[0])[:NUM_MISSED]:
        write_image(DOCS / "model-card" / f"missed-{kind}.jpg", beside([real, fake]))
        caption = f"Missed: a pseudo-fake of the kind {kind} (right) beside its original, score {score:.3f}"
        entries.append({"file": f"missed-{kind}.jpg", "caption": caption})
    write_json(DOCS / "model-card" / "failures.json", entries)


if __name__ == "__main__":
    main()
