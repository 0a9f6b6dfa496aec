import gc
from pathlib import Path

import numpy as np
from av.video.frame import VideoFrame

from realface.media.display import AS_STORED, shown_image
from realface.media.video_writing import write_video
from realface.media.videos import VideoReader


def test_transparent_colours_of_a_palette_are_shown_over_white():
    frame = VideoFrame(16, 2, "pal8")
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    line = frame.planes[0].line_size
    frame.planes[0].update(bytes([0, 1] * 8 + [0] * (line - 16)) * (frame.planes[0].buffer_size // line))
    colours = np.zeros((256, 4), np.uint8)  # blue, green, red, alpha
    colours[1] = 30, 20, 10, 255
    frame.planes[1].update(colours.tobytes().ljust(frame.planes[1].buffer_size, b"\0"))
    image = shown_image(frame, 16, AS_STORED)
    assert image[0, :2].tolist() == [[255, 255, 255], [10, 20, 30]]


def test_decoded_frames_are_freed_while_a_video_is_read(tmp_path: Path):
    write_video(tmp_path / "a.mp4", [np.full((48, 64, 3), 8 * index, np.uint8) for index in range(30)], fps=25)
    gc.collect()
    gc.disable()  # a frame that only the search for cycles can free would be counted
    try:
        for _ in VideoReader.open(tmp_path / "a.mp4").frames_at([0, 29]):
            num_held = sum(isinstance(each, VideoFrame) for each in gc.get_objects())
    finally:
        gc.enable()
    assert num_held <= 10
