"""Other views, other screens, other readers: map, comparison, phone, darkness, Japanese; and what stays away."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[3] / "serve" / "page"


def test_the_map(visitor):
    page = visitor.open()
    visitor.do("#views a[data-view=map]")
    count = "document.querySelector('#map .count').innerText"
    visitor.until(f"{count} === '260 of 260 pictures here'")
    page.wait_for_timeout(600)
    canvas = page.locator("#map canvas")
    painted = "canvas => new Set(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data).size"
    assert canvas.evaluate(painted) > 100
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for _ in range(4):
        page.mouse.wheel(0, -500)
    visitor.until(f"!{count}.startsWith('260')")
    page.mouse.down()
    page.mouse.move(box["x"] + 50, box["y"] + 50, steps=3)
    page.mouse.up()
    assert "view=map" in page.url  # that was no click
    canvas.focus()
    page.keyboard.press("0")
    visitor.until(f"{count} === '260 of 260 pictures here'")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    page.wait_for_url("**like=*")
    visitor.settle()
    assert page.locator(".likes .seed").count() == 1
    page.go_back()
    visitor.until(f"{count} === '260 of 260 pictures here'")
    page.wait_for_timeout(300)
    for i in range(40):  # somewhere there is a picture
        page.mouse.click(box["x"] + box["width"] * (0.3 + i * 0.01), box["y"] + box["height"] * (0.3 + i * 0.01))
        if "like=" in page.url:
            break
    assert "like=" in page.url


def test_two_releases_side_by_side(visitor):
    page = visitor.open()
    visitor.do(".tile .picture")
    visitor.do("#views a[data-view=compare]")
    page.wait_for_selector(".pair .tile img")
    assert page.locator(".pair").count() == 2
    assert page.locator(".pair").first.locator(".tile").count() == 48
    differ = page.locator(".pair .tile.differs").count()
    assert 0 < differ < 96
    assert re.match(rf"{48 - differ // 2} of 48 results", page.locator(".verdict").inner_text())
    page.locator(".pair select").nth(1).select_option(index=0)
    visitor.until("!document.querySelector('.pair .tile.differs')")
    visitor.do(".pair .tile .picture")
    assert "view=" not in page.url


@pytest.fixture
def phone(visit):
    return visit(viewport={"width": 375, "height": 740}, has_touch=True, is_mobile=True, device_scale_factor=2)


def test_a_phone(phone):
    page = phone.open()
    lefts = page.locator(".tile").evaluate_all("tiles => tiles.map(tile => Math.round(tile.getBoundingClientRect().x))")
    assert len(set(lefts)) == 3
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.locator("#take").is_visible()
    assert page.locator("#camera").get_attribute("capture") == "environment"
    assert page.locator("#controls").evaluate("panel => panel.inert")
    page.locator("#drawer").click()
    phone.until("document.activeElement.id === 'drawer-close'")
    phone.do("#facets .chip:has-text('shoes')")
    page.keyboard.press("Escape")
    phone.until("document.activeElement.id === 'drawer'")
    page.locator(".tile [data-act=why]").first.tap()
    assert page.locator("#why").is_visible()
    phone.do("#why button:has-text('Hide')")
    assert page.locator("#why").is_hidden()


def test_light_and_dark_are_legible(visit):
    contrast = """() => {
      const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
      const probe = document.body.appendChild(document.createElement("i"));
      const light = (name) => {
        probe.style.color = `var(--${name})`;
        canvas.fillStyle = getComputedStyle(probe).color;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map(v => v / 255)
          .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const pairs = [["ink", "paper"], ["muted", "paper"], ["muted", "raised"], ["accent", "paper"], ["accent", "wash"],
        ["on-accent", "accent"], ["warm", "raised"], ["muted", "tile"]];
      return Math.min(...pairs.map(([a, b]) => [light(a), light(b)].sort((x, y) => y - x)).map(([x, y]) => (x + 0.05) / (y + 0.05)));
    }"""
    for scheme in ("light", "dark"):
        page = visit(color_scheme=scheme).open()
        assert page.evaluate(contrast) >= 4.5
        page.locator("#theme").click()
        assert page.evaluate(contrast) >= 4.5
        other = page.evaluate("document.documentElement.dataset.theme")
        assert other == {"light": "dark", "dark": "light"}[scheme]
        page.reload()
        assert page.evaluate("document.documentElement.dataset.theme") == other


def test_japanese_and_back(visit):
    visitor = visit(locale="ja-JP")
    page = visitor.open()
    assert page.evaluate("document.documentElement.lang") == "ja"
    assert page.locator("#status").inner_text() == "画像 260 件"
    page.locator("#language").click()
    assert page.locator("#status").inner_text() == "260 pictures"
    page.reload()
    visitor.settle()
    assert page.evaluate("document.documentElement.lang") == "en"


def test_little_moves_for_those_who_ask_for_it(visit):
    page = visit(reduced_motion="reduce").open()
    assert page.locator(".controls").evaluate("panel => parseFloat(getComputedStyle(panel).transitionDuration)") == 0


def test_landmarks_and_names(visitor):
    page = visitor.open()
    visitor.do(".tile .picture")
    unnamed = """() => [...document.querySelectorAll("button, a, input, select, img, canvas")]
      .filter(one => !one.closest("[hidden], dialog:not([open])"))
      .filter(one => !(one.getAttribute("aria-label") || one.alt || one.innerText?.trim() || one.labels?.length || one.querySelector?.("img[alt]")))
      .map(one => one.outerHTML)"""
    assert page.evaluate(unnamed) == []
    for selector in ("main", "header", "[role=search]", "nav[aria-label]", "aside[aria-label]", "#status[role=status]"):
        assert page.locator(selector).count() >= 1


def test_nothing_comes_from_elsewhere():
    """No address but the page's own in any file, and nothing that its policy forbids."""
    for file in PAGE.rglob("*.*"):
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text, file.name
        if file.suffix == ".html":
            assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*\bsrc=)", text)
        assert len(text.splitlines()) <= 300, file.name


def test_every_module_is_named_ahead():
    """So that the browser fetches all of them at once."""
    named = set(
        re.findall(
            r'href="page/([\w/]+\.js)"|src="page/([\w/]+\.js)"', (PAGE / "index.html").read_text(encoding="utf-8")
        )
    )
    assert {first or second for first, second in named} == {
        file.relative_to(PAGE).as_posix() for file in PAGE.rglob("*.js")
    }


def test_every_word_exists_in_both_languages():
    def words(name):
        return set(re.findall(r'^  "?([\w.]+)"?:', (PAGE / "words" / f"{name}.js").read_text(encoding="utf-8"), re.M))

    assert words("en") == words("ja")
    used = set()
    for file in PAGE.glob("*.*"):
        text = file.read_text(encoding="utf-8")
        used |= set(re.findall(r'\bt\(\s*"([\w.]+)"', text))
        used |= set(re.findall(r'data-(?:word|label|placeholder)="([\w.]+)"', text))
    assert used <= words("en")
    quoted = "".join(file.read_text(encoding="utf-8") for file in PAGE.glob("*.*"))
    dynamic = {word for word in words("en") if word.startswith("source.") or word.endswith(".short")}
    assert {word for word in words("en") - used - dynamic if f'"{word}"' not in quoted} == set()
