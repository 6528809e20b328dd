"""A Sphinx extension: light pages.

Formulas become MathML when the book is built, so that no page carries a typesetter. Of the theme, a page keeps what it
uses: one style sheet without the rules that match nothing, the few icons that are shown, the scripts that do something.
"""

import base64
import itertools
import re
import struct
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import math_core
import nbformat
import pydata_sphinx_theme
import tinycss2
import ziamath
from bs4 import BeautifulSoup
from docutils.nodes import SkipNode
from fontTools import subset
from PIL import Image
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

MATH_FONT = Path(ziamath.__file__).parent / "fonts" / "STIXTwoMath-Regular.ttf"
ICON_FONTS = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme/static/vendor/fontawesome/webfonts"
ICONS = {
    "fa-solid-900": '"Font Awesome 6 Free"; font-weight: 900',
    "fa-regular-400": '"Font Awesome 6 Free"; font-weight: 400',
    "fa-brands-400": '"Font Awesome 6 Brands"; font-weight: 400',
}
# Nothing here folds by a click but <details>, has tabs or runs code in the page; the search has a page of its own.
UNUSED = ("fontawesome", "togglebutton", "design-tabs", "thebe")
SEARCH = ("searchtools", "language_data", "searchindex")
# Names, punctuation and spaces in code have the colour of the text, and are most of the elements of a chapter.
PLAIN = re.compile(r'<span class="(?:n|p|w)">([^<]*)</span>')
# Stands where the front page has the link to chapter 1 on Colab, until that chapter has its own.
COLAB = "#on-colab"
WORDS_A_MINUTE = 220
SHEET, FONTS, PICTURES = Path("_static/pages.css"), Path("_static/fonts"), Path("_static/pictures")


def mathml(tex: str, display: bool) -> str:
    """Return a formula as MathML."""
    return math_core.LatexToMathML().convert_with_local_state(tex, displaystyle=display)


def _inline(self, node) -> None:
    self.body.append(f'<span class="math">{mathml(node.astext(), False)}</span>')
    raise SkipNode


def _displayed(self, node) -> None:
    self.body.append(f'<div class="math">{mathml(node.astext(), True)}</div>')
    raise SkipNode


def size_of(png: Path) -> tuple[int, int]:
    """Return width and height of a PNG file, in pixels."""
    with png.open("rb") as file:
        return struct.unpack(">II", file.read(24)[16:])


