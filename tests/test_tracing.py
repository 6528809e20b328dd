"""`trace`: its counts against torch's, its receptive fields against autograd, its forms, its errors."""

import json
import subprocess
import sys
import threading
import time

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.utils.flop_counter import FlopCounterMode

from d2lcnn import nets
from d2lcnn.layers import Conv2D, FlattenLayer, GlobalAvgPool2d, Reshape
from d2lcnn.tracing import VERSION, Trace, trace

FULL = {
    "lenet": (nets.lenet, (1, 1, 28, 28)),
    "alexnet": (nets.AlexNet, (1, 1, 224, 224)),
    "vgg11": (nets.vgg11, (1, 1, 224, 224)),
    "nin": (nets.nin, (1, 1, 224, 224)),
    "googlenet": (nets.googlenet, (1, 1, 96, 96)),
}
MINI = {name: (variants["mini"].build, (2, 1, 28, 28)) for name, variants in nets.NETWORKS.items()}


pytestmark = pytest.mark.usefixtures("one_thread")


class Branches(nn.Module):
    """Functional calls, a branch, a residual, groups, dilation, a rectangular window."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 4, (3, 5), stride=2, padding=(1, 2))
        self.dilated = nn.Conv2d(4, 4, 3, padding=2, dilation=2, groups=2)
        self.same = nn.Conv2d(8, 8, 3, padding="same", bias=False)
        self.weight = nn.Parameter(torch.ones(6, 8, 2, 2))
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        x = F.relu(self.stem(x))
        y = torch.cat((x, self.dilated(x)), dim=1)
        y = y + self.same(y)
        y = F.max_pool2d(y, 2)
        y = F.conv2d(y, self.weight, None, 1, padding=1)
        y = F.avg_pool2d(y, kernel_size=y.size()[2:])
        y = y.view(y.shape[0], -1)
        return self.fc(y)


def positive(net):
    """Net in float64 with averages for weights and for max pools: gradients show all that an element can see."""
    for module in list(net.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.MaxPool2d):
                setattr(module, name, nn.AvgPool2d(child.kernel_size, child.stride, child.padding))
    net = net.double()
    for parameter in net.parameters():
        parameter.data.fill_(1 / max(1, parameter[0].numel()) if parameter.ndim > 1 else 0.1)
    return net.eval()


def measured_field(net, size):
    """Height and width of the input region with a gradient from an element amid the output."""
    X = torch.full((1, 1, *size), 0.5, dtype=torch.float64, requires_grad=True)
    Y = net(X)
    Y[0, :, Y.shape[2] // 2, Y.shape[3] // 2].sum().backward()
    rows, columns = X.grad[0, 0].nonzero().T
    assert rows.min() > 0 and rows.max() < size[0] - 1, "the input must be larger than the field"
    assert columns.min() > 0 and columns.max() < size[1] - 1, "the input must be larger than the field"
    return (int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1)


@pytest.mark.parametrize("name", FULL)
def test_full_networks_agree_with_torch_and_take_less_than_a_second(name):
    build, shape = FULL[name]
    net = build()
    before = [(p, p.data_ptr(), p.device) for p in net.parameters()]
    start = time.perf_counter()
    traced = trace(net, shape)
    assert time.perf_counter() - start < 1
    assert [(p, p.data_ptr(), p.device) for p in net.parameters()] == before
    assert all(module.training for module in net.modules())
    assert traced.parameters == sum(p.numel() for p in net.parameters())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net.to("meta").eval()(torch.empty(shape, device="meta"))
    assert 2 * traced.macs == counter.get_total_flops()


def test_known_totals():
    totals = {name: trace(build(), shape) for name, (build, shape) in FULL.items()}
    assert {name: t.parameters for name, t in totals.items()} == {
        "lenet": 61_706,
        "alexnet": 46_764_746,
        "vgg11": 128_806_154,
        "nin": 1_992_166,
        "googlenet": 5_977_530,
    }
    assert {name: t.macs for name, t in totals.items()} == {
        "lenet": 416_520,
        "alexnet": 938_146_176,
        "vgg11": 7_547_232_256,
        "nin": 762_297_352,
        "googlenet": 276_066_304,
    }


@pytest.mark.parametrize("name", MINI)
def test_shapes_are_those_of_a_real_run(name):
    build, shape = MINI[name]
    net = build().eval()
    real = {}
    for path, module in net.named_modules():
        if not any(module.children()):
            module.register_forward_hook(lambda m, args, out, path=path: real.update({path: tuple(out.shape)}))
    output = net(torch.rand(shape))
    traced = trace(net, shape)
    assert {node.name: node.shape for node in traced if node.name in real} == real
    assert traced.nodes[0].name == "input" and traced.nodes[0].shape == shape
    assert traced.nodes[-1].shape == tuple(output.shape)
    assert 2 * traced.macs == flops(net, torch.rand(shape))


def flops(net, X):
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(X)
    return counter.get_total_flops()


# Narrow, for the field does not depend on the width; without the layers that see everything.
FIELDS = {
    "lenet": (lambda: nets.lenet()[1:7], 40),
    "alexnet": (lambda: nets.AlexNet(widths=(2, 2, 2, 2, 2), fc_hidden_units=2).conv, 420),
    "vgg11": (lambda: nets.vgg11(ratio=32)[:5], 400),
    "nin": (lambda: nets.nin(widths=(2, 2, 2))[:8], 460),
    "googlenet": (lambda: nn.Sequential(*nets.googlenet(width=1 / 32)[:4], nets.googlenet(width=1 / 32).b5[:2]), 800),
    "alexnet_mini": (lambda: nets.alexnet_mini().conv, 120),
    "vgg_mini": (lambda: nets.vgg_mini()[:3], 90),
    "nin_mini": (lambda: nets.nin_mini()[:8], 100),
    "googlenet_mini": (lambda: nets.googlenet_mini()[:4], 260),
}


@pytest.mark.parametrize("name", FIELDS)
def test_receptive_fields_are_those_that_autograd_measures(name):
    build, size = FIELDS[name]
    net = build()
    fields = {node.name: node.receptive_field for node in trace(net, (1, 1, size, size))}
    last = [list(fields.values())[-1], (size, size)]
    assert measured_field(positive(net), last[1]) == last[0]


def test_receptive_field_of_every_stage_of_googlenet():
    net = nets.googlenet(width=1 / 32)
    traced = trace(net, (1, 1, 96, 96))
    ends = {"b1": "b1.2", "b2": "b2.4", "b3": "b3.2", "b4": "b4.5"}
    measured, size = {}, {"b1": 60, "b2": 100, "b3": 300, "b4": 560}
    positive(net)
    for i, stage in enumerate(ends, 1):
        measured[stage] = measured_field(net[:i], (size[stage], size[stage]))
    assert measured == {stage: traced[end].receptive_field for stage, end in ends.items()}
    assert traced["b5.1.cat"].receptive_field == (715, 715)
    assert traced["b5.2"].receptive_field == traced["fc"].receptive_field == "all"


def test_functions_branches_and_windows():
    net = Branches()
    traced = trace(net, (2, 1, 32, 40))
    assert traced.parameters == sum(p.numel() for p in net.parameters())
    assert 2 * traced.macs == flops(net, torch.rand(2, 1, 32, 40))
    assert traced["stem"].kernel == (3, 5) and traced["stem"].padding == (1, 2) and traced["stem"].stride == (2, 2)
    assert traced["dilated"].groups == 2 and traced["dilated"].dilation == (2, 2)
    assert traced["same"].padding == (1, 1)
    assert traced["cat"].inputs == ("relu", "dilated") and ("dilated", "cat") in traced.edges
    assert traced["conv2d"].parameters == 6 * 8 * 2 * 2 and traced["conv2d"].kernel == (2, 2)
    assert traced["max_pool2d"].stride == (2, 2) and traced["max_pool2d"].jump == (4, 4)
    assert traced["avg_pool2d"].receptive_field == "all" and traced["avg_pool2d"].jump is None
    assert [node.shape for node in traced][-3:] == [(2, 6, 1, 1), (2, 6), (2, 3)]
    assert not {"size", "getitem", "getattr"} & {node.kind for node in traced}

    class UpToConv(Branches):
        def forward(self, x):
            x = F.relu(self.stem(x))
            y = torch.cat((x, self.dilated(x)), dim=1)
            y = y + self.same(y)
            y = F.avg_pool2d(y, 2)
            return F.conv2d(y, self.weight, None, 1, padding=1)

    size = (60, 70)
    assert measured_field(positive(UpToConv()), size) == traced["conv2d"].receptive_field


def test_branches_of_inception():
    traced = trace(nets.Inception(3, 4, (5, 6), (7, 8), 9), (1, 3, 10, 10))
    after_input = [target for source, target in traced.edges if source == "input"]
    assert after_input == ["p1_1", "p2_1", "p3_1", "p4_1"]
    assert len(traced["cat"].inputs) == 4
    assert [traced[name].receptive_field for name in ("p1_1", "p2_2", "p3_2", "p4_2", "cat")] == [
        (1, 1),
        (3, 3),
        (5, 5),
        (3, 3),
        (5, 5),
    ]


def test_a_merge_sees_the_union_of_its_parts():
    class Shifted(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(1, 1, 4), nn.Conv2d(1, 1, 2)

        def forward(self, x):
            return self.a(x) + self.b(F.max_pool2d(x, 3, 1))

    class Odd(nn.Module):
        def forward(self, x):
            return x[:, :, ::2] + F.max_pool2d(x, (2, 1))

    net = Shifted()
    # b sees rows i .. i + 3 as a does.
    assert trace(net, (1, 1, 20, 20))["add"].receptive_field == (4, 4)
    # What slicing does to places is not known, and nothing is claimed.
    assert trace(Odd(), (1, 1, 20, 20))["add"].receptive_field is None


def test_one_pixel_at_a_time():
    traced = trace(nn.Sequential(Conv2D((2, 3)), nn.ReLU(), Conv2D(2)), (6, 8))
    assert traced.macs == 5 * 6 * 6 + 4 * 5 * 4 and traced.parameters == 12
    assert traced["2"].receptive_field == (3, 4) and traced["2"].shape == (4, 5)


def test_adaptive_pools():
    whole = trace(nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(1)), (1, 1, 10, 10))
    assert whole["1"].receptive_field == "all"
    even = trace(nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveMaxPool2d(4)), (1, 1, 10, 10))
    assert even["1"].receptive_field == (4, 4) and even["1"].jump == (2, 2)
    uneven = trace(nn.Sequential(nn.Conv2d(1, 2, 3), nn.AdaptiveAvgPool2d(3)), (1, 1, 10, 10))
    assert uneven["1"].receptive_field is None
    assert trace(GlobalAvgPool2d(), (3, 2, 5, 5)).nodes[-1].shape == (3, 2, 1, 1)


def test_flattened_elements_have_no_place_and_linear_layers_see_all():
    traced = trace(nets.lenet(), (1, 784))
    assert traced["0"].receptive_field == (1, 1)
    assert traced["7"].receptive_field == (16, 16) and traced["7"].jump is None
    assert traced["8"].receptive_field == "all"


def test_a_shared_layer_counts_once():
    layer = nn.Conv2d(2, 2, 3, padding=1)
    traced = trace(nn.Sequential(nn.Sequential(layer, layer)), (1, 2, 8, 8))
    assert len(traced) == 3
    assert [node.parameters for node in traced] == [0, 38, 0]
    assert traced.macs == 2 * 8 * 8 * 2 * 2 * 9


def test_text_markdown_html():
    traced = trace(nets.lenet(), (1, 1, 28, 28))
    lines = str(traced).splitlines()
    head = "name kind output shape kernel stride padding parameters MACs receptive field jump"
    assert " ".join(lines[0].split()) == head
    assert " ".join(lines[4].split()) == "1 Conv2d 1 x 6 x 28 x 28 5 1 2 156 117,600 5 1"
    assert lines[-1].split() == ["total", "61,706", "416,520"]
    assert repr(traced) == str(traced)
    markdown = traced.to_markdown().splitlines()
    assert len(markdown) == 2 + len(traced) + 1
    # The same cells as in the text, whose columns lie two blanks or more apart.
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in markdown]
    assert cells[0][:3] == ["name", "kind", "output shape"] and cells[1] == ["---"] * 3 + ["---:"] * 7
    assert cells[4] == ["1", "Conv2d", "1 x 6 x 28 x 28", "5", "1", "2", "156", "117,600", "5", "1"]
    assert cells[-1] == ["total", *[""] * 5, "61,706", "416,520", "", ""]
    html = traced._repr_html_()
    assert html.count("<tr>") == 1 + len(traced) + 1 and "117,600" in html
    branching = str(trace(Branches(), (1, 1, 32, 32))).splitlines()[0]
    assert "from" in branching and "groups" in branching and "dilation" in branching


class Calling(nn.Module):
    """Does to its input what `function` does, with one parameter."""

    def __init__(self, function, *shape):
        super().__init__()
        self.function, self.p = function, nn.Parameter(torch.zeros(shape))

    def forward(self, x):
        return self.function(x, self.p)


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (nn.Conv2d(1, 4, 2, padding="same"), (1, 1, 28, 28)),
        (nn.Conv2d(1, 4, (4, 3), padding="same", dilation=(1, 2)), (1, 1, 9, 8)),
        (Calling(lambda x, p: torch.cat((x, x), axis=1)), (1, 2, 5, 5)),
        (Calling(lambda x, p: torch.cat((x, p), 1), 1, 3, 5, 5), (1, 2, 5, 5)),
        (Calling(lambda x, p: x * p, 8, 1, 1), (2, 1, 5, 5)),
        (nn.Sequential(nn.Conv2d(1, 8, 3), nn.GLU(1), nn.Conv2d(4, 4, 3)), (1, 1, 9, 9)),
        (Calling(lambda x, p: nn.functional.max_pool2d(x, 2, return_indices=True)[0]), (2, 3, 8, 8)),
        (nn.MaxPool2d(2, ceil_mode=True), (1, 1, 5, 5)),
    ],
)
def test_shapes_that_are_easily_got_wrong(net, shape):
    assert trace(net, shape).nodes[-1].shape == tuple(net(torch.zeros(shape)).shape)


@pytest.mark.parametrize(
    ("net", "shape", "message"),
    [
        (Calling(lambda x, p: x + p, 1, 1, 28, 28), (1, 1, 32, 32), r"add\) gets"),
        (nn.Sequential(nn.Linear(9, 84), nn.BatchNorm1d(100)), (2, 9), r"BatchNorm1d\) gets \(2, 84\)"),
        (nn.Sequential(nn.Conv2d(1, 8, 3), nn.PReLU(4)), (1, 1, 9, 9), r"PReLU\) gets \(1, 8, 7, 7\)"),
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), (784,), r"Flatten\) gets \(784,\)"),
        (nn.Bilinear(3, 3, 2), (1, 3), "it needs 'input2' too"),
        (nn.MaxPool2d(2, padding=2), (1, 1, 9, 9), "half its window"),
        (nn.Sequential(nn.LSTM(4, 5), nn.Linear(5, 2)), (7, 2, 4), r"1 \(Linear\) gets .* must be Tensor, not tuple"),
    ],
)
def test_what_torch_refuses_is_refused(net, shape, message):
    with pytest.raises(ValueError, match=message):
        trace(net, shape)


def test_a_linear_function_counts():
    traced = trace(Calling(F.linear, 3, 9), (2, 9))
    assert (traced.macs, traced.parameters) == (2 * 3 * 9, 27)


def test_layers_that_give_several_tensors_count():
    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.linear = nn.LSTM(4, 5, batch_first=True), nn.Linear(5, 2)

        def forward(self, x):
            outputs, _ = self.lstm(x)
            return self.linear(outputs)

    net = Last()
    traced = trace(net, (2, 7, 4))
    assert traced.parameters == sum(p.numel() for p in net.parameters())
    assert traced["lstm"].shape == (2, 7, 5) and traced["linear"].shape == (2, 7, 2)
    assert traced["linear"].inputs == ("lstm",) and [node.name for node in traced] == ["input", "lstm", "linear"]


def test_fields_that_are_easily_got_wrong():
    def field(*modules):
        return trace(nn.Sequential(*modules), (1, 1, 9, 9)).nodes[-1].receptive_field

    assert field(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Softmax(1)) is None
    assert field(nn.Conv2d(1, 49, 3), Calling(lambda x, p: x.mean(1, keepdim=True))) != "all"
    assert field(nn.Conv2d(1, 4, 3), nn.AvgPool2d(7)) == "all"
    assert field(nn.Conv2d(1, 9, 1), nn.Unflatten(1, (1, 9)), nn.Flatten(1, 2)) is None
    assert field(Calling(lambda x, p: x.view(1, 9, 3, 3)), nn.Conv2d(9, 1, 3)) is None
    assert field(Calling(lambda x, p: x + F.conv2d(x, p), 1, 1, 9, 9)) is None
    assert trace(nn.Sequential(nn.AdaptiveAvgPool1d(4)), (1, 2, 8)).nodes[-1].receptive_field is None
    flat = trace(nn.Sequential(nn.Flatten(), nn.Linear(81, 10)), (1, 1, 9, 9))
    assert flat["0"].jump is None


def test_html_is_escaped():
    Odd = type("A<b>", (nn.ReLU,), {"__module__": "torch.nn.modules.activation"})
    assert "A&lt;b&gt;" in trace(nn.Sequential(Odd()), (1, 1, 2, 2))._repr_html_()


def test_json_round_trip():
    traced = trace(nets.googlenet_mini(), (1, 1, 28, 28))
    text = traced.to_json()
    content = json.loads(text)
    assert content["version"] == VERSION and content["totals"] == {
        "parameters": traced.parameters,
        "macs": traced.macs,
    }
    assert [tuple(edge) for edge in content["edges"]] == list(traced.edges)
    assert Trace.from_json(text) == traced
    assert Trace.from_json(text.replace('"version": 2', '"version": 1')) == traced
    with pytest.raises(ValueError, match="version 1 to 2; got"):
        Trace.from_json(text.replace('"version": 2', '"version": 3'))
    with pytest.raises(ValueError, match="schema"):
        Trace.from_json("[]")


def test_looking_up_a_node():
    traced = trace(nets.lenet(), (1, 1, 28, 28))
    assert traced["1"].kind == "Conv2d"
    with pytest.raises(KeyError, match="no node 'conv'"):
        traced["conv"]


@pytest.mark.parametrize(
    ("net", "shape", "message"),
    [
        (nets.nin, (1, 1, 28, 28), r"3 \(MaxPool2d\) gets \(1, 256, 2, 2\)"),
        (nets.nin, (1, 3, 224, 224), r"0.0 \(Conv2d\) gets \(1, 3, 224, 224\): it takes 1 channels"),
        (nets.lenet, (1, 1, 30, 30), r"0 \(Reshape\) gets \(1, 1, 30, 30\)"),
        (nets.alexnet_mini, (1, 1, 56, 56), r"fc.0 \(Linear\) gets \(1, \d+\): it takes \d+ features"),
        (nets.lenet, (1, 1, 28.0, 28), "shape must be a tuple of ints"),
        (nets.lenet, (), "shape must be a tuple of ints"),
        (lambda: nn.LazyConv2d(3, 3), (1, 1, 28, 28), "lazy layers"),
    ],
)
def test_what_does_not_fit(net, shape, message):
    with pytest.raises(ValueError, match=message):
        trace(net(), shape)


def test_a_first_trace_imports_nothing_heavy():
    code = (
        "import sys; from torch import nn; from d2lcnn import nets; from d2lcnn.tracing import trace;"
        "before = set(sys.modules); [trace(nets.network(name, 'mini'), (1, 1, 28, 28)) for name in nets.NETWORKS];"
        "trace(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.AdaptiveAvgPool2d(1)), (1, 1, 28, 28));"
        "print({m.split('.')[0] for m in set(sys.modules) - before} & {'sympy', 'torchvision', 'matplotlib'})"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"


class Function(nn.Module):
    """Calls `function` with itself, which has some layers and tensors, and the input."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.conv, self.weight = nn.Conv2d(3, 4, 3), nn.Parameter(torch.ones(4, 3, 3, 3))
        self.register_buffer("mean", torch.ones(3, 1, 1))
        self.plain, self.calls = torch.ones(3, 1, 1), 0

    def forward(self, x):
        return self.function(self, x)


