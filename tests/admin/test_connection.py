"""The page Connection: what it says of address and certificate, and the test from a browser, which opens nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.test import Client

from project import certificates
from tests.admin.pages import Page
from tests.conftest import refresh
from widgets_app import connection, cors
from widgets_app.services.keys import key_issue

pytestmark = pytest.mark.django_db

CONNECTION, TEST, AUTHORITY = "/admin/connection/", "/admin/connection/test/", "/admin/connection/authority/"
STRANGER = "https://stranger.example"
PAGES = [
    CONNECTION, TEST, AUTHORITY, "/admin/connection/examinations/1/", "/admin/connection/examinations/1/progress/",
    "/admin/guide/connecting/",
]  # fmt: skip


@pytest.fixture
def home(settings: Any, tmp_path: Path) -> Path:
    """A state folder without anything in it."""
    settings.WIDGETS_HOME = tmp_path
    return tmp_path


@pytest.mark.parametrize("address", PAGES)
def test_who_is_not_signed_in_is_asked_to(db: None, address: str) -> None:
    assert Client().get(address)["Location"].startswith("/admin/login/")


def test_every_member_of_the_staff_is_told_what_to_enter_and_no_key(staff: Callable[..., Client], home: Path) -> None:
    _, text = key_issue(name="Ana")
    page = Page(staff(), CONNECTION)
    assert "http://127.0.0.1:7779" in page.text
    assert "X-API-KEY" in page.text
    assert "Ask somebody who may issue keys" in page.text
    assert "Who may see widgets, apps and agents may start one" in page.text
    assert text.split("_")[1] not in page.html


def test_who_may_issue_keys_is_led_there(boss: Client, home: Path) -> None:
    assert '/admin/widgets_app/apikey/add/"' in Page(boss, CONNECTION).html


def test_an_open_backend_asks_for_no_header(boss: Client, home: Path, settings: Any) -> None:
    settings.WIDGETS_OPEN = True
    assert "No key is asked for" in Page(boss, CONNECTION).text


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:7779", ("yes Chrome, Edge, Firefox: from this server's own computer", "no Safari, Brave")),
        ("https://localhost:7779", ("yes Chrome, Edge, Firefox, Safari, Brave, Excel: from this server's own",)),
        ("https://widgets.example.com", ("yes Chrome, Edge, Firefox, Safari, Brave, Excel: from every computer",)),
        ("http://10.0.0.5:7779", ("no Chrome, Edge, Firefox, Safari, Brave, Excel: Workspace is an HTTPS page",)),
    ],
)
def test_the_page_says_which_browsers_reach_the_address(
    boss: Client, home: Path, settings: Any, url: str, said: tuple[str, ...]
) -> None:
    settings.PUBLIC_URL = url
    text = Page(boss, CONNECTION).text
    assert [each for each in said if each not in text] == []


# ---- the certificate


def test_plain_http_is_told_how_to_get_https(boss: Client, home: Path) -> None:
    assert "served over plain HTTP. Start it with --https" in Page(boss, CONNECTION).text
    assert boss.get(AUTHORITY).status_code == 404


def test_a_certificate_of_our_own_is_shown_with_what_to_trust(boss: Client, home: Path, settings: Any) -> None:
    certificates.own_pair(home, ["localhost", "desk.example"])
    settings.HTTPS = True
    text = Page(boss, CONNECTION).text
    assert "serves HTTPS with a certificate from this computer's own authority" in text
    assert f"Until {datetime.now(UTC) + timedelta(days=396):%Y-%m-%d}" in text
    assert "Names localhost, desk.example" in text
    assert f"{home}/tls/authority.pem" in text
    assert "sudo security add-trusted-cert" in text


def test_the_authority_is_sent_without_its_key(staff: Callable[..., Client], home: Path) -> None:
    certificates.own_pair(home, ["localhost"])
    response = staff().get(AUTHORITY)
    content = b"".join(response.streaming_content)  # type: ignore[attr-defined]  # a file is streamed
    assert content == (home / "tls" / "authority.pem").read_bytes()
    assert b"PRIVATE" not in content
    assert response["Content-Disposition"] == 'attachment; filename="widgets-authority.pem"'


def test_a_certificate_that_is_not_served_says_so(boss: Client, home: Path) -> None:
    certificates.own_pair(home, ["localhost"])
    assert (
        "but this page came without it. It is used when the server starts with --https" in Page(boss, CONNECTION).text
    )


def test_a_certificate_that_has_run_out_says_what_to_do(boss: Client, home: Path, settings: Any) -> None:
    with time_machine.travel(datetime.now(UTC) - timedelta(days=400)):
        certificates.own_pair(home, ["localhost"])
    settings.HTTPS = True
    text = Page(boss, CONNECTION).text
    assert "to do The certificate has run out. Restart the server" in text
    assert "Days left" not in text


def test_a_broken_certificate_breaks_no_page(boss: Client, home: Path, settings: Any) -> None:
    certificates.own_pair(home, ["localhost"])
    (home / "tls" / "server.pem").write_text("nonsense", encoding="ascii")
    assert "holds no certificate in PEM form" in Page(boss, CONNECTION).text


def test_https_in_front_of_us_is_somebody_elses(boss: Client, home: Path, settings: Any) -> None:
    settings.PUBLIC_URL = "https://widgets.example.com"
    assert "has made no certificate of its own" in Page(boss, CONNECTION).text


def test_an_address_without_the_s_is_noticed(boss: Client, home: Path) -> None:
    text = Page(boss, CONNECTION, boss.get(CONNECTION, secure=True)).text
    assert "This page came over HTTPS, but the address above says http. Set PUBLIC_URL" in text


# ---- the test from a browser


def begun(client: Client, **more: Any) -> Any:
    """Begin a test as the page does."""
    return client.get(TEST, headers={"Host": "127.0.0.1:7779"}, **more).json()


def path_of(url: str) -> str:
    return "/" + url.split("/", 3)[3]


def test_a_test_is_made_from_the_other_name_of_this_computer_or_from_a_sandbox(
    staff: Callable[..., Client], settings: Any
) -> None:
    client = staff()
    other, sandbox = begun(client)["frames"]
    assert other["url"].startswith("http://localhost:7779/-/connection/")
    assert (sandbox["url"][0], sandbox["sandbox"]) == ("/", "allow-scripts")
    # What is asked from PUBLIC_URL's own origin would be asked without a preflight.
    own = client.get(TEST, headers={"Host": "localhost:7779"}).json()
    assert [frame["sandbox"] for frame in own["frames"]] == ["allow-scripts"]
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    assert [frame["sandbox"] for frame in begun(client)["frames"]] == ["allow-scripts"]
    settings.ALLOWED_HOSTS = ["widgets.example.com"]
    elsewhere = client.get(TEST, headers={"Host": "widgets.example.com"}).json()
    assert [frame["sandbox"] for frame in elsewhere["frames"]] == ["allow-scripts"]


def test_the_frame_is_for_the_page_of_the_admin_only(staff: Callable[..., Client]) -> None:
    frame = begun(staff())["frames"][1]["url"]
    response = Client().get(frame, headers={"Host": "127.0.0.1:7779"})
    assert response["Content-Security-Policy"] == (
        "default-src 'none'; script-src 127.0.0.1:7779; connect-src *; frame-ancestors http://127.0.0.1:7779"
    )
    assert "X-Frame-Options" not in response
    assert b'data-admin="http://127.0.0.1:7779"' in response.content


def test_behind_a_proxy_that_hides_the_scheme_the_browser_says_it(staff: Callable[..., Client]) -> None:
    frame = begun(staff(), data={"scheme": "https"})["frames"][1]["url"]
    assert b'data-admin="https://127.0.0.1:7779"' in Client().get(frame).content
    frame = begun(staff(), data={"scheme": "javascript"})["frames"][1]["url"]
    assert b'data-admin="http://127.0.0.1:7779"' in Client().get(frame).content


@pytest.mark.parametrize("origin", ["null", STRANGER])
def test_a_page_of_any_origin_may_ask_for_what_arrived_and_gets_no_data(
    staff: Callable[..., Client], origin: str
) -> None:
    ask = path_of(begun(staff())["ask"])
    preflight = Client().options(
        ask,
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type,x-api-key",
        },
    )
    assert preflight["Access-Control-Allow-Origin"] == origin
    assert preflight["Access-Control-Allow-Headers"] == "content-type,x-api-key"
    strict = Client(enforce_csrf_checks=True)
    response = strict.post(ask, "{}", content_type="application/json", headers={"Origin": origin, "X-API-KEY": "wrong"})
    assert response["Access-Control-Allow-Origin"] == origin
    found = response.json()
    assert "is not known here" in found.pop("key_refused")
    assert found == {
        "origin": origin, "origin_allowed": False, "workspace_allowed": True, "method": "POST", "key_arrived": True
    }  # fmt: skip


def test_what_arrived_tells_about_the_key_and_the_origins(
    staff: Callable[..., Client], key: str, settings: Any
) -> None:
    ask = path_of(begun(staff())["ask"])
    refresh()
    good = Client().get(ask, headers={"X-API-KEY": key}).json()
    assert (good["key_arrived"], good["key_refused"]) == (True, "")
    none = Client().get(ask).json()
    assert (none["key_arrived"], "Send your API key" in none["key_refused"]) == (False, True)
    settings.CORS_ALLOWED_ORIGINS = [STRANGER]
    cors.headers_for.cache_clear()
    found = Client().get(ask, headers={"Origin": STRANGER}).json()
    cors.headers_for.cache_clear()
    assert (found["origin_allowed"], found["workspace_allowed"]) == (True, False)


def test_a_token_opens_its_own_paths_for_a_few_minutes_and_nothing_else(staff: Callable[..., Client]) -> None:
    test = begun(staff())
    ask, frame = path_of(test["ask"]), test["frames"][1]["url"]
    token = ask.split("/")[3]
    headers = {"Origin": STRANGER}
    for path in ("/widgets.json", "/-/health", f"/widgets.json?token={token}", f"/{token}/ask", "/-/connection/x/ask",
                 f"/-/connection/{token}/frame", f"/-/connection/{token}/x", f"/-/connection/{token}/x/ask"):  # fmt: skip
        assert "Access-Control-Allow-Origin" not in Client().get(path, headers=headers), path
    forged = ask.replace(token, token[:-1] + ("A" if token[-1] != "A" else "B"))
    assert Client().get(forged).status_code == 404
    with time_machine.travel(datetime.now(UTC) + timedelta(seconds=connection.SECONDS + 5)):
        late = Client().get(ask, headers=headers)
        assert (late.status_code, "Access-Control-Allow-Origin" in late) == (404, False)
        assert Client().get(frame).status_code == 404


# ---- the documentation in the admin


def test_a_page_of_the_documentation_has_an_anchor_at_each_heading(staff: Callable[..., Client]) -> None:
    page = Page(staff(), "/admin/guide/connecting/")
    assert '<h2 id="behind-a-reverse-proxy">' in page.html
    assert "PUBLIC_URL=https://widgets.example.com\nALLOWED_HOSTS=" in page.html
    assert "<strong>Name</strong>" in page.html
    for name in ("nothing", "README.md", "..", "%2e%2e%2fREADME"):
        assert staff().get(f"/admin/guide/{name}/").status_code == 404, name


def test_each_code_of_the_guide_has_an_anchor_and_links_lead_to_other_pages(staff: Callable[..., Client]) -> None:
    html = Page(staff(), "/admin/guide/troubleshooting/").html
    assert '<code id="preflight-key">' in html
    assert '<h2 id="the-certificate">' in html
    assert 'href="/admin/guide/refresh/"' in html
    assert "<table>" in html
