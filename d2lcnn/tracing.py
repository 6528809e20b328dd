"""What a network does to an input of a given shape, node by node, without computing it."""

from __future__ import annotations

import copy
import functools
import html
import inspect
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from d2lcnn import layers
from d2lcnn._words import described
from d2lcnn.geometry import grow_field, output_size

SCHEMA, VERSION = "d2lcnn.trace", 2

Pair = tuple[int, int]


@dataclass(frozen=True)
class Node:
    """One operation of a traced network.

    `name` is the layer's path in the network, or the path of the module that calls a function, and the function; `kind`
    the class or function; `inputs` the names of the nodes it takes. `shape` is the output's (the first's of several),
    `parameters` the weights not counted at an earlier node. `macs` are the multiply-accumulate operations on this
    input: those of convolutions (transposed ones too), linear and bilinear layers and products of two matrices. What
    has no such products (activations, pooling, normalisation, elementwise arithmetic) counts 0; None where they are not
    known, as in attention, recurrent layers and einsum. `kernel`, `stride`, `padding` (per side) and `dilation` are
    (vertical, horizontal) and, like `groups`, None but for two-dimensional convolutions and poolings. `receptive_field`
    is how many input pixels (vertically, horizontally) one output element depends on, padding counted in; "all" after a
    global average or a linear layer, which see the whole map before them; None where that is not known. `jump` is how
    many input pixels neighbouring output elements are apart, None where they have no place in the image.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    parameters: int = 0
    macs: int | None = 0
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
    def macs(self) -> int | None:
        """Multiply-accumulate operations of all nodes for the whole input; one MAC is two FLOPs.

        None where those of any node are not known; the table then shows "1,234 + ?", the sum of the others and "?".
        """
        known = [node.macs for node in self.nodes if node.macs is not None]
        return sum(known) if len(known) == len(self.nodes) else None

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
        """Read what `to_json` wrote, now or in version 1, which knows no MACs of None.

        Raises ValueError for text of another schema or version.
        """
        content = json.loads(text)
        found = (content.get("schema"), content.get("version")) if isinstance(content, dict) else None
        if found not in [(SCHEMA, version) for version in range(1, VERSION + 1)]:
            raise ValueError(f"text must be JSON of schema {SCHEMA!r}, version 1 to {VERSION}; got {described(found)}")
        return cls(tuple(Node(**{k: _tuples(v) for k, v in node.items()}) for node in content["nodes"]))

    def __getitem__(self, name: str) -> Node:
        for node in self.nodes:
            if node.name == name:
                return node
        there = ", ".join(node.name for node in self.nodes)
        raise KeyError(f"no node {described(name)}; there are {_cut(there, 180)}")

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
    second. Every layer of torch's or ours, and every call of torch's functions in another `forward`, becomes a node.
    Arguments with defaults have their defaults. DataParallel and torch.compile are looked through; hooks do not run.

    Raises TypeError for a net that is no module in Python and a shape that is no tuple; ValueError for a shape that
    does not fit, naming the layer where it fails or where the number of examples changes, for lazy layers without a
    shape, for a net that cannot be copied, and for a `forward` whose course depends on the values of tensors.
    """
    _check_arguments(net, shape)
    shape = tuple(shape)
    nodes, output = _followed(net, shape)
    if _changes_examples(net, shape, output):
        raise ValueError(_lost_examples(shape, nodes, output))
    return Trace(tuple(nodes))


def _followed(net: nn.Module, shape: tuple[int, ...]) -> tuple[list[Node], Node | None]:
    """All nodes, and the one that makes net's (first) output."""
    net, tensors = _meta_copy(net)
    _check_forward(net)
    recorder = _Recorder(net, tensors, shape)
    floats = (p.dtype for p in net.parameters() if p.is_floating_point())
    X = torch.empty(shape, device="meta", dtype=next(floats, torch.float32))
    output = recorder.run(net, X)
    return recorder.nodes, next((recorder.maker(tensor) for tensor in tensors_in(output)), None)


