"""Looking through the pictures: the grid, more like one, back and forth, like and hide, by mouse and by keys."""

import re


def test_the_first_pictures(visitor):
    page = visitor.open()
    assert page.locator("#status").inner_text() == "260 pictures"
    assert page.title() == "shop · nitari"
    assert visitor.shown()[0].startswith("bags/picture-")
    assert page.locator(".tile").first.get_attribute("aria-posinset") == "1"


def test_more_like_one_and_back(visitor):
    page = visitor.open()
    page.mouse.wheel(0, 900)
    visitor.until("scrollY > 800")
    page.wait_for_timeout(100)
    name, before = page.locator(".tile img").nth(30).get_attribute("alt"), visitor.shown()
    page.locator(f".tile img[alt='{name}']").scroll_into_view_if_needed()
    y = page.evaluate("scrollY")
    visitor.do(f".tile .picture:has(img[alt='{name}'])")
    assert re.search(r"\?like=\w{16}$", page.url)
    assert page.locator(".likes .seed").count() == 1
    assert name not in visitor.shown()
    assert page.evaluate("scrollY") == 0
    visitor.until("performance.getEntriesByName('nitari:results').length === 1")
    visitor.until("performance.getEntriesByName('nitari:pictures').length === 1")
    page.go_back()
    visitor.until("y => Math.abs(scrollY - y) < 2", y)
    visitor.settle()
    assert set(before) & set(visitor.shown())
    page.go_forward()
    visitor.settle()
    assert page.locator(".likes .seed").count() == 1


def test_a_link_is_all_it_takes(visit):
    first = visit()
    page = first.open("?is=kind:shoes&weights=colour:1&diversity=0.3")
    first.do(".tile .picture")
    second = visit()
    second.open(page.url.removeprefix(first.url))
    assert second.shown()[:12] == first.shown()[:12]
    assert all(name.startswith("shoes/") for name in second.shown())


def test_only_what_is_in_sight_is_in_the_document(visitor):
    page = visitor.open()
    held = []
    for _ in range(40):
        page.mouse.wheel(0, 1500)
        page.wait_for_timeout(30)
        held.append(page.locator(".tile").count())
        if page.locator("#end").is_visible() and page.evaluate(
            "scrollY + innerHeight >= document.body.scrollHeight - 2"
        ):
            break
    assert page.locator("#end").inner_text() == "That is all."
    assert max(held) < 130
    assert page.locator(".tile").last.get_attribute("aria-posinset") == "260"
    assert page.locator(".tile").last.get_attribute("aria-setsize") == "260"


def test_nothing_overlaps_and_nothing_jumps(visitor):
    page = visitor.open()
    boxes = page.locator(".tile").evaluate_all(
        "tiles => tiles.map(tile => tile.getBoundingClientRect()).map(box => [box.x, box.y, box.width, box.height].join())"
    )
    assert len(set(boxes)) == len(boxes)
    assert len({tuple(box.split(",")[2:]) for box in boxes}) == 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_keys(visitor):
    page = visitor.open()
    page.locator(".tile .picture").first.focus()
    alt = "document.activeElement.querySelector('img').alt"
    first = page.evaluate(alt)
    page.keyboard.press("ArrowRight")
    assert page.evaluate(alt) == visitor.shown()[1]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(alt) == first
    assert page.locator(".tile .picture[tabindex='0']").count() == 1
    page.keyboard.press("i")
    visitor.until("name => document.querySelector('#why h2').innerText === name", first.split("/")[1])
    page.keyboard.press("Escape")
    assert page.locator("#why").is_hidden()
    assert page.evaluate(alt) == first
    page.keyboard.press("Enter")
    page.wait_for_url("**like=*")
    visitor.settle()
    visitor.until("document.activeElement.closest('.tile')")  # one walks on from the first result
    page.keyboard.press("h")
    page.wait_for_url("**unlike=*")
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#help").is_hidden()
    page.keyboard.press("/")
    visitor.until("document.activeElement.id === 'text'")


def test_keys_reach_what_is_far_below(visitor):
    page = visitor.open()
    page.locator(".tile .picture").first.focus()
    for _ in range(12):
        page.keyboard.press("PageDown")
        page.wait_for_timeout(60)
    page.keyboard.press("End")
    place = page.evaluate("Number(document.activeElement.closest('.tile').getAttribute('aria-posinset'))")
    assert place > 100
    box = page.evaluate("(box => [box.top, box.bottom])(document.activeElement.getBoundingClientRect())")
    assert box[0] >= 0
    assert box[1] <= 800


def test_like_and_hide_refine(visitor):
    page = visitor.open()
    visitor.do(".tile .picture")
    names = visitor.shown()
    tile = page.locator(".tile").nth(2)
    tile.hover()
    liked = tile.get_attribute("data-id")
    visitor.do(f".tile[data-id='{liked}'] .like")
    assert page.locator(".likes .seed").count() == 2
    assert names[2] not in visitor.shown()
    tile = page.locator(".tile").first
    tile.hover()
    hidden = tile.get_attribute("data-id")
    visitor.do(f".tile[data-id='{hidden}'] .hide")
    assert page.locator(".unlikes .seed").count() == 1
    assert page.locator(f".tile[data-id='{hidden}']").count() == 0
    body = visitor.asked("/v1/recommend")[-1]
    assert body["like"][1] == liked
    assert body["unlike"] == [hidden]
    visitor.do("#toast button")
    assert page.locator(".unlikes").count() == 0
    visitor.do(".likes .seed .remove")
    assert page.locator(".likes .seed").count() == 1


