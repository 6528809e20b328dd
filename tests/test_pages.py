"""The book as a reader sees it: built as `make book` builds it, and opened in a browser."""

import functools
import http.server
import inspect
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import nbformat
import publish
import pytest
import yaml
from conftest import ROOT

import d2lcnn

HTML = ROOT / "_build" / "html"
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text())
PAGES = [TOC["root"], *(entry["file"] for part in TOC["parts"] for entry in part["chapters"])]
CHAPTERS = [page for page in PAGES if (ROOT / f"{page}.ipynb").exists()]
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# All that a browser would otherwise fetch or write on its own account.
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]
# In bytes, not compressed: a front page with its pictures, and another page without its figures.
FRONT, OTHERS = 700_000, 1_200_000
EVERYTHING_LOADED = """async () => {
    await document.fonts.ready;
    const images = [...document.images];
    for (const image of images) image.loading = "eager";
    await Promise.all(images.map((image) => image.decode().catch(() => null)));
}"""
# What sticks out of the window without a scrollbar of its own.
OVERFLOW = """() => {
    const wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
    const scrolls = (e) => e && e.tagName !== "HTML" && (/auto|scroll/.test(getComputedStyle(e).overflowX)
        || scrolls(e.parentElement));
    const out = [...document.querySelectorAll("article.bd-article *")].filter((e) =>
        e.getBoundingClientRect().right > document.documentElement.clientWidth + 1 && e.checkVisibility()
        && !scrolls(e));
    return {wide, out: out.map((e) => e.tagName + ": " + e.textContent.trim().slice(0, 60))};
}"""
PROSE = """() => {
    const article = document.querySelector("article.bd-article").cloneNode(true);
    article.querySelectorAll("pre, code, math, script, style").forEach((e) => e.remove());
    return article.textContent;
}"""


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args) -> None:
        pass


@pytest.fixture(scope="session")
def html(tmp_path_factory) -> Path:
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(ROOT), "-W", "-n", "--keep-going"]
    # `make book` builds them where there is no torch.
    without = tmp_path_factory.mktemp("without")
    (without / "torch.py").write_text("raise ImportError('the pages are built without torch')")
    env = {"NO_COLOR": "1", **os.environ, "PYTHONPATH": str(without)}
    result = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if result.returncode:
        # Sphinx says a warning once: without the pages it has read, the next build repeats it.
        shutil.rmtree(ROOT / "_build" / ".doctrees", ignore_errors=True)
    warnings = [line for line in result.stderr.splitlines() if re.search("WARNING|ERROR", line)]
    assert result.returncode == 0, "\n".join(warnings) or result.stderr
    return HTML


@pytest.fixture(scope="session")
def address(html) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(html)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


# Of the module, not of the session: its event loop must be gone before a notebook runs.
@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    found = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
    if not found:
        message = "no Chromium or Chrome is installed to read the pages with"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(message)
    sync_api = pytest.importorskip("playwright.sync_api")
    env = {**os.environ, "HOME": str(tmp_path_factory.mktemp("home"))}
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found[0], args=QUIET, env=env)
        yield browser
        browser.close()


# A page is opened once; pytest runs all tests of one page before those of the next.
@pytest.fixture(scope="module", params=PAGES, ids=lambda page: Path(page).name)
def page(request, browser, address):
    tab = browser.new_page(viewport=DESKTOP)
    trouble = {"console": [], "failed": [], "outside": []}
    fetched = set()

    def fetch(route) -> None:
        if route.request.url.startswith(f"{address}/"):
            fetched.add(unquote(urlsplit(route.request.url).path).lstrip("/"))
            route.continue_()
        else:
            trouble["outside"].append(route.request.url)
            route.abort()

    def answered(response) -> None:
        if response.status >= 400:
            trouble["failed"].append(f"{response.status} {response.url}")

    tab.route("**/*", fetch)
    tab.on("console", lambda message: trouble["console"].append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: trouble["console"].append(str(error)))
    tab.on("requestfailed", lambda request: trouble["failed"].append(request.url))
    tab.on("response", answered)
    tab.goto(f"{address}/{request.param}.html", wait_until="load")
    tab.evaluate(EVERYTHING_LOADED)
    yield SimpleNamespace(name=request.param, tab=tab, trouble=trouble, fetched=fetched)
    tab.close()


