"""Each row of the errata has a test that pins the right version."""

import re

import pytest
import torch
import torch.nn.functional as F
from conftest import ROOT
from torch import nn

import d2lcnn
from d2lcnn import nets


def shapes(net, X):
    """Output shapes (H, W) of the convolutions and poolings of a net, in order."""
    found = []
    kinds = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
    windows = [module for module in net.modules() if isinstance(module, kinds)]
    hooks = [module.register_forward_hook(lambda m, X, Y: found.append(tuple(Y.shape[1:]))) for module in windows]
    with torch.no_grad():
        net.eval()(X)
    for hook in hooks:
        hook.remove()
    return found


def padding_counts_both_sides():
    X, K = torch.rand(5, 6), torch.rand(3, 3)
    total = 2  # p_h = 2 * padding
    assert d2lcnn.corr2d(X, K, padding=1).shape == (5 + total - 3 + 1, 6 + total - 3 + 1)


def strided_output_is_rounded_down():
    for n, k, p, s in ((8, 3, 1, 2), (224, 11, 0, 4), (10, 4, 2, 3)):
        X, K = torch.rand(1, 1, n, n), torch.rand(1, 1, k, k)
        rounded = (n + 2 * p - k + s) // s
        assert F.conv2d(X, K, padding=p, stride=s).shape[2] == d2lcnn.output_size(n, k, p, s) == rounded


def output_channels_come_first():
    weight = nn.Conv2d(2, 3, (4, 5)).weight
    assert weight.shape == (3, 2, 4, 5)
    assert d2lcnn.corr2d_multi_in_out(torch.rand(2, 6, 6), weight.detach()).shape == (3, 3, 2)


def the_order_of_flattening_does_not_matter():
    torch.manual_seed(0)
    X, order, linear = torch.rand(4, 1, 6, 6), torch.randperm(36), nn.Linear(36, 3)
    flat = d2lcnn.FlattenLayer()(X)
    torch.testing.assert_close(F.linear(flat[:, order], linear.weight[:, order], linear.bias), linear(flat))


def maximum_pooling_of_nine_numbers():
    assert d2lcnn.pool2d(torch.arange(9.0).reshape(3, 3), 2, stride=1).tolist() == [[4, 5], [7, 8]]


def pooling_pads_with_minus_infinity():
    X = torch.full((1, 1, 2, 2), -1.0)
    assert nn.MaxPool2d(3, stride=1, padding=1)(X).max() == -1
    assert d2lcnn.pool2d(X[0, 0], 3, padding=1, stride=1).max() == -1


def pooling_gives_some_invariance_and_convolution_is_equivariant():
    X = torch.zeros(8, 8)
    X[3, 2] = 1
    moved = X.roll(1, 1)
    K = torch.rand(3, 3)
    assert torch.equal(d2lcnn.corr2d(moved, K)[:, 1:], d2lcnn.corr2d(X, K)[:, :-1])
    assert torch.equal(d2lcnn.pool2d(moved, 2), d2lcnn.pool2d(X, 2))
    assert not torch.equal(d2lcnn.pool2d(moved.roll(1, 1), 2), d2lcnn.pool2d(X, 2))


def only_lenets_second_convolution_takes_four():
    found = shapes(d2lcnn.lenet(), torch.rand(1, 1, 28, 28))
    assert found == [(6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5)]


def augmentation_is_done():
    X = torch.arange(2 * 28 * 28).remainder(256).to(torch.uint8).reshape(2, 1, 28, 28)
    augment = d2lcnn.Augment(flip=True, shift=2, brightness=0.4)
    variants = [augment(X, torch.arange(2), seed=0, epoch=epoch) for epoch in range(4)]
    assert all(Y.shape == X.shape and not torch.equal(Y, X) for Y in variants)
    assert not torch.equal(variants[0], variants[1])


def what_the_notes_lost_is_here():
    assert d2lcnn.corr2d(torch.arange(9.0).reshape(3, 3), torch.arange(4.0).reshape(2, 2)).tolist() == [
        [19, 25],
        [37, 43],
    ]
    assert all(variants["mini"].recipe.epochs for variants in nets.NETWORKS.values())


def alexnets_channels_grow_once_after_the_second_convolution():
    channels = [layer.out_channels for layer in d2lcnn.AlexNet().conv if isinstance(layer, nn.Conv2d)]
    assert channels == [96, 256, 384, 384, 256]


def alexnets_last_convolution_has_256_channels():
    assert shapes(d2lcnn.AlexNet(), torch.rand(1, 1, 224, 224))[-2:] == [(256, 12, 12), (256, 5, 5)]


def alexnets_first_convolution_has_no_padding():
    first = d2lcnn.AlexNet().conv[0]
    assert (first.kernel_size, first.stride, first.padding) == ((11, 11), (4, 4), (0, 0))
    assert shapes(d2lcnn.AlexNet(), torch.rand(1, 1, 224, 224))[0] == (96, 54, 54)


def shares_of_alexnets_linear_layers():
    trace = d2lcnn.trace(d2lcnn.AlexNet(), (1, 1, 224, 224))
    linear = [node for node in trace.nodes if node.kind == "Linear"]
    return trace, sum(node.parameters for node in linear), sum(node.macs for node in linear)


