"""What the figures show is what the tensors hold."""

import io
import json
import subprocess
import sys
from functools import lru_cache
from itertools import combinations

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
import torch
import torch.nn.functional as F
from matplotlib.patches import Rectangle
from torch import nn

import d2lcnn
from d2lcnn import figures, nets
from d2lcnn.history import History

X, K = torch.arange(9.0).reshape(3, 3), torch.arange(4.0).reshape(2, 2)


@pytest.fixture
def shown(monkeypatch):
    """The figures that plt.show was called for; closed afterwards."""
    mpl.use("agg")
    found = []
    monkeypatch.setattr(plt, "show", lambda: found.append(plt.gcf()))
    yield found
    plt.close("all")


def labels(figure) -> list:
    return [text for ax in figure.axes for text in ax.texts if text.get_text()]


def texts(figure) -> list[str]:
    return [text.get_text() for text in labels(figure)]


def extents(figure) -> list:
    return [text.get_window_extent() for text in labels(figure)]


def check_legible(figure) -> None:
    figure.canvas.draw()
    assert figure.get_size_inches()[0] <= 7.2
    assert min(text.get_fontsize() for text in labels(figure)) >= 7.5
    found = extents(figure)
    for box in found:
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1
    assert not any(one.overlaps(other) for one, other in combinations(found, 2))


def numbers(tensor) -> list[str]:
    return [f"{value:.3g}".replace("-", "−") for value in tensor.flatten().tolist()]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("draw", "holds"),
    [
        (lambda: figures.show_correlation(X, K), [X, K, torch.tensor([[19.0, 25], [37, 43]])]),
        (lambda: figures.show_correlation(X, K - 2, padding=1, stride=(3, 2), at=(1, 1)), [X, K - 2]),
        (lambda: figures.show_pooling(X, 2, stride=1), [X, torch.tensor([[4.0, 5], [7, 8]])]),
        (lambda: figures.show_pooling(X, 2, mode="avg", stride=1), [X, torch.tensor([[2.0, 3], [5, 6]])]),
        (
            lambda: figures.show_channels(torch.stack([X, X + 1]), torch.stack([K, K + 1])),
            [torch.tensor([56.0, 72, 104, 120])],
        ),
        (lambda: figures.show_im2col(X, K), [X, K, torch.tensor([0.0, 1, 3, 4])]),
    ],
)
def test_grids_hold_the_numbers(shown, draw, holds):
    draw()
    found = texts(shown[0])
    for tensor in holds:
        for number in numbers(tensor):
            assert number in found


def test_numbers_stand_in_their_cells(shown):
    _, ax = plt.subplots()
    figures.draw_grid(ax, torch.arange(6.0).reshape(2, 3), origin=(4, 1))
    found = {tuple(map(int, text.get_position())): text.get_text() for text in ax.texts}
    assert found == {(4 + c, 1 + r): str(3 * r + c) for r in range(2) for c in range(3)}


def test_im2col_has_a_column_for_each_window(shown):
    X = torch.arange(12.0).reshape(3, 4)
    figures.show_im2col(X, K)
    found = texts(shown[0])
    after = {sign: found[found.index(sign) + 1 :] for sign in "×="}
    assert after["×"][:24] == numbers(F.unfold(X[None, None], 2)[0])
    assert after["="][:6] == numbers(F.conv2d(X[None, None], K[None, None]))


def test_the_equation_below_a_window_is_right(shown):
    figures.show_correlation(X, K, at=(1, 0))
    assert "3×0 + 4×1 + 6×2 + 7×3 = 37" in texts(shown[0])
    figures.show_correlation(X, -K, at=(0, 0))
    assert "0×0 + 1×(−1) + 3×(−2) + 4×(−3) = −19" in texts(shown[1])


