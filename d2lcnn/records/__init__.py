"""Recorded training runs: a JSON file for each, with all that it takes to judge it and to repeat it.

A record is a dict: `schema_version`; `network`, `variant`, `input_size` (pixels), `recipe` (precision resolved) and
`seed`, its key; `study`, the question it helps to answer (None: of a network of the book); `curve`, the rows of a
History; `test_accuracy`, `test_loss`; `right`, which test pictures were named right (see the function `right`; None:
not kept); `measures`, what else was measured, numbers or lists of them by name; `seconds` of training, {"load",
"compute"}; `images_per_second` of training, loading included; `peak_memory` in bytes, the GPU's or else the process's
(None: not known); `hardware`; `versions`; `data`, the SHA-256 of each file; `code_revision`, the last commit that
changed the package, with "-dirty" where changes were not committed (None: not known); `date`, ISO 8601 in UTC.
Records of version 1, which have no `study`, `right` and `measures`, are read as well.
"""

import base64
import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import mean, stdev
from typing import Any, NamedTuple

import numpy as np

from d2lcnn._files import replacing

FOLDER = Path(__file__).parent
SCHEMA_VERSION = 2

Record = dict[str, Any]


def check(record: Record) -> None:
    """Raise ValueError naming the field, what is allowed and what it holds, unless `record` follows the schema."""
    _check("record", record, _SCHEMA)
    recipe, curve = record["recipe"], record["curve"]
    for field, value, right in (
        ("recipe.input_size", recipe["input_size"], record["input_size"]),
        ("recipe.epochs", recipe["epochs"], len(curve)),
        *((f"curve[{i}].epoch", row["epoch"], i + 1) for i, row in enumerate(curve)),
    ):
        if value != right:
            raise ValueError(f"{field} must be {right}, as the rest of the record says; got {value}")


def name(record: Record) -> str:
    """The file name of a record, made of its key: network, variant, input size, recipe and seed."""
    parts = (record["network"], record["variant"], record["input_size"], _digest(record["recipe"]), record["seed"])
    return "-".join(map(str, parts)) + ".json"


def write(record: Record, folder: str | os.PathLike | None = None) -> Path:
    """Write a record to `folder`, by default the package's, and return its path; one of the same key is replaced.

    Whenever the process dies, the file holds a whole record, the old or the new. Raises ValueError as `check` does.
    """
    check(record)
    path = (FOLDER if folder is None else Path(folder)) / name(record)
    with replacing(path) as file:
        file.write(json.dumps(record, indent=1, allow_nan=False) + "\n")
    return path


