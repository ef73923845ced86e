"""Who gets in: host, origin, token, form; and what every answer carries."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.queue.fleet import item_id
from edgeseg.errors import ConfigError
from edgeseg.queue.database import Database
from edgeseg.queue.listing import ListSettings, list_items
from edgeseg.queue.page import deciding, guard, sessions
from edgeseg.queue.page.settings import PageSettings

Browse = Callable[..., Any]
BASE = "http://127.0.0.1:8765"
TOKEN = "correct-horse-battery"
SEEN = {"action": "reject", "seen_state": "flagged", "seen_priority": 0, "query": ""}
PATH = f"/items/{item_id(0)}"


def rejected(database: Database) -> int:
    return len(list_items(ListSettings(state="rejected"), database))


def test_beyond_this_machine_a_token_is_needed() -> None:
    for host in ("0.0.0.0", "192.168.0.7", "::", "fleet.example"):
        with pytest.raises(ConfigError, match=f"--host {host} can be reached from other machines, so a tok"):
            PageSettings(host=host)
        PageSettings(host=host, token=TOKEN)
    for host in ("127.0.0.1", "127.0.0.9", "localhost", "::1"):
        PageSettings(host=host)


@pytest.mark.parametrize("token", ["", "short", "é" * 20])
def test_a_token_that_can_be_guessed_is_refused(token: str) -> None:
    with pytest.raises(ConfigError, match="--token must have at least 16 characters of ASCII"):
        PageSettings(token=token)


def test_a_token_is_not_shown() -> None:
    assert TOKEN not in repr(PageSettings(token=TOKEN))


def test_a_port_that_is_none() -> None:
    with pytest.raises(ConfigError, match="--port 70000: a port is within 0 to 65535"):
        PageSettings(port=70000)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "192.168.0.7", "localhost@evil.example", "", "["],
)
def test_a_name_that_was_bound_to_this_machine_gets_nothing(small: Database, browse: Browse, host: str) -> None:
    answer = browse(small).get("/", headers={"Host": host})
    assert answer.status_code == 421
    assert item_id(0) not in answer.text
    assert "set-cookie" not in answer.headers


def test_own_names_get_the_page(small: Database, browse: Browse) -> None:
    page = browse(small, allowed_hosts=("Queue.example",))
    for host in ("localhost", "LOCALHOST:8765", "[::1]:8765", "127.0.0.1", "queue.example"):
        assert page.get("/", headers={"Host": host}).status_code == 200
    outside = browse(small, host="0.0.0.0", token=TOKEN)
    assert outside.get("/", headers={"Host": "192.168.0.7:8765"}).status_code == 401
    assert outside.get("/", headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(
    "origin", [None, "null", "https://evil.example", "http://127.0.0.1:9999", "http://127.0.0.1:87650"]
)
def test_a_form_of_another_page_changes_nothing(small: Database, browse: Browse, origin: str | None) -> None:
    assert browse(small).submit(PATH, origin, **SEEN).status_code == 403
    assert rejected(small) == 0


def test_a_form_without_its_session_s_secret_changes_nothing(small: Database, browse: Browse) -> None:
    page, other = browse(small), browse(small)
    page.get("/")
    for csrf in ({}, {"csrf": ""}, {"csrf": other.csrf()}, {"csrf": "é"}):
        assert page.post(PATH, data={**SEEN, **csrf}, headers={"Origin": BASE}).status_code == 403
    assert rejected(small) == 0
    page.submit(PATH, **SEEN)
    assert rejected(small) == 1


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_unknown(small: Database, browse: Browse, method: str) -> None:
    assert browse(small).request(method, PATH).status_code == 405


def test_reading_never_changes(small: Database, browse: Browse) -> None:
    page = browse(small)
    assert page.get(PATH, params=SEEN).status_code == 200
    assert page.get("/undo").status_code == 405
    assert rejected(small) == 0


@pytest.mark.parametrize("body", [b"x" * 17 * 1024, b"&".join(b"a%d=1" % n for n in range(100)), b"\xff\xfe=1"])
def test_a_form_of_any_size_is_not_read(small: Database, browse: Browse, body: bytes) -> None:
    page = browse(small)
    page.get("/")
    answer = page.post(PATH, content=body, headers={"Origin": BASE})
    assert answer.status_code in (403, 413)


def test_a_token_lets_in_and_signing_out_ends_it(
    small: Database, browse: Browse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "WRONG_TOKEN_S", 0.0)
    page, html = browse(small, token=TOKEN), {"Accept": "text/html"}
    assert page.get("/").status_code == 401
    assert page.get(f"{PATH}/frame").status_code == 401
    assert page.get("/", headers=html).url.path == "/login"
    assert page.get("/static/page.css").status_code == 200
    assert page.post(PATH, data=SEEN, headers={"Origin": BASE}).status_code == 401
    wrong = page.post("/login", data={"token": TOKEN + "x"}, headers={"Origin": BASE})
    assert wrong.status_code == 403
    assert "This is not the token" in wrong.text
    assert page.get("/").status_code == 401
    foreign = page.post("/login", data={"token": TOKEN}, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    page.post("/login", data={"token": TOKEN, "name": "Anna\x1b[2J <b>"}, headers={"Origin": BASE})
    answer = page.submit(PATH, **SEEN, **{"from": "list"})
    assert answer.status_code == 200
    text = page.get(PATH).text
    assert "page: Anna [2J &lt;b&gt;" in text
    page.submit("/logout")
    assert page.get("/").status_code == 401


def test_a_cookie_is_out_of_reach_of_scripts_and_foreign_forms(small: Database, browse: Browse) -> None:
    cookie = browse(small).get("/").headers["set-cookie"]
    assert re.fullmatch(r"edgeseg-queue-8765=[\w-]{43}; Path=/; HttpOnly; SameSite=Lax", cookie)


def test_a_session_ends_when_it_lies_idle(small: Database, browse: Browse, monkeypatch: pytest.MonkeyPatch) -> None:
    page = browse(small)
    csrf = page.csrf()
    monkeypatch.setattr(sessions, "IDLE_S", -1.0)
    assert page.post(PATH, data={**SEEN, "csrf": csrf}, headers={"Origin": BASE}).status_code == 403
    assert rejected(small) == 0


def test_sessions_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST", 3)
    kept = sessions.Sessions()
    secrets = [kept.start("page")[0] for _ in range(5)]
    assert [kept.find(secret) is not None for secret in secrets] == [False, False, True, True, True]


def test_every_answer_forbids_what_the_page_does_not_need(small: Database, browse: Browse) -> None:
    page = browse(small)
    for path in ("/", PATH, f"{PATH}/frame", "/progress", "/quarantine", "/static/page.js", "/nowhere"):
        headers = page.get(path).headers
        for name, value in guard.HEADERS.items():
            assert headers[name] == value
    policy = guard.HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.get("/").headers["cache-control"] == "no-store"


def test_no_page_has_script_style_or_asset_of_its_own(small: Database, browse: Browse) -> None:
    page = browse(small)
    for path in ("/", PATH, "/progress", "/quarantine", "/nowhere"):
        text = page.get(path).text
        assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?! src=\"/static/page.js\")", text)
        assert not re.findall(r'(?:src|href|action)="(?!/|#)[^"]*"', text)


@pytest.mark.parametrize(
    "path", ["/static/../settings.py", "/static/%2e%2e/settings.py", "/static//etc/passwd", "/static/"]
)
def test_static_files_are_those_of_the_package(small: Database, browse: Browse, path: str) -> None:
    assert browse(small).get(path).status_code in (404, 405)
