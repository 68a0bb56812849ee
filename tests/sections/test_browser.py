"""The page in Chromium: no sideways scroll, no request, sorting by keyboard, no text on text."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = pytest.mark.browser

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
EXAMPLES = ("faces_base", "digits_base", "races_base", "inside_base")
OVERLAPS = """() => {
  const found = [];
  for (const svg of document.querySelectorAll('figure > svg')) {
    const whole = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll('text')]
      .map(t => [t.textContent, t.getBoundingClientRect()]);
    texts.forEach(([name, a], i) => {
      if (a.left < whole.left - 1.5 || a.right > whole.right + 1.5 || a.top < whole.top - 1.5 ||
          a.bottom > whole.bottom + 3) found.push('outside: ' + name);
      for (const [other, b] of texts.slice(i + 1)) {
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (wide > 1.5 && high > 3) found.push(name + ' over ' + other);
      }
    });
  }
  return found;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, or a skip that says what is missing."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    path = next((found for name in names if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium on the path")
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def pages(
    rendered: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The examples as files, by name."""
    folder: Path = tmp_path_factory.mktemp("reports")
    found = {}
    for name in EXAMPLES:
        path = folder / f"{name}.html"
        path.write_text(rendered(name), encoding="utf-8")
        found[name] = path.as_uri()
    return found


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_sideways_scroll_no_request_no_error(
    browser: Any, pages: dict[str, str], name: str, scheme: str
) -> None:
    page = browser.new_page(color_scheme=scheme)
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text))
    for width in (360, 768, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        page.goto(pages[name])
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(OVERLAPS) == []
    assert set(asked) == {pages[name]}
    assert errors == []
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 26)"}[scheme]
    page.close()


def test_tables_sort_by_keyboard_and_say_so(browser: Any, pages: dict[str, str]) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(pages["faces_base"])
    head = page.locator("#t3b thead th").nth(1)
    head.locator("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Space")
    assert head.get_attribute("aria-sort") == "descending"
    cells = "[...document.querySelectorAll('#t3b tbody tr')].map(r => r.cells[1].dataset.v)"
    found = page.evaluate(cells)
    known = [float(value) for value in found if value]
    assert known == sorted(known, reverse=True)
    assert found[-1] == ""
    assert page.locator("#t3b thead [aria-sort]").count() == 1
    assert "descending; undefined values last" in page.locator("#live").inner_text()
    page.close()


def test_the_page_reads_without_script(browser: Any, pages: dict[str, str]) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 360, "height": 800})
    page = context.new_page()
    page.goto(pages["faces_base"])
    assert page.locator("th button").count() == 0
    assert page.locator("#s12").is_visible()
    page.get_by_role("button", name="Contents").click()
    assert page.locator("#toc").is_visible()
    context.close()


def test_the_theme_button_and_the_current_section(browser: Any, pages: dict[str, str]) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme="light")
    page.goto(pages["faces_base"])
    page.get_by_role("button", name="Dark view").click()
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(20, 23, 26)"
    page.locator("#s5 h2").evaluate(
        "e => scrollTo(0, e.getBoundingClientRect().top + scrollY - 140)"
    )
    page.wait_for_selector('#toc a[href="#s5"][aria-current]')
    page.close()


def test_the_first_screen_fits_a_laptop(browser: Any, pages: dict[str, str]) -> None:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    for name in EXAMPLES:
        page.goto(pages[name])
        assert page.locator(".strip").evaluate("e => e.getBoundingClientRect().bottom") <= 900
    page.close()


def test_forced_colours_keep_everything_in_sight(browser: Any, pages: dict[str, str]) -> None:
    page = browser.new_page(forced_colors="active", viewport={"width": 1440, "height": 900})
    page.goto(pages["faces_base"])
    fills = page.evaluate(
        "[...document.querySelectorAll('figure .f-run')].map(e => getComputedStyle(e).fill)"
    )
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert fills and background not in fills
    page.close()


def test_details_open_for_print(browser: Any, pages: dict[str, str]) -> None:
    page = browser.new_page()
    page.goto(pages["digits_base"])
    closed = "document.querySelectorAll('details:not([open])').length"
    before = page.evaluate(closed)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert before > 0 and page.evaluate(closed) == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.evaluate(closed) == before
    page.close()