def test_the_window_and_the_padding_are_marked(shown):
    figures.show_correlation(X, K, padding=1, stride=(3, 2), at=(0, 1))
    cells = [patch for patch in shown[0].axes[0].patches if isinstance(patch, Rectangle)]
    padded = cells[:25]
    strong = {patch.get_xy() for patch in padded if patch.get_facecolor()[3] > 0.5}
    assert strong == {(2, 0), (3, 0), (2, 1), (3, 1)}
    assert sum(patch.get_linestyle() == "--" for patch in padded) == 25 - 9
    # After the 25 elements of X and the 4 of K: those of Y.
    assert [patch.get_facecolor()[3] > 0.5 for patch in cells[29:]] == [False, True, False, False]


@pytest.mark.parametrize("at", [(2, 0), (0, -1)])
def test_an_element_outside_the_output_is_refused(at):
    with pytest.raises(ValueError, match=r"at must be an index into the output \(2, 2\); got"):
        figures.show_correlation(X, K, at=at)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64, torch.float32])
def test_pooling_takes_integers_with_padding(shown, dtype):
    figures.show_pooling(torch.tensor([[1, 2], [3, 9]], dtype=dtype), 2, padding=1, stride=1, at=(2, 2))
    found = texts(shown[0])
    assert found[:16] == [*["−∞"] * 5, "1", "2", "−∞", "−∞", "3", "9", *["−∞"] * 5]
    assert [text for text in found[16:] if text.isdigit()] == ["1", "2", "2", "3", "9", "9", "3", "9", "9"]


@pytest.mark.parametrize(
    ("x", "k", "message"),
    [
        ((2, 3, 3), (3, 2, 2), r"channels; got X \(2, 3, 3\) with 2 and K \(3, 2, 2\) with 3"),
        ((3, 3), (2, 2), r"X must be a tensor with 3 axes, none of length 0; got shape \(3, 3\)"),
    ],
)
def test_channels_that_do_not_match_are_refused(x, k, message):
    with pytest.raises(ValueError, match=message):
        figures.show_channels(torch.ones(x), torch.ones(k))


@pytest.mark.filterwarnings("error")
def test_receptive_fields_are_labelled(shown):
    figures.show_receptive_field([2, 2])
    figures.show_receptive_field([3, 5, 1])
    assert [text.split("\n")[-1] for text in texts(shown[0])] == ["3 × 3", "2 × 2", "1 × 1"]
    assert [text.split("\n")[-1] for text in texts(shown[1])] == ["7 × 7", "5 × 5", "1 × 1", "1 × 1"]


@pytest.mark.filterwarnings("error")
def test_images(shown):
    grey, colour = torch.rand(5, 1, 8, 8), torch.randint(0, 256, (3, 6, 4), dtype=torch.uint8)
    figures.show_images(grey, list("abcde"), columns=3)
    figures.show_images([grey[0], colour, torch.randn(4, 4)], signed=True)
    _, photo, other = (axes.images[0] for axes in shown[1].axes[:3])
    assert torch.equal(torch.as_tensor(photo.get_array().data), colour.permute(1, 2, 0))
    low, high = other.get_clim()
    assert low == -high < 0
    drawn = [ax for ax in shown[0].axes if ax.images]
    assert [ax.get_title() for ax in drawn] == list("abcde")
    for ax, picture in zip(drawn, grey):
        assert torch.equal(torch.as_tensor(ax.images[0].get_array().data), picture[0])
    maps = [ax.images[0].get_cmap().name for ax in shown[1].axes]
    assert maps[0] != "RdBu_r" and maps[2] == "RdBu_r"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.rand(2, 2, 8, 8),), r"each image must be .* got \(2, 8, 8\)"),
        (([],), "at least one picture"),
        ((torch.rand(2, 8, 8), ["one"]), "titles must be as many as images, 2; got 1"),
    ],
)
def test_images_that_cannot_be_shown(arguments, message):
    with pytest.raises(ValueError, match=message):
        figures.show_images(*arguments)


