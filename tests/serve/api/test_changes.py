"""What comes and goes while a server runs: items, releases, damage; and feedback."""

import io
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from PIL import Image

from nitari.collection import Collection
from nitari.extractor import create
from nitari.feedback import Feedback
from nitari.recommend import cursor
from nitari.steps.build import build
from nitari.steps.extract import extract

HNSW = {"_target_": "nitari.index.hnsw.Hnsw", "ef_construction": 40}


def picture(colour=(200, 30, 60), size=(120, 90), kind="JPEG"):
    out = io.BytesIO()
    image = Image.new("RGB", size, colour)
    image.paste((255, 255, 255), (10, 10, 50, 40))
    image.save(out, kind)
    return out.getvalue()


def ids(client, **query):
    return [result["item_id"] for result in client.get("/v1/items", params={"k": 100} | query).json()["results"]]


def app_context(client):
    return client.app.state.context


def other_release(root):
    collection = Collection(root, "shop")
    return build(collection, HNSW, weights={"colour": 1}, switch=False)


def test_an_upload_finds_its_like(writer, made):
    item = ids(writer)[3]
    thumbnail = writer.get(f"/v1/items/{item}/thumbnail?side=1000").content
    answer = writer.post("/v1/recommend/upload", files={"picture": ("a.jpg", thumbnail)}, data={"settings": '{"k": 3}'})
    assert answer.status_code == 200, answer.text
    assert answer.json()["results"][0]["item_id"] == item
    boxed = writer.post(
        "/v1/recommend/upload",
        files={"picture": ("a.jpg", thumbnail)},
        data={"settings": '{"k": 3, "box": [0, 0, 1, 1]}'},
    )
    assert boxed.json()["results"][0]["item_id"] == item


def test_a_part_of_an_item_is_asked_with(writer):
    item = ids(writer)[3]
    whole = {"like": [{"item_id": item, "box": [0, 0, 1, 1]}], "k": 3}
    assert writer.post("/v1/recommend", json=whole).json()["results"][0]["item_id"] == item
    part = {"like": [{"item_id": item, "box": [0.5, 0.5, 1, 1]}], "k": 3}
    assert len(writer.post("/v1/recommend", json=part).json()["results"]) == 3
    empty = {"like": [{"item_id": item, "box": [0.5, 0.5, 0.5, 1]}], "k": 3}
    assert writer.post("/v1/recommend", json=empty).status_code == 422


@pytest.mark.parametrize(
    ("data", "status", "reason"),
    [(b"", 415, "empty"), (b"no picture at all", 415, "not_a_picture"), (picture()[:700], 415, "truncated")],
)
def test_what_is_no_picture_is_refused(writer, data, status, reason):
    answer = writer.post("/v1/recommend/upload", files={"picture": ("a.jpg", data)})
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)


def test_a_nasty_picture_costs_one_process_and_no_more(writer):
    writer.app.state.context.reading.seconds = 0.0
    answer = writer.post("/v1/recommend/upload", files={"picture": ("a.jpg", picture())})
    assert answer.json()["reason"] == "timeout"
    writer.app.state.context.reading.seconds = 30.0
    assert writer.post("/v1/recommend/upload", files={"picture": ("a.jpg", picture())}).status_code == 200
    assert writer.app.state.context.reading.deaths == 1


def test_pictures_are_added_and_found_at_once(writer, root):
    before = len(ids(writer))
    files = [("picture", ("red one.jpg", picture())), ("picture", ("b.jpg", b"nothing"))]
    added = writer.post("/v1/items", files=files).json()
    assert added["added"] == 1
    assert [refused["reason"] for refused in added["refused"]] == ["not_a_picture"]
    (name,) = (name for name in added["items"] if name.endswith("red_one.jpg"))
    item = added["items"][name]
    assert item in ids(writer)
    assert len(ids(writer)) == before + 1
    assert writer.get(f"/v1/items/{item}/more-like?k=2").status_code == 200
    assert writer.get(f"/v1/items/{item}/thumbnail").content[:2] == b"\xff\xd8"
    again = writer.post("/v1/items", files=[files[0]]).json()
    assert (again["added"], again["known"]) == (0, 1)
    assert (root / "shop" / "uploads" / name).read_bytes() == picture()