def _changes_examples(net: nn.Module, shape: tuple[int, ...], output: Node | None) -> bool:
    """Whether net makes more or fewer examples of those that go in.

    That axis 0 changes does not say so: it may be a picture's height, or channels. An input of more examples does.
    """
    n = shape[0]
    if len(shape) < 2 or output is None or output.shape[:1] in ((), (n,)):
        return False
    for more in (n + 1, 2 * n):
        try:
            _, other = _followed(net, (more, *shape[1:]))
        except ValueError:
            continue
        return other.shape[0] * n == output.shape[0] * more
    return False


def _lost_examples(shape: tuple[int, ...], nodes: list[Node], output: Node) -> str:
    """Where the last change of axis 0 on the way to the output is."""
    named = {node.name: node for node in nodes}
    node, before = output, [named[name] for name in output.inputs]
    while before and all(source.shape[:1] != shape[:1] for source in before):
        node, before = before[0], [named[name] for name in before[0].inputs]
    got = ", ".join(str(source.shape) for source in before)
    return _cut(
        f"input of shape {shape} does not fit: {shape[0]} examples go in and {output.shape[0]} come out; "
        f"{_where(node.name, node.kind)} makes {node.shape} of {_cut(got, 60)}"
    )


class _Field(NamedTuple):
    """Which input pixels element i of a map sees along one axis: `size` of them from i * jump + start on."""

    size: int
    jump: int | None
    start: int


# What is known of a map's elements: a _Field for each axis, "all" or "nothing" of the input, or None: not known.
_View = tuple[_Field, _Field] | Literal["all", "nothing"] | None


class _Window(NamedTuple):
    """A convolution's or pooling's window."""

    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int | None


class _Made(NamedTuple):
    """A tensor, the node that makes it (None for weights and constants), and what it sees of the input."""

    tensor: Tensor
    node: Node | None = None
    view: _View = "nothing"


class _Reading(Exception):
    """A forward reads values, and there are none."""


class _Failure(NamedTuple):
    """An error, what to say of it, and whether the code of a forward raised it."""

    error: Exception
    text: str
    in_forward: bool


class _Guard(TorchDispatchMode):
    """Notices what happens to tensors of a net outside of the calls that recorder sees."""

    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # What keeps torch.compile out of a mode takes seconds to import, and nothing here is compiled.
        return False

    def __torch_dispatch__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if any(tensor.is_meta for tensor in tensors_in((args, kwargs))):
            self._recorder.notice()
        return func(*args, **(kwargs or {}))