IMAGES = (2, 3, 8, 8)


# Arguments


class Choices(nn.Module):
    """Does more where its arguments have their defaults."""

    def __init__(self):
        super().__init__()
        self.narrow, self.wide = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 9, 5)

    def forward(self, x, wide=None, features=False, scale=2.0, times=2, mode="narrow", *rest, **more):
        if wide is not None or features or mode != "narrow" or rest or more:
            return self.wide(x)
        for _ in range(times):
            x = F.relu(x)
        return scale * self.narrow(x)


@pytest.mark.parametrize(("wrap", "path"), [(lambda net: net, ""), (nn.Sequential, "0.")])
def test_arguments_have_their_defaults(wrap, path):
    traced = trace(wrap(Choices()), IMAGES)
    assert [node.name for node in traced] == ["input", *(path + n for n in ("relu", "relu_2", "narrow", "mul"))]
    assert traced.nodes[-1].shape == (2, 4, 6, 6)


def test_arguments_without_defaults_are_refused():
    class Two(nn.Module):
        def forward(self, x, y):
            return x + y

    class Named(nn.Module):
        def forward(self, x, *, scale):
            return x * scale

    class None_(nn.Module):
        def forward(self):
            return torch.ones(1)

    for net, message in [(Two(), "it needs 'y' too"), (Named(), "it needs 'scale' too"), (None_(), "it takes none")]:
        with pytest.raises(ValueError, match=f"net must have a forward of one argument, but {message}"):
            trace(net, IMAGES)
    with pytest.raises(ValueError, match=r"0 \(Two\) raises TypeError: .*missing 1 required .* 'y'"):
        trace(nn.Sequential(Two()), IMAGES)


