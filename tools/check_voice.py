"""Check texts for the project's style: plain English, the field's words, complete docstrings.

    python tools/check_voice.py [PATH ...]

Prints one line per fault and exits with 1 if it finds one. Without a path it reads `src`, `docs` and README.md. In
Python files it reads docstrings, comments and strings that contain a space; in Markdown the text outside code; in other
files every line.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from house_figures import Function, array_parameters, gives_shape

CHECKOUT = Path(__file__).parents[1]
READ_BY_DEFAULT = ("src", "docs", "README.md")
SUFFIXES = (".py", ".md", ".yaml", ".toml", ".j2", ".html", ".css", ".js")

_BE = r"(?:is|are|was|were|be|been|being)"
_WHAT_FOLLOWS = (
    "a|an|another|are|at|belongs|came|can|comes|could|did|differs|do|does|each|every|fails|follows|goes|had|hangs|has|"
    "have|he|is|it|its|lies|makes?|may|must|no|nobody|one|people|remains|stands|that|the|their|there|these|they|this|"
    "those|users?|was|we|were|will|would|you"
)
_BEFORE_WHAT = (
    "about|after|against|all|also|and|are|as|at|before|between|beyond|but|by|exactly|except|for|from|in|into|is|just|"
    "keeping|like|not|of|on|only|or|over|than|through|to|under|until|was|with|without"
)
_COUNTED = (
    "batch|clip|crop|face|file|fold|folder|frame|half|identity|image|kind|line|person|process|row|sample|second|source|"
    "step|video|worker"
)

WORDS: dict[str, str] = {
    "alone": r"(?<!stand-)(?<!score )\balone\b",
    "anew": r"\b(?:anew|afresh)\b",
    "likewise": r"\blikewise\b",
    "beforehand": r"\bbeforehand\b",
    "lacks": r"\black(?:s|ed|ing)?\b",
    "stands": r"\b(?:stands?|stood|standing)\b(?!-)",
    "lies": r"\b(?:lies?|lay|lain|lying)\b(?! out)",
    "takes up": r"\b(?:take|takes|taken|taking|took) (?:it |them |this )?up\b",
    "goes on": r"\b(?:go|goes|going|gone|went) on\b",
    "goes": r"\b(?:goes|went|gone)\b(?! (?:to|through|on)\b)|\bgo (?:alone|by|together|with)\b",
    "told": r"\b(?:tell|tells|telling|told)\b",
    "says": r"\b(?:says?|saying|said)\b",
    "asks": r"\b(?:asks|asked|asking|answered|answering)\b",
    "knows": r"\bknows\b",
    "holds (for contains)": r"\bholds?\b(?! (?:at|for|if|in|true|up|when)\b|[.,;:])",
    "is held": rf"\b{_BE} held\b",
    "broken off": r"\b(?:break|breaks|breaking|broke|broken) off\b",
    "archaic word": (
        r"\b(?:albeit|amid|amongst|aught|forthwith|heretofore|herein|hereby|hitherto|lest|naught|thence|"
        r"thereby|therefrom|therein|thereof|thereon|thereto|thereupon|therewith|till|unto|upon|whence|whereby|"
        r"wherefore|wherein|whereof|whereupon|whilst|whom|whomever|whose is|yonder)\b"
    ),
    "so many": r"\bso (?:many|much)\b",
    "such that": r"\bsuch that\b",
    "as it lies": (
        r"\bas (?:each|he|it|one|others|that|they|those) "
        r"(?:are|comes?|did|do|does|goes|had|has|have|is|lay|lie|lies|stands?|stood|was|were)\b"
    ),
    "so does": r"\b(?:nor|so|than|as) (?:are|did|do|does|had|has|have|was|were)\b",
    "at hand": r"\bat hand\b",
    "of theirs": r"\b(?:theirs|hers|of (?:its|one's|their) own)\b",
    "a face a person": (
        r"(?<![\w-])(?:an?|one|two|three|four|ten|\d+) "
        r"(?!(?:and|as|at|by|for|from|has|in|is|makes|of|on|or|per|to|with|writes) )[a-z]+ (?:an?|each) "
        rf"(?:{_COUNTED})\b"
    ),
    "one each": r"\b(?:one|two|three|many) each\b",
    "the one that": (
        r"\b(?:the|that|this|these|those) ones?\b"
        r"(?=[,.;:)]| (?:are|for|from|has|in|is|of|that|the|which|who)\b)"
    ),
    "ones": r"(?<!zeros and )(?<!of )\bones\b(?! and zeros)",
    "others": r"\bothers\b|\bthe other(?=[,.;:)]| (?:are|has|is|one)\b)",
    "the rest": r"\bthe rest\b(?! of the\b)",
    "those of": r"\bthose (?:for|from|in|of|on|that|which|who|whose|with|without)\b",
    "nobody, nothing": (
        r"\b(?:anybody|everybody|nobody|somebody|somewhere)\b"
        r"|(?<!do )(?<!does )(?<!did )\bnothing\b(?! (?:else|is|to|was)\b)"
    ),
    "what is": rf"\bwhat (?:{_WHAT_FOLLOWS})\b(?![^.!?]*\?)",
    "by what": rf"\b(?:{_BEFORE_WHAT}) what\b(?![^.!?]*\?)",
    "whatever": r"\b(?:whatever|whatsoever|whichever|whoever|however (?:few|large|long|many|much|often|small))\b",
    "where there is": r"\b(?:where|wherever) there (?:are|is|was|were)\b",
    "where it is": r"\bwhere (?:any|asked|both|it|known|none|one|they)\b",
    "there is none": r"\bthere (?:are|is|was|were) (?:any|none|nobody|nothing|one)\b|\bif any\b",
    "there is no X that": r"\bthere (?:are|is|was|were) no (?:[\w-]+ ){1,3}(?:that|to which|which|who|whose)\b",
    "is there": r"\b(?:are|is|was|were) there\b(?![^.!?]*\?)",
    "has none": (
        r"\b(?:else|find|finds|found|gave|give|gives|had|has|have|keeps?|makes?|names?|needs?|sees?|with) "
        r"(?:none|neither)\b"
    ),
    "has one": (
        r"\b(?:gave|gets?|gives?|had|has|have|makes?|needs?|with|without) (?:any|one)\b"
        r"(?=[,.;:)]|$| (?:is|of (?:its|their))\b)"
    ),
    "names no": r"\bnames? (?:a|an|both|it|its|no|none|one|the|them|two)\b",
    "gives it": r"\b(?:gave|give|gives|given) (?:back|it|none|one|them|up)\b",
    "is looked at": rf"\b{_BE} looked\b|\b(?:look|looked|looking|looks) (?:at|in|into|on|through|upon)\b",
    "left out": r"\b(?:leave|leaves|leaving|left) (?:alone|as|off|out|over)\b",
    "is left": rf"\b{_BE} left\b(?! unchanged)",
    "hands on": r"\bhand(?:s|ed|ing)? (?:back|down|on|out|over)\b",
    "deals out": r"\b(?:deal|deals|dealing|dealt) out\b",
    "less its": r"\bless (?:a|its|one|the|their)\b",
    "begun": r"\b(?:begun|began)\b",
    "but for": r"\b(?:all but|but for|none but|nothing but|save for)\b",
    "beside": r"\bbesides?\b",
    "alike": r"\b(?:alike|asunder|kept apart|keeps? (?:them )?apart)\b",
    "hangs together": r"\bhangs? (?:on|together)\b",
    "comes first": r"\b(?:came|come|comes) (?:first|in|last|of|out)\b",
    "by turns": r"\b(?:by turns|in (?:its|their) (?:place|turn))\b",
    "Else": r"(?:^|[.;:] )Else\b",
    "of the two": r"\bof (?:the two|these two|both)\b(?! [a-z])",
    "in one go": r"\b(?:in one go|in vain|of old|long since|for good|at a stroke|once more|over again)\b",
    "is so": rf"\b{_BE} so\b(?! (?:far|that)\b)",
    "of it": r"\b(?:about|by|of) (?:both|it|one|them|these)(?=[.,;:)]|$)",
    "by which": r"\b(?:after|before|by|of|than) which\b",
    "and how": r"\b(?:and|or) (?:how|where|whether|which|who|whom|why)\b(?! to\b|[^.!?]*\?)",
    "is here": rf"\b{_BE} (?:gone|here|lost|wanted)\b(?=[.,;:)]|$)",
    "how far": r"\b(?:as|how) far\b",
    "needs no": r"\b(?:needs?|asks?|wants?) (?:neither|no|not)\b",
    "every one": r"\b(?:any|each|every) one\b",
    "a fragment": r"^(?:How|Whether|Who|Whose|Whom|Why|What) (?!to\b|it works)[^?]*$",
    "is met with": rf"\b{_BE} (?:met with|had|come|let|wanted|dealt)\b",
}
"""Banned words and constructions: the name that a finding shows, and a regular expression."""

OLD_WORDS: dict[str, str] = {
    "finder: face detector": r"\bfinders?\b",
    "losses.csv: skipped.csv": r"\blosses\.csv\b",
    "layout: dataset": r"(?<!memory )(?<!page )\blayouts?\b(?! of the page)",
    "picture: image": r"\bpictures?\b",
    "persons: people, identities": r"\bpersons\b",
    "the prior: the generative model, MAE": (
        r"\b(?:an?|every|frozen|its|no|one|that|the|their|this|trained|RFFR's) priors?\b|\bpriors\b|rffr-prior"
    ),
    "evidence: error map": r"\bevidence\b",
    "surprise: error": r"\bsurpris\w+",
    "counterpart: original": r"\bcounterparts?\b",
    "judge: validate, evaluate, detect": r"\bjudg\w+",
    "workplace: output folder, device, location": r"\bworkplaces?\b",
    "fillings: inpainting baselines": r"\bfillings?\b",
    "forged: fake": r"\bforged\b",
    "external crops: unknown crop settings": r"\bexternal (?:crops?|spec)\b",
}
"""Old names in prose, each with the field's name."""

