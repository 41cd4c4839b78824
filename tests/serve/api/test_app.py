import json

import httpx
import pytest

from nitari.collection import Collection
from nitari.recommend.recommender import Recommender


@pytest.fixture(scope="module")
def first(client):
    return client.get("/v1/items?k=1").json()["results"][0]["item_id"]


def problem(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert found["status"] == status
    return found["detail"]


def test_more_like_is_what_the_recommender_says(client, made, first):
    offline = Recommender.open(Collection(made, "shop")).recommend(first, k=7, where="kind=bags").to_dict()
    answer = client.get(f"/v1/items/{first}/more-like", params={"k": 7, "where": "kind=bags"})
    assert answer.status_code == 200
    assert answer.json() == json.loads(json.dumps(offline))
    assert answer.headers["x-nitari-release"] == offline["release"]


def test_recommend_takes_what_the_recommender_takes(client, made, first):
    recommender = Recommender.open(Collection(made, "shop"))
    ids = [item.decode() for item in recommender.catalog.item_ids]
    asked = {
        "like": [first, ids[5]],
        "like_weights": [1, 2],
        "unlike": [ids[9]],
        "unlike_by": "penalise",
        "history": ids[20:23],
        "weights": {"colour": 1, "text": 0.2},
        "diversity": 0.3,
        "exclude": [ids[3]],
        "k": 6,
    }
    answer = client.post("/v1/recommend", json=asked)
    assert answer.status_code == 200
    assert answer.json() == json.loads(json.dumps(recommender.recommend(**asked).to_dict()))


def test_pages_follow_each_other(client, first):
    whole = client.post("/v1/recommend", json={"like": [first], "k": 12, "collapse": False}).json()
    page = client.post("/v1/recommend", json={"like": [first], "k": 5, "collapse": False}).json()
    after = {"like": [first], "k": 7, "collapse": False, "after": page["after"]}
    rest = client.post("/v1/recommend", json=after).json()
    assert page["results"] + rest["results"] == whole["results"]


def test_browsing_gives_everything_once(client):
    seen, after = [], None
    while True:
        page = client.get(
            "/v1/items", params={"k": 7, "where": "kind=shoes"} | ({"after": after} if after else {})
        ).json()
        seen += [result["item_id"] for result in page["results"]]
        after = page["after"]
        if after is None:
            break
    assert len(seen) == len(set(seen)) == 20


def test_words_are_found(client):
    page = client.get("/v1/items", params={"text": "shoes 0003", "k": 3}).json()
    assert page["results"][0]["attributes"]["file_name"] == "shoes/picture-0003.jpg"


def test_an_item_is_described(client, first):
    found = client.get(f"/v1/items/{first}").json()["item"]
    assert found["item_id"] == first
    assert found["removed"] is False
    assert {"kind", "price", "width", "sha256"} <= found["attributes"].keys()


def test_thumbnails_are_not_sent_twice(client, first):
    answer = client.get(f"/v1/items/{first}/thumbnail?side=64")
    assert answer.content[:2] == b"\xff\xd8"
    assert answer.headers["content-type"] == "image/jpeg"
    again = client.get(f"/v1/items/{first}/thumbnail?side=64", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_facets_count_what_a_filter_admits(client):
    found = client.get("/v1/facets", params={"where": "kind=bags"}).json()
    facets = {facet["name"]: facet for facet in found["facets"]}
    assert found["total"] == 20
    assert facets["kind"]["values"] == [{"value": "bags", "count": 20}]
    assert sum(value["count"] for value in facets["new"]["values"]) == 20
    assert "price" not in facets
    named = client.get("/v1/facets", params={"columns": "price"}).json()["facets"]
    assert [facet["name"] for facet in named] == ["price"]


def test_the_collection_is_described(client, made):
    found = client.get("/v1/collection").json()
    assert found["items"] == 40
    assert {source["name"]: source["weight"] for source in found["sources"]} == {"colour": 0.5, "pixels": 1, "text": 0}
    assert found["text"]
    assert not found["map"]
    assert not found["writable"]
    releases = client.get("/v1/releases").json()
    assert releases["current"] == found["release"] == Collection(made, "shop").current
    assert [release["current"] for release in releases["releases"]] == [True]


def test_health(client):
    assert client.get("/healthz").json() == {"status": "ok"}
    ready = client.get("/readyz").json()
    assert (ready["status"], ready["trouble"]) == ("ready", None)
    text = client.get("/metrics").text
    assert 'nitari_requests_total{route="/healthz",status="200"}' in text
    assert "nitari_stage_seconds_bucket" in text


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("/v1/items/unknown", 404, "unknown"),
        ("/v1/items/unknown/more-like", 404, "unknown"),
        ("/v1/items/unknown/thumbnail", 404, "unknown"),
        ("/v1/items?where=kind=", 400, "value is expected"),
        ("/v1/items?where=price<x", 400, "price"),
        ("/v1/items?after=zzz", 400, "cursor"),
        ("/v1/items?k=0", 422, "k"),
        ("/v1/items?kk=3", 422, "kk"),
        ("/v1/items?k=3&k=4", 422, "'k' is given more than once"),
        ("/v1/items?release=../../x", 404, "release"),
        ("/v1/items?release=20260101T000000000-abcdef", 404, "release"),
        ("/v1/facets?columns=nothing", 400, "nothing"),
        ("/v1/map", 404, "annotate"),
        ("/nothing", 404, "nothing"),
        ("/page/../../../../etc/passwd", 404, ""),
        ("/page/%2e%2e/%2e%2e/serve.py", 404, ""),
        ("/v1/items/..%2f..%2fcurrent/thumbnail", 404, "no item '../../current'"),
        ("/v1/items/%2e%2e/%2e%2e/current", 404, ""),
        ("/v1/items//etc/passwd", 404, "no item '/etc/passwd'"),
        ("/v1/items/%00", 404, "no item"),
        ("/v1/items/bags/more-like", 404, "no item 'bags'"),
    ],
)
def test_problems_name_what_is_wrong(client, path, status, word):
    assert word in problem(client.get(path), status)


