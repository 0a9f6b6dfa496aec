"""`realface calibrate`: set the verdict bands of a detector on held-out people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from realface.detection.calibrating import CalibrationResult

Verdicts = Annotated[
    list[Path],
    typer.Option(metavar="JSON", help="Output of `realface detect --json` on files with a known label. Repeatable."),
]
Identities = Annotated[
    Path,
    typer.Option(
        metavar="CSV",
        help="One row per scored file, with the columns path,source,identity,label (real or fake). Optional column "
        "pair: the same value for a fake and its real file.",
    ),
]


def command(
    artifact: Annotated[Path, typer.Argument(metavar="ARTIFACT", help="Artifact, or run folder that contains it.")],
    verdicts: Verdicts,
    identities: Identities,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the calibrated artifact; must be new or empty.")],
    alpha: Annotated[
        float, typer.Option(min=0.001, max=0.5, help="Highest share of held-out real files that are called fake.")
    ] = 0.05,
    beta: Annotated[
        float, typer.Option(min=0.001, max=0.5, help="Highest share of held-out fakes that are called real.")
    ] = 0.1,
    as_json: Annotated[bool, typer.Option("--json", help="Print the calibration as JSON.")] = False,
) -> None:
    """Choose the scores that separate the verdicts real, uncertain and fake.

    First run `realface detect --json` on fakes, and on real files of people that the detector was not trained on. The
    calibrated artifact calls at most 5 % of such real files fake (--alpha). It gives no verdict on faces that are
    smaller or blurrier than the faces in those files.
    """
    import json

    from realface.core.files import require_free
    from realface.detection.calibrating import calibrate
    from realface.models.artifact import copy_artifact, find_artifact, read_card

    require_free(out)
    folder = find_artifact(artifact)
    result = calibrate(read_card(folder), verdicts, identities, alpha=alpha, beta=beta)
    copy_artifact(folder, out, result.card)
    if as_json:
        card = result.card.model_dump(mode="json")
        shown = {"artifact": str(out), **{name: card[name] for name in ("calibration", "validated_on")}}
        print(json.dumps({**shown, "shares": result.shares, "notes": result.notes}, indent=2, ensure_ascii=False))
    else:
        print("\n".join(_lines(result)))
        print(f"calibrated artifact: {out}")


def _lines(result: CalibrationResult) -> list[str]:
    calibration, validated = result.card.calibration, result.card.validated_on
    assert calibration is not None
    assert validated is not None
    lines = [
        f"{source.label} {source.name}: {source.identities} people; {source.images} images and {source.videos} videos "
        f"answered, {source.not_answered} files not"
        for source in calibration.sources
    ]
    lines.append(
        f"faces from {validated.min_face_size:.0f} px and sharpness {validated.min_sharpness:.3g} up, in at least "
        f"{validated.min_frames} frames of a video: {validated.share_answered:.1%} of real files answered"
    )
    for kind, shares in result.shares.items():
        band = calibration.image if kind == "image" else calibration.video
        assert band is not None
        alarms = ", ".join(f"{name} {share:.1%}" for name, share in shares["false_alarms"].items())
        lines.append(
            f"{kind}s: real below {band.real_below:.4f}, fake from {band.fake_from:.4f}; called fake: {alarms}"
        )
        if "fakes_found" in shares:
            lines.append(f"  fakes found {shares['fakes_found']:.1%}, called real {shares['fakes_called_real']:.1%}")
    return [*lines, *(f"note: {note}" for note in result.notes)]
