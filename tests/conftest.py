"""Options and fixtures that the tests share."""

import sys
from pathlib import Path

import nbformat
import pytest
import torch

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tools"))
# Where pytest's temporary folder goes.
(ROOT / ".cache").mkdir(exist_ok=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="leave out the notebooks that train")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if config.getoption("--fast") and collection_path.suffix == ".ipynb":
        cells = nbformat.read(collection_path, as_version=4).cells
        return any("trains" in cell.metadata.get("tags", []) for cell in cells) or None
    return None


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="module")
def one_thread():
    """Tensors of a few elements gain nothing from threads, which wait for one another where cores are shared."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
