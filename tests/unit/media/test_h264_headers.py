from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import VideoFrame

from h264_fields import encode_fields
from realface.media.h264_headers import SequenceHeaders

START = b"\0\0\0\1"
NO_FIELDS = START + bytes.fromhex("6742c01eda0280bfe5c0440000030004000003006483c58ba8")


def extradata_of(path: Path, options: dict[str, str], pixels: str = "yuv420p") -> bytes:
    """Return what an MP4 that x264 wrote stores before its packets."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        container.mux(stream.encode(VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        return bytes(container.streams.video[0].codec_context.extradata)


def fields() -> bytes:
    planes = (np.zeros((32, 16), np.uint8), np.zeros((16, 8), np.uint8), np.zeros((16, 8), np.uint8))
    return encode_fields([planes])


@pytest.mark.parametrize(
    ("options", "pixels"),
    [
        ({"profile": "baseline"}, "yuv420p"),
        ({"x264-params": "cqm=jvt"}, "yuv420p"),
        ({}, "yuv444p"),
        ({}, "yuv422p10le"),
    ],
)
def test_a_progressive_stream_allows_no_fields(tmp_path: Path, options: dict[str, str], pixels: str):
    assert not SequenceHeaders(extradata_of(tmp_path / "a.mp4", options, pixels)).allow_fields


@pytest.mark.parametrize("parameters", ["tff=1", "fake-interlaced=1", "tff=1:cqm=jvt"])
def test_an_interlaced_stream_allows_fields(tmp_path: Path, parameters: str):
    assert SequenceHeaders(extradata_of(tmp_path / "a.mp4", {"x264-params": parameters})).allow_fields


def test_headers_after_start_codes_are_read():
    assert not SequenceHeaders(NO_FIELDS).allow_fields
    assert SequenceHeaders(fields()).allow_fields


def test_a_later_header_that_allows_fields_counts(tmp_path: Path):
    headers = SequenceHeaders(NO_FIELDS)
    headers.add(memoryview(fields()))
    assert headers.allow_fields
    prefixed = SequenceHeaders(extradata_of(tmp_path / "a.mp4", {}))
    units = fields().split(START)[1:]
    prefixed.add(memoryview(b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)))
    assert prefixed.allow_fields


def test_without_a_whole_header_fields_are_taken_to_be_allowed():
    assert SequenceHeaders(b"").allow_fields
    assert SequenceHeaders(NO_FIELDS[:8]).allow_fields
    assert SequenceHeaders(b"\1" + bytes(6)).allow_fields


def test_a_decoder_can_start_at_an_idr_picture_only():
    headers = SequenceHeaders(NO_FIELDS)
    assert headers.can_start(memoryview(fields()))
    assert not headers.can_start(memoryview(NO_FIELDS + START + b"\x41\x9a" + START + b"\x65\x88"))
    assert not headers.can_start(memoryview(NO_FIELDS))