_PATTERNS = {name: re.compile(text, re.IGNORECASE) for name, text in (WORDS | OLD_WORDS).items()}
_PATTERNS |= {name: re.compile(WORDS[name]) for name in ("Else", "a fragment")}  # only at a sentence's start

_FRAGMENT = re.compile(
    r"(?:As|At|Also|By|Else|Everything|From|How|If|In|Likewise|Not|Nothing|Of|On|Only|Same|So|Something|Such|That|"
    r"Those|To|What|When|Where|Whether|Which|While|Who|Whom|Whose|Why|With)\b"
)
_NOUN = re.compile(r"(?:A|All|An|Any|Both|Each|Every|Its|Many|No|One|Some|The|Their|These|This|Two)\b|\(")
_ENTRY_START = re.compile(
    r"^ *\*{0,2}[\w.]+(?: \([^)]*\))?: (what|which|who|whose|where|why|as|of|likewise|how (?!many|much|often))\b"
)


@dataclass(frozen=True)
class Finding:
    """One place that does not follow the style.

    Attributes:
        path: file with the fault.
        line: line number, from 1.
        text: describes the fault.
    """

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        """Return the finding as one line."""
        return f"{self.path}:{self.line}: {self.text}"


def banned_in(text: str) -> list[str]:
    """Return the banned words and constructions in a text, as `name: words found`."""
    plain = _plain(text)
    return [
        f"{name}: {match.group().strip()!r}" for name, pattern in _PATTERNS.items() if (match := pattern.search(plain))
    ]


