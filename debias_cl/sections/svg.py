"""From matplotlib's SVG to a small inline one: classes for colours, and short numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from markupsafe import Markup, escape

from debias_cl.checks.text import clean
from debias_cl.sections.tokens import SENTINELS

SVG = "{http://www.w3.org/2000/svg}"
LINK = "{http://www.w3.org/1999/xlink}href"
TOKEN_OF = {colour: name for name, colour in SENTINELS.items()}
DEFAULTS = {
    "fill-opacity": "1",
    "stroke-opacity": "1",
    "opacity": "1",
    "stroke-linecap": "butt",
    "stroke-linejoin": "miter",
    "stroke-width": "1",
    "stroke-dashoffset": "0",
    "font-weight": "400",
    "text-anchor": "start",
}
KEPT = {*DEFAULTS, "stroke-dasharray", "font-size", "font-weight", "text-anchor"}
GEOMETRY = ("d", "x", "y", "width", "height", "cx", "cy", "r", "points", "transform")
OWN = (*GEOMETRY, "id", "href")
"""Attributes that neighbours cannot share."""
MANY = 40


def compact(raw: str, figure: str, title: str, description: str) -> Markup:
    """Return a matplotlib figure as inline SVG that follows the page's theme.

    Args:
        raw: what `savefig(format="svg")` wrote, drawn in the sentinels of `tokens`.
        figure: id of the figure; every id inside begins with it.
        title, description: the text alternative.

    Raises:
        ValueError: a colour that is no sentinel.
    """
    root = ElementTree.fromstring(re.sub(r"<!DOCTYPE[^>]*>", "", raw))
    box = root.get("viewBox", "")
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{SVG}metadata", f"{SVG}style"):
                parent.remove(child)
    for element in root.iter():
        _attributes(element)
    _merge_dots(root)
    _clips(root)
    _dissolve(root)
    _ids(root, figure)
    _gather(root)
    body = "".join(_write(child) for child in root)
    return Markup(
        f'<svg viewBox="{_short(box)}" role="img" aria-labelledby="{figure}-t {figure}-d">'
        f'<title id="{figure}-t">{escape(clean(title))}</title>'
        f'<desc id="{figure}-d">{escape(clean(description))}</desc>{body}</svg>'
    )


def _attributes(element: ElementTree.Element) -> None:
    """Turn styles into attributes and colours into classes; shorten the numbers."""
    rules = [part.partition(":") for part in element.attrib.pop("style", "").split(";")]
    style = {key.strip(): value.strip() for key, colon, value in rules if colon}
    style |= _font(style.pop("font", ""))
    classes = [name[2:] for name in [element.get("id", "")] if name.startswith("k-")]
    if element.tag == f"{SVG}text" and "fill" not in style:
        raise ValueError("a text was drawn in black, which is no token")
    for kind in ("fill", "stroke"):
        colour = style.pop(kind, element.attrib.pop(kind, None))
        classes += _class(kind, colour)
        if colour == "none":
            element.set(kind, "none")
    for key, value in style.items():
        if key in KEPT and DEFAULTS.get(key) != value:
            element.set(key, _short(value.replace("px", "")))
    if classes:
        element.set("class", " ".join(classes))
    if re.match(r"rotate\(-?0 ", element.get("transform", "")):
        del element.attrib["transform"]
    for key in GEOMETRY:
        if key in element.attrib:
            element.set(key, _short(element.attrib[key]))
    if "d" in element.attrib:
        element.set("d", _straight(element.attrib["d"]))
    if LINK in element.attrib:
        element.set("href", element.attrib.pop(LINK))


def _font(font: str) -> dict[str, str]:
    """Return size and weight of a CSS font shorthand; the family is the page's."""
    found: dict[str, str] = {}
    size = re.search(r"([\d.]+)px", font)
    if size and float(size[1]) != 11:
        found["font-size"] = size[1]
    if re.search(r"\b(bold|[6-9]00)\b", font):
        found["font-weight"] = "600"
    return found


def _class(kind: str, colour: str | None) -> list[str]:
    """Return the class for a colour."""
    if colour is None or colour == "none":
        return []
    name = TOKEN_OF.get(colour.lower())
    if name is None:
        raise ValueError(f"a figure was drawn with the colour {colour}, which is no token")
    return [f"{kind[0]}-{name}"]


def _short(text: str) -> str:
    """Round every number to a tenth; drop needless zeros and spaces."""

    def tenth(found: re.Match[str]) -> str:
        rounded = f"{float(found[0]):.1f}".removesuffix(".0")
        return "0" if rounded == "-0" else rounded

    text = re.sub(r"-?\d+\.\d+(e-?\d+)?", tenth, text)
    return re.sub(r"\s*([MLHVCQZz])\s*", r"\1", " ".join(text.split()))


