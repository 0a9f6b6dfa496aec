"""Inpaint the faces in an image or a video with an MAE."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from realface.core.artifact import DEMONSTRATION, ArtifactCard
from realface.core.boxes import Box
from realface.core.crop_spec import CropSpec
from realface.core.errors import DeviceError, ModelInputError
from realface.data.transforms import FaceTransform
from realface.detection.face_source import FaceSource, chosen_face_detector, chosen_spec
from realface.detection.job import SeenFrame
from realface.detection.verdict import DEMONSTRATION_NOTE, damaged_note, in_one_line, no_face
from realface.faces.detectors.face_detector import FaceDetector
from realface.faces.tracks import link_faces
from realface.media.frames import MediaKind
from realface.models.artifact import find_artifact, load_network, read_card
from realface.models.devices import resolve_device
from realface.models.rffr.blocks import SIDE
from realface.models.rffr.residual import ResidualSource, grid_of, residual_source
from realface.models.rffr.sheets import (
    AMPLIFICATION,
    Corner,
    InpaintedFace,
    draw_corner,
    inpaint_all_blocks,
    inpaint_one_block,
)

BlockChoice: TypeAlias = Literal["random", "all"] | Corner
"""Blocks to inpaint: a random block per face, every block separately and then combined, or the block at a place."""

FORMAT = 1
"""Version of the JSON document of `realface inpaint`."""
NUM_FRAMES = 8
MOST_FACES = 96
"""Faces of a file that are inpainted: what fits a sheet; bounds the memory too."""


@dataclass(frozen=True)
class ShownFace:
    """One face in one frame, with the MAE's inpainting.

    Attributes:
        index: number of the frame in the video, from 0.
        time_s: seconds from the start.
        box: in pixels of the displayed frame; may reach beyond the frame. For a face crop, the whole image.
        track: number of the person within the file, from 0.
        corner: corner of the inpainted block; None if all blocks were inpainted.
        inpainted: images and error.
    """

    index: int
    time_s: float
    box: Box
    track: int
    corner: Corner | None
    inpainted: InpaintedFace

    def to_json(self) -> dict[str, Any]:
        """Return the face in the form of the JSON document."""
        return {
            "index": self.index,
            "time_s": self.time_s,
            "box": list(self.box),
            "track": self.track,
            "block": None if self.corner is None else list(self.corner),
            "error": self.inpainted.error,
        }


@dataclass(frozen=True)
class InpaintedFile:
    """A file's faces.

    Attributes:
        path: the file.
        kind: kind of the file.
        faces: faces by frame, then by person; never empty.
        num_left_out: number of faces beyond `MOST_FACES`, which were detected and not inpainted.
        num_frames: frames that were searched for faces.
        num_damaged: frames that should have been searched and cannot be decoded.
    """

    path: Path
    kind: MediaKind
    faces: tuple[ShownFace, ...]
    num_left_out: int
    num_frames: int
    num_damaged: int = 0

    @property
    def mean_error(self) -> float:
        """The mean of its faces' errors, in grey levels."""
        return sum(face.inpainted.error for face in self.faces) / len(self.faces)

    def line(self, sheet: Path) -> str:
        """Return one line; `sheet` is the image drawn for the file."""
        faces = f"{len(self.faces)} of {len(self.faces) + self.num_left_out}" if self.num_left_out else len(self.faces)
        names = f"path: {in_one_line(self.path)} | sheet: {in_one_line(sheet)}"
        line = f"{names} | faces: {faces} | mean error: {self.mean_error:.2f}"
        damaged = damaged_note(num_frames=self.num_frames, num_damaged=self.num_damaged)
        return f"{line} | {damaged}" if damaged else line

    def to_json(self) -> dict[str, Any]:
        """Return the file as an element of `files` in the JSON document."""
        return {
            "path": str(self.path),
            "kind": self.kind,
            "mean_error": self.mean_error,
            "faces": [face.to_json() for face in self.faces],
            "num_left_out": self.num_left_out,
            "num_damaged": self.num_damaged,
        }