# Lone layers, layers of one's own, nets in wrappers


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(3, 4, 3), IMAGES),
        (nn.Conv2d(3, 4, 3), IMAGES[1:]),
        (nn.ConvTranspose2d(3, 4, 2, 2), IMAGES),
        (nn.BatchNorm2d(3), IMAGES),
        (nn.GroupNorm(3, 3), IMAGES),
        (nn.MaxPool2d(2), IMAGES),
        (nn.AdaptiveAvgPool2d((None, 2)), IMAGES),
        (nn.ReLU(inplace=True), IMAGES),
        (nn.Dropout(), IMAGES),
        (nn.Flatten(), IMAGES),
        (nn.Upsample(scale_factor=2), IMAGES),
        (nn.Linear(8, 2), IMAGES),
        (nn.Linear(784, 10), (784,)),
        (nn.LSTM(4, 5), (7, 2, 4)),
        (nn.Identity(), IMAGES),
        (Conv2D(3), (6, 8)),
        (GlobalAvgPool2d(), IMAGES),
        (FlattenLayer(), IMAGES),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_lone_layer_is_one_node(layer, shape):
    traced = trace(layer, shape)
    output = layer.eval()(torch.zeros(shape))
    kind = type(layer).__name__
    assert [(node.name, node.kind) for node in traced] == [("input", "input"), (kind, kind)]
    assert traced[kind].shape == tuple((output[0] if isinstance(output, tuple) else output).shape)
    assert traced.parameters == sum(p.numel() for p in layer.parameters())


