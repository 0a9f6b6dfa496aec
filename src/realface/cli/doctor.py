"""`realface doctor`: check the installation and the hardware."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from packaging.requirements import Requirement

IMPORT_NAMES = {
    "facenet-pytorch": "facenet_pytorch",
    "opencv-python-headless": "cv2",
    "pillow": "PIL",
    "pyyaml": "yaml",
    "scikit-image": "skimage",
    "scikit-learn": "sklearn",
}
# Errors on import if a shared library is missing or the versions of two packages are incompatible.
IMPORT_FAULTS = (ImportError, OSError, RuntimeError, AttributeError, ValueError, TypeError)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@dataclass(frozen=True)
class Check:
    """One line of the output.

    Attributes:
        group: `installed`, `extras` or `found`.
        name: name of the package, extra, device, codec or program.
        state: `missing` if an optional part is not installed; `broken` if realface cannot work.
        detail: version, number or fault.
        remedy: command or advice for the repair, or an empty string.
    """

    group: Literal["installed", "extras", "found"]
    name: str
    state: Literal["ok", "missing", "broken"]
    detail: str
    remedy: str = ""


def command(as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False) -> None:
    """Check the installation: packages, extras, GPU, video codecs and the face detector.

    The exit code is 1 if a required part is broken.
    """
    import json
    import platform
    from dataclasses import asdict

    checks = all_checks()
    works = all(check.state != "broken" for check in checks)
    if as_json:
        system = {"python": platform.python_version(), "system": platform.platform()}
        print(json.dumps({"works": works, **system, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        print(f"realface {metadata.version('realface')}, Python {platform.python_version()}, {platform.platform()}")
        print("\n".join(_lines(checks)))
        print(
            "\neverything that is required works" if works else "\nrealface cannot work until what is broken is mended"
        )
    if not works:
        raise typer.Exit(1)


def all_checks() -> list[Check]:
    """Return every check, in the order in which it is printed."""
    from packaging.requirements import Requirement

    requirements = [Requirement(text) for text in metadata.requires("realface") or []]
    checks = [
        *package_checks(line for line in requirements if line.marker is None or line.marker.evaluate({"extra": ""})),
        *extra_checks(requirements),
        *machine_checks(),
    ]
    if any(check.state == "broken" for check in checks):
        return checks  # the next checks would only repeat the same fault
    return [*checks, *device_checks(), *video_checks(), face_detector_check(), browser_check()]


def package_checks(requirements: Iterable[Requirement]) -> Iterator[Check]:
    """Yield whether each required package is installed, in a supported version, and can be imported."""
    for requirement in requirements:
        version = installed_version(requirement.name)
        remedy = f"pip install '{requirement.name}{requirement.specifier}'"
        if version is None:
            yield Check("installed", requirement.name, "broken", "not installed", remedy)
        elif not requirement.specifier.contains(version, prereleases=True):
            yield Check(
                "installed", requirement.name, "broken", f"{version}, but {requirement.specifier} is needed", remedy
            )
        else:
            name = requirement.name.lower()
            fault = import_fault(IMPORT_NAMES.get(name, name.replace("-", "_")))
            if fault is None:
                yield Check("installed", requirement.name, "ok", version)
            else:
                again = f"pip install --force-reinstall '{requirement.name}=={version}'"
                yield Check("installed", requirement.name, "broken", f"{version}, cannot be imported: {fault}", again)


def extra_checks(requirements: Iterable[Requirement]) -> Iterator[Check]:
    """Yield whether the packages of each extra are installed; extras are optional, so none is ever `broken`."""
    lines = list(requirements)
    for extra in sorted(metadata.metadata("realface").get_all("Provides-Extra") or []):
        names = [
            line.name
            for line in lines
            if line.marker and line.marker.evaluate({"extra": extra}) and not line.marker.evaluate({"extra": ""})
        ]
        lacking = [name for name in names if installed_version(name) is None]
        if lacking:
            remedy = f"pip install 'realface[{extra}]'"
            yield Check("extras", extra, "missing", f"lacks {', '.join(lacking)}", remedy)
        else:
            yield Check("extras", extra, "ok", ", ".join(names))


def machine_checks() -> Iterator[Check]:
    """Yield the CPU cores and the memory."""
    import os

    yield Check("found", "CPU", "ok", f"{os.cpu_count()} cores")
    if {"SC_PAGE_SIZE", "SC_PHYS_PAGES"} <= os.sysconf_names.keys():
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        yield Check("found", "memory", "ok", f"{memory / 2**30:.1f} GiB")


def device_checks() -> Iterator[Check]:
    """Yield the accelerators that torch can use."""
    import torch

    for index in range(torch.cuda.device_count()):
        device = torch.cuda.get_device_properties(index)
        yield Check("found", f"cuda:{index}", "ok", f"{device.name}, {device.total_memory / 2**30:.1f} GiB")
    if torch.backends.mps.is_available():
        yield Check("found", "mps", "ok", "the Apple chip's GPU")
    elif torch.cuda.device_count() == 0:
        build = f"torch is built for CUDA {torch.version.cuda}" if torch.version.cuda else "torch's CPU build"
        yield Check("found", "GPU", "missing", f"none that torch can use ({build}); everything runs on the CPU")


def video_checks() -> Iterator[Check]:
    """Yield the codecs that PyAV brings; H.264 must be read, and is written by the sample study."""
    import av.codec

    remedy = "pip install --force-reinstall --only-binary av av"
    try:
        av.codec.Codec("h264", "r")
    except ValueError:
        yield Check("found", "codec h264", "broken", "PyAV cannot read H.264", remedy)
    else:
        yield Check("found", "codec h264", "ok", "reads H.264")
    try:
        av.codec.Codec("libx264", "w")
    except ValueError:
        yield Check("found", "codec libx264", "missing", "PyAV cannot write H.264: no demo", remedy)
    else:
        yield Check("found", "codec libx264", "ok", "writes H.264, for the demo's videos")


def face_detector_check() -> Check:
    """Return whether the default face detector loads its weights and runs."""
    import numpy as np

    from realface.faces.detectors.registry import build_face_detector, default_crop_spec

    spec = default_crop_spec()
    try:
        build_face_detector(spec.face_detector).detect([np.zeros((64, 64, 3), dtype=np.uint8)])
    except (OSError, RuntimeError, ValueError) as fault:
        remedy = "pip install --force-reinstall --no-deps 'facenet-pytorch>=2.5.3,<2.6'"
        return Check("found", "face detector", "broken", f"{spec.face_detector}: {_one_line(fault)}", remedy)
    return Check("found", "face detector", "ok", f"{spec.face_detector} ({spec.face_detector_version})")


def browser_check() -> Check:
    """Return a browser, which only the tests of the report use."""
    import shutil

    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        return Check("found", "chromium", "missing", "only the tests of the report use it", "install chromium")
    return Check("found", "chromium", "ok", path)


def installed_version(name: str) -> str | None:
    """Return the version of a distribution, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def import_fault(name: str) -> str | None:
    """Return the error of importing a module, in one line, or None."""
    try:
        import_module(name)
    except IMPORT_FAULTS as fault:
        return _one_line(fault)
    return None


def _one_line(fault: Exception) -> str:
    return f"{type(fault).__name__}: {' '.join(str(fault).split())}"


def _lines(checks: Iterable[Check]) -> Iterator[str]:
    group = ""
    for check in checks:
        if check.group != group:
            group = check.group
            yield f"\n{group}"
        remedy = f"; {check.remedy}" if check.remedy else ""
        yield f"  {check.state:<8} {check.name:<24} {check.detail}{remedy}"