@pytest.mark.filterwarnings("error")
def test_layers_name_every_shape(shown):
    figures.show_layers(d2lcnn.lenet(), torch.zeros(1, 1, 28, 28))
    assert [text.split("\n") for text in texts(shown[0])] == [
        ["input", "1 @ 28×28"],
        ["Conv2d", "6 @ 28×28"],
        ["AvgPool2d", "6 @ 14×14"],
        ["Conv2d", "16 @ 10×10"],
        ["AvgPool2d", "16 @ 5×5"],
        ["Flatten", "400"],
        ["Linear", "120"],
        ["Linear", "84"],
        ["Linear", "10"],
    ]
    figures.show_layers(nn.Sequential(nn.Conv2d(1, 6, 5)), torch.zeros(1, 1, 28, 28))
    assert texts(shown[1]) == ["input\n1 @ 28×28", "Conv2d\n6 @ 24×24"]
    figures.show_layers(nn.Sequential(nn.Linear(4, 2)), torch.zeros(1, 4))
    assert texts(shown[2]) == ["input\n4", "Linear\n2"]


NETWORKS = {
    "lenet": (d2lcnn.lenet, 28),
    "alexnet": (d2lcnn.AlexNet, 224),
    "alexnet mini": (nets.alexnet_mini, 28),
    "vgg": (nets.vgg11, 224),
    "vgg mini": (nets.vgg_mini, 28),
    "nin": (d2lcnn.nin, 224),
    "nin mini": (nets.nin_mini, 28),
    "googlenet": (d2lcnn.googlenet, 96),
    "googlenet mini": (nets.googlenet_mini, 28),
}


@pytest.fixture(scope="module")
def network():
    """One network of each name, built once: the largest take a second."""
    return lru_cache(lambda name: NETWORKS[name][0]())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("name", NETWORKS)
def test_layers_of_every_network_are_legible(shown, network, name, depth):
    net, side = network(name), NETWORKS[name][1]
    figures.show_layers(net, torch.zeros(1, 1, side, side), depth)
    check_legible(shown[0])
    shapes = {node.shape for node in d2lcnn.trace(net, (1, 1, side, side))}
    sizes = {f"{s[1]:,} @ {s[2]}×{s[3]}" if len(s) == 4 else f"{s[1]:,}" for s in shapes}
    assert {text.split("\n")[1] for text in texts(shown[0])} <= sizes
    patches = [patch.get_window_extent() for patch in shown[0].axes[0].patches]
    assert all(shown[0].bbox.x0 <= box.x0 and box.x1 <= shown[0].bbox.x1 for box in patches)
    found = extents(shown[0])
    assert not any(box.overlaps(text) for box in patches for text in found)


@pytest.mark.parametrize(
    ("name", "depth", "expected"),
    [
        ("alexnet", 1, "input 1 @ 224×224, conv 256 @ 5×5, flatten 6,400, fc 10"),
        (
            "alexnet",
            2,
            "input 1 @ 224×224, Conv2d 96 @ 54×54, MaxPool2d 96 @ 26×26, Conv2d 256 @ 26×26, MaxPool2d 256 @ 12×12, "
            "Conv2d 384 @ 12×12, Conv2d 384 @ 12×12, Conv2d 256 @ 12×12, MaxPool2d 256 @ 5×5, flatten 6,400, "
            "Linear 4,096, Linear 4,096, Linear 10",
        ),
        (
            "vgg",
            1,
            "input 1 @ 224×224, vgg_block_1 64 @ 112×112, vgg_block_2 128 @ 56×56, vgg_block_3 256 @ 28×28, "
            "vgg_block_4 512 @ 14×14, vgg_block_5 512 @ 7×7, fc 10",
        ),
        (
            "nin",
            1,
            "input 1 @ 224×224, block 1 96 @ 54×54, MaxPool2d 96 @ 26×26, block 2 256 @ 26×26, MaxPool2d 256 @ 12×12, "
            "block 3 384 @ 12×12, MaxPool2d 384 @ 5×5, block 4 10 @ 5×5, GlobalAvgPool2d 10 @ 1×1, Flatten 10",
        ),
        (
            "googlenet",
            1,
            "input 1 @ 96×96, b1 64 @ 24×24, b2 192 @ 12×12, b3 480 @ 6×6, b4 832 @ 3×3, b5 1,024 @ 1×1, "
            "Flatten 1,024, Linear 10",
        ),
    ],
)
def test_layers_and_blocks_are_named(shown, network, name, depth, expected):
    side = NETWORKS[name][1]
    figures.show_layers(network(name), torch.zeros(1, 1, side, side), depth)
    assert ", ".join(texts(shown[0])).replace("\n", " ") == expected


