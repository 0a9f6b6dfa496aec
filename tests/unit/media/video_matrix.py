"""Small videos over container, codec, orientation, frame structure, rate and stream order, with the right answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from display_matrices import MATRICES, set_matrix, turned
from ffmpeg_oracle import run_ffmpeg
from frame_structures import structure_cases
from generated_videos import (
    BWDIF,
    FPS,
    NUM_FRAMES,
    QUALITY,
    VP,
    X264,
    X264_ANY,
    X264_B,
    X265,
    Case,
    copied,
    encode,
    encoded,
    numbered_images,
    with_alpha,
)
from hdr_frames import hdr_planes
from numbered_frames import HEIGHT, WIDTH, Image


def _containers() -> list[Case]:
    mpeg4 = ("-c:v", "mpeg4", *QUALITY, "-bf", "0")
    mpeg2 = ("-c:v", "mpeg2video", *QUALITY)
    return [
        Case("h264-bframes-mp4", "a.mp4", encoded(*X264_B)),
        Case("h264-mov", "a.mov", encoded(*X264)),
        Case("h264-bframes-mkv", "a.mkv", encoded(*X264_B)),
        Case("h264-faststart-mp4", "a.mp4", encoded(*X264_B, "-movflags", "faststart")),
        Case("h264-fragmented-mp4", "a.mp4", encoded(*X264_B, "-movflags", "frag_keyframe+empty_moov")),
        Case("h264-fragments-cmaf-mp4", "a.mp4", encoded(*X264_B, "-movflags", "cmaf+frag_every_frame")),
        Case("h264-bframes-ts", "a.ts", encoded(*X264_B)),
        Case("h264-m2ts", "a.m2ts", encoded(*X264_B, "-f", "mpegts", "-mpegts_m2ts_mode", "1")),
        Case("h264-flv", "a.flv", encoded(*X264_B)),
        Case("h264-f4v", "a.f4v", encoded(*X264_B, "-f", "f4v")),
        Case("flv1-flv", "a.flv", encoded("-c:v", "flv", *QUALITY), ("flv",)),
        Case(  # H.263 has pixels of 12:11
            "h263-3gp",
            "a.3gp",
            encoded("-c:v", "h263", *QUALITY),
            ("h263",),
            sizes=((96, 140),),
            filters="scale=140:96",
        ),
        Case("wmv2-wmv", "a.wmv", encoded("-c:v", "wmv2", *QUALITY), ("wmv2",)),
        Case("msmpeg4-divx", "a.divx", encoded("-c:v", "msmpeg4", *QUALITY, "-f", "avi"), ("msmpeg4",)),
        Case("theora-ogv", "a.ogv", encoded("-c:v", "libtheora", "-q:v", "9"), ("libtheora",)),
        Case("mpeg2-mxf", "a.mxf", encoded(*mpeg2, "-bf", "2", "-g", "12"), ("mpeg2video",)),
        Case("mpeg2-bframes-ps", "a.mpg", encoded(*mpeg2, "-bf", "2"), ("mpeg2video",)),
        Case("mpeg1-ps", "a.mpg", encoded("-c:v", "mpeg1video", *QUALITY, "-bf", "2"), ("mpeg1video",)),
        Case("mpeg2-vob", "a.vob", encoded(*mpeg2, "-f", "vob"), ("mpeg2video",)),
        Case("mjpeg-avi", "a.avi", encoded("-c:v", "mjpeg", *QUALITY), ("mjpeg",)),
        Case("rawvideo-avi", "a.avi", encoded("-c:v", "rawvideo", "-pix_fmt", "bgr24"), ("rawvideo",)),
        Case("utvideo-avi", "a.avi", encoded("-c:v", "utvideo"), ("utvideo",)),
        Case("mpeg4-mp4", "a.mp4", encoded(*mpeg4), ("mpeg4",)),
        Case("ffv1-mkv", "a.mkv", encoded("-c:v", "ffv1", "-pix_fmt", "yuv444p"), ("ffv1",)),
        Case("mp4-without-suffix", "a", encoded(*X264_B, "-f", "mp4"), quick=True),
        Case("mkv-named-mp4", "a.mp4", encoded(*X264_B, "-f", "matroska")),
        Case("mp4-named-avi", "a.avi", encoded(*X264_B, "-f", "mp4")),
        Case("mp4-named-jpg", "a.jpg", encoded(*X264_B, "-f", "mp4")),
        Case("mov-named-qt", "a.qt", encoded(*X264_B, "-f", "mov")),
    ]


def _streams_without_container() -> list[Case]:
    mpeg4 = ("-c:v", "mpeg4", *QUALITY, "-bf", "2", "-f", "m4v")
    return [
        Case("h264-raw", "a.h264", encoded(*X264, "-f", "h264")),
        Case("h264-bframes-raw", "a.264", encoded(*X264_B, "-f", "h264"), quick=True),
        Case("hevc-bframes-raw", "a.hevc", encoded(*X265, "-f", "hevc"), ("libx265",)),
        Case("mpeg4-bframes-raw", "a.m4v", encoded(*mpeg4), ("mpeg4",)),
        Case("mpeg2-raw", "a.m2v", encoded("-c:v", "mpeg2video", *QUALITY, "-bf", "2"), ("mpeg2video",)),
        Case("vp8-ivf", "a.ivf", encoded("-c:v", "libvpx", *VP), ("libvpx",)),
    ]


def _colours() -> list[Case]:
    def matrix(name: str, flag: str) -> tuple[str, ...]:
        return ("-vf", f"scale=out_color_matrix={name}", "-colorspace", flag)

    return [
        Case("h264-full-range-mp4", "a.mp4", encoded(*X264_ANY, "-pix_fmt", "yuvj420p")),
        Case("h264-bt709-mp4", "a.mp4", encoded(*X264, *matrix("bt709", "bt709"))),
        Case("h264-bt601-mp4", "a.mp4", encoded(*X264, *matrix("bt601", "smpte170m"))),
        Case("h264-yuv444-mkv", "a.mkv", encoded(*X264_ANY, "-pix_fmt", "yuv444p")),
        Case("h264-10-bit-mkv", "a.mkv", encoded(*X264_ANY, "-pix_fmt", "yuv422p10le")),
        Case("h264-rgb-mkv", "a.mkv", encoded("-c:v", "libx264rgb", *X264_ANY[2:]), ("libx264rgb",)),
        Case("hevc-10-bit-mp4", "a.mp4", encoded(*X265, "-pix_fmt", "yuv420p10le", "-tag:v", "hvc1"), ("libx265",)),
    ]


def _with_matrix(matrix: Sequence[int], *options: str, width: int = WIDTH) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        images = numbered_images(width=width)
        encode(path, *X264_B, *options, images=[turned(matrix, image) for image in images])
        set_matrix(path, matrix)

    return write


def _orientations() -> list[Case]:
    odd = encoded("-c:v", "libvpx-vp9", *VP, draw=lambda: numbered_images(height=95, width=127))
    return [
        *(
            Case(f"matrix-{name}-mp4", "a.mp4", _with_matrix(matrix), quick=name == "mirrored")
            for name, matrix in MATRICES.items()
        ),
        Case("vp9-odd-size-webm", "a.webm", odd, ("libvpx-vp9",), sizes=((95, 127),)),
        Case("matrix-turned-90-mov", "a.mov", _with_matrix(MATRICES["turned-90"])),
        Case("matrix-mirrored-mov", "a.mov", _with_matrix(MATRICES["mirrored"])),
        Case(
            "matrix-turned-90-sar-mp4",
            "a.mp4",
            _with_matrix(MATRICES["turned-90"], "-vf", "setsar=4/3", width=96),
            sizes=((128, 96),),
            filters="scale=iw:ih*4/3",
        ),
    ]


def _pixel_aspect() -> list[Case]:
    def squeezed(
        *options: str, width: int, sar: str, height: int = 96, count: int = NUM_FRAMES
    ) -> Callable[[Path], None]:
        return encoded(
            *options, "-vf", f"setsar={sar}", draw=lambda: numbered_images(count, height=height, width=width)
        )

    mpeg2 = ("-c:v", "mpeg2video", *QUALITY)
    dv = squeezed("-c:v", "dvvideo", "-pix_fmt", "yuv420p", width=720, height=576, sar="16/15", count=6)
    dv_case = {
        "encoders": ("dvvideo",),
        "numbers": tuple(range(6)),
        "sizes": ((576, 768),),
        "filters": f"{BWDIF},scale=768:576",
    }
    return [
        Case(
            "mpeg2-sar-64-45-dvd-vob",
            "a.vob",
            squeezed(*mpeg2, "-f", "vob", width=90, height=72, sar="64/45"),
            ("mpeg2video",),
            sizes=((72, 128),),
            filters="scale=128:72",
            quick=True,
        ),
        Case("h264-sar-4-3-mp4", "a.mp4", squeezed(*X264_B, width=96, sar="4/3"), filters="scale=128:96"),
        Case("h264-sar-4-3-mkv", "a.mkv", squeezed(*X264_B, width=96, sar="4/3"), filters="scale=128:96"),
        Case("h264-sar-8-9-ts", "a.ts", squeezed(*X264_B, width=144, sar="8/9"), filters="scale=128:96"),
        Case("dv-pal-avi", "a.avi", dv, **dv_case),
        Case("dv-pal-raw", "a.dv", dv, **dv_case),
    ]


def _rates() -> list[Case]:
    def draw() -> list[Image]:
        return numbered_images(50)

    slow_then_fast = (*range(20), *(20 + number / 30 for number in range(30)))
    rate = ("-vf", "settb=1/90000,setpts=if(lt(N\\,20)\\,N\\,20+(N-20)/30)/TB", "-vsync", "passthrough")
    variable = (*rate, "-enc_time_base", "1:90000")
    vfr = {"numbers": tuple(range(50)), "times": slow_then_fast}
    paused = tuple(number / FPS + (2 if number >= 12 else 0) for number in range(NUM_FRAMES))
    pause = ("-vf", "setpts=N+50*gte(N\\,12)", "-vsync", "passthrough")
    thirds = tuple(number * 3 / FPS for number in range(NUM_FRAMES))
    third = ("-vf", "setpts=N*3", "-vsync", "passthrough")
    pairs = ("-vf", "setpts=floor(N/2)*2", "-vsync", "passthrough")
    ntsc = tuple(number * 1001 / 30000 for number in range(NUM_FRAMES))
    slow = tuple(float(number) for number in range(NUM_FRAMES))
    from_8 = {"numbers": tuple(range(8, NUM_FRAMES))}
    trimmed = copied(encoded(*X264), "s.mp4", before=("-ss", "0.32"))
    twice = tuple(range(NUM_FRAMES)) * 2
    return [
        Case(
            "h264-variable-rate-mp4",
            "a.mp4",
            encoded(*X264_B, *variable, draw=draw),
            **vfr,
            quick=True,
        ),
        Case("h264-variable-rate-mkv", "a.mkv", encoded(*X264, *variable, draw=draw), **vfr),
        Case("h264-pause-ts", "a.ts", encoded(*X264, *pause), times=paused),
        Case(
            "mpeg4-pause-avi", "a.avi", encoded("-c:v", "mpeg4", *QUALITY, "-bf", "0", *pause), ("mpeg4",), times=paused
        ),
        Case("mpeg4-empty-places-avi", "a.avi", encoded("-c:v", "mpeg4", *QUALITY, *third), ("mpeg4",), times=thirds),
        Case("h264-bframes-empty-places-avi", "a.avi", encoded(*X264_B, *third), times=thirds),
        Case("h264-repeated-times-mkv", "a.mkv", encoded(*X264, *pairs), clock_jumps=True),
        Case("h264-29.97-mp4", "a.mp4", encoded(*X264_B, rate="30000/1001"), times=ntsc),
        Case("h264-1-fps-mkv", "a.mkv", encoded(*X264_B, rate="1"), times=slow),
        Case("h264-late-start-ts", "a.ts", encoded(*X264_B, "-output_ts_offset", "3600")),
        Case("h264-clock-wraps-ts", "a.ts", encoded(*X264_B, "-output_ts_offset", "95441.7")),
        Case("h264-edit-list-mp4", "a.mp4", trimmed, **from_8),
        Case("h264-empty-edit-mp4", "a.mp4", copied(encoded(*X264_B), "s.mp4", before=("-itsoffset", "1"))),
        Case("h264-joined-ts", "a.ts", _joined(encoded(*X264_B)), numbers=twice, clock_jumps=True),
    ]


def _joined(build: Callable[[Path], None]) -> Callable[[Path], None]:
    """Write a file and append its bytes to itself, so that its clock jumps back."""

    def write(path: Path) -> None:
        build(path)
        path.write_bytes(path.read_bytes() * 2)

    return write


def _streams() -> list[Case]:
    sound = ("-f", "lavfi", "-i", "sine=duration=0.9")
    cover = ("-f", "lavfi", "-i", "color=gray:size=160x120:duration=0.04:rate=25")
    small = ("-f", "lavfi", "-i", "testsrc=size=64x48:duration=0.96:rate=25")
    preview = ("-f", "lavfi", "-i", "testsrc=size=64x48:duration=0.12:rate=25")
    cover_first = ("-map", "1:v", "-map", "0:v", *X264, "-c:v:0", "mjpeg", "-q:v:0", "2")
    small_first = ("-map", "1:v", "-map", "0:v", *X264_B)
    none_default = ("-disposition:v:0", "0", "-disposition:v:1", "0", "-default_mode", "passthrough")
    second_default = ("-disposition:v:0", "0", "-disposition:v:1", "default")
    large = ("-f", "lavfi", "-i", "testsrc=size=256x192:duration=0.96:rate=25")
    return [
        Case("sound-first-mkv", "a.mkv", encoded("-map", "1:a", "-map", "0:v", *X264_B, inputs=sound), stream=1),
        Case("sound-first-ts", "a.ts", encoded("-map", "1:a", "-map", "0:v", *X264_B, inputs=sound), stream=1),
        Case("sound-second-avi", "a.avi", encoded("-map", "0:v", "-map", "1:a", *X264, inputs=sound)),
        Case(
            "flagged-cover-mp4",
            "a.mp4",
            encoded(*cover_first, "-disposition:v:0", "attached_pic", inputs=cover),
            ("libx264", "mjpeg"),
        ),
        Case(
            "cover-without-flag-first-mkv",
            "a.mkv",
            encoded(*cover_first, *second_default, inputs=cover),
            ("libx264", "mjpeg"),
            stream=1,
            quick=True,
        ),
        Case("second-stream-is-default-mp4", "a.mp4", encoded(*small_first, *second_default, inputs=small), stream=1),
        Case("preview-first-no-default-mkv", "a.mkv", encoded(*small_first, *none_default, inputs=preview), stream=1),
        Case("preview-first-ts", "a.ts", encoded(*small_first, inputs=preview), stream=1),
        Case(
            "first-is-default-second-is-larger-mkv",
            "a.mkv",
            encoded(
                "-map",
                "0:v",
                "-map",
                "1:v",
                *X264_B,
                "-disposition:v:0",
                "default",
                "-disposition:v:1",
                "0",
                inputs=large,
            ),
        ),
    ]


def _size_changes() -> list[Case]:
    def write(path: Path) -> None:
        parts = []
        for height, width in ((48, 64), (HEIGHT, WIDTH)):
            part = path.with_name(f"{height}.h264")
            encode(part, *X264, images=numbered_images(12, height=height, width=width))
            parts.append(part.read_bytes())
        run_ffmpeg("-fflags", "+genpts", "-f", "h264", "-i", "-", "-c", "copy", f"file:{path}", content=b"".join(parts))

    def write_wider_pixels(path: Path) -> None:
        content = b""
        for shape in ("16/15", "64/45"):  # 4:3 and 16:9 of a broadcast
            part = path.with_name("part.h264")
            encode(part, *X264, "-vf", f"setsar={shape}", images=numbered_images(12, height=72, width=90))
            content += part.read_bytes()
        run_ffmpeg("-fflags", "+genpts", "-f", "h264", "-i", "-", "-c", "copy", f"file:{path}", content=content)

    shown = {"numbers": tuple(range(12)) * 2, "sizes": (*[(48, 64)] * 12, (HEIGHT, WIDTH))}
    wider = {"numbers": tuple(range(12)) * 2, "sizes": (*[(72, 96)] * 12, (72, 128))}
    by_frame = {"filters": "scale=iw*sar:ih:eval=frame"}
    return [
        Case("pixel-shape-changes-ts", "a.ts", write_wider_pixels, **wider, **by_frame, quick=True),
        Case("size-changes-ts", "a.ts", write, **shown, quick=True),
        Case("size-changes-mkv", "a.mkv", write, **shown),
    ]


def _alpha() -> list[Case]:
    def draw() -> Iterable[Image]:
        return map(with_alpha, numbered_images())

    def case(name: str, file: str, encoder: str, pixels: str, *options: str, decoder: str = "") -> Case:
        build = encoded("-c:v", encoder, "-pix_fmt", pixels, *options, draw=draw, pixels="rgba")
        return Case(name, file, build, (encoder,), has_alpha=True, decoder=decoder)

    vp = ("-auto-alt-ref", "0", *VP)
    return [
        case("prores-alpha-mov", "a.mov", "prores_ks", "yuva444p10le", "-profile:v", "4444"),
        case("qtrle-alpha-mov", "a.mov", "qtrle", "argb"),
        case("png-alpha-mov", "a.mov", "png", "rgba"),
        case("ffv1-alpha-mkv", "a.mkv", "ffv1", "bgra"),
        case("utvideo-alpha-avi", "a.avi", "utvideo", "gbrap"),
        case("vp8-alpha-webm", "a.webm", "libvpx", "yuva420p", *vp, decoder="libvpx"),
        case("vp9-alpha-webm", "a.webm", "libvpx-vp9", "yuva420p", *vp, decoder="libvpx-vp9"),
    ]


def _hdr() -> list[Case]:
    colour = ("-color_primaries", "bt2020", "-colorspace", "bt2020nc", "-color_range", "tv")
    hevc = (*X265, "-pix_fmt", "yuv420p10le", "-tag:v", "hvc1", *colour)
    phone = (*hevc, "-color_trc", "arib-std-b67")

    def turned_hlg(path: Path) -> None:
        matrix = MATRICES["turned-90"]
        planes = [hdr_planes(turned(matrix, image), transfer="hlg") for image in numbered_images()]
        encode(path, *phone, images=planes, pixels="yuv420p10le", size=(WIDTH, HEIGHT))
        set_matrix(path, matrix)

    def case(transfer: str, file: str, flag: str, *, quick: bool = False) -> Case:
        def draw() -> list[NDArray[np.uint16]]:
            return [hdr_planes(image, transfer=transfer) for image in numbered_images()]

        options = (*hevc, "-color_trc", flag)
        build = encoded(*options, draw=draw, pixels="yuv420p10le", size=(HEIGHT, WIDTH))
        name = f"hevc-{transfer}-{file.split('.')[-1]}"
        return Case(name, file, build, ("libx265",), hdr=transfer, quick=quick)

    return [
        case("pq", "a.mp4", "smpte2084", quick=True),
        case("hlg", "a.mov", "arib-std-b67"),
        case("hlg", "a.mkv", "arib-std-b67"),
        Case("hevc-hlg-turned-90-mov", "a.mov", turned_hlg, ("libx265",), hdr="hlg"),  # a phone held upright
    ]


def all_cases() -> list[Case]:
    """Return every case."""
    return [
        *_containers(),
        *_streams_without_container(),
        *_colours(),
        *_orientations(),
        *_pixel_aspect(),
        *structure_cases(),
        *_rates(),
        *_streams(),
        *_size_changes(),
        *_alpha(),
        *_hdr(),
    ]


CASES = {case.name: case for case in all_cases()}
assert len(CASES) == len(all_cases()), "two cases have the same name"