def test_an_item_is_removed_at_once(writer, root):
    item, other = ids(writer)[:2]
    assert writer.delete(f"/v1/items/{item}").json() == {"removed": True}
    assert item not in ids(writer)
    page = writer.get(f"/v1/items/{other}/more-like?k=100").json()
    assert item not in [result["item_id"] for result in page["results"]]
    assert writer.get(f"/v1/items/{item}/thumbnail").status_code == 404
    assert writer.get(f"/v1/items/{item}").json()["item"]["removed"] is True
    assert writer.delete(f"/v1/items/{item}").json() == {"removed": False}
    assert writer.delete("/v1/items/unknown").status_code == 404
    assert item in Collection(root, "shop").path.joinpath("removed.jsonl").read_text()


@pytest.mark.parametrize("slash", ["/", "%2F"])
def test_an_item_is_removed_by_its_file_name_with_the_token_only(writer, slash):
    found = writer.get("/v1/items", params={"k": 1}).json()["results"][0]
    address = f"/v1/items/{found['attributes']['file_name'].replace('/', slash)}"
    assert writer.delete(address, headers={"Authorization": ""}).status_code == 401
    assert found["item_id"] in ids(writer)
    assert writer.delete(address).json() == {"removed": True}
    assert found["item_id"] not in ids(writer)


def test_a_wrong_token_writes_nothing(writer):
    item = ids(writer)[0]
    for header in ("Bearer wrong", "Bearer ", "Basic abc", ""):
        assert writer.delete(f"/v1/items/{item}", headers={"Authorization": header}).status_code == 401
    assert item in ids(writer)


def test_feedback_is_kept(writer, root):
    events = [
        {"event": "shown", "item_id": "a", "rank": 0},
        {"event": "clicked", "item_id": "b", "query": "q", "arm": "r"},
    ]
    assert writer.post("/v1/feedback", json={"events": events}).json() == {"accepted": 2}
    kept = list(Feedback(Collection(root, "shop")).read())
    assert [(one["event"], one["item_id"], one["query"]) for one in kept] == [
        ("shown", "a", None),
        ("clicked", "b", "q"),
    ]
    assert writer.post("/v1/feedback", json={"events": [{"event": "bought", "item_id": "a"}]}).status_code == 422


def test_two_releases_are_compared(writer, root):
    item = ids(writer)[0]
    other = other_release(root)
    current = writer.get(f"/v1/items/{item}/more-like?k=6").json()
    theirs = writer.get(f"/v1/items/{item}/more-like?k=6&release={other.id}").json()
    assert theirs["release"] == other.id != current["release"]
    mixed = writer.get(f"/v1/items/{item}/more-like?k=6&interleave={other.id}").json()
    assert set(mixed["arms"]) == {other.id, current["release"]}
    asked = {
        arm: {r["item_id"] for r in page["results"]}
        for arm, page in ((other.id, theirs), (current["release"], current))
    }
    for arm, result in zip(mixed["arms"], mixed["results"], strict=True):
        assert result["item_id"] in asked[arm]


def test_pages_go_on_after_a_swap(writer, root):
    """With the release of their cursor, as long as it is there."""
    other, item = other_release(root), ids(writer)[0]
    for path in (f"/v1/items/{item}/more-like?k=3", "/v1/items?k=3"):
        before = writer.get(path).json()
        Collection(root, "shop").switch(other)
        app_context(writer).shelf.refresh()
        after = writer.get(path, params={"after": before["after"]}).json()
        assert after["release"] == before["release"] != writer.get(path).json()["release"]
        assert not {one["item_id"] for one in after["results"]} & {one["item_id"] for one in before["results"]}
        Collection(root, "shop").switch(Collection(root, "shop").open("release", before["release"]))
        app_context(writer).shelf.refresh()
    gone = cursor.write(3, "question", "20010101T000000000-000000")
    found = writer.get(f"/v1/items/{item}/more-like", params={"after": gone})
    assert (found.status_code, "begin without one" in found.json()["detail"]) == (400, True)


def test_answers_do_not_say_where_the_collection_lies(writer, root):
    (root / "shop" / "current").write_text("nothing")
    app_context(writer).shelf.refresh()
    for path, told in (("/v1/items?release=20010101T000000000-000000", "20010101"), ("/readyz", "shop/current")):
        text = writer.get(path).text
        assert told in text
        assert str(root) not in text


