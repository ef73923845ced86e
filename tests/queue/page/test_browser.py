"""The page in a real browser, as a person uses it: by mouse, by keys alone, on a phone, with a hostile record."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from benchmarks.queue.fleet import Uploads
from edgeseg.queue.database import Database
from edgeseg.queue.ingest import ingest
from edgeseg.queue.page.server import address, listen, make_server
from edgeseg.queue.page.settings import PageSettings
from edgeseg.queue.tables import Item

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None,
    reason="chromium and chromium-driver are not installed: the queue's page was not tried in a browser",
)
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
WAIT_S = 30.0
ITEMS = 5
PHONE = (360, 740)
CODE = "<script>document.title='pwned'</script>"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One browser for all tests, with a profile of its own."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def queue(uploads: Uploads, sqlite: Database) -> Database:
    for number in range(ITEMS):
        uploads.add_with_maps(number, (240, 320))
    ingest(str(uploads.folder), sqlite)
    return sqlite


@pytest.fixture
def open_page(queue: Database, chromium: Any) -> Iterator[Callable[..., Person]]:
    """Serves the queue for real, and opens it in a window of some size."""
    running: list[tuple[Any, threading.Thread]] = []

    def opened(width: int = 1280, height: int = 800, **settings: Any) -> Person:
        asked = PageSettings(port=0, **settings)
        listening, server = listen(asked), make_server(asked, queue)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        running.append((server, thread))
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        chromium.get(address(asked, listening))
        return Person(chromium, queue)

    yield opened
    # A picture that cannot be made is told in words on the page, too.
    problems = [entry["message"] for entry in chromium.get_log("browser") if "status of 422" not in entry["message"]]
    chromium.get("about:blank")
    for server, thread in running:
        server.should_exit = True
        thread.join(WAIT_S)
    assert problems == []


class Person:
    """What a person does with the page, and what the queue has then."""

    def __init__(self, driver: Any, database: Database) -> None:
        self.driver, self.database = driver, database

    def all(self, css: str) -> list[Any]:
        return self.driver.find_elements("css selector", css)

    def one(self, css: str) -> Any:
        return self.wait(lambda: self.all(css))[0]

    def wait(self, what: Callable[[], Any]) -> Any:
        from selenium.common.exceptions import WebDriverException

        end = time.monotonic() + WAIT_S
        while True:
            try:
                if found := what():
                    return found
            except WebDriverException:
                pass  # the page was changing just then
            assert time.monotonic() < end, f"in vain, on {self.driver.current_url}"
            time.sleep(0.02)

    def press(self, keys: str) -> None:
        """Presses keys one after the other, each on the page that the one before led to."""
        from selenium.webdriver import ActionChains

        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()
            self.settle()

    def settle(self) -> None:
        self.wait(lambda: self.driver.execute_script("return document.readyState == 'complete' && !isLeaving"))

    def notice(self) -> str:
        return str(self.one(".notice").text)

    def focus(self) -> str:
        return str(self.driver.execute_script("return (document.activeElement.closest('li.item') || {id: ''}).id"))

    def rows(self) -> list[str]:
        return [row.get_attribute("id") for row in self.all("li.item")]

    def states(self) -> dict[str, tuple[str, int]]:
        with self.database.read() as connection:
            rows = connection.execute(select(Item.item_id, Item.state, Item.priority)).all()
        return {f"i-{row.item_id}": (row.state, row.priority) for row in rows}

    def width(self) -> int:
        """Width that the content takes in pixels."""
        return int(self.driver.execute_script("return document.documentElement.scrollWidth"))

    def is_shown(self, css: str) -> bool:
        style = "return getComputedStyle(document.querySelector(arguments[0])).display"
        return bool(self.driver.execute_script(style, css) != "none")


def test_by_mouse(open_page: Callable[..., Person]) -> None:
    person = open_page()
    first, second, third = person.rows()[:3]
    person.one(f"#{first} button.accept").click()
    person.wait(lambda: "Accepted" in person.notice())
    assert person.states()[first] == ("selected", 0)
    assert person.focus() == second
    person.one(f"#{third} button[value=raise]").click()
    person.wait(lambda: "Priority 1" in person.notice())
    assert person.rows()[0] == third
    person.one("#undo button").click()
    person.wait(lambda: "Taken back" in person.notice())
    assert person.states()[third] == ("flagged", 0)
    person.one(f"#{second} a.name").click()
    picture = person.one(".stage .frame")
    person.wait(lambda: picture.get_property("naturalWidth") == 320)
    assert not person.is_shown(".stage .prediction")
    person.one("label[for=layer-prediction]").click()
    assert person.is_shown(".stage .prediction")
    person.one("label[for=layer-regions]").click()
    assert not person.is_shown(".stage .regions")
    person.one(".decide button.reject").click()
    person.wait(lambda: "Rejected" in person.notice())
    assert person.states()[second] == ("rejected", 0)
    assert person.one("#way-up").is_displayed()


def test_by_keys_alone(open_page: Callable[..., Person]) -> None:
    person = open_page()
    rows = person.rows()
    person.press("jj")
    assert person.focus() == rows[1]
    person.press("k")
    assert person.focus() == rows[0]
    person.press("ja")
    assert person.states()[rows[1]] == ("selected", 0)
    assert person.focus() == rows[2]
    person.press("r")
    assert person.states()[rows[2]] == ("rejected", 0)
    person.press("zz")
    assert {state for state, _ in person.states().values()} == {"flagged"}
    person.press("\ue007")  # Enter opens the item that has the focus
    person.wait(lambda: person.all(".stage"))
    shown = person.driver.current_url
    for key, layer in zip("1234", ("frame", "prediction", "entropy", "regions"), strict=True):
        before = person.is_shown(f".stage .{layer}")
        person.press(key)
        assert person.is_shown(f".stage .{layer}") is not before
    person.press("j")
    assert person.driver.current_url != shown
    person.press("k")
    assert person.driver.current_url == shown
    person.press("++-")
    assert sorted(priority for _, priority in person.states().values()) == [0, 0, 0, 0, 1]
    person.press("u")
    assert person.focus() == "i-" + shown.split("/items/")[1].split("?")[0]
    person.press("?")
    assert person.one("#help").get_attribute("open")
    person.press("a")
    assert {state for state, _ in person.states().values()} == {"flagged"}


def test_by_tab_and_enter_without_shortcuts(open_page: Callable[..., Person]) -> None:
    person = open_page()
    person.one("#help-open").click()
    person.one("#keys-on").click()
    person.one("#help form button").click()
    first = person.rows()[0]
    person.press("a")
    assert person.states()[first] == ("flagged", 0)
    person.driver.execute_script("document.querySelector('li.item a.name').focus()")
    person.press("\ue004")
    active = person.driver.switch_to.active_element
    assert active.text.startswith("Accept")
    assert person.driver.execute_script("return getComputedStyle(arguments[0]).outlineStyle", active) == "solid"
    person.press("\ue007")
    person.wait(lambda: person.states()[first] == ("selected", 0))
    person.driver.execute_script("localStorage.clear()")


def test_on_a_phone(open_page: Callable[..., Person], queue: Database) -> None:
    person = open_page(*PHONE)
    with queue.write() as connection:
        connection.execute(update(Item).values(frame_id="a" * 200, source="b" * 200, drive="c" * 64, strategy="d" * 99))
    for place in ("?state=any&vehicle=car-1", "progress", "quarantine"):
        person.driver.get(person.driver.current_url.split("?")[0].rsplit("/", 1)[0] + "/" + place)
        assert person.width() <= PHONE[0], place
    person.driver.get(person.driver.current_url.rsplit("/", 1)[0] + "/")
    person.one("a.name").click()
    person.wait(lambda: person.all(".stage"))
    assert person.width() <= PHONE[0]
    for button in person.all(".decide button"):
        assert button.is_displayed()
        assert min(button.size["height"], button.size["width"]) >= 40
        assert button.rect["x"] + button.rect["width"] <= PHONE[0]


def test_a_hostile_name_runs_nothing(open_page: Callable[..., Person], queue: Database) -> None:
    with queue.write() as connection:
        connection.execute(update(Item).values(vehicle=CODE, frame_id=CODE, drive="<img src=x onerror=alert(1)>"))
    person = open_page()
    assert CODE in person.one("li.item .what").text + person.one("li.item .name").text
    person.driver.get(person.one("a.name").get_attribute("href"))
    assert CODE in person.one("h1").text
    assert person.driver.title != "pwned"
    assert person.driver.execute_script("return document.querySelectorAll('main script, main img[src=x]').length") == 0
    # Its record is looked for under the name of the vehicle, so there is none; that is told.
    assert "The record cannot be shown" in person.notice()


def test_a_token_is_asked_for(open_page: Callable[..., Person]) -> None:
    person = open_page(token="correct-horse-battery")
    person.one("input[name=token]").send_keys("correct-horse-battery")
    person.one("input[name=name]").send_keys("Anna")
    person.one("form.login button").click()
    person.wait(person.rows)
    first = person.rows()[0]
    person.press("ja")
    assert person.states()[first] == ("selected", 0)
    person.one("form[action='/logout'] button").click()
    person.wait(lambda: person.all("form.login"))


def test_nothing_comes_from_elsewhere(open_page: Callable[..., Person], tmp_path: Path) -> None:
    person = open_page()
    own = person.driver.execute_script("return location.origin")
    for place in ("/", "/progress", person.one("a.name").get_attribute("href").removeprefix(own)):
        person.driver.get(own + place)
        loaded = person.driver.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
        assert loaded
        assert all(name.startswith(own + "/") for name in loaded)