def test_an_embedding_takes_numbers_though_trace_gives_none():
    assert trace(nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(28, 2)), (3, 7)).nodes[-1].shape == (3, 2)


class OwnConv(nn.Conv2d):
    pass


class OwnSequential(nn.Sequential):
    pass


class Standardised(nn.Conv2d):
    def forward(self, x):
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


class Doubled(nn.Conv2d):
    def forward(self, x):
        return 2 * super().forward(x)


def test_subclasses_of_layers():
    (_, plain), (_, own) = trace(nn.Conv2d(3, 4, 3), IMAGES), trace(OwnConv(3, 4, 3), IMAGES)
    assert own.kind == own.name == "OwnConv"
    assert vars(own) | {"kind": "Conv2d", "name": "Conv2d"} == vars(plain)
    assert trace(OwnSequential(OwnConv(3, 4, 3)), IMAGES)["0"].kernel == (3, 3)
    # A forward of its own is followed.
    standardised = trace(nn.Sequential(Standardised(3, 4, 3)), IMAGES)
    assert [node.name for node in standardised] == ["input", "0.mean", "0.sub", "0.conv2d"]
    assert [node.parameters for node in standardised] == [0, 108, 0, 4]
    doubled = trace(nn.Sequential(Doubled(3, 4, 3)), IMAGES)
    assert [node.name for node in doubled] == ["input", "0.conv2d", "0.mul"]
    for traced in (standardised, doubled):
        assert traced.macs == plain.macs and traced["0.conv2d"].receptive_field == (3, 3)