def _plain(text: str) -> str:
    """Return a text on one line, without code, doctests, markup and addresses."""
    text = re.sub(r"(?m)^\s*(?:>>>|\.\.\. ).*$", "", text)
    text = re.sub(r"``[^`]*``|`[^`]*`", "X", text)
    text = re.sub(r"\]\([^)]*\)|<[^<>]*>|https?://\S+", " ", text)
    return " ".join(text.split())


def check_docstring(node: ast.AST, docstring: str) -> Iterator[str]:
    """Yield the faults in the form of a docstring.

    Args:
        node: the definition that it describes.
        docstring: cleaned text.
    """
    first = docstring.split("\n\n")[0].strip()
    is_public_function = isinstance(node, Function) and not node.name.startswith("_")
    decorators = [ast.unparse(each) for each in node.decorator_list] if isinstance(node, Function) else []
    is_property = any("property" in each or each.endswith(".setter") for each in decorators)
    if not first.partition("\n")[0].endswith((".", ":", "?", "!")):
        yield f"first line is no sentence with a period: {first.splitlines()[0]!r}"
    if match := _FRAGMENT.match(first):
        yield f"first line is a fragment, begins with {match.group()!r}: {first!r}"
    elif is_public_function and not is_property and (match := _NOUN.match(first)):
        yield f"first line of a function is not an imperative, begins with {match.group()!r}: {first!r}"
    for line in docstring.splitlines()[1:]:
        if match := _ENTRY_START.match(line):
            yield f"entry begins with {match.group(1)!r}: {line.strip()!r}"
    arrays = array_parameters(node) if is_public_function and isinstance(node, Function) else []
    if arrays and not gives_shape(docstring):
        yield f"docstring gives no shape for {', '.join(arrays)}"