class _Recorder(TorchFunctionMode):
    """Makes a Node of every layer and function call that gives a tensor while net, a copy on the meta device, runs."""

    def __init__(self, net: nn.Module, tensors: list[Tensor], shape: tuple[int, ...]) -> None:
        super().__init__()
        self.nodes: list[Node] = []
        self._shape = _cut(str(shape), 60)
        # By id. The tensors are kept, so that no later one gets the same id.
        self._made = {id(tensor): _Made(tensor) for tensor in tensors}
        self._stand_ins: dict[int, tuple[Tensor, Tensor]] = {}
        self._callers = [("", "net")]
        self._in_call = False
        self._failure: _Failure | None = None
        self._unseen = ""
        self._names: dict[str, int] = {}
        self._counted: set[int] = set()
        for path, module in net.named_modules():
            module.forward = functools.partial(self._forward, module, _layer(module), path, module.forward)

    def run(self, net: nn.Module, X: Tensor) -> Any:
        """Return net(X). Raises ValueError where that fails or cannot be followed."""
        self._record("input", "input", [X], (_Field(1, 1, 0), _Field(1, 1, 0)), inputs=())
        output = failure = None
        try:
            with torch.no_grad(), self, _Guard(self):
                output = net(X)
        except Exception as error:
            failure = self._failure or _Failure(error, _cut(f"net does not run: {_reason(error)}"), True)
        if self._unseen:
            raise ValueError(
                f"net must have a forward of Python and torch's own functions, but {self._unseen} calls something "
                "that trace cannot see into, such as a scripted function"
            )
        if failure:
            # An error in the code of a forward shows where it is raised; one inside torch's layers helps nobody.
            raise ValueError(failure.text) from (failure.error if failure.in_forward else None)
        return output

    def notice(self) -> None:
        """Something happens to tensors of the net: it must be in a call."""
        if not self._in_call:
            self._unseen = self._unseen or _where(*self._callers[-1])

    def maker(self, tensor: Tensor) -> Node | None:
        """The node that makes tensor."""
        return self._made.get(id(tensor), _Made(tensor)).node

    def _forward(self, module: nn.Module, layer: type | None, path: str, forward: Callable, *args, **kwargs) -> Any:
        if self._in_call:
            return forward(*args, **kwargs)
        kind = type(module).__name__
        if layer is not None:
            return self._call(path or kind, kind, forward, module, layer, args, kwargs)
        self._callers.append((path, kind))
        try:
            return forward(*args, **kwargs)
        except Exception as error:
            raised = ": ".join(part for part in (type(error).__name__, _reason(error)) if part)
            text = f"net does not run on an input of shape {self._shape}: {_where(path, kind)} raises {raised}"
            self._fail(error, text, in_forward=True)
            raise
        finally:
            self._callers.pop()

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if self._in_call:
            return func(*args, **kwargs)
        if not any(tensor.is_meta or id(tensor) in self._made for tensor in tensors_in((args, kwargs))):
            value = func(*args, **kwargs)
            self._made |= {id(tensor): _Made(tensor) for tensor in tensors_in(value) if tensor.is_meta}
            return value
        kind, (caller, _) = _kind(func), self._callers[-1]
        return self._call(f"{caller}.{kind}" if caller else kind, kind, func, func, None, args, kwargs)

    def _call(
        self, path: str, kind: str, run: Callable, target: Any, layer: type | None, args: tuple, kwargs: dict[str, Any]
    ) -> Any:
        """Run a layer or a function, or make the tensor that it would give, and record it."""
        given = tensors_in((args, kwargs))
        self._in_call = True
        try:
            if getattr(target, "__name__", None) in _READERS:
                raise _Reading
            if any(tensor.is_meta and id(tensor) not in self._made for tensor in given):
                self._unseen = self._unseen or _where(*self._callers[-1])
            call = _Call.of(target, layer, *self._on_meta((args, kwargs)))
            changed = args[0] if call.in_place and args and isinstance(args[0], Tensor) else None
            value = call.output()
            if value is None or (changed is not None and value.shape != changed.shape):
                value = run(*call.args, **call.kwargs)
            if changed is not None and value is not None:
                value = changed
            # Several tensors, such as an LSTM's, are one node with the shape of the first.
            outputs = tensors_in(value if changed is None else changed)
            if outputs:
                sources = [self._made[id(tensor)] for tensor in given if id(tensor) in self._made]
                used = given if layer is None else target.parameters()
                self._record(
                    path,
                    kind,
                    outputs,
                    call.view([source for source in sources if source.view != "nothing"], outputs[0]),
                    inputs=tuple(dict.fromkeys(source.node.name for source in sources if source.node)),
                    parameters=self._new_parameters(used),
                    macs=call.macs(outputs[0]),
                    **(call.window._asdict() if call.window else {}),
                )
            return value
        except Exception as error:
            self._fail(error, self._refusal(error, _where(path, kind), given))
            raise
        finally:
            self._in_call = False

    def _refusal(self, error: Exception, where: str, given: list[Tensor]) -> str:
        if isinstance(error, _Reading):
            return (
                "net must have a forward that reads no values of tensors, as branches or loops that depend on them do; "
                f"{where} reads them"
            )
        if isinstance(error, NotImplementedError) or re.search(r"\bmeta\b", str(error), re.IGNORECASE):
            return f"net cannot be traced: what {where} gives has no shape that is known without computing it"
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in given if not isinstance(tensor, nn.Parameter))
        lead = "net does not run" if isinstance(error, TypeError) else f"input of shape {self._shape} does not fit"
        return f"{lead}: {where} gets {_cut(shapes, 60)}: {_reason(error)}"

    def _fail(self, error: Exception, text: str, in_forward: bool = False) -> None:
        # Of the places that an error comes through, the innermost tells most.
        if self._failure is None or self._failure.error is not error:
            self._failure = _Failure(error, _cut(text), in_forward)

    def _on_meta(self, value: Any) -> Any:
        """Nested arguments, with a tensor of the same shape for each that has values: a constant."""
        if isinstance(value, Tensor) and not value.is_meta:
            if id(value) not in self._stand_ins:
                self._stand_ins[id(value)] = value, torch.empty_like(value, device="meta")
            return self._stand_ins[id(value)][1]
        if isinstance(value, dict):
            return {key: self._on_meta(item) for key, item in value.items()}
        return type(value)(map(self._on_meta, value)) if type(value) in (tuple, list) else value

    def _record(self, path: str, kind: str, outputs: list[Tensor], view: _View, **details: Any) -> None:
        name = path
        while name in self._names:
            self._names[path] += 1
            name = f"{path}_{self._names[path]}"
        self._names[name] = 1
        fields = view if isinstance(view, tuple) else ()
        placed = bool(fields) and all(field.jump is not None for field in fields)
        node = Node(
            name=name,
            kind=kind,
            shape=tuple(outputs[0].shape),
            receptive_field=tuple(field.size for field in fields) or (view if view == "all" else None),
            jump=tuple(field.jump for field in fields) if placed else None,
            **details,
        )
        self.nodes.append(node)
        self._made |= {id(tensor): _Made(tensor, node, view) for tensor in outputs}

    def _new_parameters(self, used: Iterable[Tensor]) -> int:
        new = [p for p in used if isinstance(p, nn.Parameter) and id(p) not in self._counted]
        self._counted.update(map(id, new))
        return sum(p.numel() for p in new)