@pytest.mark.parametrize(
    "change",
    [
        lambda layer: prune.l1_unstructured(layer, "weight", 1),
        nn.utils.spectral_norm,
        parametrizations.weight_norm,
        parametrizations.spectral_norm,
    ],
)
def test_weights_computed_from_others(change):
    layer = change(nn.Conv2d(3, 4, 3))
    (_, node), macs = trace(layer, IMAGES), trace(nn.Conv2d(3, 4, 3), IMAGES).macs
    assert (node.macs, node.kernel, node.shape) == (macs, (3, 3), (2, 4, 6, 6))
    assert node.parameters == sum(p.numel() for p in layer.parameters())


def compiled(net):
    net.compile()
    return net


@pytest.mark.parametrize(
    "wrap", [nn.DataParallel, torch.compile, lambda net: nn.DataParallel(torch.compile(net)), compiled]
)
def test_wrappers_are_looked_through(wrap):
    def build(inner=lambda net: net):
        return nn.Sequential(inner(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())), nn.Flatten())

    plain = trace(build(), IMAGES)
    assert trace(wrap(build()), IMAGES) == plain
    assert trace(build(wrap), IMAGES) == plain


def test_a_net_in_distributed_data_parallel():
    distributed = torch.distributed
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
        assert trace(nn.parallel.DistributedDataParallel(net), IMAGES) == trace(net, IMAGES)
    finally:
        distributed.destroy_process_group()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_scripted_nets_and_functions_are_refused():
    scripted = torch.jit.script(nn.Conv2d(3, 4, 3))
    for net in (scripted, torch.jit.trace(nn.Conv2d(3, 4, 3), torch.zeros(IMAGES)), nn.Sequential(scripted)):
        with pytest.raises(TypeError, match=r"net must be in Python, but .* is scripted \(torch.jit\)"):
            trace(net, IMAGES)
    function = torch.jit.script(torch.nn.functional.relu6)
    for net in (Function(lambda net, x: function(x)), Function(lambda net, x: net.conv(function(x)))):
        with pytest.raises(ValueError, match="Function calls something that trace cannot see into"):
            trace(net, IMAGES)


def test_nothing_of_the_net_changes():
    def forward(net, x):
        net.calls += 1
        net.plain = net.plain + x.mean((0, 2, 3))[:, None, None]
        return net.conv(x - net.plain)

    net, seen = Function(forward), []
    net.conv.register_forward_hook(lambda module, args, output: seen.append(output))
    net.register_forward_pre_hook(lambda module, args: seen.append(args))
    plain, forwards = net.plain, [vars(module).get("forward") for module in net.modules()]
    assert trace(net, IMAGES).nodes[-1].shape == (2, 4, 6, 6)
    assert net.calls == 0 and net.plain is plain and plain.device.type == "cpu" and not seen
    assert [vars(module).get("forward") for module in net.modules()] == forwards == [None, None]
    assert len(net.conv._forward_hooks) == 1 and net.training


# Multiply-accumulates


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (nn.Conv1d(4, 6, 3, 2, 1, groups=2), (2, 4, 9)),
        (nn.Conv3d(4, 6, (1, 2, 3), padding=1, dilation=2, groups=2), (2, 4, 9, 8, 7)),
        (nn.Conv3d(1, 4, 2), (1, 5, 6, 7)),
        (nn.ConvTranspose1d(4, 6, 3, 2, groups=2), (2, 4, 9)),
        (nn.ConvTranspose2d(4, 6, (2, 3), 2, 1, groups=2), (2, 4, 5, 6)),
        (nn.ConvTranspose3d(4, 6, 2, 2), (2, 4, 3, 4, 5)),
        (nn.Linear(8, 3), (2, 5, 8)),
        (Calling(F.conv1d, 6, 4, 3), (2, 4, 9)),
        (Calling(lambda x, p: F.conv3d(x, weight=p, padding="same"), 6, 4, 3, 3, 3), (2, 4, 5, 6, 7)),
        (Calling(lambda x, p: F.conv_transpose2d(x, p, stride=2), 4, 6, 3, 2), (2, 4, 5, 6)),
        (Calling(torch.matmul, 5, 6), (2, 3, 4, 5)),
        (Calling(lambda x, p: p @ x, 3, 5), (2, 5, 4)),
        (Calling(lambda x, p: x @ x.mT, 1), (2, 5, 4)),
        (Calling(lambda x, p: torch.bmm(x, x.transpose(1, 2)), 1), (2, 5, 4)),
        (Calling(lambda x, p: torch.addmm(p, x, p), 5, 5), (5, 5)),
        (Calling(lambda x, p: torch.baddbmm(x, x, x), 1), (2, 5, 5)),
        (nn.Sequential(nn.BatchNorm2d(3), nn.PReLU(3), nn.GroupNorm(3, 3), nn.MaxPool2d(2), nn.Softmax(1)), IMAGES),
    ],
)
def test_macs_are_those_that_torch_counts(net, shape):
    traced = trace(net, shape)
    assert traced.nodes[-1].shape == tuple(net.eval()(torch.zeros(shape)).shape)
    assert 2 * traced.macs == flops(net, torch.zeros(shape))


def test_macs_of_a_bilinear_layer():
    # Torch's counter does not know it: a weight for each pair of inputs and each output.
    class Pairs(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Bilinear(4, 4, 3)

        def forward(self, x):
            return self.layer(x, F.relu(x))

    assert trace(Pairs(), (2, 4)).macs == 2 * 3 * 4 * 4
    assert trace(Calling(lambda x, p: F.bilinear(x, x, p), 3, 4, 4), (2, 4)).macs == 2 * 3 * 4 * 4


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.attention = nn.Linear(4, 4), nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x):
        x = self.embed(x)
        return self.attention(x, x, x)[0]