def test_a_picture_is_encoded_once(writer):
    picture = writer.get(f"/v1/items/{ids(writer)[0]}/thumbnail").content
    asked = []
    reading = app_context(writer).reading
    exchange = reading._exchange
    reading._exchange = lambda *what: (asked.append(what), exchange(*what))[1]
    pages = [
        writer.post("/v1/recommend/upload", files={"picture": ("a.jpg", picture)}, data={"settings": settings}).json()
        for settings in ("{}", '{"weights": {"pixels": 1, "colour": 3}}', '{"box": [0, 0, 0.5, 0.5]}', "{}")
    ]
    assert pages[0] == pages[-1]
    assert len(asked) == 2


def test_the_release_that_answers_is_not_interleaved_with_itself(writer, root):
    other, item = other_release(root), ids(writer)[0]
    current = writer.get("/v1/items?k=1").json()["release"]
    for release, query in ((current, ""), (other.id, f"&release={other.id}")):
        found = writer.get(f"/v1/items/{item}/more-like?interleave={release}{query}")
        assert found.status_code == 400
        assert found.json()["detail"] == f"interleave is '{release}', the release that answers. Name another one"
    asked = {"like": [item], "interleave": current}
    assert "the release that answers" in writer.post("/v1/recommend", json=asked).json()["detail"]


def test_releases_are_swapped_under_load(served, root):
    url, app = served
    collection = Collection(root, "shop")
    releases = [collection.release(), other_release(root)]
    with httpx.Client() as client:
        item = client.get(f"{url}/v1/items?k=1").json()["results"][0]["item_id"]
        expected = {
            release.id: client.get(f"{url}/v1/items/{item}/more-like?release={release.id}").json()["results"]
            for release in releases
        }
    assert expected[releases[0].id] != expected[releases[1].id]
    failed, seen, stop = [], set(), threading.Event()

    def ask():
        with httpx.Client() as client:
            while not stop.is_set():
                answer = client.get(f"{url}/v1/items/{item}/more-like")
                found = answer.json()
                if answer.status_code != 200 or found["results"] != expected[found["release"]]:
                    failed.append(found)
                seen.add(found.get("release"))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    shelf = app.state.context.shelf
    for number in range(1, 7):
        collection.switch(releases[number % 2])
        while shelf.swaps < number:
            stop.wait(0.01)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failed
    assert seen == {release.id for release in releases}


def test_a_damaged_release_is_refused_and_the_old_one_goes_on(served, root):
    url, app = served
    collection = Collection(root, "shop")
    item = httpx.get(f"{url}/v1/items?k=1").json()["results"][0]["item_id"]
    before = httpx.get(f"{url}/v1/items/{item}/more-like").json()
    other = other_release(root)
    path = collection.parent(other, "index:colour", "colour").path
    for file in path.iterdir():
        if file.name != "manifest.json":
            file.write_bytes(file.read_bytes()[:-1] + b"!")
    collection.switch(other)
    for _ in range(500):
        ready = httpx.get(f"{url}/readyz").json()
        if ready["trouble"]:
            break
    assert "colour" in ready["trouble"] or path.name in ready["trouble"]
    assert ready["release"] == before["release"]
    assert httpx.get(f"{url}/v1/items/{item}/more-like").json() == before
    collection.switch(collection.open("release", before["release"]))
    for _ in range(500):
        if httpx.get(f"{url}/readyz").json()["trouble"] is None:
            break
    assert app.state.context.shelf.trouble is None


def test_a_damaged_addition_is_left_out_and_stops_no_removal(writer, root, caplog):
    added = writer.post("/v1/items", files={"picture": ("a.jpg", picture())}).json()["items"]
    (new,) = added.values()
    folder = next((root / "shop" / "additions").iterdir())
    broken = folder.with_name(folder.name[:-1] + "z")
    shutil.copytree(folder, broken)
    (broken / "spaces.json").write_text("{")
    item = ids(writer)[0]
    assert writer.delete(f"/v1/items/{item}").json() == {"removed": True}
    assert item not in ids(writer)
    assert new in ids(writer)
    assert sum(broken.name in record.message for record in caplog.records) == 1


