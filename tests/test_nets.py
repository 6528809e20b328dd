"""The five networks: parity with independent definitions, shapes, counts, the notes' own code and its errors."""

import importlib
import inspect
from dataclasses import FrozenInstanceError, fields

import pytest
import torch
import torch.nn.functional as F
from torch import fx, nn

import d2lcnn
from d2lcnn import nets
from d2lcnn.data import Augment
from d2lcnn.layers import FlattenLayer, GlobalAvgPool2d
from d2lcnn.training import fit

pytestmark = pytest.mark.usefixtures("one_thread")


def count(net):
    return sum(p.numel() for p in net.parameters())


def copy_weights(source, target):
    """The same weights, matched by order alone: names may differ, shapes may not."""
    ours, theirs = list(source.parameters()), list(target.parameters())
    assert [p.shape for p in ours] == [p.shape for p in theirs]
    with torch.no_grad():
        for a, b in zip(ours, theirs):
            b.copy_(a)


def assert_same(ours, theirs, shape):
    copy_weights(ours, theirs)
    X = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(X), theirs.eval()(X), atol=1e-5, rtol=1e-4)


# Counts and shapes.


@pytest.mark.parametrize(
    ("build", "parameters"),
    [
        (nets.lenet, 61_706),
        (nets.vgg11, 128_806_154),
        (nets.nin, 1_992_166),
        (nets.googlenet, 5_977_530),
    ],
)
def test_parameters(build, parameters):
    with torch.device("meta"):
        assert count(build()) == parameters


def test_most_of_alexnets_parameters_are_fully_connected():
    net = nets.AlexNet()
    assert count(net) == 46_764_746
    assert count(net.fc) / count(net) > 0.91
    # 172 MB, not the "nearly 1 GB" found in print.
    assert 165e6 < 4 * count(net.fc) < 175e6


def test_block_shapes():
    X = torch.zeros(2, 3, 28, 28)
    assert nets.vgg_block(2, 3, 8)(X).shape == (2, 8, 14, 14)
    assert nets.nin_block(3, 8, kernel_size=11, stride=4, padding=0)(X).shape == (2, 8, 5, 5)
    assert nets.nin_block(3, 8, kernel_size=5, stride=1, padding=2)(X).shape == (2, 8, 28, 28)
    assert nets.Inception(3, 4, (5, 6), (7, 8), 9)(X).shape == (2, 4 + 6 + 8 + 9, 28, 28)
    assert [len(nets.vgg_block(n, 1, 1)) for n in (1, 2, 3)] == [3, 5, 7]


def stages(net, X):
    shapes = []
    with torch.no_grad():
        for layer in net:
            X = layer(X)
            shapes.append(tuple(X.shape[1:]))
    return shapes


