"""`trace`: its counts against torch's, its receptive fields against autograd, its forms, its errors."""

import json
import subprocess
import sys
import time

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import prune
from torch.utils.flop_counter import FlopCounterMode

from d2lcnn import nets
from d2lcnn.layers import Conv2D, GlobalAvgPool2d
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
        (Calling(lambda x, p: sum(x for _ in range(x.shape[1]))), (1, 2, 3, 3), "without branches or loops"),
        (nn.Bilinear(3, 3, 2), (1, 3), "it needs 'input2' too"),
        (nn.MaxPool2d(2, padding=2), (1, 1, 9, 9), "half its window"),
        (prune.l1_unstructured(nn.Linear(9, 3), "weight", 1), (1, 9), "net must be one that can be copied"),
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
    assert traced["getitem"].inputs == ("lstm",)


def test_fields_that_are_easily_got_wrong():
    def field(*modules):
        return trace(nn.Sequential(*modules), (1, 1, 9, 9)).nodes[-1].receptive_field

    assert field(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Softmax(1)) is None
    assert field(nn.Conv2d(1, 49, 3), Calling(lambda x, p: x.mean(1, keepdim=True))) != "all"
    assert field(nn.Conv2d(1, 4, 3), nn.AvgPool2d(7)) == "all"
    assert field(nn.Conv2d(1, 9, 1), nn.Unflatten(1, (1, 9)), nn.Flatten(1, 2)) is None
    assert field(Calling(lambda x, p: x.view(1, 9, 3, 3)), nn.Conv2d(9, 1, 3)) is None
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
    with pytest.raises(ValueError, match="version 1; got"):
        Trace.from_json(text.replace('"version": 1', '"version": 2'))
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


def test_nets_that_cannot_be_traced():
    class Choosy(nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(ValueError, match="branches or loops"):
        trace(Choosy(), (1, 1, 4, 4))
    with pytest.raises(TypeError, match="net must be"):
        trace(nets.lenet, (1, 1, 28, 28))


def test_a_first_trace_imports_nothing_heavy():
    code = (
        "import sys; from d2lcnn import nets; from d2lcnn.tracing import trace; before = set(sys.modules);"
        "[trace(nets.network(name, 'mini'), (1, 1, 28, 28)) for name in nets.NETWORKS];"
        "print({m.split('.')[0] for m in set(sys.modules) - before} & {'sympy', 'torchvision', 'matplotlib'})"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "set()\n"