@dataclass(frozen=True)
class Inpainting:
    """Settings of an inpainter.

    Attributes:
        block: blocks to inpaint.
        seed: seed of the random blocks; the blocks depend only on the seed and the file's name.
        mode: method for inpainting all blocks. Default: the artifact's.
        amplification: factor of the displayed difference.
        num_frames: frames searched per video, evenly spaced.
        batch_size: number of frames that are searched together, and of MAE passes that are computed together.
    """

    block: BlockChoice = "random"
    seed: int = 0
    mode: Literal["exact", "fast"] | None = None
    amplification: float = AMPLIFICATION
    num_frames: int = NUM_FRAMES
    batch_size: int = 16


class Inpainter:
    """Detects, crops and inpaints the faces of files with the MAE of an artifact.

    Args:
        source: the MAE, in eval mode, on `device`, with the settings of its residual.
        card: card of the artifact.
        face_detector: face detector of the artifact's crop spec; None if the files are face crops.
        device: device of the MAE.
        asked: settings of the inpainting.

    Raises:
        ModelInputError: the block reaches beyond the face.
    """

    def __init__(
        self,
        source: ResidualSource,
        card: ArtifactCard,
        *,
        face_detector: FaceDetector | None,
        device: torch.device,
        asked: Inpainting = Inpainting(),
    ) -> None:
        _require_within(source.mae.config.grid_side, asked.block)
        self.card = card
        self.asked = asked
        self.mode = asked.mode or source.section.mode
        self.faces = FaceSource(
            card.crop, face_detector=face_detector, num_frames=asked.num_frames, batch_size=asked.batch_size
        )
        self._mae = source.mae
        self._grid = grid_of(source.mae.config, source.section)
        self._transform = FaceTransform(source.mae.config.input_size)
        self._device = device

    @classmethod
    def load(
        cls,
        folder: Path | str,
        *,
        device: str = "auto",
        crops: bool = False,
        crop: CropSpec | None = None,
        face_detector: FaceDetector | None = None,
        asked: Inpainting = Inpainting(),
    ) -> Inpainter:
        """Load the MAE of an artifact.

        Args:
            folder: an artifact of rffr-mae or of rffr, or the run folder that contains it.
            device: `auto`, `cpu`, `cuda`, `cuda:N` or `mps`.
            crops: whether the files are face crops, in which no faces are detected.
            crop: crop settings for an artifact without its own, because its weights came from elsewhere.
            face_detector: replaces the artifact's own; must be the same face detector in the same version.
            asked: settings of the inpainting.

        Raises:
            ArtifactError: the artifact is missing, damaged or of another method.
            ModelInputError: its MAE cannot inpaint, or the block reaches beyond the face.
            CropSpecError: the artifact's crops cannot be made here.
            DeviceError: the device does not exist.
        """
        torch_device = resolve_device(device)
        artifact = find_artifact(Path(folder))
        card = read_card(artifact)
        source = residual_source(load_network(artifact, device=torch_device), where=str(artifact))
        card = card.model_copy(update={"crop": chosen_spec(card.crop, crop, artifact=artifact)})
        chosen = (
            None
            if crops
            else chosen_face_detector(card.crop, artifact=artifact, device=torch_device, given=face_detector)
        )
        return cls(source, card, face_detector=chosen, device=torch_device, asked=asked)

    @property
    def grid_side(self) -> int:
        """Patches per side of a face."""
        return self._mae.config.grid_side

    @property
    def num_blocks(self) -> int:
        """Blocks that are inpainted in each face."""
        return len(self._grid.blocks) if self.asked.block == "all" else 1

    @property
    def note(self) -> str | None:
        """Return the note shown with every sheet of this model, or None."""
        return DEMONSTRATION_NOTE if self.card.purpose == DEMONSTRATION else None

    def describe(self) -> dict[str, Any]:
        """Return the model and the settings of the inpainting, ready for JSON."""
        asked = self.asked
        return {
            "method": self.card.method,
            "weights_sha256": self.card.weights_sha256,
            "purpose": self.card.purpose,
            "note": self.note,
            "licence": self.card.licence,
            "input_size": self._mae.config.input_size,
            "grid_side": self.grid_side,
            "block": asked.block,
            "num_blocks": self.num_blocks,
            "residual": self.mode if asked.block == "all" else None,
            "seed": asked.seed if asked.block == "random" else None,
            "amplification": asked.amplification,
            "num_frames": asked.num_frames,
            "crop": None if self.faces.face_detector is None else self.card.crop.model_dump(mode="json"),
        }

    def inpaint(self, path: Path) -> InpaintedFile:
        """Return the faces of a file, inpainted.

        Raises:
            MissingInputError: no such file.
            MediaError: it cannot be read, or no face was found in it ("no face found").
            DeviceError: the device's memory is too small for a batch.
        """
        frames: list[SeenFrame] = []
        crops: list[Tensor] = []
        num_left_out = 0
        media = self.faces.open(path)
        for chunk in self.faces.chunks(self.faces.frames(media)):
            found = self.faces.detect([frame.image for frame in chunk])
            for frame, faces in zip(chunk, found, strict=True):
                kept = faces[: MOST_FACES - len(crops)]
                num_left_out += len(faces) - len(kept)
                frames.append(SeenFrame(frame.index, frame.time_s, frame.size, kept))
                crops += [self._transform(self.faces.crop(frame.image, face)) for face in kept]
        if not crops:
            raise no_face(path, num_frames=len(frames), num_damaged=media.num_damaged)
        shown = sorted(self._shown(path, frames, crops), key=lambda face: (face.index, face.track))
        return InpaintedFile(path, media.kind, tuple(shown), num_left_out, len(frames), media.num_damaged)

    def _shown(self, path: Path, frames: Sequence[SeenFrame], crops: Sequence[Tensor]) -> Iterator[ShownFace]:
        tracks = link_faces([frame.faces for frame in frames], [frame.size for frame in frames])
        corners = self._corners(path, len(crops))
        made = iter(zip(corners, self._inpainted(crops, corners), strict=True))
        for frame, numbers in zip(frames, tracks, strict=True):
            for face, track in zip(frame.faces, numbers, strict=True):
                corner, inpainted = next(made)
                yield ShownFace(frame.index, frame.time_s, face.box, track, corner, inpainted)

    def _corners(self, path: Path, num_faces: int) -> list[Corner | None]:
        """Return the corner of each face's block, or None for all blocks."""
        block = self.asked.block
        if block == "random":
            generator = np.random.default_rng([self.asked.seed, zlib.crc32(os.fsencode(path.name))])
            return [draw_corner(self.grid_side, generator) for _ in range(num_faces)]
        return [None if block == "all" else block] * num_faces

    def _inpainted(self, crops: Sequence[Tensor], corners: Sequence[Corner | None]) -> list[InpaintedFace]:
        size = self.asked.batch_size
        faces: list[InpaintedFace] = []
        for start in range(0, len(crops), size):
            image = torch.stack(list(crops[start : start + size]))
            try:
                with torch.inference_mode():
                    faces += self._inpainted_batch(image.to(self._device), corners[start : start + size])
            except torch.OutOfMemoryError as error:
                raise DeviceError(
                    f"{self._device} has too little memory for {len(image)} faces at once",
                    hint="give a smaller --batch-size",
                ) from error
        return faces

    def _inpainted_batch(self, image: Tensor, corners: Sequence[Corner | None]) -> list[InpaintedFace]:
        places = [corner for corner in corners if corner is not None]
        amplification, chunk_size = self.asked.amplification, self.asked.batch_size
        if places:
            return inpaint_one_block(self._mae, image, places, amplification=amplification, chunk_size=chunk_size)
        return inpaint_all_blocks(
            self._mae, image, self._grid, mode=self.mode, amplification=amplification, chunk_size=chunk_size
        )


def _require_within(grid_side: int, block: BlockChoice) -> None:
    last = grid_side - SIDE
    if not isinstance(block, str) and not all(0 <= place <= last for place in block):
        row, column = block
        raise ModelInputError(
            f"no block of {SIDE} x {SIDE} patches fits at row {row}, column {column}: this MAE sees a face as "
            f"{grid_side} x {grid_side} patches",
            hint=f"give a row and a column from 0 to {last}",
        )