def test_a_release_that_is_not_there_closes_none(writer, root):
    other = other_release(root)
    assert writer.get(f"/v1/items?k=1&release={other.id}").status_code == 200
    shelf = app_context(writer).shelf
    opened = shelf.find(other.id)
    assert opened is not None
    assert writer.get("/v1/items?k=1&release=20010101T000000000-000000").status_code == 404
    assert shelf.find(other.id) is opened
    for path in ("/v1/items", "/v1/collection", f"/v1/items/{ids(writer)[0]}"):
        assert writer.get(path, params={"release": "a" * 300}).status_code == 422


def test_nothing_is_asked_with_what_was_removed(writer):
    item = ids(writer)[0]
    writer.delete(f"/v1/items/{item}")
    for like in (item, {"item_id": item, "box": [0, 0, 1, 1]}):
        found = writer.post("/v1/recommend", json={"like": [like]})
        assert (found.status_code, "was removed" in found.json()["detail"]) == (400, True)


def test_items_of_other_processes_are_noticed(served, root, make_pictures, tmp_path):
    from nitari.changes import Changes

    url, _ = served
    item = httpx.get(f"{url}/v1/items?k=1").json()["results"][0]["item_id"]
    Changes(Collection(root, "shop")).remove([item])
    for _ in range(500):
        if httpx.get(f"{url}/v1/items/{item}/thumbnail").status_code == 404:
            break
    assert httpx.get(f"{url}/v1/items?k=1").json()["results"][0]["item_id"] != item


def test_a_refused_release_does_not_stop_removals(writer, root):
    item, other = ids(writer)[:2]
    collection = Collection(root, "shop")
    damaged = other_release(root)
    for file in collection.parent(damaged, "index:colour", "colour").path.glob("[!m]*"):
        file.write_bytes(file.read_bytes()[:-1] + b"!")
    collection.switch(damaged)
    assert writer.delete(f"/v1/items/{item}").json() == {"removed": True}
    assert writer.get("/readyz").json()["trouble"]
    assert item not in ids(writer)
    assert other in ids(writer)


def test_facets_count_what_was_added(writer):
    before = {one["name"]: one for one in writer.get("/v1/facets").json()["facets"]}
    columns = writer.get("/v1/collection").json()["columns"]
    assert writer.post("/v1/items", files={"picture": ("red.jpg", picture())}).json()["added"] == 1
    after = writer.get("/v1/facets").json()
    assert {one["name"]: one for one in after["facets"]} == before
    assert after["total"] == 41
    assert writer.get("/v1/collection").json()["columns"] == columns
    assert writer.get("/v1/facets", params={"where": "kind is null"}).json()["total"] == 1


def test_what_is_purged_loses_its_original(writer, root):
    from nitari.serve.api.uploads import Uploads

    added = writer.post("/v1/items", files=[("picture", ("a.jpg", picture())), ("picture", ("b.jpg", b"x"))]).json()
    uploads = Uploads(Collection(root, "shop"))
    (item,) = (added["items"][path.name] for path in uploads.folder.iterdir())
    assert uploads.forget({item, "another"}) == 1
    assert not list(uploads.folder.iterdir())


def test_the_same_bytes_at_once_are_kept_once(root):
    from nitari.serve.api.uploads import Uploads

    uploads = Uploads(Collection(root, "shop"))
    with ThreadPoolExecutor(4) as threads:
        names = set(threads.map(lambda number: uploads.keep(picture(), f"{number}.jpg"), range(24)))
    assert {path.name for path in uploads.folder.iterdir()} == names
    assert len(names) == 1


def test_more_spaces_may_be_in_the_next_release(served, root):
    url, app = served
    collection = Collection(root, "shop")
    extract(collection, create({"_target_": "nitari.extractor.histogram.HistogramExtractor"}), threads=1)
    made = build(collection, HNSW)
    while app.state.context.shelf.current.release.id != made.id:
        httpx.get(f"{url}/readyz")
    found = httpx.get(f"{url}/v1/collection").json()
    assert "histogram" in [source["name"] for source in found["sources"]]


def test_the_same_bytes_are_kept_once(root):
    from nitari.serve.api.uploads import Uploads

    uploads = Uploads(Collection(root, "shop"))
    name = uploads.keep(picture(), "../../etc/pass\0wd.jpg")
    assert uploads.keep(picture(), "another.jpg") == name
    assert name.endswith("etc_pass_wd.jpg")
    assert "/" not in name
