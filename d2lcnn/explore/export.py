"""What a page needs to run a network: its trace, its weights in eight bits, and what each node does."""

from __future__ import annotations

import json
from typing import Any

import torch
from torch import Tensor, nn

from d2lcnn import layers
from d2lcnn._words import described
from d2lcnn.explore.page import packed
from d2lcnn.tracing import Node, trace

# What the page computes under which name; a function's name or a layer's, in small letters.
_ACTIVATIONS = ("relu", "relu6", "leaky_relu", "elu", "sigmoid", "silu", "tanh")
_SAME = ("identity", "dropout", "dropout2d", "flatten", "flattenlayer", "reshape", "view", "contiguous")
_NAMES = {
    **{name: name for name in _ACTIVATIONS},
    "leakyrelu": "leaky_relu",
    **dict.fromkeys(_SAME, "same"),
    **dict.fromkeys(("cat", "concat", "concatenate"), "concatenate"),
    "add": "add",
    "conv2d": "conv2d",
    "linear": "linear",
    **dict.fromkeys(("maxpool2d", "max_pool2d"), "max"),
    **dict.fromkeys(("avgpool2d", "avg_pool2d"), "avg"),
    **dict.fromkeys(("adaptiveavgpool2d", "adaptive_avg_pool2d"), "adaptive"),
    **dict.fromkeys(("globalavgpool2d", "mean"), "mean"),
    "batchnorm2d": "scaled",
    "softmax": "softmax",
}
# As a function these hide weights or settings that a trace does not tell.
_LAYERS_ONLY = ("conv2d", "linear", "scaled", "leaky_relu", "elu", "softmax", "avg")


def exported(net: nn.Module, shape: tuple[int, ...]) -> dict[str, Any]:
    """What the page needs to run `net` on one picture of `shape` (1, C, H, W): the JSON of its trace, and `steps`.

    Weights are rounded to eight bits, with a scale for each output channel. Raises ValueError for a network with a
    node that the page cannot compute, naming it, and as `trace` does.
    """
    traced = trace(net, shape)
    modules, steps = dict(net.named_modules()), {}
    shapes = {node.name: node.shape for node in traced}
    for node in traced:
        if not node.inputs:
            steps[node.name] = {"op": "same"}
            continue
        path = node.name if node.name in modules else node.name.rpartition("_")[0]
        module = modules.get(path if path != type(net).__name__ else "")
        module = module if module is not None and type(module).__name__ == node.kind else None
        if node is traced.nodes[-1] and module is None and len(traced) == 2:
            module = net
        steps[node.name] = _step(node, module, [shapes[name] for name in node.inputs])
    return {"trace": json.loads(traced.to_json()), "steps": steps}


def _step(node: Node, module: nn.Module | None, shapes: list[tuple[int, ...]]) -> dict[str, Any]:
    name = _NAMES.get(node.kind.lower())
    if name is None or (module is None and name in _LAYERS_ONLY):
        _refuse(node, "does something else")
    if name == "conv2d" and isinstance(module, layers.Conv2D):
        _refuse(node, "takes one picture without channels")
    step: dict[str, Any] = {"op": name}
    if name in ("conv2d", "linear"):
        if name == "conv2d" and module.padding_mode != "zeros":
            _refuse(node, f"pads with {module.padding_mode!r}")
        if name == "linear" and len(node.shape) != 2:
            _refuse(node, "is applied along a map")
        step["weights"] = {"weight": _quantised(module.weight.detach())}
        if module.bias is not None:
            step["weights"]["bias"] = _plain(module.bias.detach())
    elif name == "scaled":
        if module.running_var is None:
            _refuse(node, "keeps no running statistics")
        factor = (module.running_var.double() + module.eps).rsqrt()
        factor = factor if module.weight is None else factor * module.weight.detach()
        term = -module.running_mean * factor
        term = term if module.bias is None else term + module.bias.detach()
        step["weights"] = {"factor": _plain(factor), "term": _plain(term)}
    elif name in ("leaky_relu", "elu"):
        step["setting"] = module.negative_slope if name == "leaky_relu" else module.alpha
    elif name == "avg":
        if module.divisor_override is not None:
            _refuse(node, "divides by a number of its own")
        step["setting"] = module.count_include_pad
    elif name == "softmax":
        if module.dim not in (1, None):
            _refuse(node, f"runs along axis {module.dim}")
    elif name == "add" and (len(shapes) > 2 or len(set(shapes)) > 1):
        _refuse(node, "adds tensors of different shapes")
    elif name == "concatenate" and node.shape[1] != sum(shape[1] for shape in shapes):
        _refuse(node, "joins another axis than the channels")
    elif name == "mean" and node.shape[:2] != shapes[0][:2]:
        _refuse(node, "is no mean over height and width")
    return step


def _refuse(node: Node, why: str) -> None:
    raise ValueError(
        f"net must be made of convolutions, poolings, activations, linear layers, batch normalisation, sums and "
        f"concatenations, as layers; {described(node.name)} ({node.kind}) {why}"
    )


def _quantised(weight: Tensor) -> dict[str, Any]:
    """Integers from -127 to 127 and a scale for each output channel."""
    weight = weight.float().cpu()
    rows = weight.reshape(len(weight), -1)
    # Rounded first, so that the page multiplies by what was divided by.
    scale = [float(f"{most / 127:.6g}") for most in rows.abs().amax(1).double().tolist()]
    steps = rows.double() / torch.tensor(scale, dtype=torch.float64).clamp(min=1e-30)[:, None]
    integers = steps.round().clamp(-127, 127).to(torch.int8)
    return {"shape": list(weight.shape), "q": packed(integers), "scale": scale}


def _plain(values: Tensor) -> dict[str, Any]:
    return {"shape": list(values.shape), "values": [float(f"{value:.6g}") for value in values.double().tolist()]}
