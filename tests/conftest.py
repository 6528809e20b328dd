"""Options and fixtures that the tests share."""

import os
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))
# Where pytest's temporary folder goes.
(ROOT / ".cache").mkdir(exist_ok=True)

# By the time that they take on one thread.
LONGEST = (
    *("09-googlenet.ipynb", "06-alexnet.ipynb", "08-nin.ipynb", "07-vgg.ipynb", "05-lenet.ipynb"),
    *(
        "test_distributed.py",
        "test_benchmarks.py",
        "test_training.py",
        "test_layout.py",
        "test_cli.py",
        "test_pages.py",
    ),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="leave out the notebooks that train")


def pytest_configure(config: pytest.Config) -> None:
    # For the notebooks' kernels, where make has not set it: sums depend on the number of threads.
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    os.environ["D2LCNN_PROGRESS"] = "off"  # solutions that are run here are nobody's progress


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--fast"):
        training = {path for path in {item.path for item in items} if path.suffix == ".ipynb" and _trains(path)}
        config.hook.pytest_deselected(items=[item for item in items if item.path in training])
        items[:] = [item for item in items if item.path not in training]
    # Two processes take file after file: they end together where the longest come first.
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


def _trains(path: Path) -> bool:
    return any("trains" in cell.metadata.get("tags", []) for cell in nbformat.read(path, as_version=4).cells)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="module")
def one_thread():
    """Tensors of a few elements gain nothing from threads, which wait for one another where cores are shared."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def say(capsys):
    """What `check` prints about an answer."""
    import d2lcnn

    def check(exercise, answer):
        d2lcnn.check(exercise, answer)
        return capsys.readouterr().out

    return check


def run(*arguments):
    """Run the command line in this process and return its exit status."""
    from d2lcnn import __main__ as cli

    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return stop.code