def hrefs(tab) -> list[str]:
    return tab.eval_on_selector_all("a[href]", "links => links.map((link) => link.href)")


def source(page: str) -> str:
    path = ROOT / f"{page}.ipynb"
    if not path.exists():
        return (ROOT / f"{page}.md").read_text(encoding="utf-8")
    return "\n\n".join(c.source for c in nbformat.read(path, as_version=4).cells if c.cell_type == "markdown")


def test_nothing_fails_and_nothing_is_fetched_from_outside(page):
    assert page.trouble == {"console": [], "failed": [], "outside": []}


def test_it_is_light(page, html):
    front = page.name == TOC["root"]
    weights = {name: (html / name).stat().st_size for name in page.fetched if front or not name.startswith("_images/")}
    assert f"{page.name}.html" in weights and "_static/pages.css" in weights
    assert sum(weights.values()) <= (FRONT if front else OTHERS), weights


@pytest.mark.parametrize(("scheme", "only"), [("light", None), ("dark", ["color-contrast"])])
def test_axe_finds_nothing_to_mend(page, scheme, only):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    # At once: no colour half way between two.
    page.tab.add_style_tag(content="* { transition: none !important }")
    page.tab.emulate_media(color_scheme=scheme)
    try:
        found = axe.run(page.tab, options={"resultTypes": ["violations"], **({"runOnly": only} if only else {})})
    finally:
        page.tab.emulate_media(color_scheme="light")
    assert [(v["id"], v["nodes"][0]["failureSummary"]) for v in found.response["violations"]] == []
    assert found.response["passes"]


def test_it_has_one_title(page):
    # The theme prints a second one, on paper only.
    titles = [
        title.inner_text().strip("#").strip() for title in page.tab.query_selector_all("h1") if title.is_visible()
    ]
    # The theme numbers the chapters; the number must be the notebook's.
    number = rf"^{int(Path(page.name).name[:2])}\. " if page.name in CHAPTERS else "^$"
    assert [re.sub(number, "", title) for title in titles] == [re.search(r"^# (.+)$", source(page.name), flags=re.M)[1]]


def test_every_formula_is_typeset(page):
    formulas = page.tab.query_selector_all(".math")
    assert [f.inner_text() for f in formulas if not f.query_selector("math > *")] == []
    assert page.tab.query_selector_all("merror") == []
    assert not re.search(r"\$|\\[(\[]|\\begin|\\[a-z]+\{", page.tab.evaluate(PROSE))
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", source(page.name), flags=re.S)
    assert len(formulas) == len(re.findall(r"\$\$.+?\$\$|\$[^$]+\$", prose, flags=re.S))


def test_every_figure_is_loaded_and_described(page):
    figures = page.tab.eval_on_selector_all(
        "article.bd-article img",
        "images => images.map((i) => [i.alt, i.naturalWidth, i.naturalHeight, i.width, i.height, i.src])",
    )
    for alt, *natural, width, height, address in figures:
        # On the front page, the link beside a picture says what it stands for.
        assert (alt == "") if page.name == TOC["root"] else alt.strip(), address
        assert natural[0] > 0, address
        assert width / height == pytest.approx(natural[0] / natural[1], rel=0.03), address
    assert page.tab.query_selector_all("article.bd-article img:not([width][height])") == []
    assert len(figures) >= (4 if page.name in CHAPTERS else 0)


def test_its_moving_figures_move(page):
    figures = page.tab.query_selector_all(".d2lcnn-explore")
    assert len(figures) >= (1 if page.name in CHAPTERS else 0)
    for figure in figures:
        assert figure.get_attribute("data-ready") is not None and figure.query_selector("input, button, select")


def test_it_fits_the_window(page):
    try:
        for size in (DESKTOP, PHONE):
            page.tab.set_viewport_size(size)
            assert page.tab.evaluate(OVERFLOW) == {"wide": 0, "out": []}, size
    finally:
        page.tab.set_viewport_size(DESKTOP)