@pytest.mark.parametrize(
    ("net", "name"),
    [
        (Attention(), "attention"),
        (nn.GRU(4, 5), "GRU"),
        (nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), "TransformerEncoderLayer"),
        (Calling(lambda x, p: F.scaled_dot_product_attention(x, x, x), 1), "scaled_dot_product_attention"),
        (Calling(lambda x, p: torch.einsum("nij,jk->nik", x, p), 4, 3), "einsum"),
        (Calling(lambda x, p: torch.tensordot(x, p, dims=([2], [0])), 4, 3), "tensordot"),
        (Calling(lambda x, p: torch.linalg.matrix_power(x @ x.mT, 3), 1), "linalg_matrix_power"),
    ],
)
def test_macs_that_are_not_known_are_not_0(net, name):
    traced = trace(net, (2, 7, 4))
    assert traced[name].macs is None and traced.macs is None
    known = sum(node.macs for node in traced if node.name != name)
    row, (*_, total) = (
        next(line for line in str(traced).splitlines() if line.startswith(name)),
        str(traced).splitlines(),
    )
    assert "?" in row.split() and f" {known:,} + ?" in total
    assert f"{known:,} + ?" in traced.to_markdown() and f"{known:,} + ?" in traced._repr_html_()
    content = json.loads(traced.to_json())
    assert content["totals"]["macs"] is None and content["nodes"][-1]["name"] in [node.name for node in traced]
    assert Trace.from_json(traced.to_json()) == traced


# Examples


@pytest.mark.parametrize(
    ("net", "shape", "message"),
    [
        (
            nets.lenet(),
            (1, 3, 28, 28),
            r"1 examples go in and 3 come out; 0 \(Reshape\) makes \(3, 1, 28, 28\) of \(1, 3",
        ),
        (nets.lenet(), (4, 1, 14, 14), r"4 examples go in and 1 come out; 0 \(Reshape\)"),
        (Reshape(), (1, 3, 28, 28), r"Reshape \(Reshape\) makes"),
        (nn.Sequential(nn.Flatten(0), nn.ReLU()), (2, 3, 4), r"0 \(Flatten\) makes \(24,\) of \(2, 3, 4\)"),
        (Function(lambda net, x: net.conv(F.relu(x)).view(-1, 48)), IMAGES, r"view \(view\) makes \(6, 48\)"),
    ],
)
def test_examples_are_neither_made_nor_lost(net, shape, message):
    with pytest.raises(ValueError, match=message):
        trace(net, shape)


class Pooled(nn.Module):
    """Halves one picture (h, w)."""

    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool2d(2)

    def forward(self, X):
        return self.pool(X[None, None])[0, 0]


class Recurrent(nn.Module):
    """(time, N, features) to (N, classes)."""

    def __init__(self):
        super().__init__()
        self.lstm, self.linear = nn.LSTM(4, 5), nn.Linear(5, 3)

    def forward(self, x):
        return self.linear(self.lstm(x)[0][-1])


@pytest.mark.parametrize(
    ("net", "shape", "output"),
    [
        (nn.Sequential(Conv2D((2, 3)), nn.ReLU()), (6, 8), (5, 6)),
        (Pooled(), (8, 8), (4, 4)),
        (nn.Conv2d(1, 4, 3), (1, 28, 28), (4, 26, 26)),
        (Recurrent(), (7, 2, 4), (2, 3)),
        (nets.lenet(), (784,), (1, 10)),
        (Function(lambda net, x: net.conv(x.view(-1, 3, 4, 4)).view(x.shape[0], -1)), IMAGES, (2, 64)),
        (Function(lambda net, x: x.mean((2, 3)).squeeze()), (1, 3, 8, 8), (3,)),
        (Function(lambda net, x: x.sum()), IMAGES, ()),
    ],
)
def test_axis_0_may_be_something_else(net, shape, output):
    assert trace(net, shape).nodes[-1].shape == output


# Forwards of all kinds


@pytest.mark.parametrize(
    ("forward", "output"),
    [
        (lambda net, x: net.conv(x) if len(x.shape) == 4 and x.dim() == x.ndim == 4 else x, (2, 4, 6, 6)),
        (lambda net, x: sum(x * i for i in range(x.shape[1])), IMAGES),
        (lambda net, x: torch.stack([image.relu() for image in x]), IMAGES),
        (lambda net, x: x * net.mean - net.plain.to(x.device), IMAGES),
        (lambda net, x: torch.cat((x, torch.zeros(len(x), 2, 8, 8)), 1), (2, 5, 8, 8)),
        (lambda net, x: x + torch.arange(8, device=x.device), IMAGES),
        (lambda net, x: x.to("cpu").double().to(net.weight.dtype), IMAGES),
        (lambda net, x: torch.cat([part.relu() for part in x.chunk(3, 1)], axis=-3), IMAGES),
        (lambda net, x: F.avg_pool2d(x, kernel_size=x.size()[2:]), (2, 3, 1, 1)),
        (lambda net, x: F.adaptive_avg_pool2d(x, (1, None)), (2, 3, 1, 8)),
        (lambda net, x: net.conv(x) if not net.training and x.dtype == torch.float32 else x, (2, 4, 6, 6)),
        (lambda net, x: {"logits": net.conv(x)}, (2, 4, 6, 6)),
    ],
)
def test_forwards_of_all_kinds(forward, output):
    assert trace(Function(forward), IMAGES).nodes[-1].shape == output


def test_what_is_changed_in_place_comes_from_the_change():
    def forward(net, x):
        y = torch.zeros(2, 3, 8, 8)
        y[:, 0] = x[:, 0]
        F.relu(y, inplace=True)
        y += 1
        return net.conv(y)

    traced = trace(Function(forward), IMAGES)
    assert [node.name for node in traced] == ["input", "getitem", "setitem", "relu", "add", "conv"]
    assert traced.edges == tuple((a.name, b.name) for a, b in zip(traced, traced.nodes[1:]))


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda net, x: x if x.sum() > 0 else -x, r"branches or loops .*; bool \(bool\) reads them"),
        (lambda net, x: sum(x for _ in range(int(x.sum()))), r"branches or loops .*; int \(int\) reads them"),
        (lambda net, x: x * x.mean().item(), r"branches or loops .*; item \(item\) reads them"),
        (lambda net, x: x[x > 0], r"what getitem \(getitem\) gives has no shape that is known without computing it"),
        (lambda net, x: torch.unique(x), r"what unique \(unique\) gives has no shape"),
        (lambda net, x: net.conv(x, x), r"conv \(Conv2d\) gets .* takes 2 positional arguments but 3 were given"),
        (lambda net, x: net.head(x), r"Function raises AttributeError: 'Function' object has no attribute 'head'"),
        (lambda net, x: x.shape[7], r"Function raises IndexError"),
    ],
)
def test_errors_say_what_is_so(forward, message):
    with pytest.raises(ValueError, match=message) as error:
        trace(Function(forward), IMAGES)
    assert ("branches or loops" in str(error.value)) == ("branches or loops" in message)
    assert len(str(error.value)) < 300


