"""The figure of the recorded runs."""

from __future__ import annotations

import math
from typing import Any

from d2lcnn import nets, records
from d2lcnn.explore.page import Figure
from d2lcnn.tracing import trace

_NAMES = {"lenet": "LeNet", "alexnet": "AlexNet", "vgg": "VGG", "nin": "NiN", "googlenet": "GoogLeNet"}


def comparison() -> Figure:
    """Lay the recorded runs of the five networks out by what they cost, and compare two seed by seed (chapter 10).

    Of each network the recipe with the most runs is shown, of several the one in 16 bits.
    """
    every = records.read()
    networks = {size: {name: _network(every, name, size) for name in _NAMES} for size in ("mini", "full")}
    return Figure(
        "comparison", "five networks compared: accuracy against what?", {"names": _NAMES, "networks": networks}
    )


def _network(every: list[records.Record], name: str, size: str) -> dict[str, Any]:
    groups: dict[tuple, list[records.Record]] = {}
    for run in records.select(every, network=name, variant=size):
        groups.setdefault(tuple(sorted(run["recipe"].items())), []).append(run)
    runs = max(groups.values(), key=lambda group: (len(group), group[0]["recipe"]["precision"] == "bf16"))
    pixels = runs[0]["input_size"]
    traced = trace(nets.network(name, size, input_size=pixels), (1, 1, pixels, pixels))
    # As chapter 10 counts: weight, gradient and AdamW's two running means, and all outputs for 128 pictures.
    memory = 16 * traced.parameters + 4 * 128 * sum(math.prod(node.shape) for node in traced)
    fields = [max(node.receptive_field) for node in traced if isinstance(node.receptive_field, tuple)]
    shown = [
        {
            "seed": run["seed"],
            "accuracy": round(run["test_accuracy"], 4),
            "seconds": round(sum(run["seconds"].values()), 1),
        }
        for run in runs
    ]
    costs = {"parameters": traced.parameters, "macs": traced.macs, "memory": round(memory / 1e6, 1)}
    return {**costs, "field": fields[-1], "runs": sorted(shown, key=lambda run: run["seed"])}
