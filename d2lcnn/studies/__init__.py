"""Studies: recorded experiments that could have gone the other way, a question each (chapters 3 to 10).

`d2lcnn.studies.results("convolution")` reads one; `python -m d2lcnn study convolution` trains what is not recorded yet.
"""

from __future__ import annotations

import difflib
from importlib import import_module

from d2lcnn.studies.protocol import Protocol, Study, Variant
from d2lcnn.studies.results import Results

NAMES = (
    "convolution",
    "shift",
    "lenet_parts",
    "dropout",
    "activation",
    "depth",
    "nin_block",
    "nin_head",
    "nin_relu",
    "inception",
    "inception_branches",
    "inception_reductions",
    "five",
    "five_equal",
)


def find(name: str) -> Study:
    """Return the study of this name. Raises ValueError for an unknown one, with the nearest there is."""
    if name not in NAMES:
        near = difflib.get_close_matches(str(name), NAMES, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"study must be one of {', '.join(NAMES)}, got {name!r}{hint}")
    return import_module(f"d2lcnn.studies.{name}").STUDY


def results(name: str) -> Results:
    """Return what the package's records of a study say. Raises ValueError as `find`, and where there are none."""
    from d2lcnn.studies.runs import read

    study = find(name)
    return Results(study, read(study))


def train(name: str, variant: str, seed: int = 0, device: str | None = None, *, progress: bool = True):
    """Train one variant of a study with one seed, as its records were made; return the network and the record."""
    from d2lcnn.studies.runs import train

    return train(find(name), variant, seed, device, progress=progress)


__all__ = ["NAMES", "Protocol", "Results", "Study", "Variant", "find", "results", "train"]