def _check_python(path: Path, text: str) -> Iterator[Finding]:
    tree = ast.parse(text)
    prose: list[tuple[int, str]] = []
    inside_joined: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | Function) and (docstring := ast.get_docstring(node)):
            line = node.body[0].lineno
            yield from (Finding(path, line, fault) for fault in check_docstring(node, docstring))
        if isinstance(node, ast.JoinedStr):
            parts = [each.value if isinstance(each, ast.Constant) else "X" for each in node.values]
            inside_joined.update(each for each in ast.walk(node))
            prose.append((node.lineno, "".join(map(str, parts))))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in inside_joined:
            prose.append((node.lineno, node.value))
    prose = [(line, found) for line, found in prose if re.search(r"[a-z],? [a-z]", found)]
    comments = [
        token for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type == tokenize.COMMENT
    ]
    prose += [(token.start[0], token.string.lstrip("# ")) for token in comments if not token.string.startswith("#!")]
    yield from _check_prose(path, prose)


def _check_prose(path: Path, prose: Iterable[tuple[int, str]]) -> Iterator[Finding]:
    for line, text in prose:
        for paragraph in re.split(r"\n\s*\n", text):
            offset = text[: text.find(paragraph)].count("\n")
            yield from (Finding(path, line + offset, fault) for fault in banned_in(paragraph))


def _check_markdown(path: Path, text: str) -> Iterator[Finding]:
    without_code = re.sub(r"(?ms)^ *(```|~~~).*?^ *\1[^\n]*$", lambda block: "\n" * block.group().count("\n"), text)
    line, prose = 1, []
    for paragraph in re.split(r"(\n(?:\s*\n|(?=\s*[-*|#] )))", without_code):
        prose.append((line, paragraph))
        line += paragraph.count("\n")
    yield from _check_prose(path, prose)


def check_file(path: Path) -> list[Finding]:
    """Return the findings in one file, in the order of its lines."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        found = _check_python(path, text)
    elif path.suffix == ".md":
        found = _check_markdown(path, text)
    else:
        found = _check_prose(path, enumerate(text.splitlines(), 1))
    return sorted(set(found), key=lambda each: (each.line, each.text))


def files_below(paths: Iterable[Path]) -> list[Path]:
    """Return the files to check: the named files, and all files with a known suffix in the named folders."""
    found: set[Path] = set()
    for path in paths:
        inside = path.rglob("*") if path.is_dir() else [path]
        found.update(each for each in inside if each.is_file() and (each.suffix in SUFFIXES or each == path))
    return sorted(found)


def main() -> int:
    """Print the findings and return the exit status: 1 if something was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("paths", nargs="*", type=Path, help="default: src, docs and README.md")
    paths = parser.parse_args().paths or [CHECKOUT / name for name in READ_BY_DEFAULT]
    findings = [finding for path in files_below(paths) for finding in check_file(path)]
    for finding in findings:
        print(finding)
    print(f"{len(findings)} findings", file=sys.stderr)
    return int(bool(findings))


if __name__ == "__main__":
    raise SystemExit(main())