def test_hidden_while_browsing_stays_hidden(visitor):
    page = visitor.open()
    tile = page.locator(".tile").first
    name = visitor.shown()[0]
    tile.hover()
    tile.locator(".hide").click()
    page.wait_for_url("**unlike=*")
    visitor.settle()
    assert name not in visitor.shown()


def test_copies_unfold(visitor):
    page = visitor.open("?text=copy-0")
    other = page.locator(".tile:has(img[alt^='bags/'])")
    assert other.count() == 0
    page = visitor.open("?is=kind:shoes")
    visitor.do(".tile:has(img[alt='shoes/picture-0003.jpg']) .picture")
    for _ in range(20):
        if page.locator(".badge:visible").count():
            break
        page.mouse.wheel(0, 700)
        page.wait_for_timeout(50)
    badge = page.locator(".badge:visible").first
    assert badge.inner_text() == "+2"
    badge.click()
    page.wait_for_selector(".tile.copy")
    assert page.locator(".tile.copy").count() == 2
    badge.click()
    visitor.until("!document.querySelector('.tile.copy')")


def test_what_was_shown_and_done_is_told(visitor):
    page = visitor.open()
    visitor.until("performance.getEntriesByType('resource').some(one => one.name.endsWith('/feedback'))")
    with page.expect_request("**/v1/feedback") as sent:
        page.locator(".tile .picture").nth(3).click()
    assert sent.value.response().status == 200
    events = [event for body in visitor.asked("/v1/feedback") for event in body["events"]]
    shown = [event for event in events if event["event"] == "shown"]
    assert [event["rank"] for event in shown[:3]] == [0, 1, 2]
    assert {event["arm"] for event in shown} == {page.evaluate("fetch('v1/collection').then(a => a.json())")["release"]}
    clicked = next(event for event in events if event["event"] == "clicked")
    assert clicked["rank"] == 3
    assert ":" not in clicked["query"]
    assert clicked["query"] == shown[0]["query"]
    assert clicked["session"] == shown[0]["session"]
    visitor.settle()
    asked = page.url.split("like=")[1]
    with page.expect_request("**/v1/feedback") as sent:
        page.locator(".tile .picture").first.click()
    sent.value.response()
    events = [event for body in visitor.asked("/v1/feedback") for event in body["events"]]
    clicked = [event for event in events if event["event"] == "clicked"][-1]
    assert clicked["query"].startswith(f"{asked}:")  # so it can be replayed


def test_a_new_release_is_noticed(visitor):
    """The first the page hears of is the older release, as if the newer came right after."""
    page = visitor.page
    older = []

    def first(route):
        older or older.append(page.request.get(f"{visitor.url}v1/releases").json()["releases"][-1]["id"])
        route.continue_(url=f"{visitor.url}v1/collection?release={older[0]}")

    page.route("**/v1/collection", first, times=1)
    visitor.open("?is=kind:shoes&diversity=0.3")
    visitor.until("document.querySelectorAll('.slider label').length === 4")
    assert older
    assert page.locator("#diversity").input_value() == "0.3"
    assert page.locator("#facets .chip[aria-pressed=true]").count() == 1
    assert sum("/v1/collection" in request.url for request in visitor.requests) == 2


def test_a_release_that_is_gone_starts_over(visitor):
    visitor.forgiven = True
    gone = []

    def refuse(route):
        gone.append(route.request.url)
        route.fulfill(status=404, json={"title": "Not found", "status": 404, "detail": "There is no such release"})

    page = visitor.page
    page.route(re.compile(r"/v1/items\?.*after="), refuse, times=1)
    visitor.open()
    for _ in range(40):
        page.mouse.wheel(0, 1500)
        page.wait_for_timeout(30)
        if page.locator("#end").is_visible():
            break
    assert len(gone) == 1
    assert page.locator("#problem").is_hidden()
    page.wait_for_selector("#end:visible")
    page.locator(".tile .picture").first.focus()
    page.keyboard.press("End")
    assert page.locator(".tile").last.get_attribute("aria-posinset") == "260"


def test_what_was_scrolled_past_is_not_asked_for_again(visitor):
    page = visitor.open()
    for step in [700] * 6 + [-700] * 6:
        page.mouse.wheel(0, step)
        page.wait_for_timeout(60)
    visitor.settle()
    asked = [request.url for request in visitor.requests if "/thumbnail" in request.url]
    assert len(asked) > 100
    assert len(asked) == len(set(asked))
    assert all("&release=" in url for url in asked)


def test_why_a_result_is_here(visitor):
    page = visitor.open("?is=kind:bags")
    visitor.do(".tile .picture")
    page.locator(".tile").first.hover()
    page.locator(".tile [data-act=why]").first.click()
    why = page.locator("#why")
    assert why.locator(".bars .name").all_inner_texts() == ["Colour", "Pixels"]
    assert "rank" in why.locator(".bars small").first.inner_text()
    assert why.locator("code").first.inner_text() == "'kind' in ('bags')"
    assert "price" in why.locator("dl").inner_text()
    page.locator(".tile .picture").nth(1).focus()  # it follows the focus
    assert why.locator("h2").inner_text() == visitor.shown()[1].split("/")[1]
    visitor.do("#why button.main")
    assert why.is_hidden()
