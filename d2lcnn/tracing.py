"""What a network does to an input of a given shape, node by node, without computing it."""

from __future__ import annotations

import copy
import html
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, fx, nn

from d2lcnn import layers
from d2lcnn.geometry import grow_field, output_size

SCHEMA, VERSION = "d2lcnn.trace", 1

Pair = tuple[int, int]


@dataclass(frozen=True)
class Node:
    """One operation of a traced network.

    `name` is the layer's path in the network, or the path of the module that calls a function, and the function; `kind`
    the class or function; `inputs` the names of the nodes it takes. `shape` is the output's, `parameters` the weights
    not counted at an earlier node, `macs` the multiply-accumulate operations on this input, of two-dimensional
    convolutions and linear layers alone. `kernel`, `stride`, `padding` (per side) and `dilation` are (vertical,
    horizontal) and, like `groups`, None where there is no window. `receptive_field` is how many input pixels
    (vertically, horizontally) one output element depends on, padding counted in; "all" after a global average or a
    linear layer, which see the whole map before them; None where that is not known. `jump` is how many input pixels lie
    between neighbouring output elements, None where they have no place in the image.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    parameters: int = 0
    macs: int = 0
    kernel: Pair | None = None
    stride: Pair | None = None
    padding: Pair | None = None
    dilation: Pair | None = None
    groups: int | None = None
    receptive_field: Pair | Literal["all"] | None = None
    jump: Pair | None = None


@dataclass(frozen=True)
class Trace:
    """A network as a graph: `nodes`, first the input, in the order in which they run. Made by `trace`.

    `trace["conv.0"]` is a node. Prints as a table of text; notebooks show it as an HTML table.
    """

    nodes: tuple[Node, ...]

    @property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """Pairs of names, (from, to)."""
        return tuple((source, node.name) for node in self.nodes for source in node.inputs)

    @property
    def parameters(self) -> int:
        """All parameters that the network uses; shared ones count once."""
        return sum(node.parameters for node in self.nodes)

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations of all nodes for the whole input; one MAC is two FLOPs."""
        return sum(node.macs for node in self.nodes)

    def to_markdown(self) -> str:
        """The table in Markdown."""
        head, *rows = _table(self)
        rule = ["---" if left else "---:" for left in _left(head)]
        cells = [[cell.replace("|", "\\|").replace("_", "\\_") for cell in row] for row in rows]
        return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *cells])

    def to_json(self) -> str:
        """Nodes, edges and totals as JSON text, with the name and version of its schema."""
        totals = {"parameters": self.parameters, "macs": self.macs}
        nodes = [asdict(node) for node in self.nodes]
        content = {"schema": SCHEMA, "version": VERSION, "nodes": nodes, "edges": self.edges, "totals": totals}
        return json.dumps(content, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Trace:
        """Read what `to_json` wrote. Raises ValueError for text of another schema or version."""
        content = json.loads(text)
        found = (content.get("schema"), content.get("version")) if isinstance(content, dict) else None
        if found != (SCHEMA, VERSION):
            raise ValueError(f"text must be JSON of schema {SCHEMA!r}, version {VERSION}; got {found}")
        return cls(tuple(Node(**{k: _tuples(v) for k, v in node.items()}) for node in content["nodes"]))

    def __getitem__(self, name: str) -> Node:
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(f"no node {name!r}; there are {', '.join(node.name for node in self.nodes)}")

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def __str__(self) -> str:
        table = _table(self)
        widths = [max(map(len, column)) for column in zip(*table)]
        left = _left(table[0])
        lines = [
            "  ".join(c.ljust(w) if to_left else c.rjust(w) for c, w, to_left in zip(row, widths, left)).rstrip()
            for row in table
        ]
        rule = "-" * sum(widths, 2 * (len(widths) - 1))
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head, *rows, total = ([html.escape(cell) for cell in row] for row in _table(self))
        sides = ["left" if left else "right" for left in _left(head)]

        def line(tag: str, row: list[str]) -> str:
            # Titles may take two lines, so that the columns stay as narrow as what is in them.
            wrap = "normal" if tag == "th" else "nowrap"
            styles = [f' style="text-align: {side}; white-space: {wrap}"' for side in sides]
            return f"<tr>{''.join(f'<{tag}{style}>{cell}</{tag}>' for cell, style in zip(row, styles))}</tr>"

        body = "\n".join(line("td", row) for row in rows)
        return (
            f'<table class="d2lcnn-trace">\n<thead>{line("th", head)}</thead>\n<tbody>\n{body}\n</tbody>\n'
            f"<tfoot>{line('th', total)}</tfoot>\n</table>"
        )


def trace(net: nn.Module, shape: tuple[int, ...]) -> Trace:
    """Follow an input of `shape` (N, C, H, W), or any other that net takes, through net in evaluation mode.

    Nothing is computed and net's weights are not copied or touched, so the largest network takes a fraction of a
    second. Every layer and function call of `forward` becomes a node; modules that hold others do not.

    Raises TypeError for a net that is no module; ValueError for a shape that does not fit, naming the layer where it
    fails, for lazy layers without a shape, for a net that cannot be copied, and for a `forward` whose course depends on
    the values or shapes of tensors.
    """
    _check_arguments(net, shape)
    net = _meta_copy(net)
    try:
        graph = _Tracer().trace(net)
    except (fx.proxy.TraceError, TypeError, RuntimeError) as error:
        raise ValueError(f"net must have a forward without branches or loops that depend on tensors: {error}") from None
    recorder = _Recorder(fx.GraphModule(net, graph), shape)
    floats = (p.dtype for p in net.parameters() if p.is_floating_point())
    with torch.no_grad():
        recorder.run(torch.empty(shape, device="meta", dtype=next(floats, torch.float32)))
    return Trace(tuple(recorder.nodes))


class _Tracer(fx.Tracer):
    """Stops at torch's layers and at ours."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return type(m).__module__ == layers.__name__ or super().is_leaf_module(m, module_qualified_name)


class _Field(NamedTuple):
    """Which input pixels element i of a map sees along one axis: `size` of them from i * jump + start on."""

    size: int
    jump: int | None
    start: int


# What is known of a map's elements: a _Field for each axis, "all" of the input, or nothing.
_View = tuple[_Field, _Field] | Literal["all"] | None


class _Window(NamedTuple):
    """A convolution's or pooling's window."""

    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int | None


class _Recorder(fx.Interpreter):
    """Runs the graph on the meta device and makes a Node of everything that gives a tensor."""

    def __init__(self, module: fx.GraphModule, shape: tuple[int, ...]) -> None:
        super().__init__(module)
        self.extra_traceback = False
        self.nodes: list[Node] = []
        self._shape = tuple(shape)
        self._recorded: dict[fx.Node, Node] = {}
        self._views: dict[fx.Node, _View] = {}
        self._names: set[str] = set()
        self._counted: set[int] = set()

    def run_node(self, n: fx.Node) -> Any:
        if n.op in ("get_attr", "output"):
            return super().run_node(n)
        if n.op == "placeholder":
            try:
                value = super().run_node(n)
            except RuntimeError:
                raise ValueError(f"net must have a forward of one argument, but it needs {n.target!r} too") from None
            if isinstance(value, Tensor):
                self._record(n, "input", value, [], (_Field(1, 1, 0), _Field(1, 1, 0)))
            return value
        args, kwargs = self.fetch_args_kwargs_from_env(n)
        call = _Call.of(self.submodules[n.target] if n.op == "call_module" else n.target, args, kwargs)
        try:
            shape = call.output_shape()
            value = super().run_node(n) if shape is None else torch.empty(shape, dtype=call.x.dtype, device="meta")
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            got = ", ".join(str(tuple(v.shape)) for v in _tensors((args, kwargs)) if not isinstance(v, nn.Parameter))
            reason = str(error).split("\n\nWhile executing")[0]
            raise ValueError(
                f"input of shape {self._shape} does not fit: {_path(n)} ({call.kind}) gets {got}: {reason}"
            ) from None
        # A layer that gives several tensors, such as an LSTM, is a node with the shape of the first.
        outputs = [value] if isinstance(value, Tensor) else _tensors(value) if call.module is not None else []
        if outputs:
            sources = self._sources(n)
            view = call.view([self._views[source] for source in sources], outputs[0])
            self._record(n, call.kind, outputs[0], sources, view, call)
        return value

    def _sources(self, n: fx.Node) -> list[fx.Node]:
        """The recorded nodes that n takes tensors from, through tuples of tensors, not through sizes."""
        found: list[fx.Node] = []
        for source in n.all_input_nodes:
            if source in self._recorded:
                found.append(source)
            elif isinstance(self.env.get(source), (tuple, list)) and _tensors(self.env[source]):
                found += self._sources(source)
        return list(dict.fromkeys(found))

    def _record(
        self, n: fx.Node, kind: str, out: Tensor, sources: list[fx.Node], view: _View, call: _Call | None = None
    ) -> None:
        name = unique = "input" if n.op == "placeholder" else _path(n)
        count = 1
        while unique in self._names:
            count += 1
            unique = f"{name}_{count}"
        self._names.add(unique)
        fields = view if isinstance(view, tuple) else ()
        placed = bool(fields) and all(field.jump is not None for field in fields)
        self._views[n] = view
        self._recorded[n] = Node(
            name=unique,
            kind=kind,
            inputs=tuple(self._recorded[source].name for source in sources),
            shape=tuple(out.shape),
            parameters=self._new_parameters(call) if call else 0,
            macs=out.numel() * call.macs_per_element() if call else 0,
            **(call.window._asdict() if call and call.window else {}),
            receptive_field=tuple(field.size for field in fields) if fields else view,
            jump=tuple(field.jump for field in fields) if placed else None,
        )
        self.nodes.append(self._recorded[n])

    def _new_parameters(self, call: _Call) -> int:
        used = call.module.parameters() if call.module is not None else _tensors((call.args, call.kwargs))
        new = [p for p in used if isinstance(p, nn.Parameter) and id(p) not in self._counted]
        self._counted.update(map(id, new))
        return sum(p.numel() for p in new)


def _tensors(value: Any) -> list[Tensor]:
    """All tensors in nested tuples, lists and dicts."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, (tuple, list)):
        return [tensor for item in value for tensor in _tensors(item)]
    return [value] if isinstance(value, Tensor) else []


def _meta_copy(net: nn.Module) -> nn.Module:
    """A copy of net on the meta device, in evaluation mode."""
    tensors = {}
    for name, tensor in [*net.named_parameters(), *net.named_buffers()]:
        if isinstance(tensor, (nn.UninitializedParameter, nn.UninitializedBuffer)):
            raise ValueError(f"net has lazy layers ({name} has no shape yet): run one batch through it first")
        empty = torch.empty_like(tensor, device="meta")
        tensors[id(tensor)] = nn.Parameter(empty, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else empty
    # deepcopy looks here before it copies an object, so the weights themselves are never duplicated.
    try:
        return copy.deepcopy(net, tensors).eval()
    except RuntimeError as error:  # a weight that is computed from others, as in pruning
        raise ValueError(f"net must be one that can be copied: {error}") from None


def _function(target: Any) -> str:
    name = target if isinstance(target, str) else getattr(target, "__name__", str(target))
    return name.strip("_")


def _path(n: fx.Node) -> str:
    if n.op == "call_module":
        return n.target
    callers = list(n.meta.get("nn_module_stack") or {})
    return f"{callers[-1]}.{_function(n.target)}" if callers else _function(n.target)


_ARGUMENTS = {
    "conv2d": ("input", "weight", "bias", "stride", "padding", "dilation", "groups"),
    "max_pool2d": ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode"),
    "avg_pool2d": ("input", "kernel_size", "stride", "padding", "ceil_mode"),
    "linear": ("input", "weight", "bias"),
}

# Keep every element's place, and look at nothing but that place (of one map or several).
_POINTWISE = frozenset(
    (
        *("relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "sigmoid", "logsigmoid", "tanh"),
        *("softplus", "hardtanh", "hardswish", "hardsigmoid", "softmax", "log_softmax", "dropout", "dropout2d"),
        *("batch_norm", "local_response_norm", "contiguous", "clone", "detach", "to", "float", "double", "half"),
        *("add", "iadd", "sub", "isub", "mul", "imul", "truediv", "itruediv", "div", "neg", "abs", "exp", "clamp"),
    )
)
_POINTWISE_LAYERS = tuple(
    f"torch.nn.modules.{name}"
    for name in ("activation.", "dropout.", "batchnorm.", "normalization.LocalResponseNorm", "linear.Identity")
)
_RESHAPING = frozenset(
    ("FlattenLayer", "Flatten", "Reshape", "Unflatten", "view", "reshape", "flatten", "squeeze", "unsqueeze")
)


@dataclass
class _Call:
    """One call in the graph, of a layer or a function, and what is known of it."""

    kind: str
    module: nn.Module | None
    args: tuple
    kwargs: dict[str, Any]
    settings: dict[str, Any]
    window: _Window | None

    @classmethod
    def of(cls, target: Any, args: tuple, kwargs: dict[str, Any]) -> _Call:
        if not isinstance(target, nn.Module):
            kind = _function(target)
            settings = {**dict(zip(_ARGUMENTS[kind], args)), **kwargs} if kind in _ARGUMENTS else {}
            return cls(kind, None, args, kwargs, settings, _window(kind, settings))
        kind = function = type(target).__name__
        settings = dict(vars(target))
        if isinstance(target, layers.Conv2D):
            # One input and one output channel, which its weight does not mention.
            function, settings = "conv2d", {"weight": target.weight[None, None]}
        elif isinstance(target, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d, nn.Linear)):
            known = {nn.Conv2d: "conv2d", nn.MaxPool2d: "max_pool2d", nn.AvgPool2d: "avg_pool2d", nn.Linear: "linear"}
            function = next(name for layer, name in known.items() if isinstance(target, layer))
            if hasattr(target, "weight"):
                settings["weight"] = target.weight
        settings["function"] = function
        return cls(kind, target, args, kwargs, settings, _window(function, settings))

    @property
    def function(self) -> str:
        """What it does, whether a layer or a function does it."""
        return self.settings.get("function", self.kind)

    @property
    def x(self) -> Tensor:
        """The first tensor that goes in."""
        return _tensors((self.args, self.kwargs))[0]

    @property
    def pointwise(self) -> bool:
        """Whether every output element depends on the input's elements at its own place alone."""
        if self.module is None:
            return self.kind in _POINTWISE
        path = f"{type(self.module).__module__}.{self.kind}"
        return path.startswith(_POINTWISE_LAYERS) and self.kind not in ("MultiheadAttention", "GLU")

    @property
    def dim(self) -> int:
        """The axis that torch.cat joins."""
        return self.kwargs.get("dim", self.kwargs.get("axis", self.args[1] if len(self.args) > 1 else 0))

    def macs_per_element(self) -> int:
        """Multiply-accumulate operations for one element of the output."""
        weight = self.settings.get("weight")
        return weight[0].numel() if self.function in ("conv2d", "linear") else 0

    def output_shape(self) -> tuple[int, ...] | None:
        """The output's shape where it is simple to tell; None leaves it to torch.

        Torch's own shape functions for the meta device take seconds to import when the first one is called.
        """
        inputs = _tensors((self.args, self.kwargs))
        shapes = [tuple(tensor.shape) for tensor in inputs if not isinstance(tensor, nn.Parameter)]
        if not shapes or not all(tensor.is_floating_point() for tensor in inputs):
            return None
        # Parameters that take part, as in x + self.position, may be of another shape.
        has_parameters = self.module is None and len(shapes) < len(inputs)
        if self.kind == "cat" and not has_parameters and all(len(shape) == len(shapes[0]) for shape in shapes):
            return _concatenated(shapes, self.dim % len(shapes[0]))
        if self.module is None and self.pointwise:
            return shapes[0] if not has_parameters and len(set(shapes)) == 1 else None
        if len(shapes) > 1:
            return None
        (shape,) = shapes
        weight = self.settings.get("weight")
        if self.function == "linear":
            if shape[-1] != weight.shape[1]:
                raise ValueError(f"it takes {weight.shape[1]} features")
            return *shape[:-1], weight.shape[0]
        simple = not self.settings.get("ceil_mode") and not self.settings.get("return_indices")
        if self.window and len(shape) in (2, 3, 4) and simple:
            kernel, stride, padding, dilation, groups = self.window
            if self.function != "conv2d" and any(2 * p > k for p, k in zip(padding, kernel)):
                raise ValueError("the padding of a pooling can be half its window at most")
            is_same = self.settings.get("padding") == "same"  # with an even kernel more on the far side
            size = tuple(shape[-2:]) if is_same else output_size(shape[-2:], kernel, padding, stride, dilation)
            if len(shape) == 2:
                return size if isinstance(self.module, layers.Conv2D) else None
            channels = shape[-3]
            if self.function == "conv2d":
                if channels != weight.shape[1] * groups:
                    raise ValueError(f"it takes {weight.shape[1] * groups} channels")
                channels = weight.shape[0]
            return *shape[:-3], channels, *size
        if self.kind == "GlobalAvgPool2d" and len(shape) == 4:
            return *shape[:2], 1, 1
        # These have weights, whose number must be that of the channels.
        return shape if self.pointwise and "BatchNorm" not in self.kind and self.kind != "PReLU" else None

    def view(self, views: list[_View], out: Tensor) -> _View:
        """What one element of the output sees of the network's input."""
        if not views or None in views:
            return None
        if "all" in views:
            return "all"
        x = self.x
        is_whole = self.window and tuple(x.shape[2:]) == self.window.kernel and self.window.padding == (0, 0)
        if self.function == "avg_pool2d" and is_whole:
            return "all"
        if self.window:
            return _slide(views[0], self.window)
        is_mean = self.kind == "mean" and out.shape[:2] == x.shape[:2] and out.numel() == math.prod(x.shape[:2])
        if self.kind == "GlobalAvgPool2d" or is_mean:
            return "all"
        if self.kind.lower().startswith("adaptive"):
            return _adapt(views[0], tuple(x.shape[-2:]), tuple(out.shape[-2:]))
        if self.function == "linear":
            # On (N, features) a linear layer sees all features; on more axes, only those of its own place.
            return "all" if x.ndim <= 2 else None
        if self.kind == "cat":
            return _merge(views) if out.ndim == 4 and self.dim in (1, -3) else None
        if self.kind in _RESHAPING:
            return _reshape(views[0], tuple(x.shape), tuple(out.shape))
        # A softmax may go over positions, or flattened features, and then looks at other places too.
        is_softmax = "softm" in self.kind.lower().replace("_", "")
        return _merge(views) if self.pointwise and not is_softmax else None


def _concatenated(shapes: list[tuple[int, ...]], dim: int) -> tuple[int, ...]:
    first = shapes[0]
    if any(shape[:dim] + shape[dim + 1 :] != first[:dim] + first[dim + 1 :] for shape in shapes):
        raise ValueError(f"all must agree but on axis {dim}")
    return *first[:dim], sum(shape[dim] for shape in shapes), *first[dim + 1 :]


def _window(function: str, settings: dict[str, Any]) -> _Window | None:
    if function == "conv2d":
        kernel, groups = tuple(settings["weight"].shape[-2:]), settings.get("groups", 1)
        stride = settings.get("stride", 1)
    elif function in ("max_pool2d", "avg_pool2d"):
        kernel, groups = settings["kernel_size"], None
        stride = settings.get("stride") or kernel
    else:
        return None
    kernel, stride, dilation = _two(kernel), _two(stride), _two(settings.get("dilation", 1))
    padding = settings.get("padding", 0)
    if padding == "same":
        padding = tuple(d * (k - 1) // 2 for d, k in zip(dilation, kernel))
    return _Window(kernel, stride, _two(0 if padding == "valid" else padding), dilation, groups)


def _two(value: int | tuple[int, ...] | list[int]) -> Pair:
    value = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    return value * 2 if len(value) == 1 else value


def _slide(view: tuple[_Field, _Field], window: _Window) -> _View:
    axes = []
    for (size, jump, start), *settings in zip(view, window.kernel, window.stride, window.padding, window.dilation):
        kernel, stride, padding, dilation = settings
        if jump is None:
            return None
        size, wider = grow_field(size, jump, kernel, stride, dilation)
        axes.append(_Field(size, wider, start - padding * jump))
    return tuple(axes)


def _adapt(view: tuple[_Field, _Field], before: Pair, after: Pair) -> _View:
    """An adaptive pooling to one element sees all; one that divides the map evenly is an ordinary pooling."""
    if after == (1, 1):
        return "all"
    if any(b % a for b, a in zip(before, after)):
        return None
    size = tuple(b // a for b, a in zip(before, after))
    return _slide(view, _Window(size, size, (0, 0), (1, 1), None))


def _reshape(view: tuple[_Field, _Field], before: tuple[int, ...], after: tuple[int, ...]) -> _View:
    if before == after:
        return view
    if len(before) != 4 == len(after) and all(field.size == field.jump == 1 for field in view):
        # Nothing has happened to the pixels yet: the network begins with this shape.
        return _Field(1, 1, 0), _Field(1, 1, 0)
    if len(after) == 2:
        return tuple(field._replace(jump=None) for field in view)
    return None


def _merge(views: list[_View]) -> _View:
    """Several maps joined: an element sees all that its parts see, at the same place."""
    axes = []
    for fields in zip(*views):
        if len({field.jump for field in fields}) > 1:
            return None
        start = min(field.start for field in fields)
        end = max(field.start + field.size for field in fields)
        axes.append(_Field(end - start, fields[0].jump, start))
    return tuple(axes)


def _table(trace: Trace) -> list[list[str]]:
    """Rows of cells: the head, a row a node, the totals."""
    chain = all(node.inputs == (before.name,) for before, node in zip(trace.nodes, trace.nodes[1:]))
    columns = {
        "name": lambda n: n.name,
        "kind": lambda n: n.kind,
        "from": lambda n: ", ".join(n.inputs),
        "output shape": lambda n: " x ".join(map(str, n.shape)),
        "kernel": lambda n: _times(n.kernel),
        "stride": lambda n: _times(n.stride),
        "padding": lambda n: _times(n.padding),
        "dilation": lambda n: _times(n.dilation),
        "groups": lambda n: _times(n.groups),
        "parameters": lambda n: f"{n.parameters:,}",
        "MACs": lambda n: f"{n.macs:,}",
        "receptive field": lambda n: "?" if n.receptive_field is None else _times(n.receptive_field),
        "jump": lambda n: _times(n.jump),
    }
    if chain:
        del columns["from"]
    if not any(node.groups not in (None, 1) for node in trace):
        del columns["groups"]
    if not any(node.dilation not in (None, (1, 1)) for node in trace):
        del columns["dilation"]
    totals = {"name": "total", "parameters": f"{trace.parameters:,}", "MACs": f"{trace.macs:,}"}
    rows = [[cell(node) for cell in columns.values()] for node in trace]
    return [list(columns), *rows, [totals.get(name, "") for name in columns]]


def _left(head: list[str]) -> list[bool]:
    return [name in ("name", "kind", "from", "output shape") for name in head]


def _times(value: Pair | int | str | None) -> str:
    if isinstance(value, tuple):
        return str(value[0]) if value[0] == value[1] else f"{value[0]} x {value[1]}"
    return "" if value is None else str(value)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


def _check_arguments(net: nn.Module, shape: tuple[int, ...]) -> None:
    if not isinstance(net, nn.Module):
        raise TypeError(f"net must be a torch.nn.Module, got {type(net).__name__}")
    if not isinstance(shape, (tuple, list)) or not shape or any(not isinstance(s, int) or s < 1 for s in shape):
        raise ValueError(f"shape must be a tuple of ints of at least 1, such as (1, 1, 28, 28); got {shape!r}")
