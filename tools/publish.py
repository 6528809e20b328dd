"""The book as one repository publishes it: its own addresses on every page, and the package's wheel beside them.

    python tools/publish.py https://github.com/me/mine

makes _build/site of _build/html. Where a page or a notebook names the placeholder of _config.yml, it names `me/mine`
instead; the notebooks in `_sources`, which Colab opens from the branch of _config.yml, install the wheel of that site.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import nbformat
import yaml

ROOT = Path(__file__).parent.parent
TEXT = {".css", ".html", ".ipynb", ".js", ".json", ".md", ".svg", ".txt", ".webmanifest", ".xml"}
# How the set-up cell says where the package is: in a clone, the folder above; on a page, coloured.
IN_A_CLONE = 'package = ".."'
ON_A_PAGE = re.compile(r'(\bpackage(?:</span>)? <span class="o">=</span> <span class="s2">(?:"|&quot;))\.\.')


class Address(NamedTuple):
    """A repository on GitHub."""

    owner: str
    repository: str

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read `https://github.com/me/mine`; raises ValueError for anything else, which Colab cannot open."""
        found = re.fullmatch(r"https://github\.com/([A-Za-z0-9-]+)/([\w.-]+?)(?:\.git)?/?", text, flags=re.ASCII)
        if not found:
            raise ValueError(f"ADDRESS must be like https://github.com/me/mine, got {text!r}")
        return cls(*found.groups())

    @property
    def site(self) -> str:
        """Where GitHub Pages shows it, without a slash at the end."""
        host = f"{self.owner.lower()}.github.io"
        return f"https://{host}" if self.repository.lower() == host else f"https://{host}/{self.repository}"

    def put_for(self, other: "Address", text: str) -> str:
        """Return the text with this repository's addresses instead of another's."""
        pages = re.compile(re.escape(other.site), flags=re.IGNORECASE)
        text = pages.sub(self.site, text)
        return text.replace(f"{other.owner}/{other.repository}", f"{self.owner}/{self.repository}")


def placeholder() -> Address:
    """Return the address that stands in _config.yml."""
    return Address.parse(yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]["url"])


def build_wheel(folder: Path) -> Path:
    """Build the package's wheel into a folder: of the same files the same bytes."""
    before = set(folder.glob("*.whl"))
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = set(folder.glob("*.whl")) - before
    return wheel


def published(notebook: nbformat.NotebookNode, site: str, wheel: str) -> nbformat.NotebookNode:
    """Return a chapter as it stands alone: it installs the site's wheel, and its links lead to the site's pages."""
    notebook = nbformat.from_dict(notebook)
    (setup,) = (cell for cell in notebook.cells if "setup" in cell.metadata.get("tags", []))
    assert setup.source.count(IN_A_CLONE) == 1
    setup.source = setup.source.replace(IN_A_CLONE, f'package = "{site}/{wheel}"')
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"(\]\()([\w-]+)\.(?:ipynb|md)(?=[#)])", rf"\1{site}/book/\2.html", cell.source)
    return notebook


def publish(address: Address, html: Path = ROOT / "_build" / "html", site: Path = ROOT / "_build" / "site") -> None:
    """Make a folder with the whole site of the pages that Jupyter Book has built; it appears once it is whole."""
    new, old = site.with_name(f"{site.name}.part"), placeholder()
    shutil.rmtree(new, ignore_errors=True)
    shutil.copytree(html, new)
    wheel = build_wheel(new).name
    for path in new.rglob("*"):
        if path.suffix not in TEXT:
            continue
        text = address.put_for(old, path.read_text(encoding="utf-8"))
        if path.suffix == ".html":
            text = ON_A_PAGE.sub(rf"\1{address.site}/{wheel}", text)
        path.write_text(text, encoding="utf-8", newline="\n")
        if path.suffix == ".ipynb":
            nbformat.write(published(nbformat.read(path, as_version=4), address.site, wheel), path)
    shutil.rmtree(site, ignore_errors=True)
    new.rename(site)


def main() -> None:
    try:
        address = Address.parse(sys.argv[1]) if sys.argv[1:] else placeholder()
    except ValueError as error:
        sys.exit(str(error))
    publish(address)
    print(f"_build/site is what belongs at {address.site}")
    if address == placeholder():
        print("which is the placeholder of _config.yml; for another: make site ADDRESS=https://github.com/me/mine")


if __name__ == "__main__":
    main()
