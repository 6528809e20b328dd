"""What the figures show is what the tensors hold."""

import io
import json
import subprocess
import sys
from functools import lru_cache
from itertools import combinations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
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


def check_legible(figure, points=7.5) -> None:
    figure.canvas.draw()
    assert figure.get_size_inches()[0] <= 7.2
    assert min(text.get_fontsize() for text in labels(figure)) >= points
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
        (
            lambda: figures.show_1x1(torch.stack([X, X + 9]), torch.tensor([[1.0, 0], [2, -1]])[..., None, None]),
            [X, X + 9, X - 9],
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


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int32, torch.int64, torch.float32])
def test_pooling_takes_integers_with_padding(shown, dtype):
    figures.show_pooling(torch.tensor([[1, 2], [3, 9]], dtype=dtype), 2, padding=1, stride=1, at=(2, 2))
    found = texts(shown[0])
    assert found[:16] == [*["−∞"] * 5, "1", "2", "−∞", "−∞", "3", "9", *["−∞"] * 5]
    assert [text for text in found[16:] if text.isdigit()] == ["1", "2", "2", "3", "9", "9", "3", "9", "9"]


@pytest.mark.filterwarnings("error")
def test_receptive_fields_are_labelled(shown):
    figures.show_receptive_field([2, 2])
    figures.show_receptive_field([3, 5, 1])
    assert [text.split("\n")[-1] for text in texts(shown[0])] == ["3 × 3", "2 × 2", "1 × 1"]
    assert [text.split("\n")[-1] for text in texts(shown[1])] == ["7 × 7", "5 × 5", "1 × 1", "1 × 1"]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("layers", "n", "rows"),
    [
        ([(3,)], 5, [5, 3]),
        ([(3, 2), (3, 2)], 15, [15, 7, 3]),
        ([(3, 1, 2), (3, 1, 2)], 13, [13, 9, 5]),
        ([(2, 3), (2,)], 8, [8, 3, 2]),
    ],
)
def test_a_stack_shades_what_autograd_sees(shown, layers, n, rows):
    figures.show_stack(layers, n)
    (ax,) = shown[0].axes
    cells = [(p.get_x(), p.get_y(), p.get_facecolor()[3] > 0.5) for p in ax.patches if isinstance(p, Rectangle)]
    heights = sorted({y for _, y, _ in cells})
    assert [sum(y == height for _, y, _ in cells) for height in heights] == rows

    Z = X = torch.zeros(1, 1, n, requires_grad=True)
    for kernel, stride, dilation in ((*layer, 1, 1)[:3] for layer in layers):
        Z = F.conv1d(Z, torch.ones(1, 1, kernel), stride=stride, dilation=dilation)
    Z[0, 0, Z.shape[2] // 2].backward()
    shaded = [round(x + 0.45) for x, y, dark in sorted(cells) if dark and y == heights[0]]
    assert shaded == X.grad[0, 0].nonzero().flatten().tolist()
    top = next(x + 0.45 for x, y, dark in cells if dark and y == heights[-1])
    assert top == pytest.approx((shaded[0] + shaded[-1]) / 2)
    assert f"field {d2lcnn.receptive_field(layers)}," in texts(shown[0])[0]
    check_legible(shown[0])


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


def drawn(figure, k=0):
    """The values of a picture as they are drawn, and their limits."""
    image = [image for ax in figure.axes for image in ax.images][k]
    return torch.as_tensor(np.ma.getdata(image.get_array())), image.get_clim()


# Its values are an eighth of a shade apart at most, so that what is drawn must not be rounded.
RGB = torch.randint(0, 256, (3, 6, 4), generator=torch.Generator().manual_seed(0))
RGB[:, 0, 0], RGB[:, 0, 1] = 0, 255
NORMALISED = RGB / 255 * 4.4 - 2


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("picture", "shades"),
    [
        (RGB.byte(), RGB.byte()),
        *[(RGB.to(dtype), RGB / 255) for dtype in (torch.int16, torch.int32, torch.int64, torch.uint16)],
        (RGB // 2, RGB // 2 / 255),
        *[(RGB.to(dtype), RGB / 255) for dtype in (torch.float32, torch.float64)],
        (RGB / 510, RGB / 510),
        ((RGB / 255).half(), (RGB / 255).half().float()),
        ((RGB / 255).bfloat16(), (RGB / 255).bfloat16().float()),
        (RGB / 255 * 1.0001, RGB / 255 * 1.0001),
        (NORMALISED, RGB / 255),
        (NORMALISED.double() * 1e300, RGB / 255),
        (RGB / 2550 + 0.95, RGB / 255),
        (RGB * 16, RGB / 255),
        (RGB - 128, RGB / 255),
        (RGB > 100, (RGB > 100).float()),
        (torch.full((3, 2, 2), 5.0), torch.zeros(3, 2, 2)),
    ],
)
def test_colours_keep_their_relation(shown, picture, shades):
    figures.show_images(picture[None])
    found, _ = drawn(shown[0])
    shades = shades if shades.dtype == torch.uint8 else shades.float().clamp(max=1)
    assert found.dtype == shades.dtype
    assert torch.allclose(found.permute(2, 0, 1), shades, atol=1e-5)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int64, torch.float16, torch.bfloat16, torch.float64])