def test_solutions_are_folded_and_open_on_a_click(page):
    folds = page.tab.query_selector_all("article.bd-article details")
    assert len(folds) >= (3 if page.name in CHAPTERS else 0)
    for fold in folds:
        fold.scroll_into_view_if_needed()
        # What comes into view is laid out in the next frame.
        page.tab.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert fold.get_attribute("open") is None
        assert not fold.query_selector("pre").is_visible()
        assert fold.query_selector("summary").inner_text().strip() == "Show the solution"
        fold.query_selector("summary").click()
        assert fold.query_selector("pre").is_visible()
        assert "Solution" in fold.inner_text()
        fold.query_selector("summary").click()
        assert not fold.query_selector("pre").is_visible()


def test_links_between_pages_lead_somewhere(page, address, html):
    inside = [urlsplit(link) for link in hrefs(page.tab) if link.startswith(address)]
    assert len(inside) > len(PAGES)
    for link in inside:
        target = html / unquote(link.path).lstrip("/")
        assert target.is_file(), link.geturl()
        if link.fragment and target.suffix == ".html":
            assert unquote(link.fragment) in ids(target), link.geturl()


@functools.cache
def ids(path: Path) -> set[str]:
    return set(re.findall(r'\bid="([^"]+)"', path.read_text(encoding="utf-8"))) | {""}


def test_every_page_leads_to_every_other(page, address):
    linked = {link.split("#")[0] for link in hrefs(page.tab)}
    assert {f"{address}/{other}.html" for other in PAGES} <= linked


def test_a_chapter_can_be_launched_on_colab(page):
    launched = [link for link in hrefs(page.tab) if link.startswith("https://colab.research.google.com/github/")]
    # From the front page, it is the first.
    chapters = {TOC["root"]: CHAPTERS[0]} | {chapter: chapter for chapter in CHAPTERS}
    assert [link.split("/blob/")[1] for link in launched] == (
        [f"colab/{chapters[page.name]}.ipynb"] if page.name in chapters else []
    )


def test_the_front_page_shows_what_the_book_is(html):
    import front

    assert front.DRAWING.read_text(encoding="utf-8") == front.drawing()
    text = (html / f"{TOC['root']}.html").read_text(encoding="utf-8")
    opening = text[: text.index('id="the-chapters"')]
    assert "<svg" in opening and "make book" in opening and f'href="{Path(CHAPTERS[0]).name}.html"' in opening
    for chapter in CHAPTERS:
        assert re.search(
            rf"<tr.*?/{int(Path(chapter).name[:2])}\.webp.*?{Path(chapter).name}.*?</tr>", text, flags=re.S
        )


def test_it_says_how_long_it_is_and_what_it_is_about(page):
    described = page.tab.get_attribute('meta[name="description"]', "content")
    assert len(described) > 40
    assert page.tab.get_attribute('meta[property="og:image"]', "content").endswith("_static/card.png")
    times = page.tab.eval_on_selector_all(".reading-time", "lines => lines.map((line) => line.textContent)")
    assert len(times) == (page.name != TOC["root"])
    assert all(re.fullmatch(r"\d+ minutes? of reading", time) for time in times)


@pytest.mark.parametrize("name", [TOC["root"], CHAPTERS[0], CHAPTERS[-1]])
def test_it_can_be_read_from_a_folder(browser, html, name):
    tab = browser.new_page(viewport=DESKTOP)
    trouble, asked = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("requestfailed", lambda request: trouble.append(request.url))
    tab.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: trouble.append(str(error)))
    tab.goto((html / f"{name}.html").as_uri(), wait_until="load")
    tab.evaluate(EVERYTHING_LOADED)
    assert trouble == [] and len(asked) > 5
    assert all(url.startswith((html.as_uri(), "data:")) for url in asked)
    tab.close()