def test_documented_shapes():
    assert stages(nets.lenet().eval(), torch.zeros(1, 1, 28, 28))[1::3][:2] == [(6, 28, 28), (16, 10, 10)]
    assert stages(nets.AlexNet(fc_hidden_units=8).conv, torch.zeros(1, 1, 224, 224)) == [
        *[(96, 54, 54)] * 2,
        (96, 26, 26),
        *[(256, 26, 26)] * 2,
        (256, 12, 12),
        *[(384, 12, 12)] * 4,
        *[(256, 12, 12)] * 2,
        (256, 5, 5),
    ]
    halves = [(64, 112, 112), (128, 56, 56), (256, 28, 28), (512, 14, 14), (512, 7, 7)]
    narrow = [(c // 8, h, w) for c, h, w in halves]
    assert stages(nets.vgg11(ratio=8).eval(), torch.zeros(1, 1, 224, 224)) == [*narrow, (10,)]
    assert stages(nets.nin().eval(), torch.zeros(1, 1, 224, 224)) == [
        (96, 54, 54),
        (96, 26, 26),
        (256, 26, 26),
        (256, 12, 12),
        (384, 12, 12),
        (384, 5, 5),
        (384, 5, 5),
        (10, 5, 5),
        (10, 1, 1),
        (10,),
    ]
    assert stages(nets.googlenet().eval(), torch.zeros(1, 1, 96, 96)) == [
        (64, 24, 24),
        (192, 12, 12),
        (480, 6, 6),
        (832, 3, 3),
        (1024, 1, 1),
        (1024,),
        (10,),
    ]


def test_documented_shapes_within_googlenets_stages():
    traced = d2lcnn.trace(nets.googlenet(), (1, 1, 96, 96))
    assert traced["b1.0"].shape == (1, 64, 48, 48) and traced["b2.2"].shape == (1, 192, 24, 24)
    branches = {"p1_1": 64, "p2_1": 96, "p2_2": 128, "p3_1": 16, "p3_2": 32, "p4_1": 192, "p4_2": 32}
    for name, channels in branches.items():
        assert traced[f"b3.0.{name}"].shape == (1, channels, 12, 12)


def test_lenet_takes_the_pixels_in_any_shape():
    net = nets.lenet().eval()
    X = torch.rand(3, 1, 28, 28)
    torch.testing.assert_close(net(X), net(X.reshape(3, 784)))
    torch.testing.assert_close(net(X), net(X[:, 0]))


def test_names_are_those_of_the_notes():
    assert [name for name, _ in nets.AlexNet(widths=(1,) * 5, fc_hidden_units=1).named_children()] == ["conv", "fc"]
    assert list(dict(nets.vgg11(ratio=64).named_children())) == [*(f"vgg_block_{i}" for i in range(1, 6)), "fc"]
    inception = nets.Inception(1, 1, (1, 1), (1, 1), 1)
    assert list(dict(inception.named_children())) == ["p1_1", "p2_1", "p2_2", "p3_1", "p3_2", "p4_1", "p4_2"]
    assert callable(nets.lenet) and callable(nets.vgg) and callable(nets.nin) and callable(nets.googlenet)


# Parity with definitions that others wrote.


def test_lenet_is_d2ls():
    theirs = nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, padding=2),
        nn.Sigmoid(),
        nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Conv2d(6, 16, kernel_size=5),
        nn.Sigmoid(),
        nn.AvgPool2d(kernel_size=2, stride=2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.Sigmoid(),
        nn.Linear(120, 84),
        nn.Sigmoid(),
        nn.Linear(84, 10),
    )
    assert_same(nets.lenet(), theirs, (4, 1, 28, 28))


def test_alexnet_is_torchvisions():
    torchvision = pytest.importorskip("torchvision")
    theirs = torchvision.models.alexnet(num_classes=10)
    ours = nets.AlexNet(in_channels=3, stem=(11, 4, 2), widths=(64, 192, 384, 256, 256))
    assert_same(ours, theirs, (1, 3, 224, 224))


def test_vgg_is_torchvisions():
    torchvision = pytest.importorskip("torchvision")
    widths = [8, "M", 16, "M", 32, 32, "M", 64, 64, "M", 64, 64, "M"]
    classifier = [nn.Flatten(), nn.Linear(64 * 49, 512), nn.ReLU(), nn.Dropout(), nn.Linear(512, 512), nn.ReLU()]
    theirs = nn.Sequential(torchvision.models.vgg.make_layers(widths), *classifier, nn.Dropout(), nn.Linear(512, 10))
    assert_same(nets.vgg11(in_channels=3, ratio=8), theirs, (2, 3, 224, 224))


def test_nin_is_d2ls():
    def block(c_in, c_out, *window):
        return nn.Sequential(
            *(nn.Conv2d(c_in, c_out, *window), nn.ReLU()),
            *(nn.Conv2d(c_out, c_out, kernel_size=1), nn.ReLU()),
            *(nn.Conv2d(c_out, c_out, kernel_size=1), nn.ReLU()),
        )

    theirs = nn.Sequential(
        *(block(1, 96, 11, 4, 0), nn.MaxPool2d(3, stride=2)),
        *(block(96, 256, 5, 1, 2), nn.MaxPool2d(3, stride=2)),
        *(block(256, 384, 3, 1, 1), nn.MaxPool2d(3, stride=2)),
        nn.Dropout(0.5),
        block(384, 10, 3, 1, 1),
        nn.AdaptiveAvgPool2d((1, 1)),
        nn.Flatten(),
    )
    assert_same(nets.nin(), theirs, (1, 1, 224, 224))


class D2LInception(nn.Module):
    """The block as the D2L book writes it."""

    def __init__(self, c_in, c1, c2, c3, c4):
        super().__init__()
        self.b1_1 = nn.Conv2d(c_in, c1, kernel_size=1)
        self.b2_1 = nn.Conv2d(c_in, c2[0], kernel_size=1)
        self.b2_2 = nn.Conv2d(c2[0], c2[1], kernel_size=3, padding=1)
        self.b3_1 = nn.Conv2d(c_in, c3[0], kernel_size=1)
        self.b3_2 = nn.Conv2d(c3[0], c3[1], kernel_size=5, padding=2)
        self.b4_1 = nn.MaxPool2d(kernel_size=3, stride=1, padding=1)
        self.b4_2 = nn.Conv2d(c_in, c4, kernel_size=1)

    def forward(self, x):
        b1 = F.relu(self.b1_1(x))
        b2 = F.relu(self.b2_2(F.relu(self.b2_1(x))))
        b3 = F.relu(self.b3_2(F.relu(self.b3_1(x))))
        b4 = F.relu(self.b4_2(self.b4_1(x)))
        return torch.cat((b1, b2, b3, b4), dim=1)


def d2l_googlenet():
    """The network as the D2L book writes it, with the two ReLUs of its second stage."""

    def pool():
        return nn.MaxPool2d(kernel_size=3, stride=2, padding=1)

    return nn.Sequential(
        *(nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3), nn.ReLU(), pool()),
        *(nn.Conv2d(64, 64, kernel_size=1), nn.ReLU()),
        *(nn.Conv2d(64, 192, kernel_size=3, padding=1), nn.ReLU(), pool()),
        D2LInception(192, 64, (96, 128), (16, 32), 32),
        D2LInception(256, 128, (128, 192), (32, 96), 64),
        pool(),
        D2LInception(480, 192, (96, 208), (16, 48), 64),
        D2LInception(512, 160, (112, 224), (24, 64), 64),
        D2LInception(512, 128, (128, 256), (24, 64), 64),
        D2LInception(512, 112, (144, 288), (32, 64), 64),
        D2LInception(528, 256, (160, 320), (32, 128), 128),
        pool(),
        D2LInception(832, 256, (160, 320), (32, 128), 128),
        D2LInception(832, 384, (192, 384), (48, 128), 128),
        nn.AdaptiveAvgPool2d((1, 1)),
        nn.Flatten(),
        nn.Linear(1024, 10),
    )