def test_layers_have_the_colours_of_their_kind(shown, network):
    figures.show_layers(network("vgg mini"), torch.zeros(1, 1, 28, 28), depth=2)
    colours = [mpl.colors.to_hex(patch.get_facecolor()) for patch in shown[0].axes[0].patches]
    assert colours[0] == figures.grids.INPUT
    assert set(colours[1:]) == {figures.grids.KERNEL, figures.grids.OUTPUT, "#8b5fbf"}


def test_layers_leave_the_network_as_it_was(shown):
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(inplace=True), nn.Dropout(), nn.MaxPool2d(2))
    net[3].eval()
    modes = [module.training for module in net.modules()]
    state = {name: value.clone() for name, value in net.state_dict().items()}
    figures.show_layers(net, torch.rand(3, 1, 8, 6))
    assert texts(shown[0])[1:] == ["Conv2d\n2 @ 6×4", "BatchNorm2d\n2 @ 6×4", "MaxPool2d\n2 @ 3×2"]
    assert [module.training for module in net.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in net.state_dict().items())
    assert not any(module._forward_hooks for module in net.modules())


class Functional(nn.Module):
    """Pools and flattens by functions, and registers its layers in another order than they run."""

    def __init__(self, several=False):
        super().__init__()
        self.last, self.first = nn.Linear(8, 3), nn.ModuleList([nn.Conv2d(1, 2, 3)])
        self.several = several

    def forward(self, x):
        x = self.last(F.max_pool2d(self.first[0](x), 2).flatten(1))[:, :2]
        return (x, x) if self.several else x


def test_what_is_no_layer_is_drawn_where_it_changes_the_shape(shown):
    figures.show_layers(Functional(), torch.zeros(1, 1, 6, 6))
    assert texts(shown[0]) == ["input\n1 @ 6×6", "Conv2d\n2 @ 4×4", "flatten\n8", "Linear\n3", "function\n2"]


@pytest.mark.parametrize(
    ("net", "shape", "depth", "message"),
    [
        (nn.Linear(2, 2), (1, 2), 1, "net must be a module that holds layers; got Linear"),
        (X, (1, 2), 1, "net must be a module that holds layers; got Tensor"),
        (nn.Sequential(nn.ReLU()), (1, 2), 0, "depth must be an int of at least 1; got 0"),
        (
            d2lcnn.Inception(4, 1, (1, 1), (1, 1), 1),
            (1, 4, 6, 6),
            1,
            "at depth 1 must run one after another; p2_1 takes",
        ),
        (d2lcnn.googlenet(width=1 / 16), (1, 1, 32, 32), 3, "at depth 3 must run one after another; b3.0.p2_1 takes"),
        (nn.Sequential(nn.LSTM(2, 2)), (1, 2), 1, "layers must take one tensor and give one; 0 does not"),
        (Functional(several=True), (1, 1, 6, 6), 1, "net must give one tensor; got tuple"),
        (nn.Sequential(nn.Unflatten(1, (2, 2))), (1, 4), 1, r"only maps .* can be drawn; Unflatten is \(1, 2, 2\)"),
        (nn.Sequential(nn.ReLU()), (3, 4, 4), 1, r"only maps .* can be drawn; input is \(3, 4, 4\)"),
        (nn.Sequential(nn.Linear(2, 2)), (1, 3), 1, r"X of shape \(1, 3\) does not fit net: mat1 and mat2"),
    ],
)
def test_layers_that_cannot_be_drawn(net, shape, depth, message):
    with pytest.raises(ValueError, match=message):
        figures.show_layers(net, torch.zeros(shape), depth)


