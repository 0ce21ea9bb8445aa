"""Discovery, CORS, keys and errors, as browsers and Workspace meet them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.conftest import Define

pytestmark = pytest.mark.django_db

DOCUMENTS = ["/widgets.json", "/apps.json", "/agents.json", "/templates.json"]
WORKSPACE = "https://pro.openbb.co"


@pytest.fixture
def widget(define_query: Define, define_widget: Define) -> None:
    define_query()
    define_query("tickers", "select distinct ticker as value from prices order by 1")
    define_widget(
        query="prices",
        params=[{"paramName": "t", "type": "endpoint", "optionsEndpoint": "options/tickers"},
                {"paramName": "n", "type": "number"}],
    )  # fmt: skip


def every_path() -> list[str]:
    return ["/", *DOCUMENTS, "/prices", "/options/tickers", "/nothing/here", "/-/health"]


def preflight(client: Client, path: str, **headers: str) -> Any:
    asked = {"Origin": WORKSPACE, "Access-Control-Request-Method": "GET", **headers}
    return client.options(path, headers=asked)


@pytest.mark.parametrize(("path", "empty"), [("/widgets.json", {}), ("/apps.json", []), ("/agents.json", {})])
def test_without_definitions_the_documents_are_empty_and_right(caller: Client, path: str, empty: object) -> None:
    response = caller.get(path)
    assert (response.status_code, response["Content-Type"]) == (200, "application/json")
    assert response.json() == empty


def test_templates_json_is_the_older_name_of_apps_json(caller: Client, define_app: Define) -> None:
    define_app()
    assert caller.get("/templates.json").json() == caller.get("/apps.json").json() != []


def test_the_root_answers_without_a_key() -> None:
    response = Client().get("/")
    assert response.status_code == 200
    assert "name" in response.json()


@pytest.mark.parametrize("path", every_path())
def test_nothing_redirects(caller: Client, widget: None, path: str) -> None:
    for client in (caller, Client(), Client(headers={"X-API-KEY": "wk_x_y"})):
        for method in (client.get, client.post, client.options):
            assert not 300 <= method(path).status_code < 400


@pytest.mark.parametrize("path", every_path())
def test_a_preflight_needs_no_key_and_echoes_the_header_names(widget: None, path: str) -> None:
    names = "x-api-key, authorization, ngrok-skip-browser-warning"
    response = preflight(Client(), path, **{"Access-Control-Request-Headers": names})
    assert response.status_code in (200, 204)
    assert response["Access-Control-Allow-Origin"] == WORKSPACE
    assert response["Access-Control-Allow-Headers"] == names
    assert response["Access-Control-Allow-Credentials"] == "true"
    assert {"GET", "POST", "OPTIONS"} <= set(response["Access-Control-Allow-Methods"].split(", "))
    assert response["Access-Control-Max-Age"] == "600"
    assert "origin" in response["Vary"].lower()


def test_options_that_is_no_preflight_needs_no_key_either(widget: None) -> None:
    assert Client().options("/prices").status_code == 204


@pytest.mark.parametrize(
    "origin", [WORKSPACE, "https://pro.openbb.dev", "https://excel.openbb.co", "http://localhost:1420"]
)
def test_clients_of_workspace_are_allowed_by_default(caller: Client, origin: str) -> None:
    response = caller.get("/widgets.json", headers={"Origin": origin})
    assert response["Access-Control-Allow-Origin"] == origin
    assert "origin" in response["Vary"].lower()


def test_a_foreign_page_is_not_allowed(caller: Client, widget: None) -> None:
    for response in (
        caller.get("/prices", headers={"Origin": "https://evil.example"}),
        preflight(caller, "/prices", Origin="https://evil.example"),
    ):
        assert "Access-Control-Allow-Origin" not in response
        assert "Access-Control-Allow-Headers" not in response


def test_a_page_may_reach_a_private_address() -> None:
    response = preflight(Client(), "/widgets.json", **{"Access-Control-Request-Private-Network": "true"})
    assert response["Access-Control-Allow-Private-Network"] == "true"


def test_the_admin_is_not_opened_to_other_pages() -> None:
    assert "Access-Control-Allow-Origin" not in preflight(Client(), "/admin/login/")


def errors(client: Client, widget: None) -> dict[int, Any]:
    return {
        401: Client().get("/prices", headers={"Origin": WORKSPACE}),
        403: Client(headers={"X-API-KEY": "wk_0_0"}).get("/prices", headers={"Origin": WORKSPACE}),
        404: client.get("/nothing", headers={"Origin": WORKSPACE}),
        405: client.post("/prices", headers={"Origin": WORKSPACE}),
        400: client.get("/prices?n=x", headers={"Origin": WORKSPACE}),
    }


def test_every_error_has_one_shape_and_the_cors_headers(caller: Client, widget: None) -> None:
    for status, response in errors(caller, widget).items():
        assert response.status_code == status
        assert response["Access-Control-Allow-Origin"] == WORKSPACE
        assert response["Content-Type"] == "application/json"
        body = response.json()
        assert body["detail"] == body["error"] != ""
        assert "\n" not in body["detail"]


def test_a_fault_in_the_code_is_told_in_the_same_shape(
    caller: Client, widget: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("widgets_app.serving.serve", lambda *_: 1 / 0)
    response = caller.get("/prices", headers={"Origin": WORKSPACE})
    assert (response.status_code, response["Access-Control-Allow-Origin"]) == (500, WORKSPACE)
    assert set(response.json()) == {"detail", "error"}
    assert "ZeroDivisionError" not in response.content.decode()
    assert "ZeroDivisionError" in caplog.text


def test_an_unknown_host_is_told_in_the_same_shape(caller: Client) -> None:
    response = caller.get("/-/health", headers={"Host": "evil.example"})
    assert response.status_code == 400
    assert "ALLOWED_HOSTS" in response.json()["error"]


@pytest.mark.parametrize("path", ["/widgets.json", "/apps.json", "/agents.json", "/prices", "/options/tickers"])
def test_a_key_protects_documents_data_and_options(caller: Client, widget: None, path: str) -> None:
    assert caller.get(path).status_code == 200
    assert Client().get(path).status_code == 401
    assert Client(headers={"X-API-KEY": "wrong"}).get(path).status_code == 403


@pytest.mark.parametrize("path", ["/widgets.json", "/prices"])
def test_the_key_may_come_as_bearer_or_in_the_query(widget: None, key: str, path: str) -> None:
    assert Client().get(path, headers={"Authorization": f"Bearer {key}"}).status_code == 200
    assert Client().get(f"{path}?api_key={key}").status_code == 200
    assert Client().get(f"{path}?api_key=wk_00000000_x").status_code == 403
    assert Client().get(path, headers={"Authorization": "Basic dTpw"}).status_code == 401


def test_a_key_in_the_query_never_reaches_a_widget(key: str, define_query: Define, define_widget: Define) -> None:
    define_query("echo", "select :api_key as got")
    define_widget("echo", query="echo", params=[{"paramName": "api_key", "value": "nothing"}])
    assert Client().get(f"/echo?api_key={key}").json() == [{"got": "nothing"}]


def test_the_query_form_can_be_switched_off(widget: None, key: str, settings: Any) -> None:
    settings.WIDGETS_QUERY_KEY = False
    assert Client().get(f"/prices?api_key={key}").status_code == 401


def test_only_an_explicit_setting_opens_the_backend(widget: None, settings: Any) -> None:
    settings.WIDGETS_OPEN = True
    assert Client().get("/prices").status_code == 200


def test_the_excel_add_in_finds_the_documents_behind_its_glued_address(key: str, define_widget: Define) -> None:
    define_widget()
    response = Client().get(f"/?api_key={key}/widgets.json")
    assert list(response.json()) == ["prices"]
    assert Client().get("/?api_key=wrong/widgets.json").status_code == 403


def test_text_is_utf8_and_survives(caller: Client, define_widget: Define) -> None:
    define_widget(name="Rīga - Köln 株価")
    response = caller.get("/widgets.json")
    assert "Rīga - Köln 株価".encode() in response.content
    assert response.json()["prices"]["name"] == "Rīga - Köln 株価"


def test_unknown_query_keys_are_no_error(caller: Client, widget: None) -> None:
    plain = caller.get("/prices").content
    assert caller.get("/prices?theme=light&raw=false&whatever=1&%00=%ff").content == plain


def test_a_client_that_asks_for_csv_gets_json(caller: Client, widget: None) -> None:
    assert caller.get("/prices", headers={"Accept": "text/csv"}).status_code == 200


def test_head_answers_without_a_body(caller: Client, widget: None) -> None:
    for path in ("/widgets.json", "/prices", "/"):
        response = caller.head(path)
        assert (response.status_code, response.content) == (200, b"")


def test_health_is_open_and_says_how_it_is(widget: None, caller: Client) -> None:
    assert Client().get("/-/health").status_code == 503
    caller.get("/widgets.json")
    assert Client().get("/-/health").json() == {"status": "ok"}
