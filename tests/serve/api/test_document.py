from pathlib import Path

from nitari.serve.api.document import document, openapi


def test_the_page_of_the_docs_is_current():
    page = Path(__file__).resolve().parents[3] / "docs" / "api.md"
    assert page.read_text(encoding="utf-8") == document(openapi()), "python -m nitari.serve.api.document > docs/api.md"


def test_it_is_what_a_server_says(client):
    served = client.get("/openapi.json").json()
    assert served["paths"] == openapi()["paths"]
    assert served["components"] == openapi()["components"]