class Lightener:
    """Takes out of each page, as it is written, what it does not use."""

    def __init__(self, app: Sphinx) -> None:
        self.app = app
        self.sheets: dict[str, None] = {}

    def page(self, text: str, name: str) -> str:
        """Return the HTML of a page without what it does not use."""
        soup = BeautifulSoup(re.sub(PLAIN, r"\1", text), "html.parser")
        self._styles(soup)
        self._scripts(soup, name)
        self._images(soup)
        self._landmarks(soup)
        if self.app.builder.name == "singlehtml":
            self._one_name_each(soup)
        elif name == self.app.config.root_doc:
            self._front(soup)
        elif article := soup.select_one("article h1"):
            article.insert_after(self._reading_time(soup))
        return str(soup)

    def _styles(self, soup: BeautifulSoup) -> None:
        links = soup.select('link[rel="stylesheet"]')
        sheets = [re.sub(r"^.*?_static/", "", urlsplit(link["href"]).path) for link in links]
        self.sheets |= dict.fromkeys(sheet for sheet in sheets if not any(name in sheet for name in UNUSED))
        for link in links[1:]:
            link.decompose()
        if links:
            root = links[0]["href"].split("_static/")[0]
            links[0].attrs = {"rel": "stylesheet", "href": root + SHEET.as_posix()}

    def _scripts(self, soup: BeautifulSoup, name: str) -> None:
        options = Path(self.app.outdir) / "_static/documentation_options.js"
        unused = UNUSED if name == "search" else UNUSED + SEARCH
        for script in soup.find_all("script"):
            address, code = script.get("src", ""), script.string or ""
            # Those of the theme; a chapter's own are its figures.
            is_idle = re.search("THEBE|binderOptions|kernelName|thebe|togg?le", code) and not script.find_parent(
                "article"
            )
            if is_idle or any(word in address for word in unused):
                script.decompose()
            elif "documentation_options" in address and options.exists():
                # A few lines, which others wait for.
                del script["src"]
                script.string = options.read_text(encoding="utf-8")
            elif address and name != "search":
                script["defer"] = None
        for link in soup.select('link[rel="preload"]'):
            link.decompose()
        for meta in soup.select('meta[name="viewport"]')[1:]:
            meta.decompose()

    def _images(self, soup: BeautifulSoup) -> None:
        paths = {name: Path(self.app.srcdir) / path for path, name in self.app.builder.images.items()}
        for image in soup.select("article img"):
            path = paths.get(unquote(Path(image["src"]).name))
            if path and path.suffix == ".png":
                image["width"], image["height"] = (str(length) for length in size_of(path))
            if self.app.builder.name == "html":
                image["loading"], image["decoding"] = "lazy", "async"

    @staticmethod
    def _landmarks(soup: BeautifulSoup) -> None:
        for cell in soup.find_all("th"):
            if not cell.get_text(strip=True):
                cell.name = "td"
        for element in soup.select(".citation, .citation-list"):
            del element["role"]
        for sidebar in soup.select("#pst-primary-sidebar"):
            sidebar["role"], sidebar["aria-label"] = "region", "The book"

    @staticmethod
    def _one_name_each(soup: BeautifulSoup) -> None:
        """Where all pages are one, chapters have sections of the same name: put the chapter's before each."""
        page, names, links = "", {}, []
        for element in soup.select("article [id], article a[href]"):
            name = element.get("id", "")
            if name.startswith("document-"):
                page = name
            elif name:
                element["id"] = f"{page}-{name}"
                names.setdefault(name, element["id"])
                names[page, name] = element["id"]
            if element.get("href", "").startswith("#"):
                links.append((page, element))
        for page, link in links:
            name = link["href"][1:]
            link["href"] = "#" + names.get((page, name), names.get(name, name))

    def _front(self, soup: BeautifulSoup) -> None:
        for row in soup.select("article table tr"):
            link = row.select_one("a[href]")
            chapter = int(re.match(r"\d*", link["href"])[0] or 0) if link else 0
            if chapter in self.app.config.chapter_pictures:
                row.find_parent("table")["class"].append("chapters")
                picture = {"src": f"../{PICTURES}/{chapter}.webp", "alt": "", "loading": "lazy"}
                width, height = shown_at(figure(self.app, chapter))
                row.td.insert(0, soup.new_tag("img", attrs=picture, width=width, height=height))
        for link in soup.select('.opening a[href$=".html"]')[1:2]:
            link["href"] = COLAB

    @staticmethod
    def _reading_time(soup: BeautifulSoup):
        article = BeautifulSoup(str(soup.select_one("article")), "html.parser")
        for element in article.select("pre, script, details, .headerlink, table.dataframe"):
            element.decompose()
        minutes = max(1, round(len(article.get_text().split()) / WORDS_A_MINUTE))
        line = soup.new_tag("p", attrs={"class": "reading-time"})
        line.string = f"{minutes} minute{'s' * (minutes > 1)} of reading"
        return line


def figure(app: Sphinx, chapter: int) -> Image.Image:
    """Return the figure of a chapter that the configuration has chosen for the front page."""
    number = app.config.chapter_pictures[chapter]
    path = next(Path(app.srcdir).glob(f"book/{chapter:02}-*.ipynb"))
    outputs = [o for cell in nbformat.read(path, as_version=4).cells for o in cell.get("outputs", [])]
    figures = [o.data["image/png"] for o in outputs if "image/png" in o.get("data", {})]
    if not 1 <= number <= len(figures):
        raise ExtensionError(f"chapter_pictures: {path.name} has {len(figures)} figures, there is no number {number}")
    return Image.open(BytesIO(base64.b64decode(figures[number - 1])))


def shown_at(picture: Image.Image) -> tuple[int, int]:
    """Return the size in which the front page shows a figure."""
    scale = min(240 / picture.width, 120 / picture.height)
    return round(scale * picture.width), round(scale * picture.height)


def words(folder: Path) -> set[str]:
    """Return every word that can be the name of a class in a built site."""
    texts = [path.read_text(encoding="utf-8") for path in (*folder.rglob("*.html"), *folder.glob("_static/**/*.js"))]
    return {word for text in texts for word in re.findall(r"[A-Za-z_][\w-]*", text)}


def _matches(selector: list, known: set[str]) -> bool:
    """Say whether all classes that a selector asks for exist (those inside :is() and :not() aside)."""
    pairs = itertools.pairwise(selector)
    return all(b.value in known for a, b in pairs if a == "." and b.type == "ident")


def _selectors(prelude: list) -> Iterator[list]:
    part: list = []
    for token in prelude:
        if token == ",":
            yield part
            part = []
        else:
            part.append(token)
    yield part


def rules(sheet: Path) -> list:
    """Return the rules of a style sheet, with those of the sheets that it imports."""
    found = tinycss2.parse_stylesheet(sheet.read_text(encoding="utf-8"), skip_comments=True, skip_whitespace=True)
    inside = [(rule, _imported(rule)) for rule in found]
    return [r for rule, name in inside for r in (rules(sheet.parent / name) if name else [rule])]