def test_googlenet_is_d2ls():
    assert_same(nets.googlenet(), d2l_googlenet(), (2, 1, 96, 96))


def test_inception_is_torchvisions_but_for_its_third_branch():
    pytest.importorskip("torchvision")

    def conv_block(c_in, c_out, **window):
        return nn.Sequential(nn.Conv2d(c_in, c_out, **window), nn.ReLU())

    inception = importlib.import_module("torchvision.models.googlenet").Inception
    theirs = inception(6, 4, 5, 6, 3, 7, 8, conv_block=conv_block)
    # Torchvision's third branch is 3x3 by a slip it has kept.
    theirs.branch3[1][0] = nn.Conv2d(3, 7, kernel_size=5, padding=2)
    ours = nets.Inception(6, 4, (5, 6), (3, 7), 8)
    assert_same(ours, theirs, (2, 6, 9, 9))


# The source notes' code, its scanning damage mended, with the lines that the scan lost.

NOTES = """
import torch
import torch.nn.functional as F
from torch import nn

import d2lcnn as d2l


class Flatten(torch.nn.Module): # 展平操作
    def forward(self, x):
        return x.view(x.shape[0], -1)

class Reshape(torch.nn.Module): # 将图像大小重定型
    def forward(self, x):
        return x.view(-1,1,28,28) # (B x C x H x W)

lenet = torch.nn.Sequential(
     Reshape(),
     nn.Conv2d(in_channels=1, out_channels=6, kernel_size=5, padding=2),
     nn.Sigmoid(),
     nn.AvgPool2d(kernel_size=2, stride=2),
     nn.Conv2d(in_channels=6, out_channels=16, kernel_size=5),
     nn.Sigmoid(),
     nn.AvgPool2d(kernel_size=2, stride=2),
     Flatten(),
     nn.Linear(in_features=16 * 5 * 5, out_features=120),
     nn.Sigmoid(),
     nn.Linear(120, 84),
     nn.Sigmoid(),
     nn.Linear(84, 10)
)

class AlexNet(nn.Module):
   def __init__(self):
      super(AlexNet, self).__init__()
      self.conv = nn.Sequential(
          nn.Conv2d(1, 96, 11, 4), # in_channels, out_channels, kernel_size, stride
          nn.ReLU(),
          nn.MaxPool2d(3, 2), # kernel_size, stride
          nn.Conv2d(96, 256, 5, 1, 2),
          nn.ReLU(),
          nn.MaxPool2d(3, 2),
          nn.Conv2d(256, 384, 3, 1, 1),
          nn.ReLU(),
          nn.Conv2d(384, 384, 3, 1, 1),
          nn.ReLU(),
          nn.Conv2d(384, 256, 3, 1, 1),
          nn.ReLU(),
          nn.MaxPool2d(3, 2)
      )
      self.fc = nn.Sequential(
          nn.Linear(256*5*5, 4096),
          nn.ReLU(),
          nn.Dropout(0.5),
          nn.Linear(4096, 4096),
          nn.ReLU(),
          nn.Dropout(0.5),
          nn.Linear(4096, 10),
      )
   def forward(self, img):
      feature = self.conv(img)
      output = self.fc(feature.view(img.shape[0], -1))
      return output

def vgg_block(num_convs, in_channels, out_channels):
   blk = []
   for i in range(num_convs):
       if i == 0:
           blk.append(nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1))
       else:
           blk.append(nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1))
       blk.append(nn.ReLU())
   blk.append(nn.MaxPool2d(kernel_size=2, stride=2)) # 这里会使宽高减半
   return nn.Sequential(*blk)

def vgg(conv_arch, fc_features, fc_hidden_units=4096):
   net = nn.Sequential()
   for i, (num_convs, in_channels, out_channels) in enumerate(conv_arch):
       net.add_module("vgg_block_" + str(i+1), vgg_block(num_convs, in_channels, out_channels))
   net.add_module("fc", nn.Sequential(d2l.FlattenLayer(),
                                nn.Linear(fc_features, fc_hidden_units),
                                nn.ReLU(),
                                nn.Dropout(0.5),
                                nn.Linear(fc_hidden_units, fc_hidden_units),
                                nn.ReLU(),
                                nn.Dropout(0.5),
                                nn.Linear(fc_hidden_units, 10)
                               ))
   return net

class GlobalAvgPool2d(nn.Module):
   def __init__(self):
       super(GlobalAvgPool2d, self).__init__()
   def forward(self, x):
       return F.avg_pool2d(x, kernel_size=x.size()[2:])

nin = nn.Sequential(
   nin_block(1, 96, kernel_size=11, stride=4, padding=0),
   nn.MaxPool2d(kernel_size=3, stride=2),
   nin_block(96, 256, kernel_size=5, stride=1, padding=2),
   nn.MaxPool2d(kernel_size=3, stride=2),
   nin_block(256, 384, kernel_size=3, stride=1, padding=1),
   nn.MaxPool2d(kernel_size=3, stride=2),
   nn.Dropout(0.5),
   nin_block(384, 10, kernel_size=3, stride=1, padding=1),
   GlobalAvgPool2d(),
   d2l.FlattenLayer())

class Inception(nn.Module):
   def __init__(self, in_c, c1, c2, c3, c4):
      super(Inception, self).__init__()
      self.p1_1 = nn.Conv2d(in_c, c1, kernel_size=1)
      self.p2_1 = nn.Conv2d(in_c, c2[0], kernel_size=1)
      self.p2_2 = nn.Conv2d(c2[0], c2[1], kernel_size=3, padding=1)
      self.p3_1 = nn.Conv2d(in_c, c3[0], kernel_size=1)
      self.p3_2 = nn.Conv2d(c3[0], c3[1], kernel_size=5, padding=2)
      self.p4_1 = nn.MaxPool2d(kernel_size=3, stride=1, padding=1)
      self.p4_2 = nn.Conv2d(in_c, c4, kernel_size=1)
   def forward(self, x):
      p1 = F.relu(self.p1_1(x))
      p2 = F.relu(self.p2_2(F.relu(self.p2_1(x))))
      p3 = F.relu(self.p3_2(F.relu(self.p3_1(x))))
      p4 = F.relu(self.p4_2(self.p4_1(x)))
      return torch.cat((p1, p2, p3, p4), dim=1) # 在通道维上连结输出

b1 = nn.Sequential(nn.Conv2d(1, 64, kernel_size=7, stride=2, padding=3),
                   nn.ReLU(),
                   nn.MaxPool2d(kernel_size=3, stride=2, padding=1))
b2 = nn.Sequential(nn.Conv2d(64, 64, kernel_size=1),
                   nn.Conv2d(64, 192, kernel_size=3, padding=1),
                   nn.MaxPool2d(kernel_size=3, stride=2, padding=1))
b3 = nn.Sequential(Inception(192, 64, (96, 128), (16, 32), 32),
                   Inception(256, 128, (128, 192), (32, 96), 64),
                   nn.MaxPool2d(kernel_size=3, stride=2, padding=1))
b4 = nn.Sequential(Inception(480, 192, (96, 208), (16, 48), 64),
                   Inception(512, 160, (112, 224), (24, 64), 64),
                   Inception(512, 128, (128, 256), (24, 64), 64),
                   Inception(512, 112, (144, 288), (32, 64), 64),
                   Inception(528, 256, (160, 320), (32, 128), 128),
                   nn.MaxPool2d(kernel_size=3, stride=2, padding=1))
b5 = nn.Sequential(Inception(832, 256, (160, 320), (32, 128), 128),
                   Inception(832, 384, (192, 384), (48, 128), 128),
                   d2l.GlobalAvgPool2d())
googlenet = nn.Sequential(b1, b2, b3, b4, b5, d2l.FlattenLayer(), nn.Linear(1024, 10))
"""


