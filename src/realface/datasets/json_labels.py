"""JSON tables `{"x.mp4": {"label": "FAKE", ..}}`, by which DFDC and its preview name their videos."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from realface.core.errors import DatasetError
from realface.core.labels import Label
from realface.core.split_names import canonical_split
from realface.core.text_files import read_text
from realface.datasets.listing import listed_path

_LABELS = {"real": Label.REAL, "fake": Label.FAKE}


@dataclass(frozen=True)
class LabelledName:
    """What such a table says of one video: its label, and all that stands there."""

    label: Label
    fields: dict[str, Any]

    def split(self, key: str, allowed: Sequence[str], *, where: str) -> str | None:
        """The split that stands under `key`, in any spelling; None where nothing does.

        Raises:
            DatasetError: another value than the allowed ones.
        """
        value = self.fields.get(key)
        split = canonical_split(value) if isinstance(value, str) else value
        if split is not None and split not in allowed:
            raise DatasetError(f"{where}: {key} must be {' or '.join(allowed)}, got {value!r}")
        return split


def read_json_labels(file: Path) -> dict[str, LabelledName]:
    """What a table says, by the video's path as it is on disk.

    Raises:
        DatasetError: not such a table, an empty one, a label other than real and fake, or a repeated video.
    """
    try:
        table = json.loads(read_text(file), object_pairs_hook=_Pairs)
    except ValueError as error:
        raise DatasetError(f"{file}: not JSON ({error})") from error
    if not isinstance(table, _Pairs) or not table:
        raise DatasetError(f'{file}: expected a table such as {{"x.mp4": {{"label": "FAKE"}}}}')
    named: dict[str, LabelledName] = {}
    for text, entry in table:
        name, fields = listed_path(text), dict(entry) if isinstance(entry, _Pairs) else {}
        label = _LABELS.get(str(fields.get("label")).casefold())
        if label is None:
            raise DatasetError(f"{file}: {name}: label must be real or fake, got {fields.get('label')!r}")
        if name in named:
            raise DatasetError(f"{file}: names {name} twice", hint="restore the file that came with the data set")
        named[name] = LabelledName(label, fields)
    return named


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with all its keys: a `dict` would keep the last of two alike without a word."""