def _imported(rule: Any) -> str | None:
    if rule.type != "at-rule" or rule.lower_at_keyword != "import":
        return None
    return next(token.value for token in rule.prelude if token.type in ("string", "url"))


def purged(found: list, known: set[str]) -> str:
    """Return style sheet rules, in CSS, without the selectors that match nothing, and without fonts."""
    kept = []
    for rule in found:
        if rule.type == "qualified-rule":
            selectors = [s for s in _selectors(rule.prelude) if _matches(s, known)]
            if selectors:
                heads = ",".join(tinycss2.serialize(selector).strip() for selector in selectors)
                kept.append(f"{heads}{{{tinycss2.serialize(rule.content).strip()}}}")
        elif rule.type == "at-rule" and rule.lower_at_keyword in ("media", "supports"):
            inside = purged(tinycss2.parse_rule_list(rule.content, skip_comments=True, skip_whitespace=True), known)
            if inside:
                kept.append(f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{{inside}}}")
        elif rule.type == "at-rule" and rule.lower_at_keyword != "font-face":
            kept.append(rule.serialize())
    return "\n".join(kept)


def write_font(source: Path, target: Path, characters: set[str]) -> None:
    """Write the part of a font that draws some characters, as WOFF2."""
    options = subset.Options(flavor="woff2", layout_features=["*"], notdef_outline=True)
    font = subset.load_font(str(source), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text="".join(sorted(characters)))
    subsetter.subset(font)
    buffer = BytesIO()
    subset.save_font(font, buffer, options)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(buffer.getvalue())


def _finish_front(app: Sphinx, out: Path) -> None:
    (out / PICTURES).mkdir(parents=True, exist_ok=True)
    for chapter in app.config.chapter_pictures:
        picture = figure(app, chapter)
        small = picture.convert("RGB").resize([2 * length for length in shown_at(picture)], Image.Resampling.LANCZOS)
        small.save(out / PICTURES / f"{chapter}.webp", quality=80)
    front = out / f"{app.config.root_doc}.html"
    launch = re.search(r'href="(https://colab[^"]+)"', next(out.glob("book/01-*.html")).read_text(encoding="utf-8"))
    front.write_text(front.read_text(encoding="utf-8").replace(COLAB, launch[1]), encoding="utf-8")


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Write the one style sheet and the fonts of the pages; leave out of the site what no page loads."""
    lightener: Lightener | None = getattr(app, "lightener", None)
    if exception or lightener is None or not lightener.sheets:
        return
    out = Path(app.outdir)
    if app.builder.name == "html":
        _finish_front(app, out)
    for path in out.glob("_static/**/*"):
        if path.is_file() and (path.suffix == ".map" or any(name in str(path) for name in UNUSED)):
            path.unlink()
    known = words(out)
    css = [purged(rules(out / "_static" / sheet), known) for sheet in lightener.sheets]

    shown = set(re.findall('content:"(.)"', "".join(css)))
    for name, face in ICONS.items():
        write_font(ICON_FONTS / f"{name}.woff2", out / FONTS / f"{name}.woff2", shown)
        css.append(f"@font-face {{ font-family: {face}; src: url(fonts/{name}.woff2) }}")
    formulas = "".join(m for page in out.rglob("*.html") for m in re.findall("<math.*?</math>", page.read_text(), re.S))
    write_font(MATH_FONT, out / FONTS / "math.woff2", set(BeautifulSoup(formulas, "html.parser").get_text()) | {"√"})
    css.append('@font-face { font-family: "STIX Two Math"; src: url(fonts/math.woff2) }')
    (out / SHEET).write_text("\n".join(css), encoding="utf-8")


def start(app: Sphinx) -> None:
    """Have each page of the HTML site pass through a Lightener."""
    if app.builder.name not in ("html", "singlehtml"):
        return
    app.lightener = lightener = Lightener(app)
    render = app.builder.templates.render
    app.builder.templates.render = lambda template, context: (
        lightener.page(render(template, context), context["pagename"])
        if template.endswith(".html") and "pagename" in context
        else render(template, context)
    )


def setup(app: Sphinx) -> dict[str, Any]:
    """Take part in a build."""
    app.add_html_math_renderer("mathml", (_inline, None), (_displayed, None))
    # So that pages are written anew when this file has changed.
    app.add_config_value("pages_extension", Path(__file__).read_text(encoding="utf-8"), "html", types=(str,))
    app.connect("builder-inited", start)
    app.connect("build-finished", finish, priority=900)  # the theme writes a style sheet then, too
    app.add_config_value("chapter_pictures", {}, "env", types=(dict,))
    app.connect("config-inited", lambda app, config: setattr(config, "ogp_site_url", config.html_baseurl))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": False}
