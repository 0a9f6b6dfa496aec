"""The part of the matrix about frame structure: interlaced frames, and packets that are not one frame each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from ffmpeg_oracle import run_ffmpeg
from generated_videos import (
    BWDIF,
    FPS,
    NUM_FRAMES,
    QUALITY,
    X264,
    X264_B,
    Case,
    copied,
    encode,
    encoded,
    numbered_images,
)
from h264_fields import Planes, encode_fields
from numbered_frames import Image, numbered_image
from rewritten_packets import cut_before_keyframe, packed, repacked_avi, without_repeats


def woven(*, top_first: bool) -> list[Image]:
    """Return 24 interlaced images: image n has number n in its first field, and n + 1 in its second one."""
    images = []
    for number in range(NUM_FRAMES):
        image = numbered_image(number).copy()
        second = slice(1, None, 2) if top_first else slice(0, None, 2)
        image[second] = numbered_image(number + 1)[second]
        images.append(image)
    return images


def _planes(image: Image) -> Planes:
    """Return the planes of an interlaced image in 4:2:0; each chroma line belongs to one field."""
    yuv = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv444p").to_ndarray().astype(np.uint16)
    chroma = [(plane[0::4] + plane[2::4] + 1) // 2 for plane in yuv[1:]]
    chroma_of_bottom = [(plane[1::4] + plane[3::4] + 1) // 2 for plane in yuv[1:]]
    planes = [yuv[0].astype(np.uint8)]
    for top, bottom in zip(chroma, chroma_of_bottom, strict=True):
        plane = np.stack([top, bottom], axis=1).reshape(-1, top.shape[1])
        planes.append(((plane[:, ::2] + plane[:, 1::2] + 1) // 2).astype(np.uint8))
    return planes[0], planes[1], planes[2]


def field_pictures(*, top_first: bool, num_frames: int = 12) -> Callable[[Path], None]:
    """Return a `build` that writes a raw H.264 stream of `woven` images, each as two field pictures."""

    def write(path: Path) -> None:
        images = woven(top_first=top_first)[:num_frames]
        path.write_bytes(encode_fields(map(_planes, images), top_first=top_first))

    return write


def _mixed_fields() -> Callable[[Path], None]:
    """Write 12 frames that are stored whole, then 12 that are stored as two field pictures."""
    times = r"setts=ts=if(lt(N\,12)\,2*N\,12+N)/50/TB"

    def write(path: Path) -> None:
        whole = path.with_name("whole.h264")
        encode(whole, *X264, "-x264-params", "fake-interlaced=1:pic-struct=0", images=numbered_images(12))
        fields = encode_fields(map(_planes, woven(top_first=True)[12:]))
        content = whole.read_bytes() + fields
        run_ffmpeg("-f", "h264", "-i", "-", "-c", "copy", "-bsf:v", times, f"file:{path}", content=content)

    return write


def _interlaced() -> list[Case]:
    def fields(*options: str, top_first: bool) -> Callable[[Path], None]:
        field = "tff" if top_first else "bff"
        filters = ("-vf", f"setfield={field},scale=interl=1", "-flags", "+ildct+ilme")
        return encoded(*options, *filters, draw=lambda: woven(top_first=top_first))

    mpeg2 = ("-c:v", "mpeg2video", *QUALITY, "-bf", "2", "-pix_fmt", "yuv420p")
    shown = {"filters": BWDIF}
    pictures = {"numbers": tuple(range(12)), "filters": BWDIF, "encoders": ()}
    ts = copied(field_pictures(top_first=True), "a.h264", "-f", "mpegts", before=("-f", "h264"))
    mp4 = copied(field_pictures(top_first=True), "a.h264", "-f", "mp4", before=("-f", "h264"))
    bottom = copied(field_pictures(top_first=False), "a.h264", "-f", "mpegts", before=("-f", "h264"))
    return [
        Case("h264-whole-frames-then-fields-ts", "a.ts", copied(_mixed_fields(), "s.mp4"), **shown),
        Case("h264-whole-frames-then-fields-mp4", "a.mp4", _mixed_fields(), **shown, quick=True),
        Case("h264-whole-frames-then-fields-mkv", "a.mkv", copied(_mixed_fields(), "s.mp4"), **shown),
        Case(
            "mpeg2-top-first-ps",
            "a.mpg",
            fields(*mpeg2, "-top", "1", top_first=True),
            ("mpeg2video",),
            **shown,
            quick=True,
        ),
        Case(
            "mpeg2-bottom-first-ts",
            "a.ts",
            fields(*mpeg2, "-top", "0", top_first=False),
            ("mpeg2video",),
            **shown,
        ),
        Case("h264-mbaff-top-first-ts", "a.ts", fields(*X264_B, "-x264-params", "tff=1", top_first=True), **shown),
        Case(
            "h264-mbaff-bottom-first-mp4",
            "a.mp4",
            fields(*X264_B, "-x264-params", "bff=1", top_first=False),
            **shown,
        ),
        Case("h264-field-pictures-mts", "a.mts", ts, **pictures, quick=True),
        Case("h264-field-pictures-bottom-first-ts", "a.ts", bottom, **pictures),
        Case("h264-field-pictures-mp4", "a.mp4", mp4, **pictures),
        Case("h264-field-pictures-raw", "a.h264", field_pictures(top_first=True), **pictures),
    ]


def _with_alt_ref(encoder: str) -> Callable[[Path], None]:
    """Encode in two passes, without which libvpx makes no hidden frames."""

    def write(path: Path) -> None:
        log = path.with_name("passes")
        quality = ("-deadline", "good", "-cpu-used", "3", "-b:v", "300k", "-g", "100", "-threads", "1")
        options = ("-c:v", encoder, "-auto-alt-ref", "1", "-lag-in-frames", "16", *quality, "-passlogfile", str(log))
        encode(path, *options, "-pass", "1", "-f", "null", images=numbered_images())
        encode(path, *options, "-pass", "2", images=numbered_images())

    return write


def _packets_that_are_no_frames() -> list[Case]:
    mpeg4_b = encoded("-c:v", "mpeg4", *QUALITY, "-bf", "2", "-bitexact")
    mpeg4_b1 = encoded("-c:v", "mpeg4", *QUALITY, "-bf", "1", "-bitexact")
    still = [number if number < 8 else max(8, number - 6) for number in range(NUM_FRAMES)]
    repeated = range(9, 15)
    coded = [number for number in range(NUM_FRAMES) if number not in repeated]

    def repacked(build: Callable[[Path], None], repack: Callable[[list[bytes]], list[bytes]]) -> Callable[[Path], None]:
        def write(path: Path) -> None:
            source = path.with_name("source.avi")
            build(source)
            repacked_avi(source, path, repack)

        return write

    low_delay = ("-c:v", "mpeg4", *QUALITY, "-bf", "0", "-g", "100", "-bitexact")
    not_coded = repacked(
        encoded(*low_delay, draw=lambda: map(numbered_image, still)),
        lambda contents: without_repeats(contents, repeated=repeated),
    )
    shown_coded = {
        "numbers": tuple(still[number] for number in coded),
        "times": tuple(number / FPS for number in coded),
    }
    av1 = encoded("-c:v", "libaom-av1", "-cpu-used", "8", "-crf", "20", "-threads", "1")
    split_vp9 = copied(_with_alt_ref("libvpx-vp9"), "s.webm", "-bsf:v", "vp9_superframe_split", "-fflags", "-autobsf")
    split_av1 = copied(av1, "s.mkv", "-bsf:v", "av1_frame_split", "-fflags", "-autobsf")
    return [
        Case("vp8-alt-ref-webm", "a.webm", _with_alt_ref("libvpx"), ("libvpx",), quick=True),
        Case("vp9-alt-ref-webm", "a.webm", _with_alt_ref("libvpx-vp9"), ("libvpx-vp9",)),
        Case("vp9-split-superframes-mkv", "a.mkv", split_vp9, ("libvpx-vp9",)),
        Case("vp9-split-superframes-mp4", "a.mp4", split_vp9, ("libvpx-vp9",)),
        Case("av1-split-frames-mkv", "a.mkv", split_av1, ("libaom-av1",)),
        Case("av1-webm", "a.webm", av1, ("libaom-av1",)),
        Case("av1-mp4", "a.mp4", av1, ("libaom-av1",)),
        Case("mpeg4-bframes-avi", "a.avi", mpeg4_b, ("mpeg4",)),
        Case("h264-bframes-avi", "a.avi", encoded(*X264_B), quick=True),
        Case("mpeg4-packed-bframes-avi", "a.avi", repacked(mpeg4_b1, packed), ("mpeg4",)),
        Case("mpeg4-packed-two-bframes-avi", "a.avi", repacked(mpeg4_b, packed), ("mpeg4",)),
        Case("mpeg4-not-coded-avi", "a.avi", not_coded, ("mpeg4",), **shown_coded),
    ]


def _decoding_times() -> list[Case]:
    """Store the decoding times of B-frames as their presentation times, as copying from an AVI to MP4 does."""
    same = ("-bsf:v", "setts=pts=DTS")
    mpeg4_b = encoded("-c:v", "mpeg4", *QUALITY, "-bf", "2")
    off = {"clock_jumps": True}
    return [
        Case("h264-bframes-avi-to-mp4", "a.mp4", copied(encoded(*X264_B), "s.avi"), **off, quick=True),
        Case("h264-decoding-times-mkv", "a.mkv", copied(encoded(*X264_B), "s.mp4", *same), **off),
        Case("h264-decoding-times-ts", "a.ts", copied(encoded(*X264_B), "s.mp4", *same), **off),
        Case("mpeg4-bframes-avi-to-mp4", "a.mp4", copied(mpeg4_b, "s.avi"), ("mpeg4",), **off),
    ]


def _leading_pictures() -> list[Case]:
    """Cut open groups of pictures: the frames before the first key frame in display order cannot be decoded."""
    h264 = (*X264_B, "-x264-params", "open-gop=1:keyint=8:min-keyint=8:scenecut=0")
    gop = "keyint=8:min-keyint=8:bframes=2:b-adapt=0:open-gop=1:scenecut=0"
    hevc = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", f"log-level=none:crf=12:pools=1:{gop}")
    mpeg2 = ("-c:v", "mpeg2video", *QUALITY, "-bf", "2", "-g", "9")

    def cut(*options: str, name: str) -> Callable[[Path], None]:
        def write(path: Path) -> None:
            source = path.with_name(name)
            encode(source, *options, images=numbered_images())
            cut_before_keyframe(source, path, keyframe=1)

        return write

    refresh = (*X264, "-x264-params", "intra-refresh=1:keyint=8:scenecut=0")
    rest = tuple(range(8, NUM_FRAMES))
    return [
        Case("h264-intra-refresh-cut-mkv", "a.mkv", cut(*refresh, name="s.mkv"), numbers=tuple(range(14, NUM_FRAMES))),
        Case("h264-open-gop-cut-mkv", "a.mkv", cut(*h264, name="s.mkv"), numbers=rest),
        Case("h264-open-gop-cut-ts", "a.ts", cut(*h264, name="s.ts"), numbers=rest),
        Case("hevc-open-gop-cut-mkv", "a.mkv", cut(*hevc, name="s.mkv"), ("libx265",), numbers=rest),
        Case("hevc-open-gop-cut-mp4", "a.mp4", cut(*hevc, name="s.mp4"), ("libx265",), numbers=rest),
        Case("mpeg2-open-gop-cut-ts", "a.ts", cut(*mpeg2, name="s.ts"), ("mpeg2video",), numbers=tuple(range(9, 24))),
    ]


def structure_cases() -> list[Case]:
    """Return the cases whose packets are not one progressive frame each."""
    return [*_interlaced(), *_packets_that_are_no_frames(), *_decoding_times(), *_leading_pictures()]