def test_layers_take_a_tensor():
    with pytest.raises(ValueError, match="X must be a tensor; got tuple"):
        figures.show_layers(d2lcnn.lenet(), (1, 1, 28, 28))


class Joined(nn.Module):
    """Branches joined by a function of their own."""

    def __init__(self, join):
        super().__init__()
        self.a, self.b, self.join = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 1), join

    def forward(self, x):
        return self.join(x, self.a, self.b)


def arrows(figure):
    return [
        (text.xyann, text.xy)
        for ax in figure.axes
        for text in ax.texts
        if getattr(text, "arrowprops", None) is not None
    ]


GRAPHS = {
    "inception": (d2lcnn.Inception(192, 64, (96, 128), (16, 32), 32), (1, 192, 28, 28), 9),
    "stage": (d2lcnn.googlenet().b3, (1, 192, 12, 12), 18),
    "nin block": (d2lcnn.nin_block(1, 96, 11, 4, 0), (1, 1, 224, 224), 4),
    "vgg block": (d2lcnn.vgg_block(2, 128, 256), (1, 128, 56, 56), 4),
    "lenet": (d2lcnn.lenet(), (1, 1, 28, 28), 10),
    "skip": (Joined(lambda x, a, b: F.relu(x + b(F.relu(a(x))))), (1, 2, 5, 5), 4),
    "dense": (Joined(lambda x, a, b: torch.cat([torch.cat([x, a(x)], 1), b(x)], 1)), (1, 2, 5, 5), 5),
    "wide": (Joined(lambda x, a, b: torch.cat([a(x), b(x)], -1)), (1, 2, 5, 5), 4),
    "fork": (Joined(lambda x, a, b: (a(x), b(a(x)), b(a(x)))), (1, 2, 5, 5), 6),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_cross_nothing(shown, name):
    net, shape, count = GRAPHS[name]
    figures.show_graph(net, shape)
    check_legible(shown[0])
    boxes = shown[0].axes[0].patches
    assert len(boxes) == len(texts(shown[0])) == count
    areas = [box.get_window_extent() for box in boxes]
    assert not any(one.overlaps(other) for one, other in combinations(areas, 2))
    for text in extents(shown[0]):
        assert any(b.x0 <= text.x0 and text.x1 <= b.x1 and b.y0 <= text.y0 and text.y1 <= b.y1 for b in areas)
    for (x, start), (x_too, end) in arrows(shown[0]):
        assert x == x_too and start < end
        for box in boxes:
            inside = box.get_x() < x < box.get_x() + box.get_width()
            assert not (inside and start < box.get_y() + box.get_height() / 2 < end)


def test_a_graph_tells_kernels_channels_and_activations(shown):
    figures.show_graph(*GRAPHS["inception"][:2])
    found = texts(shown[0])
    assert found == [
        "input\n192 @ 28×28",
        "Conv2d 1×1 + ReLU\n64 @ 28×28",
        "Conv2d 1×1 + ReLU\n96 @ 28×28",
        "Conv2d 3×3 + ReLU\npadding 1\n128 @ 28×28",
        "Conv2d 1×1 + ReLU\n16 @ 28×28",
        "Conv2d 5×5 + ReLU\npadding 2\n32 @ 28×28",
        "MaxPool2d 3×3\npadding 1\n192 @ 28×28",
        "Conv2d 1×1 + ReLU\n32 @ 28×28",
        "cat\n64 + 128 + 32 + 32\n256 @ 28×28",
    ]
    assert len(arrows(shown[0])) == 11
    figures.show_graph(nn.Sequential(nn.Conv2d(2, 4, (3, 1), (2, 1), dilation=2, groups=2), nn.Tanh()), (1, 2, 9, 9))
    assert texts(shown[1])[1] == "Conv2d 3×1 + Tanh\nstride 2×1, dilation 2, groups 2\n4 @ 3×9"
    figures.show_graph(*GRAPHS["wide"][:2])
    assert texts(shown[-1])[-1] == "cat\n2 @ 5×10"
    figures.show_graph(nn.Sequential(nn.ReLU(), nn.Sigmoid(), nn.ReLU(), nn.Linear(3, 2)), (1, 3))
    assert texts(shown[-1]) == ["input\n3", "ReLU + Sigmoid\n3", "ReLU\n3", "Linear\n2"]


def test_graphs_that_cannot_be_drawn():
    def criss_cross(x, a, b):
        y, z = a(x), b(x)
        return y + z, torch.cat([x, y], 1), x + z

    with pytest.raises(ValueError, match="branches of net must not cross"):
        figures.show_graph(Joined(criss_cross), (1, 2, 5, 5))
    with pytest.raises(ValueError, match=r"0 \(Conv2d\) gets \(1, 1, 2, 2\)"):
        figures.show_graph(nn.Sequential(nn.Conv2d(1, 1, 3)), (1, 1, 2, 2))


@pytest.mark.filterwarnings("error")
def test_confusion_counts(shown):
    counts = torch.tensor([[5, 1], [0, 7]])
    figures.show_confusion(counts, ["a", "b"])
    assert texts(shown[0]) == ["5", "1", "7"]
    with pytest.raises(ValueError, match=r"\(3, 3\) for 3 classes; got \(2, 2\)"):
        figures.show_confusion(counts, list("abc"))


@pytest.mark.filterwarnings("error")
def test_a_history_is_plotted_as_it_is(shown):
    rows = [{"epoch": n, "loss": 1 / n, "accuracy": n / 4, "val_loss": None, "val_accuracy": None} for n in (1, 2, 3)]
    History(rows, {}).plot()
    rows = [row | {"val_loss": 2 / row["epoch"], "val_accuracy": 0.1} for row in rows]
    History(rows, {}).plot()
    for figure, lines in zip(shown, (1, 2)):
        assert [len(ax.lines) for ax in figure.axes] == [lines, lines]
    assert shown[1].axes[0].lines[0].get_ydata().tolist() == [1, 1 / 2, 1 / 3]
    assert shown[1].axes[0].lines[1].get_ydata().tolist() == [2, 1, 2 / 3]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("epochs", [1, 2, 3, 10, 40])
def test_epochs_are_whole_numbers(shown, epochs):
    figures.plot_history(History([{"epoch": n + 1, "loss": 1.0, "accuracy": 0.5} for n in range(epochs)], {}))
    figures.plot_records([record(accuracies=[0.5] * epochs)])
    for ax in (*shown[0].axes, *shown[1].axes):
        low, high = ax.get_xlim()
        ticks = [tick for tick in ax.get_xticks() if low <= tick <= high]
        assert ticks and all(tick == round(tick) for tick in ticks)


def record(network="lenet", variant="mini", seed=0, accuracies=(0.5, 0.7), **recipe):
    curve = [{"epoch": n, "val_accuracy": accuracy} for n, accuracy in enumerate(accuracies, 1)]
    return {"network": network, "variant": variant, "seed": seed, "recipe": {"lr": 0.1} | recipe, "curve": curve}


@pytest.mark.filterwarnings("error")
def test_records_are_averaged_over_their_seeds(shown):
    runs = [record(seed=0), record(seed=1, accuracies=(0.7, 0.9)), record("nin", accuracies=(0.1, 0.2, 0.3))]
    before = json.dumps(runs)
    figures.plot_records(iter(runs))
    ax = shown[0].axes[0]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["lenet mini (2 runs)", "nin mini (1 run)"]
    assert ax.lines[0].get_ydata() == pytest.approx([0.6, 0.8])
    assert ax.lines[1].get_xdata().tolist() == [1, 2, 3]
    (band,) = ax.collections
    corners = band.get_paths()[0].vertices
    spread = 0.02**0.5
    assert {(x, round(y, 6)) for x, y in corners} == {
        (n, round(m + s, 6)) for n, m in ((1, 0.6), (2, 0.8)) for s in (spread, -spread)
    }
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "validation accuracy")
    assert json.dumps(runs) == before