def alexnets_linear_layers_take_172_megabytes():
    _, parameters, _ = shares_of_alexnets_linear_layers()
    assert round(4 * parameters / 1e6) == 172
    with torch.device("meta"):
        papers = d2lcnn.AlexNet(num_classes=1000, in_channels=3, input_size=227)
    assert round(4 * sum(p.numel() for p in papers.fc.parameters()) / 1e6) == 235


def alexnets_linear_layers_do_little_work():
    trace, parameters, macs = shares_of_alexnets_linear_layers()
    assert round(parameters / trace.parameters, 2) == 0.92 and macs / trace.macs < 0.05


def the_first_convolution_of_a_vgg_block_differs():
    layers = d2lcnn.vgg_block(3, 2, 4)
    assert [type(layer).__name__ for layer in layers] == ["Conv2d", "ReLU"] * 3 + ["MaxPool2d"]
    assert [layer.in_channels for layer in layers if isinstance(layer, nn.Conv2d)] == [2, 4, 4]


def vgg_pools_two_by_two():
    pool = d2lcnn.vgg_block(2, 3, 4)[-1]
    assert (pool.kernel_size, pool.stride, pool.padding) == (2, 2, 0)


def the_letter_is_an_l():
    assert isinstance(d2lcnn.vgg(((1, 1, 4),), 4 * 14 * 14, 8).fc[0], d2lcnn.FlattenLayer)


def vggs_layers_differ_in_parameters():
    trace = d2lcnn.trace(nets.vgg11(), (1, 1, 224, 224))
    layers = [node for node in trace.nodes if node.parameters]
    assert (min(n.parameters for n in layers), max(n.parameters for n in layers)) == (640, 102_764_544)
    doubling = [n.macs for n in layers if n.name in ("vgg_block_2.0", "vgg_block_3.0", "vgg_block_4.0")]
    assert len(doubling) == 3 and len(set(doubling)) == 1


def nins_last_relu_can_be_left_off():
    torch.manual_seed(0)
    X = torch.randn(4, 1, 224, 224)
    with torch.no_grad():
        assert d2lcnn.nin().eval()(X).min() >= 0
        assert d2lcnn.he_init(d2lcnn.nin(final_relu=False)).eval()(X).min() < 0
    logits = torch.zeros(4, 10, requires_grad=True)
    F.cross_entropy(torch.relu(logits - 1), torch.arange(4)).backward()
    assert logits.grad.abs().max() == 0


def nin_has_no_fully_connected_layer():
    assert not [layer for layer in d2lcnn.nin().modules() if isinstance(layer, nn.Linear)]


def nins_second_convolution_pads_by_two():
    assert shapes(d2lcnn.nin(), torch.rand(1, 1, 224, 224))[4] == (256, 26, 26)


def nins_block_has_three_convolutions_and_dropout_a_half():
    kinds = [type(layer).__name__ for layer in d2lcnn.nin_block(1, 4, 3, 1, 1)]
    assert kinds == ["Conv2d", "ReLU"] * 3
    assert [layer.p for layer in d2lcnn.nin() if isinstance(layer, nn.Dropout)] == [0.5]


def googlenets_second_stage_has_two_relus():
    kinds = [type(layer).__name__ for layer in d2lcnn.googlenet().b2]
    assert kinds == ["Conv2d", "ReLU", "Conv2d", "ReLU", "MaxPool2d"]


PINS = {
    "the notes, cross-correlation and training": what_the_notes_lost_is_here,
    "the notes, padding": padding_counts_both_sides,
    "the notes, stride": strided_output_is_rounded_down,
    "the notes, convolutional or fully connected": output_channels_come_first,
    "the notes, flattening": the_order_of_flattening_does_not_matter,
    "the notes, pooling's figure": maximum_pooling_of_nine_numbers,
    "the notes; older documentation of `nn.MaxPool2d`": pooling_pads_with_minus_infinity,
    "many texts": pooling_gives_some_invariance_and_convolution_is_equivariant,
    "the notes, LeNet": only_lenets_second_convolution_takes_four,
    "the notes, AlexNet": augmentation_is_done,
    "the notes, AlexNet's channels": alexnets_channels_grow_once_after_the_second_convolution,
    "the notes, AlexNet's figure": alexnets_last_convolution_has_256_channels,
    "the notes, AlexNet's code": alexnets_first_convolution_has_no_padding,
    "some texts on AlexNet's memory": alexnets_linear_layers_take_172_megabytes,
    "some texts on AlexNet's work": alexnets_linear_layers_do_little_work,
    "the notes, VGG's block": the_first_convolution_of_a_vgg_block_differs,
    "the notes, VGG's figure": vgg_pools_two_by_two,
    "the notes, code in general": the_letter_is_an_l,
    "some texts on VGG": vggs_layers_differ_in_parameters,
    "many published versions of NiN": nins_last_relu_can_be_left_off,
    "the notes, NiN's summary": nin_has_no_fully_connected_layer,
    "the notes, NiN's figure": nins_second_convolution_pads_by_two,
    "the notes, NiN's code": nins_block_has_three_convolutions_and_dropout_a_half,
    "the notes, GoogLeNet's second stage": googlenets_second_stage_has_two_relus,
}


def test_every_row_is_pinned():
    text = (ROOT / "book" / "errata.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| ([^|]+?) \|", text, flags=re.M)[2:] == list(PINS)


@pytest.mark.parametrize("where", PINS)
def test_what_is_right(where):
    PINS[where]()