@pytest.fixture(scope="module")
def notes():
    # nin_block is missing from the notes; everything else is theirs.
    space = {"nin_block": nets.nin_block, "__name__": "notes"}
    exec(compile(NOTES, "notes", "exec"), space)
    return space


def test_notes_lenet(notes):
    net = notes["lenet"].eval()
    shapes = stages(net, torch.zeros(2, 784))
    comments = {0: (1, 28, 28), 1: (6, 28, 28), 3: (6, 14, 14), 4: (16, 10, 10), 6: (16, 5, 5), 7: (400,), 12: (10,)}
    assert {i: shapes[i] for i in comments} == comments
    assert_same(nets.lenet(), net, (2, 1, 28, 28))


def test_notes_alexnet(notes):
    net, ours = notes["AlexNet"](), nets.AlexNet()
    net.load_state_dict(ours.state_dict())
    X = torch.rand(1, 1, 224, 224)
    with torch.no_grad():
        assert net.conv(X).shape == (1, 256, 5, 5)
        torch.testing.assert_close(net.eval()(X), ours.eval()(X))


def test_notes_vgg(notes):
    arch = [(1, 1, 8), (1, 8, 16), (2, 16, 32), (2, 32, 64), (2, 64, 64)]
    net, ours = notes["vgg"](arch, 64 * 7 * 7, 32), nets.vgg(arch, 64 * 7 * 7, 32)
    net.load_state_dict(ours.state_dict())
    X = torch.rand(2, 1, 224, 224)
    assert [shape[1] for shape in stages(net, X)[:-1]] == [112, 56, 28, 14, 7]
    with torch.no_grad():
        torch.testing.assert_close(net.eval()(X), ours.eval()(X))