def tensors_in(value: Any) -> list[Tensor]:
    """All tensors in nested tuples, lists and dicts."""
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, (tuple, list)):
        return [tensor for item in value for tensor in tensors_in(item)]
    return [value] if isinstance(value, Tensor) else []


def _meta_copy(net: nn.Module) -> tuple[nn.Module, list[Tensor]]:
    """A copy of net on the meta device, in evaluation mode, without wrappers and hooks; and all its tensors."""
    for name, tensor in [*net.named_parameters(), *net.named_buffers()]:
        if isinstance(tensor, (nn.UninitializedParameter, nn.UninitializedBuffer)):
            raise ValueError(_cut(f"net has lazy layers ({name} has no shape yet): run one batch through it first"))
    # deepcopy looks here before it copies an object, so the weights themselves are never duplicated.
    copies: dict[int, Any] = {}
    for tensor in tensors_in([vars(module) for module in net.modules()]):
        empty = torch.empty_like(tensor, device="meta")
        copies[id(tensor)] = nn.Parameter(empty, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else empty
    tensors = list(copies.values())
    try:
        for module in reversed(list(net.modules())):
            if (inner := _inside(module)) is not None:
                copies[id(module)] = copy.deepcopy(inner, copies)
        net = copy.deepcopy(net, copies).eval()
    except Exception as error:
        raise ValueError(_cut(f"net must be one that can be copied: {_reason(error)}")) from None
    for module in net.modules():
        module._forward_pre_hooks.clear()
        module._forward_hooks.clear()
    return net, tensors


def _inside(module: nn.Module) -> nn.Module | None:
    """The module that one of DataParallel, DistributedDataParallel or torch.compile wraps."""
    if isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        return module.module
    return module._orig_mod if type(module).__name__ == "OptimizedModule" else None


def _layer(module: nn.Module) -> type | None:
    """The class, of torch's layers or of ours, whose forward is module's; None for a module to be looked into."""
    if "forward" in vars(module):
        return None
    definer = next(parent for parent in type(module).__mro__ if "forward" in vars(parent))
    is_layer = definer.__module__.startswith(("torch.nn.", "torch.ao.nn.")) or definer.__module__ == layers.__name__
    return definer if is_layer and definer not in (nn.Module, nn.Sequential) else None


def _kind(function: Callable) -> str:
    """A function's name: "add" for Tensor.add_, "T" for the property, "relu" for torch.ops.aten.relu.default."""
    name = getattr(function, "__name__", str(function))
    name = function.__self__.__name__ if name == "__get__" else name
    return name.strip("_").partition(".")[0].removesuffix("_with_indices")


def _where(path: str, kind: str) -> str:
    return f"{_cut(path, 60)} ({kind})" if path else kind


def _reason(error: Exception) -> str:
    return _cut(str(error).strip().partition("\n")[0], 110)


def _cut(text: str, length: int = 299) -> str:
    return text if len(text) <= length else f"{text[: length - 3]}..."


_CONVOLUTION = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_ARGUMENTS = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), _CONVOLUTION),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), ("input", "weight")),
    "max_pool2d": ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode"),
    "avg_pool2d": ("input", "kernel_size", "stride", "padding", "ceil_mode"),
    **dict.fromkeys(("adaptive_avg_pool2d", "adaptive_max_pool2d"), ("input", "output_size", "return_indices")),
    "linear": ("input", "weight", "bias"),
    "bilinear": ("input1", "input2", "weight", "bias"),
    "embedding": ("input", "weight"),
    **dict.fromkeys(("matmul", "mm", "bmm", "mv"), ("input",)),
    "addmm": ("input", "mat1"),
    "baddbmm": ("input", "batch1"),
}
# Layers that do what one of these functions does.
_LAYERS = {
    **{getattr(nn, f"Conv{rank}d"): f"conv{rank}d" for rank in (1, 2, 3)},
    **{getattr(nn, f"ConvTranspose{rank}d"): f"conv_transpose{rank}d" for rank in (1, 2, 3)},
    nn.MaxPool2d: "max_pool2d",
    nn.AvgPool2d: "avg_pool2d",
    nn.AdaptiveAvgPool2d: "adaptive_avg_pool2d",
    nn.AdaptiveMaxPool2d: "adaptive_max_pool2d",
    nn.Linear: "linear",
    nn.Bilinear: "bilinear",
    nn.Embedding: "embedding",
}
_ALIASES = {"concat": "cat", "concatenate": "cat"}

