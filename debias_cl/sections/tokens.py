"""Colours as tokens: light, dark and print values, and the sentinels that matplotlib draws with.

A figure is drawn in sentinel colours only; `svg.compact` turns each into a class, and the style
sheet gives the class its token. So one drawing serves all themes.
"""

from __future__ import annotations

THEMES = ("light", "dark", "print")

_SAME = "as light"
TOKENS: dict[str, tuple[str, str, str]] = {
    "bg": ("#ffffff", "#14171a", "#ffffff"),
    "surface": ("#f4f6f8", "#1e2328", "#ffffff"),
    "ink": ("#1a1d21", "#e7eaee", "#000000"),
    "muted": ("#515a65", "#a9b2bc", "#3f464e"),
    "link": ("#0b579f", "#84bdf7", "#083f75"),
    "axis": ("#7d8792", "#838d98", "#6b747e"),
    "line": ("#d8dde3", "#353c44", "#c9cfd6"),
    "band": ("#e3e7ec", "#2d343c", "#e0e4e9"),
    "run": ("#0b559f", "#78b9f7", _SAME),
    "ref": ("#b4530a", "#f09c52", _SAME),
    "s3": ("#1d9a7c", "#1f8f6f", _SAME),
    "s4": ("#4a1030", "#fbe0f2", _SAME),
    "issue": ("#a5200f", "#ff9c8f", _SAME),
    "on-issue": ("#ffffff", "#2a0803", _SAME),
    "note": ("#7a4d00", "#e6b450", "#6b4300"),
    "q0": ("#fdf4e8", "#2a241f", _SAME),
    "q1": ("#fae0c2", "#472f1e", _SAME),
    "q2": ("#f4c38f", "#6c421f", _SAME),
    "q3": ("#e79f5d", "#8f561f", _SAME),
    "q4": ("#cd7636", "#c47d35", _SAME),
    "q5": ("#a24a1f", "#e6a765", _SAME),
    "q6": ("#6d2a10", "#fcdcae", _SAME),
    "on0": ("#1a1d21", "#e7eaee", "#000000"),
    "on1": ("#1a1d21", "#e7eaee", "#000000"),
    "on2": ("#1a1d21", "#e7eaee", "#000000"),
    "on3": ("#1a1d21", "#e7eaee", "#000000"),
    "on4": ("#1a1d21", "#14171a", "#000000"),
    "on5": ("#ffffff", "#14171a", _SAME),
    "on6": ("#ffffff", "#14171a", _SAME),
}

HEAT_EDGES = (0.02, 0.05, 0.10, 0.20, 0.35, 0.50)
"""Shares wrong at which the heat ramp steps from q0 to q6; fixed in all reports."""

SENTINELS: dict[str, str] = {
    name: f"#0{place:02x}ada" for place, name in enumerate(TOKENS, start=1)
}
"""Token -> a made-up colour that stands for it while matplotlib draws."""

DRAWN = tuple(
    name for name in TOKENS if name not in ("surface", "link", "issue", "on-issue", "note")
)
"""Tokens that figures may use."""

FORCED = {
    "bg": "Canvas",
    "surface": "Canvas",
    "ink": "CanvasText",
    "muted": "CanvasText",
    "link": "LinkText",
    "axis": "CanvasText",
    "line": "GrayText",
    "band": "GrayText",
    "run": "LinkText",
    "ref": "CanvasText",
    "s3": "CanvasText",
    "s4": "LinkText",
    "issue": "CanvasText",
    "on-issue": "Canvas",
    "note": "CanvasText",
}
"""System colours for contrast themes; the heat ramp becomes plain, its numbers stay."""


def value(token: str, theme: str) -> str:
    """Return the colour of a token in a theme.

    >>> value("run", "print")
    '#0b559f'
    """
    colours = TOKENS[token]
    found = colours[THEMES.index(theme)]
    return colours[0] if found == _SAME else found


def ink(colour: str) -> str:
    """Return the sentinel of a token, to draw with.

    >>> ink("bg")
    '#001ada'
    """
    return SENTINELS[colour]


def heat(wrong: float) -> int:
    """Return the step of the heat ramp for a share wrong.

    >>> heat(0.0), heat(0.02), heat(0.44), heat(0.9)
    (0, 1, 5, 6)
    """
    return sum(wrong >= edge for edge in HEAT_EDGES)


def contrast(first: str, second: str) -> float:
    """Return the contrast ratio of two colours, 1 to 21.

    Args:
        first, second: `#rrggbb`.

    Source: WCAG 2.2, relative luminance of sRGB.
    """
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def style() -> str:
    """Return the custom properties for all themes, and a fill and stroke class a token."""
    light, dark = _properties("light"), _properties("dark")
    forced = _system()
    sheet = [
        f":root{{color-scheme:light;{light}}}",
        "@media(prefers-color-scheme:dark){:root:not([data-theme=light])"
        f"{{color-scheme:dark;{dark}}}}}",
        f":root[data-theme=dark]{{color-scheme:dark;{dark}}}",
        *(f".f-{name}{{fill:var(--{name})}}.s-{name}{{stroke:var(--{name})}}" for name in DRAWN),
        f"@media(forced-colors:active){{:root,:root[data-theme]{{{forced}}}}}",
        "@media print{:root,:root:not([data-theme=light]),:root[data-theme]"
        f"{{color-scheme:light;{_properties('print')}}}}}",
    ]
    return "\n".join(sheet)


def _properties(theme: str) -> str:
    return ";".join(f"--{name}:{value(name, theme)}" for name in TOKENS)


def _system() -> str:
    plain = {name: "Canvas" for name in TOKENS if name.startswith("q")}
    words = {name: "CanvasText" for name in TOKENS if name.startswith("on") and name[2:].isdigit()}
    return ";".join(f"--{name}:{word}" for name, word in {**FORCED, **plain, **words}.items())


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