def _straight(path: str) -> str:
    """Write level and upright steps of a path of straight lines as H and V."""
    steps = re.findall(r"([A-Za-z])([^A-Za-z]*)", path)
    if any(command not in "MLz" for command, _ in steps):
        return path
    found, x, y = "", "", ""
    for command, end in steps:
        if command == "z":
            found += "z"
            continue
        was_x, was_y = x, y
        x, y = end.split()
        if command == "L" and x == was_x:
            found += f"V{y}"
        elif command == "L" and y == was_y:
            found += f"H{x}"
        else:
            found += f"{command}{x} {y}"
    return found


def _gather(parent: ElementTree.Element) -> None:
    """Put what three or more neighbours have in common onto one group around them."""
    runs: list[list[ElementTree.Element]] = []
    for child in parent:
        _gather(child)
        if runs and child.tag != f"{SVG}g" and _look(child) == _look(runs[-1][0]):
            runs[-1].append(child)
        else:
            runs.append([child])
    parent[:] = [made for run in runs for made in _grouped(run)]


def _look(element: ElementTree.Element) -> tuple[str, tuple[tuple[str, str], ...]]:
    shared = {key: value for key, value in element.attrib.items() if key not in OWN}
    return element.tag, tuple(sorted(shared.items()))


def _grouped(run: list[ElementTree.Element]) -> list[ElementTree.Element]:
    _, shared = _look(run[0])
    if len(run) < 3 or not shared:
        return run
    group = ElementTree.Element(f"{SVG}g", dict(shared))
    for element in run:
        for key, _ in shared:
            del element.attrib[key]
        group.append(element)
    return [group]


def _merge_dots(root: ElementTree.Element) -> None:
    """Draw many equal dots as one path of zero-length strokes with round caps."""
    for parent in list(root.iter()):
        dots = [
            child for child in parent.iter(f"{SVG}use") if child.get("href", "").startswith("#")
        ]
        kinds = {(dot.get("href"), dot.get("class"), dot.get("fill")) for dot in dots}
        if parent.tag != f"{SVG}g" or len(dots) <= MANY or len(kinds) != 1:
            continue
        token = (dots[0].get("class") or "").split()[0].removeprefix("f-")
        path = ElementTree.Element(f"{SVG}path")
        path.set("d", "".join(f"M{dot.get('x')} {dot.get('y')}h0" for dot in dots))
        path.set("class", f"s-{token}")
        for key, value in (("stroke-width", "4"), ("stroke-linecap", "round"), ("fill", "none")):
            path.set(key, value)
        for child in list(parent):
            parent.remove(child)
        parent.append(path)


def _clips(root: ElementTree.Element) -> None:
    """Drop clip paths: panels are drawn so that nothing leaves its axes."""
    for element in root.iter():
        element.attrib.pop("clip-path", None)
        for child in list(element):
            if child.tag == f"{SVG}clipPath":
                element.remove(child)


def _dissolve(parent: ElementTree.Element) -> None:
    """Replace groups that carry nothing by what they hold, and drop what is empty."""
    children: list[ElementTree.Element] = []
    for child in parent:
        _dissolve(child)
        bare = child.tag == f"{SVG}g" and not (set(child.attrib) - {"id"})
        if bare:
            children.extend(child)
        elif child.tag != f"{SVG}defs" or len(child):
            children.append(child)
    parent[:] = children


def _ids(root: ElementTree.Element, figure: str) -> None:
    """Keep only ids that something refers to, under the figure's name."""
    wanted = {element.get("href", "")[1:] for element in root.iter() if element.get("href")}
    renamed = {name: f"{figure}-{place}" for place, name in enumerate(_ordered(root, wanted))}
    for element in root.iter():
        name = element.attrib.pop("id", None)
        if name in renamed:
            element.set("id", renamed[name])
        if element.get("href"):
            element.set("href", "#" + renamed[element.get("href", "")[1:]])


def _ordered(root: ElementTree.Element, wanted: set[str]) -> Iterator[str]:
    seen: set[str] = set()
    for element in root.iter():
        name = element.get("id")
        if name in wanted and name not in seen:
            seen.add(name)
            yield name


def _write(element: ElementTree.Element) -> str:
    tag = element.tag.removeprefix(SVG)
    attributes = "".join(f' {key}="{escape(value)}"' for key, value in element.attrib.items())
    inner = "".join(_write(child) for child in element)
    text = escape(clean((element.text or "").strip()))
    return f"<{tag}{attributes}>{text}{inner}</{tag}>" if text or inner else f"<{tag}{attributes}/>"
