"""The figures that move, in a real browser: their numbers are the package's, by mouse, by touch and by keyboard."""

import base64
import copy
import html
import json
import random
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from axe_playwright_python.sync_playwright import Axe
from test_pages import browser  # noqa: F401, a fixture
from torch import nn

import d2lcnn
from d2lcnn import explore
from d2lcnn.explore import export
from d2lcnn.explore.page import FOLDER

pytestmark = pytest.mark.usefixtures("one_thread")

DESKTOP, PHONE = {"width": 1000, "height": 900}, {"width": 390, "height": 844}


class Opened(NamedTuple):
    """A page with figures, and whatever goes wrong in it."""

    tab: object
    trouble: list[str]

    def figure(self, n: int = 0):
        return self.tab.locator(".d2lcnn-explore").nth(n)


@pytest.fixture
def opened(browser, tmp_path) -> Iterator[Callable[..., Opened]]:  # noqa: F811
    """Opens figures from a file: `opened(figure, ..., phone=False, dark=False, sandbox=False, still=False)`."""
    contexts = []

    def opened(*figures, phone=False, dark=False, sandbox=False, still=False) -> Opened:
        scheme, motion = "dark" if dark else "light", "reduce" if still else "no-preference"
        options = {"has_touch": True, "is_mobile": True, "viewport": PHONE} if phone else {"viewport": DESKTOP}
        context = browser.new_context(color_scheme=scheme, reduced_motion=motion, **options)
        contexts.append(context)
        tab, trouble = context.new_page(), []
        tab.on("console", lambda message: trouble.append(message.text) if message.type != "log" else None)
        tab.on("pageerror", lambda error: trouble.append(str(error)))
        tab.on("request", lambda r: trouble.append(r.url) if not r.url.startswith(("file:", "about:")) else None)
        path = tmp_path / f"page-{len(contexts)}.html"
        figures[0].save(path)
        page = path.read_text(encoding="utf-8")
        body = "\n".join(figure._repr_html_() for figure in figures)
        if sandbox:  # as Colab and others show an output
            body = f'<iframe sandbox="allow-scripts" width="900" height="900" srcdoc="{html.escape(body)}"></iframe>'
        path.write_text(page.replace(figures[0]._repr_html_(), body), encoding="utf-8")
        tab.goto(path.as_uri())
        return Opened(tab, trouble)

    yield opened
    for context in contexts:
        context.close()


# ---- The operations, against torch --------------------------------------------------------------------------------

