"""What the figures show is what the tensors hold."""

import io
import subprocess
import sys

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.patches import Rectangle
from torch import nn

import d2lcnn
from d2lcnn import figures
from d2lcnn.training import History

X, K = torch.arange(9.0).reshape(3, 3), torch.arange(4.0).reshape(2, 2)


@pytest.fixture
def shown(monkeypatch):
    """The figures that plt.show was called for; closed afterwards."""
    mpl.use("agg")
    found = []
    monkeypatch.setattr(plt, "show", lambda: found.append(plt.gcf()))
    yield found
    plt.close("all")


def texts(figure) -> list[str]:
    return [text.get_text() for ax in figure.axes for text in ax.texts]


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


@pytest.mark.parametrize("at", [(2, 0), (0, -1)])
def test_an_element_outside_the_output_is_refused(at):
    with pytest.raises(ValueError, match=r"at must be an index into the output \(2, 2\); got"):
        figures.show_correlation(X, K, at=at)


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
    labels = [text.split("\n") for text in texts(shown[0])]
    assert labels == [
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
    with pytest.raises(ValueError, match=r"nn\.Sequential; got Linear"):
        figures.show_layers(nn.Linear(2, 2), X)


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