def test_grey_pictures_are_each_scaled_by_itself(shown, dtype):
    pictures = torch.tensor([[[0, 1], [0, 1]], [[0, 1], [3, 4]]]).to(dtype)
    figures.show_images(pictures)
    for k, picture in enumerate(pictures):
        values, limits = drawn(shown[0], k)
        assert torch.equal(values, picture.float()) and limits == (0, picture.max())


def magenta(figure) -> int:
    figure.canvas.draw()
    return int((np.asarray(figure.canvas.buffer_rgba()) == (255, 0, 255, 255)).all(-1).sum())


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("odd", "number"), [(float("nan"), 1), (float("inf"), 1), (-float("inf"), 1), (float("nan"), 65)]
)
def test_what_is_no_number_is_marked(shown, odd, number):
    whole = [RGB[0] / 255, RGB / 255, NORMALISED[0], NORMALISED]
    marred = [picture.clone() for picture in whole]
    for picture in marred:
        picture[..., 2, 2] = odd
    lost = [torch.full_like(picture, odd) for picture in whole]
    for signed in (False, True):
        for pictures in (whole, marred, lost):
            figures.show_images([*pictures, *whole[:1] * (number - 1)], signed=signed)
        plain, some, all_ = shown[-3:]
        # A pixel of a picture of 6 times 4.
        assert magenta(plain) == 0 < magenta(all_) / 30 < magenta(some) < magenta(all_) / 20
        for k, picture in enumerate(whole):
            (values, limits), (found, same) = drawn(plain, k), drawn(some, k)
            found[2, 2] = values[2, 2]
            assert torch.allclose(found, values) and (same == limits or picture.dim() == 3)


@pytest.mark.filterwarnings("error")
def test_whatever_becomes_a_tensor_is_a_picture(shown):
    grey = torch.rand(3, 1, 4, 5)
    read_only = np.broadcast_to(grey[0].numpy(), (3, 1, 4, 5))
    for images, expected in (
        (grey.numpy(), grey),
        (grey.numpy()[::-1], grey.flip(0)),
        (read_only, grey[:1].expand(3, 1, 4, 5)),
        (grey[:, 0].tolist(), grey),
        ([grey[0, 0].numpy(), grey[1].tolist(), grey[2]], grey),
        (list(grey.unbind()), grey),
        (iter(grey), grey),
    ):
        figures.show_images(images)
        for k, picture in enumerate(expected):
            assert torch.equal(drawn(shown[-1], k)[0], picture[0])
    figures.show_images(RGB.byte().numpy()[None])
    assert torch.equal(drawn(shown[-1])[0], RGB.byte().permute(1, 2, 0))


@pytest.mark.parametrize(
    ("titles", "expected"),
    [
        (torch.tensor([3, 1]), ["3", "1"]),
        (torch.tensor([0.1, 2.0]), ["0.1", "2"]),
        (list(torch.tensor([3, 1])), ["3", "1"]),
        (np.array([3, 1]), ["3", "1"]),
        (np.array(["a", "b"]), ["a", "b"]),
        (list(np.array([0.25, 1], dtype=np.float32)), ["0.25", "1.0"]),
        ([3, 0.5], ["3", "0.5"]),
        (("a", None), ["a", ""]),
        (map(str, (1, 2)), ["1", "2"]),
    ],
)
def test_titles_may_be_numbers(shown, titles, expected):
    figures.show_images(torch.rand(2, 3, 3), titles)
    assert [ax.get_title() for ax in shown[0].axes] == expected


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("titled", [False, True])
def test_many_pictures_lie_where_few_would(shown, titled):
    pictures = [torch.rand(3, 5), *torch.rand(98, 1, 4, 4), torch.randint(0, 256, (3, 6, 4), dtype=torch.uint8)]
    titles = [f"{k}\nof 100" for k in range(100)] if titled else None
    figures.show_images(pictures, titles, columns=10)
    (ax,) = shown[0].axes
    shown[0].canvas.draw()
    boxes = [image.get_window_extent() for image in ax.images]
    assert len(boxes) == 100
    for k, (box, picture) in enumerate(zip(boxes, pictures)):
        values, _ = drawn(shown[0], k)
        assert torch.equal(
            values, picture.permute(1, 2, 0) if len(picture) == 3 < picture.dim() + 1 else picture.squeeze(0)
        )
        assert box.width / box.height == pytest.approx(values.shape[1] / values.shape[0])
        # From left to right, then from top to bottom.
        assert k % 10 == 0 or boxes[k - 1].x1 < box.x0
        assert k < 10 or box.y1 < boxes[k - 10].y0
        assert min(box.x0, box.y0) >= 0 and box.x1 <= shown[0].bbox.x1 and box.y1 <= shown[0].bbox.y1
    found = [text.get_window_extent() for text in ax.texts]
    assert [text.get_text() for text in ax.texts] == (titles or [])
    assert not any(text.overlaps(box) for text in found for box in boxes)
    assert all(text.y1 <= shown[0].bbox.y1 for text in found)