@pytest.mark.parametrize("slash", ["/", "%2F", "%2f"])
def test_an_item_is_addressed_by_its_file_name(client, slash):
    found = client.get("/v1/items", params={"where": "kind=shoes", "k": 1}).json()["results"][0]
    name, item = found["attributes"]["file_name"], found["item_id"]
    assert name.startswith("shoes/")
    address = f"/v1/items/{name.replace('/', slash)}"
    assert client.get(address).json()["item"]["item_id"] == item
    assert client.get(f"{address}/thumbnail").content == client.get(f"/v1/items/{item}/thumbnail").content
    like = client.get(f"{address}/more-like", params={"k": 3}).json()
    assert like["results"] == client.get(f"/v1/items/{item}/more-like", params={"k": 3}).json()["results"]
    assert 'route="/v1/items/{item_id}/more-like"' in client.get("/metrics").text


def test_a_page_without_items_says_why(client, first):
    where = "width>9999"
    for path in ("/v1/items", f"/v1/items/{first}/more-like"):
        found = client.get(path, params={"where": where}).json()
        assert (found["results"], found["where"]) == ([], where)
        assert found["why"].startswith("No picture has width>9999. width goes from ")
    assert client.get("/v1/items").json()["why"] is None


def test_a_filter_s_problem_points_at_the_place(client):
    text = "kind=bags and nothing=3"
    answer = client.get("/v1/items", params={"where": text})
    problem(answer, 400)
    assert answer.json()["position"] == text.index("nothing")


def test_bodies_are_checked(client, first):
    assert "like" in problem(client.post("/v1/recommend", json={}), 400)
    assert "body.likes is not known here. Did you mean 'like'? " in problem(
        client.post("/v1/recommend", json={"likes": [first]}), 422
    )
    said = problem(client.post("/v1/recommend", json={"like": [first], "box": [0, 0, 1, 1]}), 422)
    assert "body.box is not known here. /openapi.json" in said
    said = problem(client.post("/v1/recommend", json={"like": [first], "where": "x" * 90_000}), 422)
    assert f"'{'x' * 40}…'" in said
    assert "body.collapse, which is 3: Input" in problem(
        client.post("/v1/recommend", json={"like": [first], "collapse": 3}), 422
    )
    assert "query.k, which is '0': Input should be" in problem(client.get("/v1/items", params={"k": 0}), 422)
    assert "weights" in problem(client.post("/v1/recommend", json={"like": [first], "weights": {"x": 1}}), 400)
    problem(client.post("/v1/recommend", content=b"{", headers={"Content-Type": "application/json"}), 422)
    problem(client.put("/v1/recommend", json={}), 405)


