"""ci/matrix.toml: the rows as values, or one error that says what is wrong and where."""

import importlib
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from rows.reasons import BadTable

CLASSES = ("host", "kernel", "architecture", "emulator", "libc", "restriction", "layer")
TIERS = ("push", "nightly", "manual")
# What every row has, whatever makes it: the type, and whether it must be there.
COMMON = {"name": (str, True), "class": (str, True), "maker": (str, True), "tier": (str, True),
          "what": (str, True), "seconds": (int, True), "download_mb": (int, False),
          "binary": (str, False), "arguments": (list, False), "jobs": (int, False),
          "facts": (dict, False), "beside": (str, False)}
NAME = re.compile(r"[a-z0-9][a-z0-9_.-]*")


@dataclass(frozen=True)
class Row:
    """One column group of the merged report: a world, and how it is made."""
    name: str
    kind: str      # its class
    maker: str     # the file in ci/rows/makers
    tier: str
    what: str      # one sentence: what differs here
    seconds: int   # what its run costs where everything is installed
    download_mb: int = 0
    binary: str = "x86_64"  # which build of the static executable
    arguments: tuple[str, ...] = ()    # more for loopscope run
    jobs: int = 0          # cells at a time; 0: as many as the maker finds right
    facts: dict[str, str] = field(default_factory=dict)  # id -> glob over what it must answer
    beside: str = ""  # the row that the report compares it with; "": the first one
    how: dict[str, Any] = field(default_factory=dict)    # what its maker wants to know

    @property
    def label(self) -> str:
        """What its columns are called: what kind of platform this is comes first."""
        via = importlib.import_module(f"rows.makers.{self.maker}").LABEL
        return f"{self.kind}{f'+{via}' if via else ''}.{self.name}"


def makers() -> dict[str, ModuleType]:
    folder = Path(__file__).parent / "makers"
    return {path.stem: importlib.import_module(f"rows.makers.{path.stem}")
            for path in sorted(folder.glob("*.py"))}


def _typed(where: str, key: str, value: Any, wanted: type) -> Any:
    right = isinstance(value, wanted) and not (wanted is int and isinstance(value, bool))
    if right and wanted is list:
        right = all(isinstance(word, str) for word in value)
    if not right:
        kind = {str: "a text", int: "a whole number", list: "a list of texts", dict: "a table",
                bool: "true or false"}[wanted]
        raise BadTable(f"{where}: {key} must be {kind}, and is {value!r}")
    return value


def _one_of(where: str, key: str, value: str, known: Any) -> None:
    if value not in known:
        raise BadTable(f"{where}: {key} is {value!r}; known are {', '.join(known)}")


def _row(number: int, entry: Any, known_makers: dict[str, ModuleType]) -> Row:
    where = f"row {number}"
    if not isinstance(entry, dict):
        raise BadTable(f"{where}: not a table")
    if isinstance(entry.get("name"), str):
        where += f" ({entry['name']})"
    for key, (wanted, needed) in COMMON.items():
        if key in entry:
            _typed(where, key, entry[key], wanted)
        elif needed:
            raise BadTable(f"{where}: {key} is missing")
    if not NAME.fullmatch(entry["name"]):
        raise BadTable(f"{where}: a name has small letters, digits, and _ . -")
    _one_of(where, "class", entry["class"], CLASSES)
    _one_of(where, "tier", entry["tier"], TIERS)
    _one_of(where, "maker", entry["maker"], known_makers)
    keys = known_makers[entry["maker"]].KEYS
    how = {key: value for key, value in entry.items() if key not in COMMON}
    for key, value in how.items():
        if key not in keys:
            raise BadTable(f"{where}: {entry['maker']} knows no key {key!r}; it knows "
                           f"{', '.join([*COMMON, *keys])}")
        _typed(where, key, value, keys[key][0])
    for key, (_, needed) in keys.items():
        if needed and key not in how:
            raise BadTable(f"{where}: {key} is missing, which {entry['maker']} needs")
    for fact, answer in entry.get("facts", {}).items():
        _typed(where, f"facts.{fact}", answer, str)
    return Row(name=entry["name"], kind=entry["class"], maker=entry["maker"], tier=entry["tier"],
               what=entry["what"], seconds=entry["seconds"],
               download_mb=entry.get("download_mb", 0), binary=entry.get("binary", "x86_64"),
               arguments=tuple(entry.get("arguments", ())), jobs=entry.get("jobs", 0),
               facts=dict(entry.get("facts", {})), beside=entry.get("beside", ""), how=how)


def load(path: Path) -> list[Row]:
    """Every row, in the order of the file. Raises BadTable."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadTable(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadTable(f"{path}: {error}") from error
    if unknown := [key for key in table if key != "row"]:
        raise BadTable(f"{path}: there is nothing but [[row]] here, and {unknown[0]!r} is not that")
    known = makers()
    rows: list[Row] = []
    try:
        entries = table.get("row", [])
        if not isinstance(entries, list) or not entries:
            raise BadTable("no [[row]]")
        for number, entry in enumerate(entries, 1):
            row = _row(number, entry, known)
            if row.name in [other.name for other in rows]:
                raise BadTable(f"row {number}: there is a row {row.name} before it")
            rows.append(row)
        for number, row in enumerate(rows, 1):
            if row.beside:
                _one_of(f"row {number} ({row.name})", "beside", row.beside,
                        [other.name for other in rows if other is not row])
    except BadTable as error:
        raise BadTable(f"{path}: {error}") from None
    return rows