def test_the_page_of_references_lists_every_work(html):
    keys = re.findall(r"^@\w+\{(.+),", (ROOT / "book" / "references.bib").read_text(encoding="utf-8"), flags=re.M)
    text = (html / "book" / "references.html").read_text(encoding="utf-8")
    listed = re.findall(r'<div class="citation" id="([^"]+)".*?<p>(.+?)</p>', text, flags=re.S)
    assert len(listed) == len(keys) > 0
    assert all(len(re.sub(r"<.*?>", "", entry)) > 40 for _, entry in listed)


def test_the_package_reference_lists_what_the_package_offers(html):
    found = (name.removeprefix("module-") for name in ids(html / "book" / "api.html"))
    documented = {name.rsplit(".", 1)[-1] for name in found if name.startswith("d2lcnn.")}
    assert set(d2lcnn.__all__) - documented == set()


# Another repository than the one of _config.yml, as each fork is.
FORK = publish.Address("Some-One", "their-book")


@pytest.fixture(scope="session")
def site(html) -> Path:
    before = state_of_the_clone()
    publish.publish(FORK)
    assert state_of_the_clone() == before
    return ROOT / "_build" / "site"


def state_of_the_clone() -> str:
    commands = (["git", "status", "--porcelain"], ["git", "diff", "HEAD", "--binary"])
    return "".join(subprocess.check_output(command, cwd=ROOT, text=True) for command in commands)


def test_what_a_fork_publishes_leads_to_the_fork_alone(site):
    placeholder, pages = publish.placeholder(), "https://some-one.github.io/their-book"
    texts = {
        str(path.relative_to(site)): path.read_text(encoding="utf-8")
        for path in site.rglob("*")
        if path.is_file() and b"\0" not in path.read_bytes()[:1024]
    }
    spellings = (re.escape(f"{placeholder.owner}/{placeholder.repository}"), re.escape(placeholder.site))
    spelled = re.compile("|".join(spellings), flags=re.IGNORECASE)
    assert [name for name, text in texts.items() if spelled.search(text)] == []
    (wheel,) = site.glob("*.whl")
    for chapter in CHAPTERS:
        page, notebook = texts[f"{chapter}.html"], nbformat.read(site / "_sources" / f"{chapter}.ipynb", as_version=4)
        assert f"https://colab.research.google.com/github/Some-One/their-book/blob/colab/{chapter}.ipynb" in page
        assert page.count(f"{pages}/{wheel.name}") == 1
        (set_up,) = (cell.source for cell in notebook.cells if "setup" in cell.metadata.get("tags", []))
        assert f'package = "{pages}/{wheel.name}"' in set_up
        prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        links = re.findall(r"\]\(([^)#]+)", prose)
        inside = [link.removeprefix(f"{pages}/") for link in links if link.startswith(pages)]
        assert inside and all((site / link).is_file() for link in inside)
        assert all(link.startswith("https://") for link in links)


def test_the_published_wheel_is_the_tested_package(site):
    (wheel,) = site.glob("*.whl")
    assert wheel.stat().st_size <= 35e6
    with zipfile.ZipFile(wheel) as archive:
        held = {name: archive.read(name) for name in archive.namelist() if name.startswith("d2lcnn/")}
    tracked = subprocess.check_output(["git", "ls-files", "d2lcnn"], cwd=ROOT, text=True).split()
    assert held.keys() >= set(tracked)
    assert all(content == (ROOT / name).read_bytes() for name, content in held.items())


def test_the_package_reference_has_the_signatures_of_the_package(html):
    text = (html / "book" / "api.html").read_text(encoding="utf-8")
    entries = re.findall(r'<dt class="sig [^>]*id="(d2lcnn[^"]+)">(.*?)</dt>', text, flags=re.S)
    seen = 0
    for name, entry in entries:
        thing = functools.reduce(lambda found, part: getattr(found, part, None), name.split(".")[1:], d2lcnn)
        shown = re.findall(r'<em class="sig-param">.*?<span class="pre">(\w+)</span></span>', entry, flags=re.S)
        if not callable(thing) or not shown:
            continue
        parameters = [name for name in inspect.signature(thing).parameters if name not in ("self", "cls")]
        assert shown == parameters, name
        seen += 1
    assert seen > 50