@pytest.mark.parametrize(
    ("path", "given", "wanted"),
    [
        ("/v1/recommend", "text/plain", "application/json"),
        ("/v1/recommend", "application/x-www-form-urlencoded", "application/json"),
        ("/v1/recommend", None, "application/json"),
        ("/v1/feedback", "text/plain;charset=UTF-8", "application/json"),
        ("/v1/recommend/upload", "application/json", "multipart/form-data"),
        ("/v1/recommend/upload", "image/jpeg", "multipart/form-data"),
    ],
)
def test_a_body_of_another_type_is_told_which_is_wanted(client, path, given, wanted):
    said = problem(client.post(path, content=b"{}", headers={"Content-Type": given} if given else {}), 415)
    assert f"Send it as {wanted}" in said
    assert (f"is '{given.partition(';')[0]}'" if given else "no content type") in said
    assert "415" in client.get("/openapi.json").json()["paths"][path]["post"]["responses"]


@pytest.mark.parametrize("given", ["application/json; charset=utf-8", "Application/JSON", "application/vnd.shop+json"])
def test_json_is_known_by_all_its_names(client, first, given):
    asked = json.dumps({"like": [first], "k": 1})
    assert client.post("/v1/recommend", content=asked, headers={"Content-Type": given}).status_code == 200


def test_other_hosts_and_origins_are_refused(client, first):
    assert "evil" in problem(client.get("/healthz", headers={"Host": "evil.example"}), 421)
    asked = {"like": [first]}
    assert "evil" in problem(client.post("/v1/recommend", json=asked, headers={"Origin": "https://evil.example"}), 403)
    assert client.post("/v1/recommend", json=asked, headers={"Origin": "http://testserver"}).status_code == 200
    assert (
        "access-control-allow-origin" not in client.get("/healthz", headers={"Origin": "https://evil.example"}).headers
    )


def test_pages_that_may_ask_can_read_why_they_were_refused(made, first):
    from starlette.testclient import TestClient

    from nitari.serve.api.app import create
    from nitari.serve.api.settings import Settings

    shop = "https://shop.example.org"
    settings = Settings("shop", str(made), hosts=("testserver",), uploads=False, origins=(shop,), token="t" * 20)
    with TestClient(create(settings)) as client:
        for origin, read in ((shop, shop), ("https://evil.example", None)):
            found = client.delete(f"/v1/items/{first}", headers={"Origin": origin})
            assert found.status_code == (401 if read else 403)
            assert found.headers.get("access-control-allow-origin") == read
        assert found.headers.get("retry-after") is None


def test_nothing_is_written_without_a_token(client, first):
    assert "token" in problem(client.delete(f"/v1/items/{first}"), 403)


def test_a_damaged_thumbnail_is_noticed(root, first):
    from starlette.testclient import TestClient

    from nitari.serve.api.app import create
    from nitari.serve.api.settings import Settings

    for shard in (root / "shop" / "thumbnails").rglob("*.tar"):
        data = bytearray(shard.read_bytes())
        data[700::512] = bytes(len(data[700::512]))
        shard.write_bytes(data)
    with TestClient(
        create(Settings("shop", str(root), hosts=("testserver",), uploads=False)), raise_server_exceptions=False
    ) as client:
        assert "checksum" in problem(client.get(f"/v1/items/{first}/thumbnail"), 500)
        assert client.get(f"/v1/items/{first}/more-like").status_code == 200


def test_the_api_is_described(client):
    found = client.get("/openapi.json").json()
    assert "/v1/items/{item_id}/more-like" in found["paths"]
    assert "Problem" in found["components"]["schemas"]


def test_the_real_server_answers(served):
    url, _ = served
    assert httpx.get(f"{url}/readyz").json()["status"] == "ready"
