"""What one asks with: sliders, facets, written filters, words, pictures of one's own and parts of pictures."""

import pytest


def slide(page, name, value):
    page.locator(f"#{name}").evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', {bubbles: true})) }", value
    )


def test_sliders_say_what_alike_means(visitor):
    page = visitor.open()
    visitor.do(".tile .picture")
    assert page.locator(".slider label").all_inner_texts() == ["Colour", "Pixels", "Words", "Variety"]
    assert page.locator("#weight-pixels").input_value() == "1"
    assert page.locator("#weight-colour").input_value() == "0.5"
    before = visitor.shown()
    slide(page, "weight-pixels", 0)
    visitor.until("location.search.includes('weights=')")
    visitor.settle()
    assert visitor.asked("/v1/recommend")[-1]["weights"] == {"pixels": 0, "colour": 0.5, "text": 0}
    assert visitor.shown() != before
    slide(page, "diversity", 0.4)
    visitor.until("location.search.includes('diversity=0.4')")
    visitor.do("#sliders button")
    assert "weights" not in page.url
    assert visitor.shown()[:12] == before[:12]  # what is out of sight comes later


def test_facets_narrow_and_count(visitor):
    page = visitor.open()
    visitor.do("#facets .chip:has-text('shoes')")
    assert page.locator("#status").inner_text() == "130 pictures"
    assert all(name.startswith("shoes/") for name in visitor.shown())
    visitor.do("#facets .chip:has-text('true')")
    visitor.until("document.querySelector('#status').innerText !== '130 pictures'")
    assert all("1" in name for name in visitor.shown())
    assert "is=kind%3Ashoes&is=new%3Atrue" in page.url
    visitor.do("#facets .chip:has-text('bags')")  # a second value of one column: either
    assert {name.split("/")[0] for name in visitor.shown()} >= {"bags"}
    visitor.do("#facets > .quiet")
    visitor.until("document.querySelector('#status').innerText === '260 pictures'")


def test_a_written_filter_and_where_it_is_wrong(visitor):
    visitor.forgiven = True
    page = visitor.open("?is=kind:bags")
    page.locator("#where").fill("price>1 and prise<3")
    page.locator("#where").press("Enter")
    page.wait_for_selector("#where-error mark")
    assert page.locator("#where-error mark").inner_text() == "prise"
    assert "no column 'prise'" in page.locator("#problem").inner_text()
    assert "price" in page.locator("#problem").inner_text()
    page.locator("#where").fill("price<1")
    visitor.do("#facets button[type=submit]")
    visitor.until("document.querySelector('#problem h2').innerText === 'Nothing matches'")
    visitor.do("#problem button")
    visitor.until("document.querySelector('#status').innerText === '260 pictures'")
    assert page.locator("#problem").is_hidden()


ODD = [
    ("is=__proto__:x", "__proto__"),
    ("is=constructor:x", "constructor"),
    ("is=100%25:x&is=:&is=none", None),
    ("weights=abc,colour:,pixels:x,%25:1", None),
    ("weights=colour:1,pixels:NaN", None),
    ("diversity=much&view=odd", None),
]


@pytest.mark.parametrize(("search", "column"), ODD)
def test_an_odd_link_shows_something(visitor, search, column):
    visitor.forgiven = column is not None
    page = visitor.open(f"?{search}")
    if column is None:
        assert len(visitor.shown()) > 12
        visitor.do(".tile .picture")
        assert visitor.asked("/v1/recommend")[-1]["weights"] == ({"colour": 1} if "colour:1" in search else None)
        return
    assert f"no column '{column}'" in page.locator("#problem").inner_text()
    visitor.do("#problem button:has-text('Show all')")
    visitor.until("document.querySelector('#status').innerText === '260 pictures'")
    visitor.do("#facets .chip:has-text('shoes')")


def test_words_find_by_name(visitor):
    page = visitor.open()
    page.locator("#text").fill("picture-0007.png")
    page.locator("#text").press("Enter")
    page.wait_for_url("**text=*")
    visitor.settle()
    assert "picture-0007" in visitor.shown()[0]
    visitor.do(".tile .picture")
    assert "text=" not in page.url