def test_many_pictures_make_a_square(shown):
    figures.show_images(torch.rand(1000, 1, 4, 4))
    assert len(shown[0].axes) == 1 and tuple(shown[0].get_size_inches()) == (7, 7)
    figures.show_images(torch.rand(64, 1, 4, 4))
    assert len(shown[1].axes) == 64
    # With titles, which need room, there are 8 in a row.
    figures.show_images(torch.rand(65, 1, 4, 4), range(65))
    assert tuple(shown[2].get_size_inches()) == pytest.approx((7, 9 * (7 / 8 + 0.22)))


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
    expected = "input 1 @ 6×6, Conv2d 2 @ 4×4, max_pool2d 2 @ 2×2, flatten 8, Linear 3, getitem 2"
    assert ", ".join(texts(shown[0])).replace("\n", " ") == expected
    colours = [mpl.colors.to_hex(patch.get_facecolor()) for patch in shown[0].axes[0].patches]
    assert colours[3] == figures.grids.OUTPUT


class Forward(nn.Module):
    """Layers, and a function of them and the input."""

    def __init__(self, forward):
        super().__init__()
        self.conv, self.one, self.fc = nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 1), nn.Linear(32, 3)
        self.function = forward

    def forward(self, x):
        return self.function(self, x)


def pools_by_view(net, x):
    return net.fc(F.avg_pool2d(net.one(net.conv(x)), 2).view(len(x), -1))


@pytest.mark.parametrize(
    ("forward", "expected"),
    [
        (pools_by_view, "Conv2d 2 @ 8×8, Conv2d 2 @ 8×8, avg_pool2d 2 @ 4×4, flatten 32, Linear 3"),
        (lambda n, x: n.fc(n.conv(x).view(-1, 32)), "Conv2d 2 @ 8×8, view 32, Linear 3"),
        (
            lambda n, x: n.fc(n.conv(x)[:, :1, ::2].reshape(len(x), -1)),
            "Conv2d 2 @ 8×8, getitem 1 @ 4×8, flatten 32, Linear 3",
        ),
        (lambda n, x: n.conv(x).mean((2, 3)), "Conv2d 2 @ 8×8, mean 2"),
        (lambda n, x: n.conv(x).flatten(2).mean(2), "Conv2d 2 @ 8×8, mean 2"),
        (
            lambda n, x: F.adaptive_avg_pool2d(n.conv(x), 1).squeeze(),
            "Conv2d 2 @ 8×8, adaptive_avg_pool2d 2 @ 1×1, squeeze 2",
        ),
        (lambda n, x: F.conv2d(n.conv(x), n.one.weight[:1]), "Conv2d 2 @ 8×8, conv2d 1 @ 8×8"),
        # Functions alone lead apart and together again.
        (lambda n, x: n.conv((x - x.mean()) / (1 + x.std())), "Conv2d 2 @ 8×8"),
        (lambda n, x: (y := n.conv(x)) * y.mean((2, 3), keepdim=True).sigmoid(), "Conv2d 2 @ 8×8"),
        (
            lambda n, x: torch.cat([F.max_pool2d(y := n.conv(x), 2), F.avg_pool2d(y, 2)], 1),
            "Conv2d 2 @ 8×8, cat 4 @ 4×4",
        ),
        # What does not lead to the output is not drawn.
        (lambda n, x: (n.one(y := n.conv(x)), n.one(F.relu(y)))[1], "Conv2d 2 @ 8×8, Conv2d 2 @ 8×8"),
    ],
)
def test_only_what_happens_between_layers_is_drawn(shown, forward, expected):
    figures.show_layers(Forward(forward), torch.rand(4, 1, 10, 10))
    assert ", ".join(texts(shown[0])).replace("\n", " ") == f"input 1 @ 10×10, {expected}"