def test_notes_nin(notes):
    net, ours = notes["nin"], nets.nin()
    net.load_state_dict(ours.state_dict())
    X = torch.rand(2, 1, 224, 224)
    with torch.no_grad():
        assert net.eval()(X).shape == (2, 10)
        torch.testing.assert_close(net(X), ours.eval()(X))


def test_notes_googlenet(notes):
    net = notes["googlenet"].eval()
    X = torch.rand(2, 1, 96, 96)
    assert [shape[0] for shape in stages(net, X)] == [64, 192, 480, 832, 1024, 1024, 10]
    ours = nets.googlenet().eval()
    copy_weights(ours, net)
    with torch.no_grad():
        # Without the two ReLUs of its second stage, and only for that, the notes' network gives something else.
        assert not torch.allclose(net(X), ours(X))
        net[1] = nn.Sequential(net[1][0], nn.ReLU(), net[1][1], nn.ReLU(), net[1][2])
        torch.testing.assert_close(net(X), ours(X))


# Errors of the notes and of published chapters.


def test_lenets_first_convolution_keeps_height_and_width():
    _, first, *_ = nets.lenet()
    assert first(torch.zeros(1, 1, 28, 28)).shape[2:] == (28, 28)


def test_nins_logits_are_never_negative_with_the_final_relu():
    torch.manual_seed(0)
    X = torch.randn(64, 1, 28, 28)
    nets.he_init(with_relu := nets.nin_mini(final_relu=True))
    without = nets.nin_mini()
    copy_weights(with_relu, without)
    with torch.no_grad():
        assert with_relu.eval()(X).min() >= 0
        assert without.eval()(X).min() < 0
    assert isinstance(nets.nin()[7][-1], nn.ReLU)
    assert isinstance(nets.nin(final_relu=False)[7][-1], nn.Conv2d)


