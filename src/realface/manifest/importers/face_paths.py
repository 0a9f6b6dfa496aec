"""What the path of a face crop says by itself: its place in FaceForensics++, and a label that the list contradicts."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from realface.core.errors import ManifestError
from realface.core.labels import Label
from realface.manifest.manifest import Manifest

REAL_FOLDERS = frozenset({"real", "original_sequences", "celeb-real", "youtube-real"})
FAKE_FOLDERS = frozenset({"fake", "manipulated_sequences", "celeb-synthesis"})
LEVELS = {"raw": "raw", "c0": "raw", "c23": "c23", "c40": "c40"}
FORENSICS_KINDS = ("original_sequences", "manipulated_sequences")


def with_slashes(path: str) -> str:
    """A path as it is written here, whatever system wrote the list."""
    return path.replace("\\", "/")


def forensics_columns(path: str) -> dict[str, Any]:
    """What a crop below FaceForensics++'s folders is: data set, method, compression, video, identities and original.

    Nothing where the path is no `.../manipulated_sequences/<method>/<level>/.../<video>/<crop>`.
    """
    parts = PurePosixPath(path).parts
    start = next((index for index, part in enumerate(parts) if part in FORENSICS_KINDS), None)
    if start is None or len(parts) - start < 5:
        return {}
    kind, group, level = parts[start : start + 3]
    columns: dict[str, Any] = {"dataset": "faceforensics", "compression": LEVELS.get(level), "video": parts[-2]}
    if kind == FORENSICS_KINDS[1]:
        columns["method"] = group
    return columns | identities_of(parts[-2], is_fake=kind == FORENSICS_KINDS[1])


def identities_of(video: str, *, is_fake: bool) -> dict[str, Any]:
    """Return the identities in a video's name of FaceForensics++, and a fake's original: `071`, `<target>_<source>`."""
    identities = video.split("_")
    if len(identities) != is_fake + 1 or not all(identity.isdecimal() for identity in identities):
        return {}
    return {"identities": identities, "original": identities[0] if is_fake else None}


def frame_of(path: str) -> int | None:
    """The number that a crop's file is named by; None where it has another name."""
    stem = PurePosixPath(path).stem
    return int(stem) if stem.isascii() and stem.isdecimal() and len(stem) < 10 else None


def refuse_turned_labels(manifest: Manifest, *, where: str) -> None:
    """Refuse labels that the folders in the paths contradict: some lists write 1 for real.

    Folders above the manifest's root say nothing.

    Raises:
        ManifestError: names the first such row and counts them.
    """
    contradicting = []
    for row, (path, label) in enumerate(zip(manifest.column("path"), manifest.column("label"), strict=True)):
        said = _label_in(str(path).removeprefix(f"{manifest.root.as_posix()}/"))
        if said is not None and said != label:
            contradicting.append((row, path, Label(label), said))
    if contradicting:
        row, path, label, said = contradicting[0]
        raise ManifestError(
            f"{where}: row {row + 1}: the list says {label} ({label.word}), the path says {said.word}: {path} "
            f"({len(contradicting)} of {len(manifest)} rows so)",
            hint="swap the labels if 1 means real in this list: 1 must be fake",
        )


def _label_in(path: str) -> Label | None:
    """The label by the last folder that names one."""
    for part in reversed(PurePosixPath(path).parts[:-1]):
        if part.lower() in REAL_FOLDERS:
            return Label.REAL
        if part.lower() in FAKE_FOLDERS:
            return Label.FAKE
    return None