def read(folder: str | os.PathLike | None = None) -> list[Record]:
    """All records of `folder`, by default the package's, in the order of their names.

    Raises FileNotFoundError where there is no such folder and ValueError for a file that is no record, naming it.
    """
    folder, records = FOLDER if folder is None else Path(folder), []
    if not folder.is_dir():
        raise FileNotFoundError(f"folder must be there, got {str(folder)!r}")
    for path in sorted(folder.glob("*.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(record, dict) and record.get("schema_version") == 1:
                record |= {"schema_version": SCHEMA_VERSION, "study": None, "right": None, "measures": {}}
            check(record)
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from error
        records.append(record)
    return records


def select(records: Iterable[Record] | None = None, **fields: Any) -> list[Record]:
    """The records, by default the package's, whose fields have these values: `select(network="lenet", seed=0)`.

    Raises ValueError for a field that there is not.
    """
    for field in fields:
        if field not in _SCHEMA:
            raise ValueError(f"fields must be of {', '.join(_SCHEMA)}, got {field}")
    records = read() if records is None else records
    return [record for record in records if all(record[field] == value for field, value in fields.items())]


def pack(right: Iterable[bool]) -> str:
    """What a record's field `right` holds: the number of test pictures, then a bit for each in base 64."""
    bits = np.asarray(right, dtype=bool)
    return f"{len(bits)} {base64.b64encode(np.packbits(bits).tobytes()).decode()}"


def right(record: Record) -> np.ndarray:
    """Which test pictures a run named right, (pictures,) bool in their order.

    Raises ValueError where the record does not say.
    """
    if record["right"] is None:
        raise ValueError(f"record must say which pictures were right; {name(record)} does not")
    count, packed = record["right"].split()
    return np.unpackbits(np.frombuffer(base64.b64decode(packed), np.uint8), count=int(count)).astype(bool)


class Estimate(NamedTuple):
    """Mean and sample standard deviation over seeds; no spread where there is but one run."""

    mean: float
    spread: float | None


@dataclass(frozen=True, repr=False)
class Table:
    """What `table` makes of records: `rows`, a dict for each group of runs that differ in nothing but the seed.

    Prints as a table of text; notebooks show it in Markdown.
    """

    rows: tuple[dict[str, Any], ...]

    def to_markdown(self) -> str:
        """The table in Markdown."""
        lines = self._lines()
        lines.insert(1, ["---:" if is_number else "---" for is_number in self._are_numbers()])
        return "\n".join(f"| {' | '.join(line)} |" for line in lines).replace("_", "\\_")

    _repr_markdown_ = to_markdown

    def __repr__(self) -> str:
        lines = self._lines()
        sides = [">" if is_number else "<" for is_number in self._are_numbers()]
        widths = [max(map(len, column)) for column in zip(*lines)]
        return "\n".join("  ".join(f"{c:{s}{w}}" for c, s, w in zip(line, sides, widths)).rstrip() for line in lines)

    def _are_numbers(self) -> list[bool]:
        return [not isinstance(value, str) for row in self.rows[:1] for value in row.values()]

    def _lines(self) -> list[list[str]]:
        titles = [field.replace("_", " ") for row in self.rows[:1] for field in row]
        return [
            titles,
            *([_text(value, _MEASURED.get(field, ".4f")) for field, value in row.items()] for row in self.rows),
        ]


# How the measured values are written.
_MEASURED = {"test_accuracy": ".4f", "test_loss": ".4f", "seconds": ",.1f", "images_per_second": ",.0f"}


def table(records: Iterable[Record] | None = None) -> Table:
    """Mean and spread over the seeds of records, by default the package's.

    A row holds network, variant, input_size, epochs, precision, recipe (as in the files' names), hardware, runs (how
    many), and an `Estimate` of each of test_accuracy, test_loss, seconds and images_per_second.
    """
    groups: dict[tuple, list[Record]] = {}
    for record in read() if records is None else records:
        recipe, hardware = record["recipe"], record["hardware"]
        row = {field: record[field] for field in ("network", "variant", "input_size")}
        row |= {"epochs": recipe["epochs"], "precision": recipe["precision"], "recipe": _digest(recipe)}
        # A mean over the seconds of different machines, or numbers of threads, would say nothing.
        machine = hardware["gpu"] or f"{hardware['cpu']} (threads: {hardware['threads']})"
        row["hardware"] = f"{hardware['processes']} x {machine}".removeprefix("1 x ")
        groups.setdefault(tuple(row.items()), []).append(record | {"seconds": sum(record["seconds"].values())})
    return Table(tuple(dict(row) | {"runs": len(group)} | _estimates(group) for row, group in groups.items()))


def _estimates(group: list[Record]) -> dict[str, Estimate]:
    columns = {field: [record[field] for record in group] for field in _MEASURED}
    return {field: Estimate(mean(c), stdev(c) if len(c) > 1 else None) for field, c in columns.items()}


def _text(value: Any, form: str) -> str:
    if not isinstance(value, Estimate):
        return value if isinstance(value, str) else f"{value:,}"
    return " ± ".join(f"{number:{form}}" for number in value if number is not None)


def _digest(recipe: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:8]


# A rule is what is allowed, in words, and whether a value is so; a schema a rule, a dict of them (... for the fields
# not named), or a list of one for all its items.
_Rule = tuple[str, Callable[[Any], bool]]


def _check(where: str, value: Any, schema: Any) -> None:
    allowed, is_right = schema if isinstance(schema, tuple) else _A_DICT if isinstance(schema, dict) else _A_LIST
    if not is_right(value):
        raise ValueError(f"{where} must be {allowed}, got {value!r:.100}")
    if isinstance(schema, list):
        for i, item in enumerate(value):
            _check(f"{where}[{i}]", item, schema[0])
    elif isinstance(schema, dict):
        prefix = "" if where == "record" else f"{where}."
        for field in schema:
            if field is not ... and field not in value:
                raise ValueError(f"{prefix}{field} must be there, got only {', '.join(value)}")
        for field, item in value.items():
            if field not in schema and ... not in schema:
                raise ValueError(f"{where} must have no fields but {', '.join(schema)}; got {field}")
            _check(prefix + field, item, schema.get(field) or schema[...])


def _whole(low: int) -> _Rule:
    return f"a whole number of at least {low}", lambda v: type(v) is int and v >= low


def _like(pattern: str, allowed: str) -> _Rule:
    return allowed, lambda v: isinstance(v, str) and re.fullmatch(pattern, v) is not None


def _or_none(rule: _Rule) -> _Rule:
    return f"{rule[0]}, or null", lambda v: v is None or rule[1](v)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _are_measures(value: Any) -> bool:
    values = value.values() if isinstance(value, dict) else [None]
    return all(map(_is_number, (number for v in values for number in (v if isinstance(v, list) else [v]))))


def _is_utc(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).utcoffset() == timedelta(0)
    except (TypeError, ValueError):
        return False


_A_DICT = "an object that is not empty", lambda v: isinstance(v, dict) and v != {}
_A_LIST = "a list that is not empty", lambda v: isinstance(v, list) and v != []
_AMOUNT = "a number of at least 0", lambda v: _is_number(v) and v >= 0
_SHARE = "a number from 0 to 1", lambda v: _is_number(v) and 0 <= v <= 1
_PLAIN = "a text, a finite number, true or false", lambda v: isinstance(v, (str, bool)) or _is_number(v)
_TEXT = _like(".+", "a text that is not empty")
_WORD = _like("[a-z0-9_]+", "a word of small letters, digits and _")
_ROW = {"epoch": _whole(1), "loss": _AMOUNT, "accuracy": _SHARE} | dict.fromkeys(
    ("load_seconds", "compute_seconds", "images_per_second"), _AMOUNT
)
_SCHEMA = {
    "schema_version": (f"{SCHEMA_VERSION}", lambda v: type(v) is int and v == SCHEMA_VERSION),
    "study": _or_none(_WORD),
    "network": _WORD,
    "variant": _WORD,
    "input_size": _whole(1),
    "recipe": {
        "input_size": _whole(1),
        "epochs": _whole(1),
        "precision": ("one of fp64, fp32, bf16, fp16", lambda v: v in ("fp64", "fp32", "bf16", "fp16")),
        ...: _PLAIN,
    },
    "seed": _whole(0),
    "curve": [_ROW | {"val_loss": _or_none(_AMOUNT), "val_accuracy": _or_none(_SHARE)}],
    "test_accuracy": _SHARE,
    "test_loss": _AMOUNT,
    "right": _or_none(_like(r"\d+ [A-Za-z0-9+/]+=*", "the number of pictures and their bits in base 64")),
    "measures": ("an object of numbers and lists of numbers", _are_measures),
    "seconds": {"load": _AMOUNT, "compute": _AMOUNT},
    "images_per_second": _AMOUNT,
    "peak_memory": _or_none(_whole(1)),
    "hardware": dict.fromkeys(("cores", "threads", "processes"), _whole(1))
    | {"device": _WORD, "cpu": _TEXT, "gpu": _or_none(_TEXT)},
    "versions": {"python": _TEXT, "torch": _TEXT, "d2lcnn": _TEXT},
    "data": {...: _like("[0-9a-f]{64}", "a SHA-256")},
    "code_revision": _or_none(_like(r"([0-9a-f]{40}|[0-9a-f]{64})(-dirty)?", "a commit's full hash")),
    "date": ("a date and time in UTC, as in 2026-01-31T12:00:00+00:00", _is_utc),
}