def test_two_convolutions_without_relu_are_one_away_from_the_border(notes):
    first, second, _ = notes["b2"].double()
    both = nn.Conv2d(64, 192, kernel_size=3, padding=1).double()
    with torch.no_grad():
        both.weight.copy_(torch.einsum("omhw,mi->oihw", second.weight, first.weight[:, :, 0, 0]))
        both.bias.copy_(second.bias + torch.einsum("omhw,m->o", second.weight, first.bias))
        X = torch.randn(2, 64, 9, 9, dtype=torch.float64)
        apart, together = second(first(X)), both(X)
    torch.testing.assert_close(apart[:, :, 1:-1, 1:-1], together[:, :, 1:-1, 1:-1])
    assert not torch.allclose(apart, together)
    notes["b2"].float()


def test_vggs_layers_differ_in_parameters():
    with torch.device("meta"):
        convs = [m for m in nets.vgg11().modules() if isinstance(m, nn.Conv2d)]
    assert len({count(conv) for conv in convs}) > 5


# Other sizes, and what does not work.


@pytest.mark.parametrize("name", nets.NETWORKS)
@pytest.mark.parametrize("size", ["full", "mini"])
def test_other_classes_channels_and_sizes(name, size):
    usual = nets.variant(name, size).recipe.input_size
    net = nets.network(name, size, num_classes=7, in_channels=3, input_size=usual + 8)
    assert net.eval()(torch.zeros(2, 3, usual + 8, usual + 8)).shape == (2, 7)
    assert all(module.training for module in net.train().modules())


@pytest.mark.parametrize(
    ("name", "size", "smallest"),
    [
        ("lenet", "full", 12),
        ("alexnet", "full", 67),
        ("alexnet", "mini", 15),
        ("vgg", "full", 32),
        ("vgg", "mini", 8),
        ("nin", "full", 67),
        ("nin", "mini", 15),
    ],
)
def test_too_small_an_input_names_the_layer(name, size, smallest):
    nets.network(name, size, input_size=smallest)
    with pytest.raises(ValueError, match=r"layer .* gets|pooling returns nothing|vanishes in vgg_block_\d"):
        nets.network(name, size, input_size=smallest - 1)