def test_records_of_other_recipes_are_other_curves(shown):
    figures.plot_records([record(), record(lr=0.2), record(seed=1), record("nin", lr=0.2)])
    found = [text.get_text() for text in shown[0].axes[0].get_legend().get_texts()]
    assert found == ["lenet mini, lr 0.1 (2 runs)", "lenet mini, lr 0.2 (1 run)", "nin mini (1 run)"]


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([], "records must hold at least one run; got none"),
        ([record(), record("nin", accuracies=(0.1, None))], "validation accuracy for each epoch; nin mini does not"),
    ],
)
def test_records_that_cannot_be_plotted(records, message):
    with pytest.raises(ValueError, match=message):
        figures.plot_records(records)


def test_the_style_is_opaque_and_only_on_request():
    before = dict(mpl.rcParams)
    with plt.style.context("d2lcnn.figures.book"):
        assert mpl.colors.to_rgba(mpl.rcParams["figure.facecolor"])[3] == 1
        assert mpl.rcParams["figure.dpi"] == 150
        figure, buffer = plt.figure(), io.BytesIO()
        figure.savefig(buffer)
        buffer.seek(0)
        assert (plt.imread(buffer)[..., 3] == 1).all()
        plt.close(figure)
    assert dict(mpl.rcParams) == before