def fails(net, x):
    raise ValueError("five channels are wanted, " * 90)


DEEP = nn.Sequential(*[nn.ReLU() for _ in range(300)])
LONG = nn.Sequential()
LONG.add_module("n" * 999, nn.Linear(2, 2))
LOCKED = nn.ReLU()
LOCKED.lock = threading.Lock()


@pytest.mark.parametrize(
    ("net", "shape", "kind", "message"),
    [
        (nets.lenet, IMAGES, TypeError, r"net must be a torch.nn.Module, got the function lenet; call it: lenet\(\)"),
        (nets.AlexNet, IMAGES, TypeError, r"got the class AlexNet; call it: AlexNet\(\)"),
        ("lenet" * 99, IMAGES, TypeError, "net must be a torch.nn.Module, got str 'lenet"),
        (DEEP, torch.zeros(99, 9), TypeError, r"shape must be .*, such as tuple\(X.shape\); got Tensor of"),
        (DEEP, "1, 1, 28, 28" * 99, TypeError, "shape must be a tuple of ints"),
        (DEEP, 28, TypeError, "shape must be a tuple of ints, .* got 28"),
        (DEEP, (True, 1), ValueError, "shape must be a tuple of ints of at least 1"),
        (DEEP, (0,) * 999, ValueError, "shape must be a tuple of ints of at least 1"),
        (nets.lenet(), (1,) * 99, ValueError, "is invalid for input of size 1"),
        (
            Function(lambda net, x: torch.cat([x] * 99 + [x[0]])),
            IMAGES,
            ValueError,
            r"cat \(cat\) gets \(2, 3, 8, 8\), ",
        ),
        (Function(fails), IMAGES, ValueError, "Function raises ValueError: five channels are wanted"),
        (LONG, (1, 3), ValueError, "it takes 2 features"),
        (LOCKED, IMAGES, ValueError, "net must be one that can be copied"),
        (nn.ModuleList(), IMAGES, ValueError, "ModuleList raises NotImplementedError"),
    ],
)
def test_messages_are_short(net, shape, kind, message):
    with pytest.raises(kind, match=message) as error:
        trace(net, shape)
    assert len(str(error.value)) < 300


def test_a_long_list_of_nodes_is_cut():
    with pytest.raises(KeyError, match="there are input, 0, 1") as error:
        trace(DEEP, (1, 2))["y" * 999]
    assert len(str(error.value)) < 300


# The eight networks of the Chinese edition's PyTorch port, each with a thing or two that is easily stumbled over


class Tower(nn.Module):
    """LeNet and AlexNet: `view` with the number of images as it comes."""

    def __init__(self, conv, fc):
        super().__init__()
        self.conv, self.fc = conv, fc

    def forward(self, img):
        feature = self.conv(img)
        return self.fc(feature.view(img.shape[0], -1))


class Flat(nn.Module):
    def forward(self, x):
        return x.view(x.shape[0], -1)


class GlobalPool(nn.Module):
    def forward(self, x):
        return F.avg_pool2d(x, kernel_size=x.size()[2:])


class HandNorm(nn.Module):
    """Batch normalisation by hand, for maps and vectors, its averages plain tensors."""

    def __init__(self, features, dims):
        super().__init__()
        shape = (1, features) if dims == 2 else (1, features, 1, 1)
        self.gamma, self.beta = nn.Parameter(torch.ones(shape)), nn.Parameter(torch.zeros(shape))
        self.moving_mean, self.moving_var = torch.zeros(shape), torch.zeros(shape)

    def forward(self, X):
        if self.moving_mean.device != X.device:
            self.moving_mean, self.moving_var = self.moving_mean.to(X.device), self.moving_var.to(X.device)
        if not self.training:
            X_hat = (X - self.moving_mean) / torch.sqrt(self.moving_var + 1e-5)
        else:
            assert len(X.shape) in (2, 4)
            axes = 0 if len(X.shape) == 2 else (0, 2, 3)
            mean = X.mean(axes, keepdim=True)
            var = ((X - mean) ** 2).mean(axes, keepdim=True)
            X_hat = (X - mean) / torch.sqrt(var + 1e-5)
            self.moving_mean, self.moving_var = 0.9 * self.moving_mean + 0.1 * mean, 0.9 * self.moving_var + 0.1 * var
        return self.gamma * X_hat + self.beta


class Branching(nn.Module):
    """An Inception block."""

    def __init__(self, in_c, c1, c2, c3, c4):
        super().__init__()
        self.p1_1 = nn.Conv2d(in_c, c1, 1)
        self.p2_1, self.p2_2 = nn.Conv2d(in_c, c2[0], 1), nn.Conv2d(c2[0], c2[1], 3, padding=1)
        self.p3_1, self.p3_2 = nn.Conv2d(in_c, c3[0], 1), nn.Conv2d(c3[0], c3[1], 5, padding=2)
        self.p4_1, self.p4_2 = nn.MaxPool2d(3, 1, 1), nn.Conv2d(in_c, c4, 1)

    def forward(self, x):
        p2, p3 = F.relu(self.p2_2(F.relu(self.p2_1(x)))), F.relu(self.p3_2(F.relu(self.p3_1(x))))
        return torch.cat((F.relu(self.p1_1(x)), p2, p3, F.relu(self.p4_2(self.p4_1(x)))), dim=1)


class Residual(nn.Module):
    def __init__(self, in_c, out_c, stride=1):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(in_c, out_c, 3, stride, 1), nn.Conv2d(out_c, out_c, 3, padding=1)
        self.conv3 = nn.Conv2d(in_c, out_c, 1, stride) if in_c != out_c else None
        self.bn1, self.bn2 = nn.BatchNorm2d(out_c), nn.BatchNorm2d(out_c)

    def forward(self, X):
        Y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(X)))))
        if self.conv3:
            X = self.conv3(X)
        return F.relu(Y + X)


class Dense(nn.Module):
    def __init__(self, convs, in_c, growth):
        super().__init__()
        self.net = nn.ModuleList([normed(in_c + i * growth, growth, 3, 1) for i in range(convs)])

    def forward(self, X):
        for block in self.net:
            X = torch.cat((X, block(X)), dim=1)
        return X


def normed(in_c, out_c, kernel, padding=0):
    return nn.Sequential(nn.BatchNorm2d(in_c), nn.ReLU(), nn.Conv2d(in_c, out_c, kernel, padding=padding))