def test_googlenet_takes_any_size():
    assert nets.googlenet(width=1 / 16).eval()(torch.zeros(1, 1, 7, 5)).shape == (1, 10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nets.lenet(num_classes=0), "num_classes must be an int of at least 1, got 0"),
        (lambda: nets.AlexNet(in_channels=0), "in_channels must be an int"),
        (lambda: nets.AlexNet(input_size=28), r"\(1, 1, 28, 28\) does not fit: layer \d+ \(\w+\) gets"),
        (lambda: nets.vgg_block(0, 1, 1), "num_convs must be an int"),
        (lambda: nets.vgg([(1, 1, 8), (1, 16, 8)], 8), "block 2 must take the 8 channels that block 1 gives, got 16"),
        (lambda: nets.vgg11(ratio=128), "ratio must be at most 64"),
        (lambda: nets.nin(num_classes=-1), "num_classes must be"),
        (lambda: nets.Inception(0, 1, (1, 1), (1, 1), 1), "in_c must be"),
        (lambda: nets.googlenet(pools=(True,)), "pools must hold four"),
        (lambda: nets.googlenet(width=0), "width must be above 0"),
        (lambda: nets.googlenet(inceptions=nets.INCEPTIONS[:2]), "inceptions must be a tuple of 3"),
        (lambda: nets.Inception(192, 64, 128, (16, 32), 32), "c2 must be a tuple of 2, got 128"),
        (lambda: nets.nin(widths=(96, 256)), r"widths must be a tuple of 3, got \(96, 256\)"),
        (lambda: nets.AlexNet(widths=(96,)), "widths must be a tuple of 5"),
        (lambda: nets.AlexNet(stem=(11, 4, 0, 2)), r"stem must be a tuple of 3, got \(11, 4, 0, 2\)"),
        (lambda: nets.AlexNet(fc_hidden_units=0), "fc_hidden_units must be an int of at least 1, got 0"),
        (lambda: nets.nin(stem=(11, 4)), r"stem must be a tuple of 3, got \(11, 4\)"),
        (lambda: nets.googlenet(stem=7), "stem must be a tuple of 3, got 7"),
        (lambda: nets.vgg([(1, 64)], 64), r"conv_arch: block 1 must be a tuple of 3, got \(1, 64\)"),
        (lambda: nets.network("nin", input_size=28.0), "input_size must be an int"),
        (lambda: nets.network("alexnt"), "did you mean 'alexnet'"),
        (lambda: nets.variant("vgg", "minni"), "size must be one of full, mini, got 'minni'; did you mean 'mini'"),
        (lambda: nets.check_input(nets.lenet(), (2, 1, 56, 56)), "2 examples go in and 8 come out"),
        (lambda: nets.check_input(nets.alexnet_mini(), (1, 1, 64, 64)), r"layer fc.0 \(Linear\) gets"),
    ],
)
def test_clear_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_check_input_leaves_the_net_as_it_was():
    net = nets.vgg_mini()
    net.fc[3].eval()
    state = torch.get_rng_state()
    assert nets.check_input(net, (2, 1, 28, 28)) == (2, 10)
    assert torch.equal(torch.get_rng_state(), state)
    assert net.training and not net.fc[3].training and not net.vgg_block_1[0]._forward_pre_hooks


# Recipes.


@pytest.mark.parametrize("name", nets.NETWORKS)
def test_every_network_has_both_variants_and_their_recipes_train(name):
    variants = nets.NETWORKS[name]
    assert list(variants) == ["full", "mini"]
    accepted = inspect.signature(fit).parameters
    for chosen in variants.values():
        assert set(chosen.recipe.training) <= set(accepted)
        if chosen.recipe.augment is not None:
            Augment(**chosen.recipe.augment)
    assert variants["mini"].recipe.input_size == 28
    full_sizes = {"lenet": 28, "googlenet": 96}
    assert variants["full"].recipe.input_size == full_sizes.get(name, 224) and variants["full"].recipe.epochs == 10