def test_importing_the_figures_changes_no_setting():
    code = "import matplotlib as m; old = dict(m.rcParams); import d2lcnn.figures; assert dict(m.rcParams) == old"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.filterwarnings("error")
def test_edge_cases_draw_too(shown):
    one = torch.ones(1, 1)
    figures.show_correlation(one, one)
    assert "1×1 = 1" in texts(shown[-1])
    figures.show_correlation(torch.ones(4, 4), torch.ones(4, 3))
    assert not [text for text in texts(shown[-1]) if "×1 +" in text]
    figures.show_correlation(torch.tensor([[1, 2], [3, 4]]), torch.tensor([[-1]]), at=(1, 1))
    assert "4×(−1) = −4" in texts(shown[-1])
    figures.show_pooling(X, (1, 3), padding=(0, 1), stride=(2, 1))
    assert {"−∞", "maximum of each\n1 × 3 window"} <= set(texts(shown[-1]))
    figures.show_channels(X[None], K[None])
    figures.show_im2col(one, one)
    figures.show_receptive_field([1])
    figures.show_images(torch.zeros(1, 3, 3), columns=5, signed=True)
    figures.show_images(-torch.ones(1, 1, 2, 2, requires_grad=True), signed=True, height=1.0)
    figures.show_confusion(torch.zeros(2, 2), ["a", "b"])
    assert texts(shown[-1]) == []
    figures.plot_history(History([{"epoch": 1, "loss": 1.0, "accuracy": 0.5}], {}))
    for figure in shown:
        figure.canvas.draw()


def test_counts_are_shaded_by_their_share_of_the_row(shown):
    figures.show_confusion(torch.tensor([[30, 10], [0, 2]]), ["cat", "dog"])
    ax = shown[0].axes[0]
    assert ax.images[0].get_array().tolist() == [[0.75, 0.25], [0, 1]]
    assert {text.get_position(): text.get_text() for text in ax.texts} == {(0, 0): "30", (1, 0): "10", (1, 1): "2"}
    assert [label.get_text() for label in ax.get_yticklabels()] == ["cat", "dog"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "true")