def repeated(convs, in_c, out_c):
    layers = [
        layer for i in range(convs) for layer in (nn.Conv2d(out_c if i else in_c, out_c, 3, padding=1), nn.ReLU())
    ]
    return nn.Sequential(*layers, nn.MaxPool2d(2, 2))


def mlp(in_c, out_c, kernel, stride, padding):
    first = nn.Conv2d(in_c, out_c, kernel, stride, padding)
    return nn.Sequential(first, nn.ReLU(), *[f() for _ in "12" for f in (lambda: nn.Conv2d(out_c, out_c, 1), nn.ReLU)])


def stem():
    return nn.Conv2d(1, 64, 7, 2, 3), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)


def lenet_by_view():
    conv = (nn.Conv2d(1, 6, 5), nn.Sigmoid(), nn.MaxPool2d(2, 2), nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.MaxPool2d(2, 2))
    fc = (nn.Linear(256, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid(), nn.Linear(84, 10))
    return Tower(nn.Sequential(*conv), nn.Sequential(*fc))


def alexnet_by_view():
    first = (nn.Conv2d(1, 96, 11, 4), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(96, 256, 5, 1, 2), nn.ReLU())
    rest = [f for a, b in ((256, 384), (384, 384), (384, 256)) for f in (nn.Conv2d(a, b, 3, 1, 1), nn.ReLU())]
    conv = nn.Sequential(*first, nn.MaxPool2d(3, 2), *rest, nn.MaxPool2d(3, 2))
    hidden = (nn.Linear(6400, 512), nn.ReLU(), nn.Dropout(0.5), nn.Linear(512, 512), nn.ReLU(), nn.Dropout(0.5))
    return Tower(conv, nn.Sequential(*hidden, nn.Linear(512, 10)))


def vgg_by_name():
    net = nn.Sequential()
    for i, block in enumerate([(1, 1, 8), (1, 8, 16), (2, 16, 32), (2, 32, 64), (2, 64, 64)]):
        net.add_module(f"vgg_block_{i + 1}", repeated(*block))
    net.add_module("fc", nn.Sequential(Flat(), nn.Linear(64 * 49, 512), nn.ReLU(), nn.Dropout(), nn.Linear(512, 10)))
    return net


def nin_by_size():
    pools = [nn.MaxPool2d(3, 2) for _ in range(3)]
    blocks = [mlp(1, 96, 11, 4, 0), mlp(96, 256, 5, 1, 2), mlp(256, 384, 3, 1, 1)]
    tail = (nn.Dropout(0.5), mlp(384, 10, 3, 1, 1), GlobalPool(), Flat())
    return nn.Sequential(*[layer for pair in zip(blocks, pools) for layer in pair], *tail)


def googlenet_by_size():
    b1 = (nn.Conv2d(1, 64, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    b2 = (nn.Conv2d(64, 64, 1), nn.Conv2d(64, 192, 3, padding=1), nn.MaxPool2d(3, 2, 1))
    b3 = (Branching(192, 64, (96, 128), (16, 32), 32), Branching(256, 128, (128, 192), (32, 96), 64))
    b4 = (nn.MaxPool2d(3, 2, 1), Branching(480, 192, (96, 208), (16, 48), 64), GlobalPool())
    return nn.Sequential(nn.Sequential(*b1), nn.Sequential(*b2), nn.Sequential(*b3, *b4), Flat(), nn.Linear(512, 10))


def lenet_with_hand_norm():
    conv = [
        f for a, b in ((1, 6), (6, 16)) for f in (nn.Conv2d(a, b, 5), HandNorm(b, 4), nn.Sigmoid(), nn.MaxPool2d(2))
    ]
    fc = [f for a, b in ((256, 120), (120, 84)) for f in (nn.Linear(a, b), HandNorm(b, 2), nn.Sigmoid())]
    return nn.Sequential(*conv, Flat(), *fc, nn.Linear(84, 10))


def resnet18():
    net = nn.Sequential(*stem())
    for i, (a, b) in enumerate([(64, 64), (64, 128), (128, 256), (256, 512)]):
        net.add_module(f"resnet_block{i + 1}", nn.Sequential(Residual(a, b, 1 if a == b else 2), Residual(b, b)))
    net.add_module("global_avg_pool", GlobalPool())
    net.add_module("fc", nn.Sequential(Flat(), nn.Linear(512, 10)))
    return net


def densenet():
    net, channels = nn.Sequential(*stem()), 64
    for i in range(4):
        net.add_module(f"dense_block_{i}", Dense(4, channels, 32))
        channels += 4 * 32
        if i < 3:
            net.add_module(f"transition_{i}", normed(channels, channels // 2, 1).append(nn.AvgPool2d(2, 2)))
            channels //= 2
    last = (nn.BatchNorm2d(channels), nn.ReLU(), GlobalPool(), Flat(), nn.Linear(channels, 10))
    return net.append(nn.Sequential(*last))


TUTORIAL = {
    "lenet": (lenet_by_view, 28, 44_426),
    "alexnet": (alexnet_by_view, 224, None),
    "vgg": (vgg_by_name, 224, None),
    "nin": (nin_by_size, 224, None),
    "googlenet": (googlenet_by_size, 96, None),
    "batch norm": (lenet_with_hand_norm, 28, 44_426 + 2 * (6 + 16 + 120 + 84)),
    "resnet": (resnet18, 224, 11_178_378),
    "densenet": (densenet, 96, None),
}


@pytest.mark.parametrize("name", TUTORIAL)
def test_tutorial_networks(name):
    build, size, parameters = TUTORIAL[name]
    net, shape = build(), (2, 1, size, size)
    traced = trace(net, shape)
    assert all(p.device.type == "cpu" for p in net.parameters())
    assert traced.nodes[-1].shape == (2, 10)
    assert traced.parameters == sum(p.numel() for p in net.parameters())
    assert parameters in (None, traced.parameters)
    shapes = {}
    for path, module in net.named_modules():
        module.register_forward_hook(lambda m, args, out, path=path: shapes.update({path: tuple(out.shape)}))
    assert 2 * traced.macs == flops(net.to("meta").eval(), torch.empty(shape, device="meta"))
    assert all(node.shape == shapes[node.name] for node in traced if node.name in shapes)
    assert len(shapes) > 9