RUNTIME = (FOLDER / "runtime.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def runtime(browser) -> Iterator[Callable]:  # noqa: F811
    """Evaluates an expression of the runtime's, with X, K, ... from lists of {shape, data}."""
    tab = browser.new_page()
    tab.goto("about:blank")

    def runtime(expression: str, options: dict | None = None, **tensors) -> torch.Tensor:
        given = {
            name: [packed(t) for t in value] if isinstance(value, list) else packed(value)
            for name, value in tensors.items()
        }
        code = (
            f"({{given, options}}) => {{ {RUNTIME}\n"
            "const read = (v) => v === null ? null : Array.isArray(v) ? v.map(read) : tensor(v.shape, v.data);"
            f"const {{{', '.join(given) or 'none'}}} = Object.fromEntries("
            "Object.entries(given).map(([name, v]) => [name, read(v)]));"
            f"const Y = {expression}; return {{shape: Y.shape, data: [...Y.data]}}; }}"
        )
        found = tab.evaluate(code, {"given": given, "options": options or {}})
        return torch.tensor(found["data"]).reshape(found["shape"])

    yield runtime
    tab.close()


def packed(values: torch.Tensor | None) -> dict | None:
    return None if values is None else {"shape": list(values.shape), "data": values.flatten().tolist()}


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    assert found.shape == expected.shape
    torch.testing.assert_close(found, expected.to(found.dtype), atol=1e-4, rtol=1e-4)


SEEDS = range(12)


@pytest.mark.parametrize("seed", SEEDS)
def test_corr2d_is_the_package_s(runtime, seed):
    rng, _ = random.Random(seed), torch.manual_seed(seed)
    k, d, s, p = ((rng.randint(*ends), rng.randint(*ends)) for ends in ((1, 4), (1, 3), (1, 3), (0, 3)))
    X, K = torch.randn(rng.randint(10, 14), rng.randint(10, 14)), torch.randn(k)
    options = {"padding": p, "stride": s, "dilation": d}
    close(runtime("corr2d(X, K, options)", options, X=X, K=K), d2lcnn.corr2d(X, K, **options))
    close(runtime("corr2d(X, flipped(K), options)", options, X=X, K=K), d2lcnn.convolve2d(X, K, **options))


@pytest.mark.parametrize("seed", SEEDS)
def test_conv2d_is_torch_s(runtime, seed):
    rng, _ = random.Random(seed), torch.manual_seed(seed)
    groups = rng.choice([1, 1, 2, 3])
    k, d, s, p = ((rng.randint(*ends), rng.randint(*ends)) for ends in ((1, 5), (1, 2), (1, 3), (0, 3)))
    c_i, c_o = groups * rng.randint(1, 3), groups * rng.randint(1, 3)
    X, K = torch.randn(c_i, rng.randint(9, 13), rng.randint(9, 13)), torch.randn(c_o, c_i // groups, *k)
    bias = torch.randn(c_o) if seed % 3 else None
    options = {"padding": p, "stride": s, "dilation": d, "groups": groups}
    close(
        runtime("conv2d(X, K, bias, options)", options, X=X, K=K, bias=bias), F.conv2d(X[None], K, bias, **options)[0]
    )


def test_conv2d_of_one_by_one(runtime):
    X, K, bias = torch.randn(5, 7, 6), torch.randn(4, 5, 1, 1), torch.randn(4)
    close(runtime("conv2d(X, K, bias)", X=X, K=K, bias=bias), F.conv2d(X[None], K, bias)[0])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("ceil", [False, True])
def test_pool2d_is_torch_s(runtime, seed, ceil):
    rng, _ = random.Random(seed), torch.manual_seed(seed)
    kernel = (rng.randint(1, 4), rng.randint(1, 4))
    padding = tuple(rng.randint(0, k // 2) for k in kernel)
    stride, dilation = ((rng.randint(*ends), rng.randint(*ends)) for ends in ((1, 3), (1, 2)))
    X = torch.randn(3, rng.randint(9, 13), rng.randint(9, 13))
    for mode in ("max", "avg"):
        counts = bool(rng.getrandbits(1))
        if mode == "max":
            Y = F.max_pool2d(X[None], kernel, stride, padding, dilation, ceil_mode=ceil)[0]
        else:
            Y = F.avg_pool2d(X[None], kernel, stride, padding, ceil_mode=ceil, count_include_pad=counts)[0]
        options = {"stride": stride, "padding": padding, "size": list(Y.shape[1:]), "countsPadding": counts}
        options |= {"dilation": dilation} if mode == "max" else {}
        options |= {"kernel": kernel}
        close(runtime(f"pool2d(X, '{mode}', options.kernel, options)", options, X=X), Y)


def test_pool2d_is_the_package_s(runtime):
    X = torch.randn(2, 9, 8)
    for mode in ("max", "avg"):
        close(runtime(f"pool2d(X, '{mode}', [3, 2])", X=X), d2lcnn.pool2d(X, (3, 2), mode))


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (4, 7), (9, 9)])
def test_averages_to_a_size_are_torch_s(runtime, size):
    X = torch.randn(3, 7, 9)
    Y = F.adaptive_avg_pool2d(X[None], size)[0]
    close(runtime("averageTo(X, options.size)", {"size": size}, X=X), Y)


def test_the_others_are_torch_s(runtime):
    X, W, b, A, B = (torch.randn(*shape) for shape in ((6,), (4, 6), (4,), (2, 5, 3), (4, 5, 3)))
    close(runtime("linear(X, W, b)", X=X, W=W, b=b), F.linear(X, W, b))
    close(runtime("linear(X, W, null)", X=X, W=W), F.linear(X, W))
    close(runtime("concatenate(parts)", parts=[A, B, A]), torch.cat((A, B, A)))
    close(runtime("concatenate(parts)", parts=[X, b]), torch.cat((X, b)))
    close(runtime("softmax(X)", X=50 * X), (50 * X).softmax(0))
    close(runtime("softmax(A)", A=A), A.softmax(0))
    close(runtime("scaled(A, X, W)", A=A, X=X[:2], W=b[:2]), A * X[:2, None, None] + b[:2, None, None])


@pytest.mark.parametrize("name", ["relu", "relu6", "elu", "leaky_relu", "sigmoid", "silu", "tanh"])
def test_activations_are_torch_s(runtime, name):
    X = 4 * torch.randn(3, 5, 4)
    setting = {"elu": 0.7, "leaky_relu": 0.2}.get(name)
    Y = getattr(F, name, None)(X, *([setting] if setting else []))
    close(runtime(f"activate('{name}', X, options.setting)", {"setting": setting}, X=X), Y)


# ---- A network from its trace -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data():
    return d2lcnn.FashionMNIST()


@pytest.fixture(scope="module")
def run(browser) -> Iterator[Callable]:  # noqa: F811
    """Runs a network in the page on a batch X, and returns what the nodes of these names make of it."""
    tab = browser.new_page()
    tab.goto("about:blank")

    def run(net: nn.Module, X: torch.Tensor, *names: str) -> list[torch.Tensor]:
        spec = json.loads(json.dumps(export.exported(net, (1, *X.shape[1:])), allow_nan=False))
        code = (
            f"([spec, shape, pictures, names]) => {{ {RUNTIME}\n const net = new Network(spec);"
            "return pictures.map((data) => { const made = net.run(tensor(shape, data));"
            "return (names.length ? names : [net.output.name]).map((name) => [made[name].shape, [...made[name].data]]);"
            "}); }"
        )
        found = tab.evaluate(code, [spec, list(X.shape[1:]), X.flatten(1).tolist(), list(names)])
        columns = [[torch.tensor(values).reshape(shape) for shape, values in column] for column in zip(*found)]
        return [torch.stack(column) for column in columns]

    yield run
    tab.close()


@pytest.mark.parametrize(
    ("name", "number"), [("lenet", 1000), ("googlenet", 1000), ("alexnet", 100), ("vgg", 100), ("nin", 100)]
)
def test_a_network_in_the_page_names_the_class_that_torch_names(run, data, name, number):
    net = d2lcnn.network(name, "mini", weights="recorded")
    X, _ = next(iter(data.test(number)))
    with torch.no_grad():
        expected = net(X)
    (scores,) = run(net, X)
    same = (scores.argmax(1) == expected.argmax(1)).float().mean()
    assert same >= 0.99, same
    assert (scores.softmax(1) - expected.softmax(1)).abs().mean() < 0.01


class Zoo(nn.Module):
    """One of everything that the page computes, on no network of the book's."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=1)
        self.same = nn.Conv2d(8, 8, 4, padding="same", groups=4, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.plain = nn.BatchNorm2d(8, affine=False)
        self.max = nn.MaxPool2d(3, 2, 1, ceil_mode=True)
        self.avg = nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False)
        self.acts = nn.Sequential(nn.LeakyReLU(0.3), nn.ELU(0.5), nn.SiLU(), nn.Tanh(), nn.ReLU6(), nn.Sigmoid())
        self.adaptive = nn.AdaptiveAvgPool2d((2, 3))
        self.drop, self.fc = nn.Dropout(0.5), nn.Linear(96, 5)
        self.softmax = nn.Softmax(dim=1)

    def forward(self, X):
        X = self.norm(self.conv(X))
        X = X + self.plain(self.same(X))
        X = self.acts(torch.cat((self.max(X), self.avg(X)), 1))
        X = torch.flatten(self.adaptive(self.drop(X)), 1)
        return self.softmax(F.relu(self.fc(X)))


def test_a_network_of_other_layers_gives_what_torch_gives_with_the_same_weights(run):
    torch.manual_seed(1)
    net = Zoo().eval()
    for norm in (net.norm, net.plain):
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    # Weights that eight bits hold exactly.
    with torch.no_grad():
        for layer in (net.conv, net.same, net.fc):
            layer.weight.copy_(torch.randint(-127, 128, layer.weight.shape) / 256)
            layer.weight.flatten(1)[:, 0] = 127 / 256
        X = torch.randn(4, 3, 17, 16)
        expected = net(X)
    (found,) = run(net, X)
    close(found, expected)


@pytest.mark.parametrize("net", [nn.Conv2d(1, 4, 3), nn.Sequential(nn.Conv2d(1, 4, 3, bias=False))])
def test_a_single_layer_is_a_network(run, net):
    X = torch.randn(2, 1, 6, 7)
    (found,) = run(net, X)
    assert (found - net(X)).abs().max() < 0.03  # the weights have eight bits


@pytest.mark.parametrize(
    ("net", "words"),
    [
        (nn.Sequential(nn.ConvTranspose2d(1, 1, 3)), "'0' (ConvTranspose2d)"),
        (nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect")), "pads with 'reflect'"),
        (nn.Sequential(nn.AvgPool2d(2, divisor_override=3)), "divides by a number of its own"),
        (nn.Sequential(nn.Linear(8, 2)), "is applied along a map"),
        (nn.Sequential(nn.BatchNorm2d(1, track_running_stats=False)), "keeps no running statistics"),
        (nn.Sequential(nn.Softmax(dim=-1)), "runs along axis -1"),
    ],
)
def test_what_the_page_cannot_compute_is_refused(net, words):
    with pytest.raises(ValueError, match=re.escape(words)) as error:
        export.exported(net, (1, 1, 8, 8))
    assert len(str(error.value)) < 300


# ---- Every figure -------------------------------------------------------------------------------------------------

FIGURES: dict[str, Callable[[], explore.Figure]] = {
    "channels": explore.channels,
    "comparison": explore.comparison,
    "convolution": explore.convolution,
    "inception": explore.inception,
    "lenet": explore.lenet,
    "network": lambda: explore.network(d2lcnn.network("googlenet", "mini", weights="recorded")),
    "pooling": explore.pooling,
    "scene": explore.scene,
    "shapes": explore.shapes,
    "vgg": explore.vgg,
}
WAYS = ("mouse", "touch", "keys")
# What sticks out of the window without a scrollbar of its own, and controls that a finger misses.
FAULTS = """(host) => {
    const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    const small = [...host.shadowRoot.querySelectorAll("button, select, input, [tabindex='0']")].filter((e) => {
        const box = (e.closest("label") ?? e).getBoundingClientRect();
        return e.checkVisibility() && (box.height < 24 || box.width < 24);
    });
    return {wide: Math.max(wide, 0), small: small.map((e) => e.outerHTML.slice(0, 80))};
}"""


@pytest.fixture(scope="module", params=FIGURES, ids=str)
def figure(request) -> explore.Figure:
    return FIGURES[request.param]()


def test_the_scripts_are_small_and_hold_their_words_in_one_table():
    scripts = sorted(FOLDER.glob("*.js"))
    assert len(scripts) > 1 and sum(path.stat().st_size for path in scripts) < 90_000
    for path in scripts:
        code = path.read_text(encoding="utf-8")
        assert "http" not in code.replace("http://www.w3.org/2000/svg", "") and "</script" not in code
        assert max(map(len, code.splitlines())) <= 140, path.name
        if path.name != "runtime.js":
            assert len(re.findall(r"^const text = \{$", code, flags=re.M)) == 1
            assert re.search(r'^  lang: "en",\n  title: "', code, flags=re.M)


def test_every_public_figure_is_tested():
    assert set(explore.__all__) == {"Figure", *FIGURES}
    for name in explore.__all__:
        assert getattr(explore, name).__doc__, name


def test_the_html_is_the_same_each_time_and_says_in_words_what_it_is(figure, request):
    page = figure._repr_html_()
    assert page == FIGURES[request.node.callspec.params["figure"]]()._repr_html_()
    assert len(page.encode()) < 2e6
    assert "\n" not in repr(figure) and repr(figure).startswith("A figure to play with")
    without_scripts = re.sub(r"<(script|style)>.*?</\1>", "", page, flags=re.S)
    assert figure.title in without_scripts and "once this cell is run" in without_scripts


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("phone", [False, True], ids=["desktop", "phone"])
def test_it_opens_from_a_file_fits_and_is_accessible(figure, opened, phone, dark):
    page = opened(figure, phone=phone, dark=dark)
    assert page.figure().evaluate("(host) => host.hasAttribute('data-dark')") == dark
    assert page.figure().evaluate(FAULTS) == {"wide": 0, "small": []}
    violations = Axe().run(page.tab).response["violations"]
    assert [(v["id"], [node["html"][:200] for node in v["nodes"]]) for v in violations] == []
    assert page.trouble == []


def test_it_works_twice_on_a_page_and_in_a_sandbox(figure, opened):
    page = opened(figure, figure, explore.convolution([[1, 2], [3, 4]], [[1]]))
    frames = page.tab.locator(".frame")
    assert frames.count() == 3
    first, second = (page.figure(n).locator(".frame").inner_text() for n in (0, 1))
    assert first == second and len(first) > 50
    boxed = opened(figure, sandbox=True)
    assert boxed.tab.frame_locator("iframe").locator(".frame").inner_text() == first
    assert page.trouble + boxed.trouble == []


def test_reset_brings_the_beginning_back(figure, opened):
    page = opened(figure, still=True)
    frame = page.figure().locator(".frame")
    before = frame.inner_text()
    for range_ in frame.locator("input[type=range]").all():
        range_.press("ArrowRight")
    for select in frame.locator("select").all():
        select.press("End")
    for radio in frame.locator("fieldset input[type=radio]:last-child").all():
        radio.check(force=True)
    frame.locator("[data-reset]").click()
    assert frame.inner_text() == before
    assert frame.locator("[data-reset]").evaluate("(e) => e === e.getRootNode().activeElement")
    assert page.trouble == []


def numbers(text: str) -> list[float]:
    """All numbers in a text, thousands and minus signs as the figures write them."""
    found = re.findall(r"[−-]?\d[\d,]*(?:\.\d+)?(?:e[−-]?\d+)?", text)
    return [float(n.replace("−", "-").replace(",", "")) for n in found]


def slide(page: Opened, label: str, value: float, way: str, n: int = 0) -> None:
    """Bring a slider to a value: with the mouse or a finger where its thumb is to be, or by arrow keys."""
    range_ = page.figure(n).get_by_label(label, exact=True)
    low, high, step, now = (float(x) for x in range_.evaluate("(e) => [e.min, e.max, e.step, e.value]"))
    if way == "keys":
        range_.focus()
        for _ in range(round(abs(value - now) / step)):
            page.tab.keyboard.press("ArrowRight" if value > now else "ArrowLeft")
    else:
        range_.scroll_into_view_if_needed()
        box = range_.bounding_box()
        x = box["x"] + 8 + (box["width"] - 16) * (value - low) / (high - low)
        point = (x, box["y"] + box["height"] / 2)
        (page.tab.touchscreen.tap if way == "touch" else page.tab.mouse.click)(*point)
    assert float(range_.input_value()) == pytest.approx(value)


def press(page: Opened, target, way: str) -> None:
    """A click, a tap, or Enter."""
    if way == "keys":
        target.focus()
        page.tab.keyboard.press("Enter" if target.evaluate("(e) => e.tagName") == "BUTTON" else "Space")
    elif way == "touch":
        target.tap()
    else:
        target.click()


# ---- Figure by figure ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_convolution(opened, way):
    torch.manual_seed(0)
    X, K = torch.randint(-9, 10, (5, 6)).float(), torch.randint(-3, 4, (3, 2)).float()
    page = opened(explore.convolution(X, K), phone=way == "touch", still=True)
    frame = page.figure().locator(".frame")

    def output() -> torch.Tensor:
        Y = d2lcnn.corr2d(X, K)
        cells = frame.locator(".cells.output button").all_inner_texts()
        return torch.tensor([numbers(cell)[0] for cell in cells]).reshape(Y.shape)

    assert torch.equal(output(), d2lcnn.corr2d(X, K))
    # An output is pointed at: its window, and its sum.
    cell = frame.get_by_role("button", name=re.compile("^Y row 1, column 2"))
    if way == "mouse":
        cell.hover()
    elif way == "touch":
        cell.tap()
    else:
        frame.locator(".cells.output [tabindex='0']").focus()
        for key in ["ArrowUp"] * 4 + ["ArrowLeft"] * 6 + ["ArrowDown", "ArrowRight", "ArrowRight"]:
            page.tab.keyboard.press(key)
    window = X[1:4, 2:4].flatten()
    found = numbers(frame.locator(".live").inner_text().replace("·", " ").replace("= ", " "))
    assert found == [1, 2, *(v for pair in zip(window, K.flatten()) for v in map(float, pair)), float(output()[1, 2])]
    assert frame.locator(".cells.input .on").count() == 6
    # Numbers are changed.
    for name, tensor, at, value in (("X", X, (2, 3), 0.5), ("K", K, (0, 1), -2.0), ("X", X, (0, 0), 7.0)):
        cell = frame.get_by_label(re.compile(f"^{name} row {at[0]}, column {at[1]}"))
        if way == "keys":
            cell.focus()
            page.tab.keyboard.type(str(value))
        else:
            press(page, cell, way)
            cell.fill(str(value))
        tensor[at] = value
    torch.testing.assert_close(output(), d2lcnn.corr2d(X, K))
    # The other operation turns the kernel.
    press(page, frame.get_by_label("convolution", exact=True), way)
    cells = frame.locator(".cells.output button").all_inner_texts()
    assert [numbers(c)[0] for c in cells] == pytest.approx(d2lcnn.convolve2d(X, K).flatten().tolist())
    assert "turned" in frame.inner_text()
    # What is no number changes nothing, and is marked.
    cell = frame.get_by_label(re.compile("^X row 4, column 5"))
    cell.fill("x")
    assert cell.get_attribute("aria-invalid") == "true"
    assert page.trouble == []


@pytest.mark.parametrize("way", WAYS)
def test_convolution_of_a_picture(opened, data, way):
    images, labels = data.split("test")
    garment = images[(labels == 2).nonzero()[1, 0], 0] / 255
    page = opened(explore.convolution(), phone=way == "touch", still=True)
    frame = page.figure().locator(".frame")
    frame.locator("select").nth(0).select_option("garment")
    frame.locator("select").nth(1).select_option("leftRight")
    K = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])
    Y = d2lcnn.corr2d(garment, K)
    output = frame.get_by_label("output picture")
    for at in ((4, 9), (10, 20), (20, 3)):
        if way == "keys":
            output.focus()
            now = numbers(frame.locator(".live").inner_text())[:2]
            for axis, keys in enumerate((("ArrowUp", "ArrowDown"), ("ArrowLeft", "ArrowRight"))):
                for _ in range(int(abs(at[axis] - now[axis]))):
                    page.tab.keyboard.press(keys[at[axis] > now[axis]])
        else:
            side = output.bounding_box()["width"] / 26
            position = {"x": (at[1] + 0.5) * side, "y": (at[0] + 0.5) * side}
            output.tap(position=position) if way == "touch" else output.hover(position=position)
        found = numbers(frame.locator(".live").inner_text().replace("·", " "))
        assert tuple(found[:2]) == at and found[-1] == pytest.approx(Y[at].item(), abs=5e-3)
        window = garment[at[0] : at[0] + 3, at[1] : at[1] + 3].flatten().tolist()
        assert found[2:-1:2] == pytest.approx(window, abs=6e-3)
    assert page.trouble == []


def test_a_drawing_is_convolved(opened):
    page = opened(explore.convolution(torch.ones(4, 4), torch.ones(2, 2)))
    frame = page.figure().locator(".frame")
    frame.locator("select").nth(0).select_option("drawing")
    canvas = frame.get_by_label("input picture")
    canvas.focus()
    for key in ("Space", "ArrowRight", "Space"):
        page.tab.keyboard.press(key)
    # Two strokes of two by two, one column apart, from (14, 14) on.
    frame.get_by_label("output picture").focus()
    drawn = torch.zeros(28, 28)
    drawn[14:16, 14:17] = 1
    expected = d2lcnn.corr2d(drawn, torch.ones(2, 2))
    found = numbers(frame.locator(".live").inner_text())
    assert found[-1] == expected[int(found[0]), int(found[1])]
    box = canvas.bounding_box()
    page.tab.mouse.move(box["x"] + 20, box["y"] + 20)
    page.tab.mouse.down()
    page.tab.mouse.move(box["x"] + 100, box["y"] + 20, steps=12)
    page.tab.mouse.up()
    inked = canvas.evaluate(
        "(c) => [...c.getContext('2d').getImageData(0, 0, 28, 28).data].filter((v) => v === 255).length"
    )
    assert inked > 28 * 28 + 3 * (6 + 16)
    assert page.trouble == []


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"X": "x"}, TypeError, "X must be a tensor"),
        ({"X": torch.ones(2)}, ValueError, "X must have two axes"),
        ({"X": torch.ones(13, 3)}, ValueError, "X must have two axes of 1 to 12"),
        ({"X": [[float("nan")]]}, ValueError, "X must hold finite numbers"),
        ({"K": torch.ones(6, 1)}, ValueError, "K must have two axes of 1 to 5"),
        ({"X": [[1, 2]], "K": [[1], [1]]}, ValueError, "K must fit on X"),
        ({"picture": torch.ones(1, 9, 9)}, ValueError, "picture must be 28 by 28"),
        ({"picture": 2 * torch.ones(28, 28)}, ValueError, "picture must hold floats from 0 to 1"),
        ({"picture": "shoe.png"}, TypeError, "picture must be a tensor"),
    ],
)
def test_convolution_refuses_in_words(arguments, error, words):
    with pytest.raises(error, match=re.escape(words)) as raised:
        explore.convolution(**arguments)
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize("way", WAYS)
def test_shapes(opened, way):
    page = opened(explore.shapes(), phone=way == "touch")
    frame = page.figure().locator(".frame")
    labels = {"n": "input n", "k": "kernel k", "p": "padding p, each side", "s": "stride s", "d": "dilation d"}
    now = {"n": 7, "k": 3, "p": 0, "s": 2, "d": 1}
    for changes in ({"n": 12, "d": 2}, {"k": 5, "p": 2}, {"s": 3}, {"p": 1, "s": 4, "k": 2}, {"n": 13, "s": 1}):
        for name, value in changes.items():
            slide(page, labels[name], value, way)
        now |= changes
        n, k, p, s, d = now.values()
        out = d2lcnn.output_size(n, k, p, s, d)
        assert numbers(frame.locator(".formula").inner_text())[-1] == out
        X = torch.zeros(1, 1, 1, n, requires_grad=True)
        F.conv2d(X, torch.ones(1, 1, 1, k), stride=(1, s), padding=(0, p), dilation=(1, d)).sum().backward()
        assert numbers(" ".join(frame.locator("svg text").all_text_contents())) == X.grad.flatten().tolist()
        assert frame.locator("svg .window").count() == out
        left = (n + 2 * p - d * (k - 1) - 1) % s
        assert (f"drops the last {left}" if left > 1 else "the last element" if left else "nothing is dropped") in (
            frame.inner_text()
        )
    slide(page, "window", 5, way)
    assert numbers(frame.locator(".live").inner_text()) == [5, out, 5 * s - p, 5 * s - p + d]
    if way != "keys":
        target = frame.locator("svg .window").nth(2)
        target.hover(force=True) if way == "mouse" else target.tap(force=True)
        assert numbers(frame.locator(".live").inner_text())[0] == 2
    # The stack, with one more layer on it, and on a larger input.
    slide(page, "kernel k", 5, way)
    press(page, frame.get_by_role("button", name="put this layer"), way)
    slide(page, "input of the stack", 128, way)
    rows = [numbers(row.inner_text()) for row in frame.locator("tbody tr").all()]
    layers = [(int(k), int(s), int(d)) for _, k, s, _, d, *_ in rows[1:]]
    assert layers == [(7, 2, 1), (3, 2, 1), (3, 1, 1), (5, 1, 2)]
    size = 128
    for depth, row in enumerate(rows[1:], 1):
        size = d2lcnn.output_size(size, *(int(row[i]) for i in (1, 3, 2, 4)))
        assert row[5:7] == [size, d2lcnn.receptive_field(layers[:depth])]
    assert page.trouble == []


def test_shapes_stay_valid(opened):
    page = opened(explore.shapes(3, 3, stride=1))
    frame = page.figure().locator(".frame")
    for name, value in (("kernel k", 7), ("dilation d", 3), ("input n", 1), ("padding p, each side", 0)):
        slide(page, name, value, "mouse")
        n, k, p, s, d = (
            int(frame.get_by_label(label, exact=True).input_value())
            for label in ("input n", "kernel k", "padding p, each side", "stride s", "dilation d")
        )
        assert numbers(frame.locator(".formula").inner_text())[-1] == d2lcnn.output_size(n, k, p, s, d)
    for _ in range(3):
        frame.get_by_role("button", name="take the last one off").click()
    assert "has 0 layers" in frame.inner_text() and frame.locator("tbody tr").count() == 1
    assert page.trouble == []


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"n": 15}, ValueError, "n must be from 1 to 14; got 15"),
        ({"k": 2.5}, TypeError, "k must be an int from 1 to 7"),
        ({"stride": 0}, ValueError, "stride must be from 1 to 4"),
        ({"n": 2, "k": 3}, ValueError, "the window does not fit"),
    ],
)
def test_shapes_refuses_in_words(arguments, error, words):
    with pytest.raises(error, match=re.escape(words)):
        explore.shapes(**arguments)


def eight_bits(net: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """net with the weights that its figure computes with."""
    net, steps = copy.deepcopy(net), export.exported(net, shape)["steps"]
    for name, module in net.named_modules():
        found = steps.get(name, {}).get("weights", {}).get("weight")
        if found:
            integers = torch.frombuffer(bytearray(base64.b64decode(found["q"])), dtype=torch.int8)
            weight = integers.reshape(len(found["scale"]), -1) * torch.tensor(found["scale"])[:, None]
            module.weight.data = weight.reshape(found["shape"])
    return net


def prepared(images: torch.Tensor, data) -> torch.Tensor:
    return (images / 255 - data.mean[0]) / data.std[0]


def each_class(data) -> torch.Tensor:
    images, labels = data.split("test")
    return images[[int((labels == c).nonzero()[1]) for c in range(10)]]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["lenet", "nin"])
def test_network(opened, data, name, way):
    net = eight_bits(d2lcnn.network(name, "mini", weights="recorded"), (1, 1, 28, 28))
    figure = explore.network(d2lcnn.network(name, "mini", weights="recorded")) if name == "nin" else explore.lenet()
    page = opened(figure, phone=way == "touch")
    frame = page.figure().locator(".frame")
    canvas = frame.get_by_label("the input picture")
    garments = each_class(data)

    def shares() -> list[float]:
        return [float(text) for text in frame.locator(".bars span:nth-child(3n)").all_inner_texts()]

    def expected(picture: torch.Tensor) -> list[float]:
        with torch.no_grad():
            return net(prepared(picture, data)[None])[0].softmax(0).tolist()

    assert shares() == pytest.approx(expected(garments[0]), abs=1e-3)
    for k in (7, 8):
        press(page, frame.get_by_role("button", name=f"picture {k + 1}: {data.classes[k]}"), way)
        assert shares() == pytest.approx(expected(garments[k]), abs=1e-3)
    # Moved, and a part erased.
    slide(page, "shift to the right", 3, way)
    slide(page, "shift down", -2, way)
    moved = torch.zeros(1, 28, 28, dtype=torch.uint8)
    moved[:, :26, 3:] = garments[8, :, 2:, :25]
    assert shares() == pytest.approx(expected(moved), abs=1e-3)
    if way == "keys":
        canvas.focus()
        page.tab.keyboard.press("Space")
        at = (14, 14)
    else:
        at, unit = (20, 9), canvas.bounding_box()["width"] / 28
        position = {"x": (at[1] + 0.5) * unit, "y": (at[0] + 0.5) * unit}
        canvas.tap(position=position) if way == "touch" else canvas.click(position=position)
    moved[:, at[0] - 1 : at[0] + 3, at[1] - 1 : at[1] + 3] = 0
    assert shares() == pytest.approx(expected(moved), abs=1e-3)
    assert data.classes[max(range(10), key=shares().__getitem__)] in frame.locator(".live").inner_text()
    assert page.trouble == []


@pytest.mark.parametrize("way", WAYS)
def test_what_a_unit_was_computed_from(opened, data, way):
    net = eight_bits(d2lcnn.network("lenet", weights="recorded"), (1, 1, 28, 28))
    page = opened(explore.lenet(), phone=way == "touch")
    frame = page.figure().locator(".frame")
    with torch.no_grad():
        outputs = [prepared(each_class(data)[:1], data)]
        for layer in net:
            outputs.append(layer(outputs[-1]))

    def choose(name: str) -> tuple[list[int], float]:
        canvas = frame.get_by_label(re.compile(f"^{name}, "))
        if way == "keys":
            canvas.focus()
            page.tab.keyboard.press("ArrowRight")
            page.tab.keyboard.press("ArrowRight")
        else:
            box = canvas.bounding_box()
            position = {"x": box["width"] * 0.31, "y": box["height"] * 0.24}
            canvas.tap(position=position) if way == "touch" else canvas.click(position=position)
        *at, value = numbers(frame.locator(".live").inner_text().removeprefix(name))
        return [int(i) for i in at], value

    # A convolution: its value, its channels' sums, a window and its weights.
    (i, r, c), value = choose("4")
    layer, X = net[4], outputs[4][0]
    window = X[:, r : r + 5, c : c + 5]
    sums = (window * layer.weight[i].detach()).sum((1, 2))
    words = numbers(frame.locator(".layers p").inner_text())
    assert words[:3] == pytest.approx([outputs[5][0, i, r, c].item(), layer.bias[i].item(), 6], rel=0.01, abs=1e-3)
    assert words[3:] == pytest.approx(sums.tolist(), rel=0.01, abs=1e-3)
    assert value == words[0]
    slide(page, "input channel", 2, way)
    shown = [numbers(text) for text in frame.locator(".matrix").all_inner_texts()]
    assert shown[0] == pytest.approx(window[2].flatten().tolist(), rel=0.06, abs=1e-3)
    assert shown[1] == pytest.approx(layer.weight[i, 2].flatten().tolist(), rel=0.06, abs=1e-3)
    # Sigmoid, average pooling, fully connected.
    (i, r, c), value = choose("5")
    assert value == pytest.approx(outputs[6][0, i, r, c].item(), rel=0.01, abs=1e-4)
    assert numbers(frame.locator(".layers p").inner_text())[1] == pytest.approx(
        outputs[5][0, i, r, c].item(), rel=0.01, abs=1e-3
    )
    (i, r, c), value = choose("6")
    shown = numbers(frame.locator(".matrix").inner_text())
    assert shown == pytest.approx(
        outputs[6][0, i, 2 * r : 2 * r + 2, 2 * c : 2 * c + 2].flatten().tolist(), rel=0.06, abs=1e-4
    )
    assert value == pytest.approx(outputs[7][0, i, r, c].item(), rel=0.01, abs=1e-4)
    (i,), value = choose("10")
    terms = frame.locator(".layers p").inner_text()
    assert value == pytest.approx(outputs[11][0, i].item(), rel=0.01, abs=1e-3)
    products = outputs[10][0] * net[10].weight[i].detach()
    products = products[products.abs().argsort(descending=True)]
    assert numbers(terms.replace("·", " "))[-1] == pytest.approx(products[5:].sum().item(), rel=0.02, abs=2e-3)
    assert page.trouble == []


def test_a_network_of_three_channels_and_other_classes(opened):
    torch.manual_seed(0)
    images = torch.randint(0, 256, (12, 3, 9, 8), dtype=torch.uint8)
    own = d2lcnn.ImageData(images, torch.arange(12) % 3, ("ant", "bee", "cat"), validation=0.25, test=0.5)
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 3)
    ).eval()
    page = opened(explore.network(net, images[:2] / 255, data=own))
    mean, std = (torch.tensor(values).reshape(-1, 1, 1) for values in (own.mean, own.std))
    with torch.no_grad():
        X = (images[1:2] / 255 - mean) / std
        shares = eight_bits(net, X.shape)(X)[0].softmax(0).tolist()
    page.figure().get_by_role("button", name="picture 2").click()
    found = page.figure().locator(".bars span").all_inner_texts()
    assert found[::2] == ["ant", "bee", "cat"]
    assert [float(text) for text in found[1::2]] == pytest.approx(shares, abs=1e-3)
    assert page.trouble == []


@pytest.mark.parametrize(
    ("net", "images", "error", "words"),
    [
        (d2lcnn.lenet, None, TypeError, "net must be a torch.nn.Module, got the function lenet"),
        (d2lcnn.lenet(), torch.zeros(1, 3, 28, 28), ValueError, "images must have 1 channels"),
        (d2lcnn.lenet(), torch.zeros(1, 28, 28).int(), TypeError, "images must be a tensor of uint8"),
        (d2lcnn.lenet(num_classes=3), None, ValueError, "net must give a score for each of 10 classes"),
        (
            nn.Sequential(nn.Conv2d(1, 10, 28), nn.GELU(), nn.Flatten()),
            None,
            ValueError,
            "'1' (GELU) does something else",
        ),
    ],
)
def test_network_refuses_in_words(net, images, error, words):
    with pytest.raises(error, match=re.escape(words)) as raised:
        explore.network(net, images)
    assert len(str(raised.value)) < 300


def point_at(page: Opened, canvas, at: tuple[int, int], way: str) -> None:
    """Point at a pixel of a canvas, from its middle or wherever the keyboard was."""
    height, width = (int(canvas.get_attribute(name)) for name in ("height", "width"))
    if way == "keys":
        canvas.focus()
        for _ in range(height + width):
            page.tab.keyboard.press("ArrowUp")
            page.tab.keyboard.press("ArrowLeft")
        for key, steps in (("ArrowDown", at[0]), ("ArrowRight", at[1])):
            for _ in range(steps):
                page.tab.keyboard.press(key)
    else:
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        position = {"x": (at[1] + 0.5) * box["width"] / width, "y": (at[0] + 0.5) * box["height"] / height}
        canvas.tap(position=position) if way == "touch" else canvas.hover(position=position)


@pytest.mark.parametrize("way", WAYS)
def test_channels(opened, way):
    torch.manual_seed(0)
    X = torch.randint(0, 256, (3, 12, 15), dtype=torch.uint8)
    page = opened(explore.channels(X), phone=way == "touch")
    frame = page.figure().locator(".frame")
    weights = [1.0, 0.0, -1.0]
    for at, name, changed in (((2, 3), None, None), ((9, 14), "green", 0.5), ((0, 0), "blue", -0.25)):
        if name:
            slide(page, f"weight of {name}", changed, way)
            weights[("red", "green", "blue").index(name)] = changed
        for label in ("the photograph", "the output"):
            point_at(page, frame.get_by_label(label), at, way)
            Y = d2lcnn.corr2d_multi_in_out_1x1(X / 255, torch.tensor(weights).reshape(1, 3, 1, 1))[0]
            row, column, *found = numbers(frame.locator(".live").inner_text().replace("·", " "))
            assert (row, column) == at
            assert found[:6:2] == weights and found[-1] == pytest.approx(Y[at].item(), abs=1e-3)
            assert found[1:6:2] == pytest.approx((X[:, *at] / 255).tolist(), abs=6e-3)
            assert numbers(frame.locator(".product").inner_text())[-1] == found[-1]
    # The picture itself: the shade is the value's.
    shade = frame.get_by_label("the output").evaluate(
        "(c) => [...c.getContext('2d').getImageData(0, 0, c.width, c.height).data]"
    )
    red = torch.tensor(shade).reshape(12, 15, 4)[..., 0]
    expected = torch.where(Y < 0, 255 + (33 - 255) * Y.abs() / Y.abs().max(), 255 + (178 - 255) * Y / Y.abs().max())
    assert (red - expected).abs().max() <= 1
    frame.locator("select").select_option("grey")
    assert numbers(frame.locator(".live").inner_text().replace("·", " "))[2:7:2] == [0.299, 0.587, 0.114]
    assert page.trouble == []


@pytest.mark.parametrize("way", WAYS)
def test_pooling(opened, data, way):
    page = opened(explore.pooling(), phone=way == "touch")
    frame = page.figure().locator(".frame")
    edge = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])
    kernels = torch.stack([edge, edge.t()])[:, None]
    blur = torch.tensor([1.0, 2, 1]).outer(torch.tensor([1.0, 2, 1]))[None, None].repeat(2, 1, 1, 1) / 16
    layers = {
        "maximum": lambda Y, k, s: F.max_pool2d(Y, k, s),
        "average": lambda Y, k, s: F.avg_pool2d(Y, k, s),
        "blurred maximum": lambda Y, k, s: F.conv2d(F.max_pool2d(Y, k, 1), blur, stride=s, padding=1, groups=2),
        "none": lambda Y, k, s: Y,
    }
    garments = F.pad(each_class(data) / 255, (8, 8, 8, 8))

    def changes(k: int, layer, size: int, stride: int) -> list[float]:
        X = garments[k : k + 1]
        outputs = [layer(F.conv2d(X.roll(by, 3), kernels, padding=1).abs(), size, stride) for by in range(-8, 9)]
        return [((after - outputs[8]).norm() / outputs[8].norm()).item() for after in outputs]

    def curve() -> list[float]:
        return numbers(frame.get_by_role("img", name="Relative change").get_attribute("aria-label"))[2:]

    assert curve() == pytest.approx(changes(7, layers["maximum"], 4, 4), abs=1e-3)
    slide(page, "shift in pixels", 3, way)
    assert numbers(frame.locator(".live").inner_text()) == [3, pytest.approx(curve()[11])]
    slide(page, "window", 3, way)
    slide(page, "stride", 2, way)
    for name in ("average", "blurred maximum", "none", "maximum"):
        press(page, frame.get_by_label(name, exact=True), way)
        assert curve() == pytest.approx(changes(7, layers[name], 3, 2), abs=1e-3)
    frame.locator("select").select_option("coat")
    slide(page, "shift in pixels", -5, way)
    expected = changes(4, layers["maximum"], 3, 2)
    assert numbers(frame.locator(".live").inner_text()) == [-5, pytest.approx(expected[3], abs=1e-3)]
    assert page.trouble == []


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: explore.channels(torch.zeros(1, 5, 5)), "X must have 3 channels"),
        (lambda: explore.channels(torch.zeros(3, 200, 5)), "X must be at most 160 by 160"),
        (lambda: explore.pooling(torch.zeros(2, 1, 9, 9)), "images must be 28 by 28"),
        (lambda: explore.pooling(torch.zeros(2, 1, 28, 28), ["a"]), "names must hold a text for each of 2 images"),
    ],
)
def test_other_pictures_are_refused_in_words(make, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        make()


@pytest.mark.parametrize("way", WAYS)
def test_vgg(opened, way):
    page = opened(explore.vgg(), phone=way == "touch")
    frame = page.figure().locator(".frame")

    def compared(convs: tuple[int, ...], width: int, hidden: int, size: int) -> None:
        arch, c = [], 1
        for k, n in enumerate(convs):
            if n:
                arch.append((n, c, width * 2 ** min(k, 3)))
                c = arch[-1][2]
        side = size // 2 ** len(arch)
        traced = d2lcnn.trace(d2lcnn.vgg(arch, c * side**2, hidden), (1, 1, size, size))
        rows = [numbers(row.inner_text().partition("\t")[2]) for row in frame.locator("tbody tr").all()]
        assert rows[-1] == [sum(convs), traced.parameters, traced.macs]
        for k, row in enumerate(rows[:-2], 1):
            nodes = [node for node in traced if node.name.startswith(f"vgg_block_{k}.")]
            last, size = nodes[-1], nodes[-1].shape
            expected = [arch[k - 1][0], size[1], size[2], last.receptive_field[0]]
            assert row == [*expected, sum(n.parameters for n in nodes), sum(n.macs for n in nodes)]
        head = [node for node in traced if node.name.startswith("fc.")]
        assert rows[-2] == [sum(n.parameters for n in head), sum(n.macs for n in head)]
        assert numbers(frame.locator(".live").inner_text()) == [traced.parameters, traced.macs, rows[-3][3]]
        maps = sum(n.shape[1:].numel() for n in map(Shaped, traced) if n.kind in ("Conv2d", "MaxPool2d", "Linear"))
        memory = numbers(frame.get_by_text("memory:").inner_text())
        assert memory[::2] == pytest.approx([traced.parameters * 4e-6, maps * 4e-6], abs=0.06)

    compared((1, 1, 2, 2, 2), 64, 4096, 224)
    for name, convs in (("VGG-16", (2, 2, 3, 3, 3)), ("VGG-19", (2, 2, 4, 4, 4))):
        frame.locator("select").select_option(name)
        compared(convs, 64, 4096, 224)
    frame.locator("select").select_option("the mini network")
    compared((1, 1, 2, 0, 0), 16, 256, 28)
    slide(page, "block 2: convolutions", 3, way)
    slide(page, "channels of block 1", 24, way)
    slide(page, "hidden units", 6, way)
    slide(page, "input size", 56, way)
    compared((1, 3, 2, 0, 0), 24, 64, 56)
    assert frame.locator("select").input_value() == "own"
    slide(page, "input size", 28, way)
    slide(page, "block 4: convolutions", 1, way)
    slide(page, "block 5: convolutions", 1, way)
    assert "vanishes in block 5" in frame.inner_text()
    assert page.trouble == []


class Shaped(NamedTuple):
    """A node whose shape counts its elements."""

    node: object

    @property
    def kind(self) -> str:
        return self.node.kind

    @property
    def shape(self) -> torch.Size:
        return torch.Size(self.node.shape)


@pytest.mark.parametrize("way", WAYS)
def test_inception(opened, way):
    page = opened(explore.inception(), phone=way == "touch")
    frame = page.figure().locator(".frame")

    def compared(in_c, c1, c2, c3, c4, size) -> None:
        traced = d2lcnn.trace(d2lcnn.Inception(in_c, c1, c2, c3, c4), (1, in_c, size, size))
        branches = [[node for node in traced if node.name.startswith(f"p{k}_")] for k in (1, 2, 3, 4)]
        bars = frame.locator(".bars")
        for n, field in enumerate(("parameters", "macs")):
            found = [numbers(text)[0] for text in bars.nth(n).locator("span:nth-child(3n)").all_inner_texts()]
            assert found == [sum(getattr(node, field) for node in branch) for branch in branches]
        joined = c1 + c2[1] + c3[1] + c4
        assert numbers(frame.locator(".live").inner_text()) == [
            in_c, joined, traced.parameters, traced.macs, size, size,
        ]  # fmt: skip

    compared(192, 64, (96, 128), (16, 32), 32, 12)
    frame.locator("select").select_option("8")
    compared(832, 384, (192, 384), (48, 128), 128, 3)
    frame.locator("select").select_option("0")
    slide(page, "channels in", 480, way)
    slide(page, "3×3 branch", 208, way)
    slide(page, "reduced for the 5×5", 24, way)
    slide(page, "map size", 28, way)
    compared(480, 64, (96, 208), (24, 32), 32, 28)
    # Without reductions: one convolution a branch.
    press(page, frame.get_by_role("checkbox"), way)
    shape = (1, 480, 28, 28)
    plain = [
        nn.Conv2d(480, 64, 1),
        nn.Conv2d(480, 208, 3, padding=1),
        nn.Conv2d(480, 32, 5, padding=2),
        nn.Conv2d(480, 32, 1),
    ]
    traces = [d2lcnn.trace(layer, shape) for layer in plain]
    spans = frame.locator(".bars").nth(1).locator("span:nth-child(3n)").all_inner_texts()
    assert [numbers(text)[0] for text in spans] == [traced.macs for traced in traces]
    assert numbers(frame.locator(".live").inner_text())[2:4] == [
        sum(traced.parameters for traced in traces),
        sum(traced.macs for traced in traces),
    ]
    assert not frame.get_by_label("reduced for the 3×3", exact=True).is_visible()
    assert page.trouble == []


@pytest.mark.parametrize("way", WAYS)
def test_scene(opened, data, way):
    net = eight_bits(d2lcnn.network("nin", "mini", weights="recorded"), (1, 1, 56, 84))
    images, labels = data.split("test")
    garments = [images[(labels == data.classes.index(n)).nonzero()[1, 0], 0] for n in ("trouser", "bag", "ankle boot")]
    page = opened(explore.scene(), phone=way == "touch")
    frame = page.figure().locator(".frame")
    scene = frame.get_by_label("the scene;")

    def expected(places) -> tuple[torch.Tensor, list[float]]:
        X = torch.zeros(1, 1, 56, 84, dtype=torch.uint8)
        for (top, left), garment in zip(places, garments):
            window = X[0, 0, top : top + 28, left : left + 28]
            window.copy_(torch.maximum(window, garment))
        with torch.no_grad():
            maps = net[:-2](prepared(X, data))[0]
        return maps, maps.mean((1, 2)).softmax(0).tolist()

    def compared(places, shown: str) -> None:
        page.tab.wait_for_function(
            "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
        maps, shares = expected(places)
        found = [float(text) for text in frame.locator(".bars span:nth-child(3n)").all_inner_texts()]
        assert found == pytest.approx(shares, abs=1e-3)
        one = maps[data.classes.index(shown)]
        row, column = divmod(int(one.argmax()), one.shape[1])
        # A 3x3 convolution with padding, then three poolings of 3 with stride 2: element i looks at pixel 8 i + 7.
        assert numbers(frame.locator(".live").inner_text()) == [row, column, 8 * row + 7, 8 * column + 7]
        for at in ((0, 1), (4, 7)):
            point_at(page, frame.get_by_label("the map of a class"), at, way)
            assert numbers(frame.locator(".live").inner_text()) == [
                *at,
                pytest.approx(one[at].item(), rel=0.01, abs=5e-3),
            ]

    places = [[4, 2], [26, 28], [2, 54]]
    compared(places, "trouser")
    # The boot goes down, the bag to the left; one by its sliders, one by hand.
    press(page, frame.get_by_label("ankle boot", exact=True).and_(frame.locator("input")), way)
    slide(page, "down", 20, way)
    places[2] = [20, 54]
    if way == "keys":
        press(page, frame.get_by_label("bag", exact=True).and_(frame.locator("input")), way)
        scene.focus()
        for key in ["ArrowLeft"] * 3 + ["ArrowUp"]:
            page.tab.keyboard.press(key)
        places[1] = [24, 22]
    elif way == "mouse":
        scene.scroll_into_view_if_needed()
        box = scene.bounding_box()
        unit = box["width"] / 84
        page.tab.mouse.move(box["x"] + 40.5 * unit, box["y"] + 40.5 * unit)
        page.tab.mouse.down()
        page.tab.mouse.move(box["x"] + 30.5 * unit, box["y"] + 37.5 * unit, steps=3)
        page.tab.mouse.up()
        places[1] = [23, 18]
    frame.locator("select").select_option(label="bag")
    compared(places, "bag")
    assert page.trouble == []


@pytest.mark.parametrize("way", WAYS)
def test_comparison(opened, way):
    page = opened(explore.comparison(), phone=way == "touch")
    frame = page.figure().locator(".frame")
    every = d2lcnn.records.read()

    def runs(name: str, variant: str = "mini", precision: str = "bf16") -> dict[int, float]:
        found = d2lcnn.records.select(every, network=name, variant=variant)
        return {r["seed"]: r["test_accuracy"] for r in found if r["recipe"]["precision"] == precision}

    def means(labels: str) -> list[float]:
        return [numbers(part)[0] for part in re.findall(r": (0\.\d+) at", labels)]

    names = ("lenet", "alexnet", "vgg", "nin", "googlenet")
    label = frame.get_by_role("img", name="Test accuracy by").get_attribute("aria-label")
    assert means(label) == pytest.approx([sum(runs(n).values()) / len(runs(n)) for n in names], abs=6e-5)
    assert frame.locator(".dot").count() == sum(len(runs(n)) for n in names)

    def paired(a: str, b: str) -> None:
        gaps = torch.tensor([runs(a)[seed] - runs(b)[seed] for seed in sorted(runs(a).keys() & runs(b).keys())])
        found = numbers(frame.locator(".paired").inner_text().split(": ")[1].replace("+", ""))
        assert found == pytest.approx([*gaps.tolist(), gaps.mean().item(), gaps.std().item()], abs=6e-5)

    paired("vgg", "googlenet")
    selects = frame.locator("select")
    for n, name in ((1, "nin"), (2, "lenet")):
        if way == "keys":
            selects.nth(n).focus()
            while selects.nth(n).input_value() != name:
                page.tab.keyboard.press("ArrowUp" if n == 2 else "ArrowDown")
        else:
            selects.nth(n).select_option(name)
    paired("nin", "lenet")
    selects.nth(2).select_option("nin")
    assert "two different" in frame.inner_text()
    # Every axis, and what a dot tells.
    for axis, cost in (("parameters", lambda t: t.parameters), ("macs", lambda t: t.macs)):
        selects.nth(0).select_option(axis)
        dot = frame.locator(".dot").nth(0)
        dot.tap(force=True) if way == "touch" else dot.hover(force=True)
        traced = d2lcnn.trace(d2lcnn.lenet(), (1, 1, 28, 28))
        assert numbers(frame.locator(".live").inner_text())[:3] == [0, round(runs("lenet")[0], 4), cost(traced)]
    selects.nth(0).select_option("field")
    assert "receptive field" in frame.get_by_role("img", name="Test accuracy by").get_attribute("aria-label")
    press(page, frame.get_by_label("full size"), way)
    label = frame.get_by_role("img", name="Test accuracy by").get_attribute("aria-label")
    full = [d2lcnn.records.select(every, network=n, variant="full") for n in ("alexnet", "vgg", "nin")]
    assert means(label)[1:4] == pytest.approx([sum(r["test_accuracy"] for r in g) / len(g) for g in full], abs=6e-5)
    assert page.trouble == []