# Give what is in a tensor, not a tensor.
_READERS = frozenset(
    (
        *("__bool__", "__int__", "__float__", "__complex__", "__index__", "__contains__", "__array__"),
        *("item", "tolist", "numpy", "equal", "allclose", "is_nonzero"),
    )
)
_CASTS = ("float", "double", "half")
# Keep every element's place, and look at nothing but that place (of one map or several).
_ARITHMETIC = frozenset(("add", "sub", "rsub", "mul", "div", "rdiv", "true_divide", "pow", "maximum", "minimum"))
_POINTWISE = _ARITHMETIC | frozenset(
    (
        *("relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "sigmoid", "logsigmoid", "tanh"),
        *("softplus", "hardtanh", "hardswish", "hardsigmoid", "softmax", "log_softmax", "dropout", "dropout2d"),
        *("batch_norm", "local_response_norm", "contiguous", "clone", "detach", "neg", "abs", "exp", "sqrt", "clamp"),
        *("to", "cpu", "cuda", *_CASTS),
    )
)
_POINTWISE_LAYERS = tuple(
    f"torch.nn.modules.{name}"
    for name in ("activation.", "dropout.", "batchnorm.", "normalization.LocalResponseNorm", "linear.Identity")
)
_RESHAPING = frozenset(
    ("FlattenLayer", "Flatten", "Reshape", "Unflatten", "view", "reshape", "flatten", "squeeze", "unsqueeze")
)
# Without products of matrices, though several tensors go in. Of one tensor alone few functions make such products.
_FREE = frozenset(
    (
        *("cat", "stack", "hstack", "vstack", "where", "getitem", "setitem", "gather", "index_select", "masked_fill"),
        *("scatter", "scatter_add", "index_add", "copy", "expand_as", "view_as", "reshape_as", "type_as", "embedding"),
        *("layer_norm", "group_norm", "instance_norm", "rms_norm", "prelu", "grid_sample", "lerp", "addcmul"),
        *("max", "min", "eq", "ne", "lt", "le", "gt", "ge", "logical_and", "logical_or", "remainder", "floordiv"),
        "addcdiv",
    )
)
_FREE_LAYERS = tuple(
    f"torch.nn.modules.{name}."
    for name in (
        *("activation", "batchnorm", "channelshuffle", "dropout", "flatten", "fold", "instancenorm", "normalization"),
        *("padding", "pixelshuffle", "pooling", "sparse", "upsampling"),
    )
) + ("torch.nn.modules.linear.Identity",)
_COSTLY = ("linalg_", "fft_", "stft", "cov", "corrcoef", "matrix_", "inverse", "pinverse", "cholesky", "svd", "pdist")


@dataclass
class _Call:
    """One call of a layer or a function, and what is known of it."""

    function: str  # what it does, whether a layer or a function does it
    module: nn.Module | None
    path: str  # of the class whose forward the layer has
    args: tuple
    kwargs: dict[str, Any]
    settings: dict[str, Any]
    window: _Window | None
    in_place: bool

    @classmethod
    def of(cls, target: Any, layer: type | None, args: tuple, kwargs: dict[str, Any]) -> _Call:
        if layer is None:
            name = getattr(target, "__name__", "")
            in_place = name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))
            kind = _kind(target)
            function = _ALIASES.get(kind, kind)
            settings = {**dict(zip(_ARGUMENTS[function], args)), **kwargs} if function in _ARGUMENTS else {}
            window, in_place = _window(function, settings), bool(in_place or kwargs.get("inplace"))
            return cls(function, None, "", args, kwargs, settings, window, in_place)
        function = _LAYERS.get(layer, layer.__name__)
        settings = dict(vars(target))
        if layer is layers.Conv2D:
            # One input and one output channel, which its weight does not mention.
            function, settings = "conv2d", {"weight": target.weight[None, None]}
        elif function in _ARGUMENTS and hasattr(target, "weight"):
            settings["weight"] = target.weight
        path, in_place = f"{layer.__module__}.{layer.__name__}", bool(getattr(target, "inplace", False))
        return cls(function, target, path, args, kwargs, settings, _window(function, settings), in_place)

    @property
    def inputs(self) -> list[Tensor]:
        """All tensors that go in."""
        return tensors_in((self.args, self.kwargs))

    @property
    def pointwise(self) -> bool:
        """Whether every output element depends on the input's elements at its own place alone."""
        if self.module is None:
            return self.function in _POINTWISE
        return self.path.startswith(_POINTWISE_LAYERS) and self.function not in ("MultiheadAttention", "GLU")

    @property
    def is_softmax(self) -> bool:
        """Whether it may look along an axis: over channels, positions or flattened features."""
        return "softm" in self.function.lower().replace("_", "")

    @property
    def dim(self) -> int:
        """The axis that torch.cat joins."""
        return self.kwargs.get("dim", self.kwargs.get("axis", self.args[1] if len(self.args) > 1 else 0))

    def macs(self, out: Tensor) -> int | None:
        """Multiply-accumulate operations, None where they are not known."""
        weight = self.settings.get("weight")
        if self.function in ("conv1d", "conv2d", "conv3d", "bilinear"):
            return out.numel() * math.prod(weight.shape[1:])
        if self.function.startswith("conv_transpose") and weight is not None:
            return self.inputs[0].numel() * math.prod(weight.shape[1:])
        if self.function == "linear":
            return out.numel() * weight.shape[-1]
        if self.module is None and self.function in ("matmul", "mm", "bmm", "mv", "addmm", "baddbmm"):
            factor = self.settings.get(_ARGUMENTS[self.function][-1])
            return None if factor is None else out.numel() * factor.shape[-1]
        return 0 if self.is_free else None

    @property
    def is_free(self) -> bool:
        """Whether it is known to make no products of matrices."""
        if self.module is not None:
            is_ours = self.path.startswith(layers.__name__)
            return is_ours or (self.path.startswith(_FREE_LAYERS) and self.function != "MultiheadAttention")
        if self.function in _POINTWISE | _FREE:
            return True
        return len(self.inputs) == 1 and not self.function.startswith(_COSTLY)

    def output(self) -> Tensor | None:
        """A tensor of the output's shape where that is simple to tell; None leaves it to torch."""
        if self.module is None and self.function in ("to", "cpu", "cuda"):
            # Whatever the device asked for, the shape is all that there is.
            types = [v for v in (*self.args[1:], *self.kwargs.values()) if isinstance(v, torch.dtype)]
            types += [tensor.dtype for tensor in reversed(self.inputs)]
            return torch.empty(self.inputs[0].shape, dtype=types[0], device="meta")
        shape = self._shape()
        dtype = self.settings.get("weight", *self.inputs[:1]).dtype if shape is not None else None
        return None if shape is None else torch.empty(shape, dtype=dtype, device="meta")

    def _shape(self) -> tuple[int, ...] | None:
        """The output's shape, None where it is not simple to tell.

        Torch's own shape functions for the meta device take seconds to import when the first one is called.
        """
        inputs, weight = self.inputs, self.settings.get("weight")
        first = next(iter((*self.args, *self.kwargs.values())), None)
        if not inputs or "out" in self.kwargs or not (isinstance(first, Tensor) or self.function == "cat"):
            return None
        shapes = [tuple(tensor.shape) for tensor in inputs]
        shape, rank = shapes[0], len(shapes[0])
        if self.function == "embedding":  # of floats too, though it wants ints: trace knows no values
            return *shape, weight.shape[1]
        types = {tensor.dtype for tensor in (*inputs, weight) if tensor is not None}
        if len(types) > 1 or not inputs[0].is_floating_point():
            return None
        if self.function == "cat":
            fits = all(len(other) == rank for other in shapes) and -rank <= self.dim < rank
            return _concatenated(shapes, self.dim % rank) if fits else None
        if self.module is None and self.function in _ARITHMETIC:
            numbers = all(isinstance(value, (Tensor, int, float)) for value in self.args)
            return _broadcast(shapes) if numbers else None
        if self.module is not None and len(inputs) > 1:
            return None
        if self.function == "linear" and weight.ndim == 2:
            if shape[-1] != weight.shape[1]:
                raise ValueError(f"it takes {weight.shape[1]} features")
            return *shape[:-1], weight.shape[0]
        if self.window:
            return self._slid(shape)
        if self.function in ("adaptive_avg_pool2d", "adaptive_max_pool2d") and rank in (3, 4):
            sizes = zip(_two(self.settings["output_size"]), shape[-2:])
            return None if self.settings.get("return_indices") else (*shape[:-2], *(a if a else b for a, b in sizes))
        if self.function == "GlobalAvgPool2d" and rank == 4:
            return *shape[:2], 1, 1
        if isinstance(self.module, nn.BatchNorm2d):
            return shape if rank == 4 and shape[1] == self.module.num_features else None
        # Some have weights, whose number must be that of the channels; casts change more than the shape.
        careful = "BatchNorm" in self.function or self.function in ("PReLU", *_CASTS)
        return shape if self.pointwise and not careful and len(shapes) == 1 else None

    def _slid(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """The output's shape after a window."""
        kernel, stride, padding, dilation, groups = self.window
        weight = self.settings.get("weight")
        is_conv, is_picture = self.function == "conv2d", isinstance(self.module, layers.Conv2D)
        if len(shape) not in ((2,) if is_picture else (3, 4)) or (is_conv and weight.ndim != 4):
            return None
        if self.settings.get("ceil_mode") or self.settings.get("return_indices"):
            return None
        if not is_conv and any(2 * p > k for p, k in zip(padding, kernel)):
            raise ValueError("the padding of a pooling can be half its window at most")
        is_same = self.settings.get("padding") == "same"  # with an even kernel more on the far side
        size = tuple(shape[-2:]) if is_same else output_size(shape[-2:], kernel, padding, stride, dilation)
        if is_picture:
            return size
        if is_conv and shape[-3] != weight.shape[1] * groups:
            raise ValueError(f"it takes {weight.shape[1] * groups} channels")
        return *shape[:-3], weight.shape[0] if is_conv else shape[-3], *size

    def view(self, sources: list[_Made], out: Tensor) -> _View:
        """What one element of the output sees of the network's input."""
        views = [source.view for source in sources]
        if not views:
            return "nothing"
        if None in views or "all" in views:
            return None if None in views else "all"
        if self.function == "cat":
            return _merge(views) if out.ndim == 4 and self.dim in (1, -3) else None
        if self.pointwise:
            is_in_place = all(source.tensor.shape[-2:] == out.shape[-2:] for source in sources)
            return _merge(views) if is_in_place and not self.is_softmax else None
        if len(sources) > 1:
            return None
        (x, _, view), window = sources[0], self.window
        if self.function == "avg_pool2d" and tuple(x.shape[2:]) == window.kernel and window.padding == (0, 0):
            return "all"
        if window:
            return _slide(view, window)
        is_mean = self.function == "mean" and out.shape[:2] == x.shape[:2] and out.numel() == math.prod(x.shape[:2])
        if self.function == "GlobalAvgPool2d" or is_mean:
            return "all"
        if self.function in ("adaptive_avg_pool2d", "adaptive_max_pool2d"):
            return _adapt(view, tuple(x.shape[-2:]), tuple(out.shape[-2:]))
        if self.function == "linear":
            # On (N, features) a linear layer sees all features; on more axes, only those of its own place.
            return "all" if x.ndim <= 2 else None
        return _reshape(view, tuple(x.shape), tuple(out.shape)) if self.function in _RESHAPING else None


def _broadcast(shapes: list[tuple[int, ...]]) -> tuple[int, ...] | None:
    """The shape of all together, None where they do not go together."""
    rank = max(map(len, shapes))
    axes = [set(axis) - {1} for axis in zip(*((1,) * (rank - len(shape)) + shape for shape in shapes))]
    return tuple(max(axis, default=1) for axis in axes) if all(len(axis) <= 1 for axis in axes) else None


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
        "MACs": lambda n: "?" if n.macs is None else f"{n.macs:,}",
        "receptive field": lambda n: "?" if n.receptive_field is None else _times(n.receptive_field),
        "jump": lambda n: _times(n.jump),
    }
    if chain:
        del columns["from"]
    if not any(node.groups not in (None, 1) for node in trace):
        del columns["groups"]
    if not any(node.dilation not in (None, (1, 1)) for node in trace):
        del columns["dilation"]
    macs = f"{sum(node.macs or 0 for node in trace):,}" + (" + ?" if trace.macs is None else "")
    totals = {"name": "total", "parameters": f"{trace.parameters:,}", "MACs": macs}
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
        name = getattr(net, "__name__", "")
        called = f"; call it: {name}()" if name.isidentifier() else ""
        raise TypeError(_cut(f"net must be a torch.nn.Module, got {described(net)}{called}"))
    for path, module in net.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            where = f"its {path}" if path else "it"
            raise TypeError(
                _cut(f"net must be in Python, but {where} is scripted (torch.jit); trace what it came from")
            )
    if not isinstance(shape, (tuple, list)):
        raise TypeError(_cut(f"shape must be a tuple of ints, such as tuple(X.shape); got {described(shape)}"))
    if not shape or any(not isinstance(s, int) or isinstance(s, bool) or s < 1 for s in shape):
        raise ValueError(
            _cut(f"shape must be a tuple of ints of at least 1, such as (1, 1, 28, 28); got {described(shape)}")
        )


def _check_forward(net: nn.Module) -> None:
    parameters = list(inspect.signature(net.forward).parameters.values())
    taken = next((p for p in parameters if p.kind not in (p.KEYWORD_ONLY, p.VAR_KEYWORD)), None)
    if taken is None:
        raise ValueError("net must have a forward of one argument, but it takes none")
    for p in parameters:
        if p is not taken and p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            raise ValueError(f"net must have a forward of one argument, but it needs {p.name!r} too")