CARRY = """([name, bytes]) => {
  const carried = new DataTransfer();
  carried.items.add(new File([new Uint8Array(bytes)], "mine.jpg", {type: "image/jpeg"}));
  const kind = name === "paste" ? ClipboardEvent : DragEvent;
  const about = name === "paste" ? {clipboardData: carried} : {dataTransfer: carried};
  window.dispatchEvent(new kind(name, {...about, bubbles: true, cancelable: true}));
}"""


@pytest.mark.parametrize("how", ["choose", "drop", "paste"])
def test_a_picture_of_ones_own(visitor, pictures, how):
    page = visitor.open()
    file = pictures / "bags" / "picture-0004.jpg"
    if how == "choose":
        page.locator("#file").set_input_files(file)
    else:
        page.evaluate(CARRY, [how, list(file.read_bytes())])
    page.wait_for_selector(".likes .seed")
    visitor.until("document.querySelector('#grid img')?.alt === 'bags/picture-0004.jpg'")
    assert page.url == visitor.url  # it stays here
    page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: {writeText: async () => {}}})")
    page.locator(".tools button").first.click()
    assert "not part of it" in page.locator("#toast").inner_text()
    visitor.forgiven = True
    page.reload()
    page.wait_for_selector("#problem:visible")
    assert "Drop the picture once more" in page.locator("#problem p").inner_text()


def test_an_upload_that_is_no_picture_or_too_large(visitor):
    visitor.forgiven = True
    page = visitor.open()
    page.locator("#file").set_input_files({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"x" * 1_200_000})
    assert "1.2 MB" in page.locator("#toast").inner_text()
    page.locator("#file").set_input_files({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": b"no picture"})
    page.wait_for_selector("#problem:not([hidden])")
    assert "picture" in page.locator("#problem p").inner_text()
    visitor.do("#brand") if page.url != visitor.url else page.locator("#brand").click()
    visitor.settle()
    page.wait_for_selector("#problem", state="hidden")


def test_a_part_of_a_picture(visitor):
    page = visitor.open()
    visitor.do(".tile .picture")
    page.locator(".seed .look").click()
    stage = page.locator(".stage")
    box = stage.bounding_box()
    assert page.locator("#large .main").is_disabled()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + box["height"] * 0.25)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.5, steps=3)
    page.mouse.up()
    visitor.do("#large .main")
    visitor.wait(lambda: isinstance(visitor.asked("/v1/recommend")[-1]["like"][0], dict))
    left, top, right, bottom = visitor.asked("/v1/recommend")[-1]["like"][0]["box"]
    assert [round(20 * x) for x in (left, top, right, bottom)] == [5, 5, 15, 10]
    assert page.locator(".seed .outline").count() == 1
    assert "%40" in page.url
    before = page.url.split("%40")[1]
    page.locator(".seed .look").click()  # and by keys: a smaller part
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    visitor.until("box => !location.search.includes(box)", before)
    visitor.wait(lambda: visitor.asked("/v1/recommend")[-1]["like"][0]["box"] != [left, top, right, bottom])
    moved = visitor.asked("/v1/recommend")[-1]["like"][0]["box"]
    assert abs(moved[0] - left - 0.02) < 0.01
    assert abs(moved[2] - right) < 0.01


def test_the_link_is_copied(visit):
    visitor = visit(permissions=["clipboard-read", "clipboard-write"])
    page = visitor.open()
    visitor.do(".tile .picture")
    page.locator(".tools button").first.click()
    page.wait_for_selector("#toast:not([hidden])")
    assert page.evaluate("navigator.clipboard.readText()") == page.url


def test_problems_are_told_with_their_remedy(visitor):
    visitor.forgiven = True
    page = visitor.open("?like=nosuchitem")
    assert "nosuchitem" in page.locator("#problem p").inner_text()
    visitor.do("#problem button:has-text('Start over')")
    assert page.locator("#problem").is_hidden()
    page.route("**/v1/recommend", lambda route: route.abort())
    page.locator(".tile .picture").first.click()
    page.wait_for_selector("#problem:not([hidden])")
    assert page.locator("#problem h2").inner_text() == "The server does not answer"
    page.unroute("**/v1/recommend")
    page.locator("#problem button").first.click()
    page.wait_for_selector("#problem", state="hidden")
    visitor.settle()
    assert len(visitor.shown()) > 12