def test_recipes_are_frozen_and_checked():
    recipe = nets.Recipe(input_size=28, epochs=2, lr=0.1, flip=True)
    assert recipe.augment == {"flip": True, "shift": 0}
    assert nets.Recipe(28, 1, 0.1).augment is None
    recipe = nets.Recipe(28, 2, 0.1, weight_decay=0.2, precision="fp32")
    assert recipe.training == {"epochs": 2, "lr": 0.1, "weight_decay": 0.2, "precision": "fp32"}
    with pytest.raises(FrozenInstanceError):
        recipe.lr = 1
    bad = {
        "input_size": 0,
        "epochs": 0,
        "lr": -1,
        "batch_size": 0,
        "weight_decay": -1,
        "precision": "int8",
    }
    assert set(bad) <= {field.name for field in fields(nets.Recipe)}
    for name, value in bad.items():
        with pytest.raises(ValueError, match=f"{name} must be"):
            nets.Recipe(**({"input_size": 28, "epochs": 1, "lr": 0.1} | {name: value}))


DROPOUT = {
    ("alexnet", "full"): [0.5, 0.5],
    ("alexnet", "mini"): [0.2, 0.2],
    ("vgg", "full"): [0.5, 0.5],
    ("vgg", "mini"): [0.2, 0.2],
    ("nin", "full"): [0.5],
    ("nin", "mini"): [0.0],
}


@pytest.mark.parametrize("size", ["full", "mini"])
@pytest.mark.parametrize("name", nets.NETWORKS)
def test_how_variants_start(name, size):
    net = nets.network(name, size)
    layers = [layer for layer in net.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    if name == "lenet":
        assert layers[0].weight.std() > 0.3  # 0.43 by glorot_init, 0.12 by torch
    else:
        assert not any(layer.bias.any() for layer in layers)  # as he_init leaves them, and torch does not
    assert [layer.p for layer in net.modules() if isinstance(layer, nn.Dropout)] == DROPOUT.get((name, size), [])
    if name == "nin":
        assert isinstance(net[7][-1], nn.Conv2d)


def test_full_recipes():
    recipes = {name: variants["full"].recipe for name, variants in nets.NETWORKS.items()}
    assert recipes.pop("lenet") == nets.NETWORKS["lenet"]["mini"].recipe
    for name, recipe in recipes.items():
        size = 96 if name == "googlenet" else 224
        assert recipe == nets.Recipe(input_size=size, epochs=10, lr=1e-3, weight_decay=0.05, flip=True)


# What else the book relies on.


@pytest.mark.parametrize("name", nets.NETWORKS)
def test_networks_are_straight_lines_for_fx_and_take_channels_last(name):
    net = nets.network(name, "mini").eval()
    X = torch.rand(4, 1, 28, 28)
    with torch.no_grad():
        expected = net(X)
        torch.testing.assert_close(fx.symbolic_trace(net)(X), expected)
        net = net.to(memory_format=torch.channels_last)
        torch.testing.assert_close(net(X.to(memory_format=torch.channels_last)), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", nets.NETWORKS)
def test_mini_networks_learn(name):
    torch.manual_seed(0)
    net = nets.network(name, "mini")
    X, y = torch.randn(32, 1, 28, 28), torch.arange(32) % 4
    optimizer = torch.optim.Adam(net.eval().parameters(), lr=2e-3)
    losses = []
    for _ in range(15):
        loss = F.cross_entropy(net(X), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 0.05
    assert all(p.grad is not None for p in net.parameters())


def test_he_init_keeps_the_size_of_signals():
    torch.manual_seed(0)
    net = nets.googlenet(width=1 / 4)
    X = torch.randn(4, 1, 96, 96)
    with torch.no_grad():
        shrunk = net[:4](X).std()
        kept = nets.he_init(net)[:4](X).std()
    assert shrunk < 0.05 and 0.2 < kept < 10
    assert all(not m.bias.any() for m in net.modules() if isinstance(m, nn.Conv2d))


def test_the_packages_own_layers_are_used():
    assert isinstance(nets.nin()[8], GlobalAvgPool2d) and isinstance(nets.vgg_mini().fc[0], FlattenLayer)
    assert d2lcnn.FlattenLayer is FlattenLayer
