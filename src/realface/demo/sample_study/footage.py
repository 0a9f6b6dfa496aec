"""Recording of a person: the frames of a real video, and the geometry that the fakes need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from realface.demo.sample_study.backgrounds import background_frame, draw_background
from realface.demo.sample_study.face_points import Points
from realface.demo.sample_study.motion import FRAME, Head, Pose, Split, draw_motion
from realface.demo.sample_study.people import Person, make_person
from realface.demo.sample_study.portraits import Portrait
from realface.demo.sample_study.warping import Map, warp

Frame = NDArray[np.uint8]
"""(FRAME, FRAME, 3) RGB."""


@dataclass(frozen=True)
class Camera:
    """Effect of a camera on the image.

    Attributes:
        focus: radius of its blur, in pixels.
        grain: standard deviation of its noise, in grey levels.
    """

    focus: float
    grain: float


def draw_camera(generator: np.random.Generator) -> Camera:
    """Draw a camera, from clean and sharp to soft and noisy."""
    return Camera(focus=float(generator.uniform(0.3, 0.75)), grain=float(generator.uniform(3.0, 7.0)))


@dataclass(frozen=True, eq=False)
class Take:
    """Scene of one video: a person who moves in front of a background.

    Attributes:
        person: the person.
        poses: one per frame.
        background: (320, 320, 3) uint8 RGB.
        camera: the camera.
    """

    person: Person
    poses: Sequence[Pose]
    background: Frame
    camera: Camera


@dataclass(frozen=True, eq=False)
class Footage:
    """A recorded take.

    Attributes:
        take: the recorded scene.
        head: motion of the person's face.
        fields: the map of the canvas in each pose, each (FRAME, FRAME, 2).
        frames: the recorded frames, one per pose, each (FRAME, FRAME, 3) uint8 RGB.
    """

    take: Take
    head: Head
    fields: Sequence[Map]
    frames: Sequence[Frame]

    def points(self) -> list[Points]:
        """Return the dense points of the face, (26, 2) for each frame."""
        return [self.head.frame_points(pose) for pose in self.take.poses]


def draw_take(portrait: Portrait, split: Split, num_frames: int, generator: np.random.Generator) -> Take:
    """Draw a new person, motion, background and camera. Motion and background come from the families of the split."""
    return Take(
        person=make_person(portrait, generator),
        poses=draw_motion(split, num_frames, generator),
        background=draw_background(split, generator),
        camera=draw_camera(generator),
    )


def record(take: Take, generator: np.random.Generator) -> Footage:
    """Record a take. The generator draws the grain."""
    head = Head(take.person.points)
    fields = [head.frame_map(pose) for pose in take.poses]
    frames = []
    for pose, field in zip(take.poses, fields, strict=True):
        matte: NDArray[np.float32] = warp(take.person.matte, field, interpolation=cv2.INTER_LINEAR)[..., None]
        behind = background_frame(take.background, pose)
        seen = lit(warp(take.person.image, field) * matte + behind * (1 - matte), pose)
        frames.append(_exposed(seen, take.camera, generator))
    return Footage(take=take, head=head, fields=fields, frames=frames)


def lit(image: NDArray[np.floating], pose: Pose) -> NDArray[np.float32]:
    """Return an image with the light of the pose.

    Args:
        image: (FRAME, FRAME, 3) RGB.
        pose: the pose.
    """
    slope = np.linspace(-1, 1, FRAME, dtype=np.float32)
    light = 1 + pose.light[0] * slope[None, :] + pose.light[1] * slope[:, None]
    return (image * light[..., None]).astype(np.float32)


def _exposed(image: NDArray[np.float32], camera: Camera, generator: np.random.Generator) -> Frame:
    focused = cv2.GaussianBlur(image, (0, 0), camera.focus).astype(np.float32)
    grain = generator.standard_normal((FRAME, FRAME, 1), dtype=np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), 0.7).astype(np.float32)[..., None]
    colour = generator.standard_normal((FRAME // 2, FRAME // 2, 3), dtype=np.float32)
    colour = cv2.resize(colour, (FRAME, FRAME), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    noisy: NDArray[np.float32] = focused + camera.grain * (grain / grain.std() + np.float32(0.4) * colour)
    return np.asarray(np.clip(noisy + np.float32(0.5), 0, 255), dtype=np.uint8)
