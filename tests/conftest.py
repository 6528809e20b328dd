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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="leave out the notebooks that train")
    parser.addoption("--training", action="store_true", help="run the notebooks that train, and nothing else")


def pytest_configure(config: pytest.Config) -> None:
    # For the notebooks' kernels, where make has not set it: sums depend on the number of threads.
    os.environ.setdefault("OMP_NUM_THREADS", "2")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    # Asked about the folder of this file alone: no time is lost on importing what would be deselected.
    return True if config.getoption("--training") else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    fast = config.getoption("--fast")
    if fast or config.getoption("--training"):
        training = {path for path in {item.path for item in items} if path.suffix == ".ipynb" and _trains(path)}
        config.hook.pytest_deselected(items=[item for item in items if (item.path in training) == fast])
        items[:] = [item for item in items if (item.path in training) != fast]


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