class InPlace(nn.Module):
    """A block that changes what it is given."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 2, 1)

    def forward(self, x):
        x += self.conv(x)
        return x


def test_a_block_is_drawn_as_one_whatever_is_in_it(shown):
    figures.show_layers(nn.Sequential(nn.Conv2d(1, 2, 3), InPlace()), torch.rand(4, 1, 10, 10))
    assert texts(shown[0]) == ["input\n1 @ 10×10", "Conv2d\n2 @ 8×8", "InPlace\n2 @ 8×8"]


def test_layers_take_arrays_and_lists(shown):
    for X in (np.zeros((1, 1, 28, 28)), np.zeros((1, 1, 28, 28)).tolist()):
        figures.show_layers(d2lcnn.lenet(), X)
        assert texts(shown[-1])[-1] == "Linear\n10"


@pytest.mark.parametrize(
    ("net", "shape", "depth", "message"),
    [
        (nn.Linear(2, 2), (1, 2), 1, "net must be a module that holds layers; got a Linear"),
        (nn.Sequential(nn.ReLU()), (1, 2), 0, "depth must be an int of at least 1; got 0"),
        (
            d2lcnn.Inception(4, 1, (1, 1), (1, 1), 1),
            (1, 4, 6, 6),
            1,
            "at depth 1 must run one after another; cat joins",
        ),
        (d2lcnn.googlenet(width=1 / 16), (1, 1, 32, 32), 3, "at depth 3 must run one after another; cat joins"),
        (nn.Sequential(nn.LSTM(2, 2)), (1, 2), 1, "layers must take one tensor and give one; 0 does not"),
        (nn.Sequential(nn.LSTM(2, 2), nn.Linear(2, 2)), (1, 2), 1, "take one tensor and give one; 0 does not"),
        (Functional(several=True), (1, 1, 6, 6), 1, "net must give one tensor; got tuple"),
        (
            Forward(lambda n, x: torch.from_numpy(n.conv(x).numpy().copy())),
            (1, 1, 6, 6),
            1,
            "torch that can be followed",
        ),
        (nn.Sequential(nn.Unflatten(1, (2, 2))), (1, 4), 1, r"only maps .* can be drawn; Unflatten is \(1, 2, 2\)"),
        (Forward(lambda n, x: n.conv(x).flatten(2)), (1, 1, 6, 6), 1, r"can be drawn; the output is \(1, 2, 16\)"),
        (
            nn.Sequential(nn.ReLU()),
            (3, 4, 4),
            1,
            r"X must be maps .* got Tensor of torch.float32 and shape \(3, 4, 4\)",
        ),
        (nn.Sequential(nn.Linear(2, 2)), (1, 3), 1, r"X of shape \(1, 3\) does not fit net: mat1 and mat2"),
        (nn.Sequential(nn.BatchNorm2d(3)), (1, 3), 1, r"X of shape \(1, 3\) does not fit net: expected 4D input"),
        (nn.Bilinear(2, 2, 2), (1, 2), 1, "net must be a module that holds layers; got a Bilinear"),
    ],
)
def test_layers_that_cannot_be_drawn(net, shape, depth, message):
    with pytest.raises(ValueError, match=message):
        figures.show_layers(net, torch.zeros(shape), depth)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


@pytest.mark.parametrize(
    ("forward", "name"),
    [
        (lambda n, x: (y := n.conv(x)) + n.one(y), "add"),
        (lambda n, x: (y := n.conv(x)) * n.one(y.mean((2, 3), keepdim=True)), "mul"),
        (lambda n, x: torch.cat([n.conv(x), n.conv(x)], 1), "cat"),
        (lambda n, x: n.fc((n.conv(x) - n.conv(x)).flatten(1)), "sub"),
    ],
)
def test_layers_in_branches_are_no_row_of_layers(forward, name):
    with pytest.raises(ValueError, match=f"at depth 1 must run one after another; {name} joins branches"):
        figures.show_layers(Forward(forward), torch.rand(1, 1, 6, 6))


@pytest.mark.filterwarnings("ignore:.*jit")
def test_a_scripted_net_is_refused():
    with pytest.raises(ValueError, match="net must be one whose layers can be watched; got a scripted one"):
        figures.show_layers(torch.jit.script(nn.Sequential(nn.ReLU())), torch.zeros(1, 2))


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


def blocks(number, shortcuts=False):
    def block():
        return Joined(lambda x, a, b: x + b(F.relu(a(x)))) if shortcuts else nn.Conv2d(2, 2, 1)

    return nn.Sequential(*(block() for _ in range(number)), nn.Flatten(), nn.Linear(50, 10))


# The net, the input's shape, the boxes, and those that are drawn twice.
DEEP = {
    "chain": (blocks(60), (1, 2, 5, 5), 63, 5),
    "shortcuts": (blocks(24, shortcuts=True), (1, 2, 5, 5), 75, 2),
    "googlenet": (d2lcnn.googlenet(), (1, 1, 96, 96), 83, 1),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", GRAPHS)
def test_graphs_cross_nothing(shown, name):
    net, shape, count = GRAPHS[name]
    figures.show_graph(net, shape)
    check_legible(shown[0])
    boxes = shown[0].axes[0].patches
    assert len(boxes) == len(texts(shown[0])) == count
    check_graph(shown[0])


def check_graph(figure) -> None:
    """Boxes that do not overlap, text within them, and arrows that go up from box to box."""
    boxes = figure.axes[0].patches
    areas = [box.get_window_extent() for box in boxes]
    assert not any(one.overlaps(other) for one, other in combinations(areas, 2))
    for text in extents(figure):
        assert any(b.x0 <= text.x0 and text.x1 <= b.x1 and b.y0 <= text.y0 and text.y1 <= b.y1 for b in areas)
    for (x, start), (x_too, end) in arrows(figure):
        assert x == x_too and start < end
        for box in boxes:
            inside = box.get_x() < x < box.get_x() + box.get_width()
            assert not (inside and start < box.get_y() + box.get_height() / 2 < end)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", DEEP)
def test_deep_graphs_go_on_beside(shown, name):
    net, shape, count, repeated = DEEP[name]
    figures.show_graph(net, shape)
    (figure,) = shown
    check_legible(figure, points=4.5)
    assert figure.get_size_inches()[1] <= 24
    check_graph(figure)
    boxes = figure.axes[0].patches
    assert len(boxes) == len(texts(figure)) == count + repeated
    # Every arrow that leads to a box, and none to one that is drawn again.
    inputs = {node.name: node.inputs for node in d2lcnn.trace(net, shape)}
    assert len(arrows(figure)) == sum(map(len, inputs.values())) - (len(inputs) - count)
    places = {np.round(text.get_position(), 6).tobytes(): text.get_text() for text in labels(figure)}
    found = [(places[np.round(box.get_center(), 6).tobytes()], box) for box in boxes]
    columns = [k for k, (_, box) in enumerate(found) if box.get_linestyle() == "--"]
    assert len(columns) == repeated
    for k in columns:
        # The first of a column is the last of the one before.
        (before, top), (again, bottom) = found[k - 1 : k + 1]
        assert before == again and bottom.get_y() == 0 < top.get_y()
        assert top.get_x() + top.get_width() < bottom.get_x()


@pytest.mark.parametrize("name", sorted({*NETWORKS} - {"googlenet"}))
def test_what_fits_is_one_column_in_full_size(shown, network, name):
    side = NETWORKS[name][1]
    figures.show_graph(network(name), (1, 1, side, side))
    assert not [box for box in shown[0].axes[0].patches if box.get_linestyle() == "--"]
    assert {text.get_fontsize() for text in labels(shown[0])} == {8.5}


def test_a_graph_too_large_to_be_read_is_refused(shown):
    with pytest.raises(ValueError, match="small enough to be read on a page, but it makes 303 boxes: draw a part"):
        figures.show_graph(blocks(100, shortcuts=True), (1, 2, 5, 5))
    assert not plt.get_fignums()


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
    figures.show_graph(Joined(lambda x, a, b: torch.cat([a(x)], 1)), (1, 2, 5, 5))
    assert texts(shown[-1])[-1] == "cat\n2 @ 5×5"
    figures.show_graph(Joined(lambda x, a, b: torch.cat([a(x)[0, 0, 0], b(x)[0, 0, 0]])), (1, 2, 5, 5))
    assert texts(shown[-1])[-1] == "cat"


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


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "counts", [np.eye(2), [[1, 0], [0, 1]], torch.eye(2, dtype=torch.bool), torch.eye(2).half(), np.eye(2, dtype="u2")]
)
@pytest.mark.parametrize("classes", [["0", "1"], torch.arange(2), np.arange(2), (0, 1), range(2)])
def test_confusions_of_whatever_becomes_a_tensor(shown, counts, classes):
    figures.show_confusion(counts, classes)
    assert texts(shown[0]) == ["1", "1"]
    assert [label.get_text() for label in shown[0].axes[0].get_xticklabels()] == ["0", "1"]


@pytest.mark.filterwarnings("error")
def test_shares_are_written_as_they_are(shown):
    figures.show_confusion([[0.93, 0.02], [0.0, 0.125]], ["a", "b"])
    assert texts(shown[0]) == ["0.93", "0.02", "0.12"]
    assert shown[0].axes[0].images[0].get_array()[1].tolist() == [0, 1]


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


@pytest.mark.filterwarnings("error")
def test_grids_take_arrays_and_lists(shown):
    for draw in (figures.show_correlation, figures.show_im2col, lambda x, k: figures.show_channels([x, x], [k, k])):
        draw(X, K)
        expected = texts(shown[-1])
        for x, k in ((X.numpy()[:, ::-1][:, ::-1], K.numpy()), (X.tolist(), K.tolist()), (X.int().tolist(), K)):
            draw(x, k)
            assert texts(shown[-1]) == expected
    figures.show_correlation(X, K, at=torch.tensor([1, 0]))
    assert "3×0 + 4×1 + 6×2 + 7×3 = 37" in texts(shown[-1])
    figures.show_pooling(X.tolist(), 2, at=[0, 0])
    figures.show_receptive_field(torch.tensor([2, 2]))
    assert texts(shown[-1])[0] == "input\n3 × 3"
    _, ax = plt.subplots()
    figures.draw_grid(ax, [[1, 2]], marked=[[0, 1]], dashed=torch.tensor([[0, 0]]), origin=np.array([1.0, 2]))
    assert [patch.get_linestyle() for patch in ax.patches] == ["--", "-"]
    assert [patch.get_facecolor()[3] for patch in ax.patches] == [0, 0.55]


def history(rows):
    return History(rows, {})


def grid(*arguments, **settings):
    return figures.draw_grid(plt.gca(), *arguments, **settings)


NUMBERS = "must be a tensor, an array or lists of real numbers; got"
TEXTS = "must be a list of texts or numbers; got"
LONG = torch.rand(1, 1, 28, 28)
GREY = torch.rand(2, 8, 8)
NET = d2lcnn.lenet()


@pytest.mark.parametrize(
    ("error", "message", "draw", "arguments", "settings"),
    [
        # Pictures.
        (ValueError, r"each image must be .* got \(2, 8, 8\)", "show_images", (torch.rand(2, 2, 8, 8),), {}),
        (ValueError, r"each image must be .* got \(8, 8, 3\)", "show_images", (np.zeros((2, 8, 8, 3)),), {}),
        (ValueError, r"each image must be .* length 0; got \(0, 8\)", "show_images", (torch.rand(2, 0, 8),), {}),
        *[
            (ValueError, "images must hold at least one picture; got none", "show_images", (empty,), {})
            for empty in ([], torch.rand(0, 1, 8, 8), np.zeros((0, 8, 8)), iter(()))
        ],
        (ValueError, r"images must be \(N, C, H, W\), .* got Tensor .* shape \(8, 8\)", "show_images", (GREY[0],), {}),
        (ValueError, r"images must be .* shape \(\)", "show_images", (torch.tensor(1),), {}),
        *[
            (TypeError, r"images must be \(N, C, H, W\), .* a sequence of pictures; got", "show_images", (wrong,), {})
            for wrong in (None, 3, "boot.png", NET.forward)
        ],
        (TypeError, f"each image {NUMBERS} 'boot.png'", "show_images", (["boot.png"],), {}),
        (TypeError, f"each image {NUMBERS} None", "show_images", ([GREY[0], None],), {}),
        (TypeError, f"each image {NUMBERS} Tensor of torch.complex64", "show_images", ([GREY[0] * 1j],), {}),
        (TypeError, f"images {NUMBERS} Tensor of torch.complex64", "show_images", (GREY * 1j,), {}),
        (TypeError, f"images {NUMBERS} ndarray of object", "show_images", (np.array([[[None]]]),), {}),
        (TypeError, f"each image {NUMBERS} ", "show_images", ([[[1, 2], [3]]],), {}),
        (ValueError, "titles must be as many as images, 2; got 1", "show_images", (GREY, ["one"]), {}),
        (ValueError, "titles must be as many as images, 2; got 3", "show_images", (GREY, torch.arange(3)), {}),
        *[
            (TypeError, f"titles {TEXTS}", "show_images", (GREY, wrong), {})
            for wrong in ("ab", 3, {"a": 0, "b": 1}, {"a", "b"}, torch.tensor(1), len)
        ],
        *[
            (TypeError, "titles must hold texts or numbers; got", "show_images", (GREY, wrong), {})
            for wrong in (torch.eye(2), np.eye(2), nn.Sequential(nn.ReLU(), nn.ReLU()), [["a"], ["b"]])
        ],
        *[
            (
                ValueError,
                f"columns must be an int of at least 1; got {wrong}",
                "show_images",
                (GREY,),
                {"columns": wrong},
            )
            for wrong in (0, -1)
        ],
        *[
            (TypeError, "columns must be an int of at least 1; got", "show_images", (GREY,), {"columns": wrong})
            for wrong in (2.0, True, "2", [2], torch.rand(2, 2))
        ],
        (ValueError, "height must be a number of inches above 0; got 0", "show_images", (GREY,), {"height": 0}),
        (TypeError, "height must be a number of inches above 0; got '1'", "show_images", (GREY,), {"height": "1"}),
        (
            ValueError,
            "few enough to be seen; got 6,000, .* 0.09 inches wide",
            "show_images",
            (torch.zeros(6000, 1, 1),),
            {},
        ),
        (
            ValueError,
            "few enough to be seen; got 6,000, .* figure [0-9,]+ inches tall",
            "show_images",
            (torch.zeros(6000, 1, 1), range(6000)),
            {},
        ),
        # Networks.
        *[
            (TypeError, f"net must be a torch.nn.Module; got {got}", draw, (net, shape), {})
            for draw, shape in (("show_layers", LONG), ("show_graph", (1, 1, 28, 28)))
            for net, got in (
                (d2lcnn.lenet, r"the function lenet, which makes a net when called: lenet\(\)"),
                (d2lcnn.AlexNet, r"the class AlexNet, which makes a net when called: AlexNet\(\)"),
                (LONG, "Tensor of torch.float32"),
                ("lenet", "'lenet'"),
                (None, "None"),
            )
        ],
        (ValueError, r"X must be maps .* or vectors .* got \(1, 1, 28, 28\)", "show_layers", (NET, (1, 1, 28, 28)), {}),
        (ValueError, r"X of shape \(1, 1, 9, 9\) does not fit net: shape", "show_layers", (NET, LONG[..., :9, :9]), {}),
        (ValueError, "does not fit net: Input type", "show_layers", (NET, LONG.byte()), {}),
        (ValueError, "does not fit net: .*positional argument", "show_layers", (Forward(lambda n: n), LONG), {}),
        (TypeError, f"X {NUMBERS} None", "show_layers", (NET, None), {}),
        (TypeError, "depth must be an int of at least 1; got 1.5", "show_layers", (NET, LONG, 1.5), {}),
        # Grids.
        *[
            (TypeError, f"{name} {NUMBERS}", draw, arguments, {})
            for wrong in (None, "x", [[1], [2, 3]], [X, K], [[1, 2j]], {"a": 1}, [[10**30]])
            for name, draw, arguments in (
                ("X", "show_correlation", (wrong, K)),
                ("K", "show_correlation", (X, wrong)),
                ("X", "show_im2col", (wrong, K)),
                ("K", "show_im2col", (X, wrong)),
                ("X", "show_channels", (wrong, K[None])),
                ("K", "show_channels", (X[None], wrong)),
                ("X", "show_pooling", (wrong, 2)),
                ("counts", "show_confusion", (wrong, "ab")[:1] + (["a"],)),
            )
        ],
        (ValueError, r"X must be a tensor with 2 axes.* shape \(1, 3, 3\)", "show_pooling", (X[None], 2), {}),
        (
            ValueError,
            r"X must be a tensor with 2 axes.* shape \(1, 3, 3\)",
            "show_im2col",
            (X[None], K[None, None]),
            {},
        ),
        (ValueError, r"X must be a tensor with 2 axes.* shape \(1, 3, 3\)", "show_correlation", (X[None], K), {}),
        (ValueError, r"K must be a tensor with 2 axes.* shape \(2, 0\)", "show_im2col", (X, K[:, :0]), {}),
        (ValueError, r"X must be a tensor with 3 axes.* shape \(3, 3\)", "show_channels", (X, K), {}),
        (
            ValueError,
            "channels; got X .* with 2 and K .* with 3",
            "show_channels",
            (torch.ones(2, 3, 3), torch.ones(3, 2, 2)),
            {},
        ),
        *[
            (kind, f"at must be {allowed}", draw, (x, k), {"at": at})
            for draw, x, k in (("show_correlation", X, K), ("show_channels", X[None], K[None]), ("show_pooling", X, 2))
            for kind, allowed, at in (
                (ValueError, r"an index into the output .* got \(2, 0\)", (2, 0)),
                (ValueError, r"an index into the output .* got \(0, -1\)", (0, -1)),
                (TypeError, "a pair of ints; got 1", 1),
                (TypeError, r"a pair of ints; got \(1,\)", (1,)),
                (TypeError, r"a pair of ints; got \(0.5, 0\)", (0.5, 0)),
                (TypeError, "a pair of ints; got Tensor", torch.rand(2, 2)),
            )
        ],
        (TypeError, f"values {NUMBERS} None", grid, (None,), {}),
        (ValueError, r"values must be a tensor with 2 axes.* shape \(2,\)", grid, ([1, 2],), {}),
        (TypeError, "ax must be Axes of matplotlib.* got Tensor", "draw_grid", (X, X), {}),
        (TypeError, "origin must be a pair of numbers; got 1", grid, (X,), {"origin": 1}),
        (ValueError, "colour must be one that matplotlib knows; got 'bleu'", grid, (X,), {"colour": "bleu"}),
        *[
            (kind, f"{message}", grid, (X,), {name: wrong})
            for name in ("marked", "dashed")
            for kind, message, wrong in (
                (TypeError, f"{name} must be a set of cells .* got 3", 3),
                (TypeError, f"each of {name} must be a pair of ints; got 0", (0, 1)),
                (ValueError, rf"{name} must be cells of the 3 × 3 grid; got \(0, 3\)", {(0, 3)}),
            )
        ],
        (TypeError, "kernels must be a list of ints of at least 1; got 3", "show_receptive_field", (3,), {}),
        (TypeError, "each of kernels must be an int of at least 1; got 1.5", "show_receptive_field", ([1.5],), {}),
        (ValueError, "each of kernels must be an int of at least 1; got 0", "show_receptive_field", ([3, 0],), {}),
        (ValueError, "kernels must hold at least one; got none", "show_receptive_field", ([],), {}),
        (ValueError, "K must have the shape", "show_1x1", (torch.rand(1, 3, 3), torch.rand(1, 1, 2, 2)), {}),
        (ValueError, "at must be an index", "show_1x1", (torch.rand(1, 3, 3), torch.rand(1, 1, 1, 1)), {"at": (3, 0)}),
        (TypeError, "n must be an int of at least 1; got 1.5", "show_stack", ([(3,)], 1.5), {}),
        (ValueError, "layers must be a list of layers, first layer first; got int", "show_stack", (3, 7), {}),
        (ValueError, "the window does not fit: height 3 is larger", "show_stack", ([(3, 2), (3,)], 6), {}),
        # Results.
        (ValueError, r"\(3, 3\) for 3 classes; got \(2, 2\)", "show_confusion", (torch.eye(2), list("abc")), {}),
        (ValueError, r"\(0, 0\) for 0 classes", "show_confusion", (torch.zeros(0, 0), []), {}),
        *[
            (TypeError, f"classes {TEXTS}", "show_confusion", (torch.eye(2), wrong), {})
            for wrong in ("ab", 2, {"cat": 0, "dog": 1}, {"cat", "dog"})
        ],
        *[
            (
                ValueError,
                "counts must be finite and not negative",
                "show_confusion",
                ([[1, wrong], [0, 1]], ["a", "b"]),
                {},
            )
            for wrong in (-1, float("nan"), float("inf"))
        ],
        *[
            (TypeError, "history must be a History, such as fit gives; got", "plot_history", (wrong,), {})
            for wrong in (None, [], record(), LONG, NET, history([{"loss": 1.0}]), history([1]), d2lcnn.fit, History)
        ],
        (ValueError, "history must hold at least one epoch; got none", "plot_history", (history([]),), {}),
        (ValueError, "records must hold at least one run; got none", "plot_records", ([],), {}),
        (
            ValueError,
            "validation accuracy for each epoch; nin mini does not",
            "plot_records",
            ([record(), record("nin", accuracies=(0.1, None))],),
            {},
        ),
        *[
            (TypeError, "records must be a list of records; got", "plot_records", (wrong,), {})
            for wrong in (record(), None, "lenet", 3, d2lcnn.records)
        ],
        (TypeError, r"records\[1\] must be a record, a dict; got 'lenet'", "plot_records", ([record(), "lenet"],), {}),
        (
            ValueError,
            r"records\[0\] must hold .* lacks network, recipe, curve",
            "plot_records",
            ([{"variant": "full"}],),
            {},
        ),
        *[
            (ValueError, r'records\[0\]\["curve"\] must', "plot_records", ([record() | {"curve": wrong}],), {})
            for wrong in ([], None, 3, [{"epoch": 1}], LONG)
        ],
        (ValueError, r'records\[0\]\["recipe"\] must', "plot_records", ([record() | {"recipe": None}],), {}),
        (
            ValueError,
            "the same epochs; those of lenet mini",
            "plot_records",
            ([record(), record(accuracies=[0.5])],),
            {},
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_words(shown, error, message, draw, arguments, settings):
    draw = draw if callable(draw) else getattr(figures, draw)
    with pytest.raises(error, match=message) as refused:
        draw(*arguments, **settings)
    assert type(refused.value) is error and len(str(refused.value)) < 300
    assert not shown and (draw is grid or not plt.get_fignums())
