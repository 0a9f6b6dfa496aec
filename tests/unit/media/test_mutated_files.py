"""Damaged files of every kind go through `open_media` in one process, which must survive and print nothing."""

import io
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

SLOWEST_S = 60  # generous: what must not happen is that a file is never finished


def image_seeds() -> dict[str, bytes]:
    """A small file of each kind that Pillow writes."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    rows, columns = np.mgrid[0:48, 0:64]
    pixels = np.stack([columns * 4, rows * 5, rows * columns % 256], axis=2).astype(np.uint8)
    image = Image.fromarray(pixels)
    others = [Image.fromarray(np.roll(pixels, 9 * number, axis=1)) for number in (1, 2, 3)]
    frames = {"save_all": True, "append_images": others, "duration": 80}
    pages = {"save_all": True, "append_images": others}
    seeds = {}

    def add(name: str, image_format: str, image: Image.Image = image, **options: object) -> None:
        stored = io.BytesIO()
        image.save(stored, image_format, **options)
        seeds[name] = stored.getvalue()

    for image_format in ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "BMP", "JPEG2000", "PPM", "HEIF"):
        add(image_format, image_format)
    for image_format in ("PNG", "WEBP", "AVIF", "GIF"):
        add(f"{image_format} frames", image_format, **frames)
    for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "lzma", "zstd"):
        add(f"TIFF {compression}", "TIFF", compression=compression)
    for compression in ("group3", "group4"):
        add(f"TIFF {compression}", "TIFF", image.convert("1"), compression=compression)
    add("TIFF pages", "TIFF", compression="tiff_lzw", **pages)
    add("TIFF 64-bit", "TIFF", big_tiff=True)
    add("MPO", "MPO", **pages)
    add("HEIF images", "HEIF", **pages)
    add("JPEG progressive", "JPEG", progressive=True)
    add("JPEG CMYK", "JPEG", image.convert("CMYK"))
    add("PNG palette", "PNG", image.quantize(16))
    add("PNG alpha", "PNG", image.convert("LA"))
    add("WEBP lossless", "WEBP", lossless=True)
    add("JPEG 2000 codestream", "JPEG2000", no_jp2=True)
    return seeds


def mutated(content: bytes, other: bytes, generator: random.Random) -> bytes:
    """A file with flipped bits, cut off, with a piece of another file, or with a piece repeated."""
    changed = bytearray(content)
    at, length = generator.randrange(1, len(changed)), generator.randrange(1, 200)
    match generator.choice(["flip", "cut", "splice", "repeat"]):
        case "flip":
            for _ in range(generator.randrange(1, 12)):
                changed[generator.randrange(len(changed))] ^= 1 << generator.randrange(8)
        case "cut":
            del changed[at:]
        case "splice":
            start = generator.randrange(len(other))
            changed[at : at + length] = other[start : start + length]
        case "repeat":
            changed[at:at] = changed[at : at + length] * generator.randrange(1, 4)
    return bytes(changed)


def write_mutated(folder: Path, seeds: Mapping[str, bytes], count: int, *, seed: int = 0) -> None:
    """Write files made of the seeds by turns."""
    generator = random.Random(seed)
    names = sorted(seeds)
    for number in range(count):
        name = names[number % len(names)]
        content = mutated(seeds[name], seeds[generator.choice(names)], generator)
        (folder / f"{number:04d} {name.replace('/', '-')}").write_bytes(content)


def outcomes_of(folder: Path, *, limit_s: float) -> Counter[str]:
    """Open all files of a folder in one other process.

    Returns:
        How many files gave frames ("frames"), and how many a `MediaError`, by its reason.
    """
    done = subprocess.run(
        [sys.executable, __file__, str(folder)], capture_output=True, text=True, timeout=limit_s, check=False
    )
    assert done.returncode == 0, (done.returncode, done.stdout[-300:], done.stderr[-3000:])
    assert done.stderr == ""
    return Counter(json.loads(done.stdout.splitlines()[-1]))


def assert_survives(folder: Path, seeds: Mapping[str, bytes], count: int) -> None:
    write_mutated(folder, seeds, count)
    outcomes = outcomes_of(folder, limit_s=SLOWEST_S + count)
    assert outcomes.total() == count
    assert outcomes["frames"] >= count // 10  # the harness does open files


def test_500_mutated_images_give_frames_or_an_error_and_no_other_line(tmp_path: Path):
    assert_survives(tmp_path, image_seeds(), 500)


def open_all(folder: Path) -> Counter[str]:
    from realface.core.errors import MediaError
    from realface.media.opening import open_media

    outcomes: Counter[str] = Counter()
    for path in sorted(folder.iterdir()):
        print(path.name, flush=True)  # the last line names the file if the process dies
        try:
            reader = open_media(path, threads=1)
            frames = list(reader.frames(4))
            assert all(frame.image.ndim == 3 and frame.image.dtype == np.uint8 for frame in frames)
            assert frames
            assert reader.info().num_frames >= len(frames)
        except MediaError as error:
            outcomes[error.reason] += 1
        else:
            outcomes["frames"] += 1
    return outcomes


if __name__ == "__main__":
    found = open_all(Path(sys.argv[1]))
    print(json.dumps(found))
