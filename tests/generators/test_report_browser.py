"""The report in headless Chromium: it stays offline, says nothing on the console, and can be used on a desk and a phone."""

import base64
import contextlib
import io
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

import numpy as np
import pytest
from PIL import Image

from generators.report.facts import make_report
from generators.report.write import report_html

FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
    " --disable-component-update --disable-sync --disable-dev-shm-usage --hide-scrollbars"
)
WIDTHS = (1280, 390)


class Browser:
    """A tab that is spoken to as the W3C's WebDriver standard says, through Chromium's own driver."""

    def __init__(self, address):
        self.address = address
        options = {
            "args": FLAGS.split(),
            "binary": shutil.which("chromium"),
            "perfLoggingPrefs": {"enableNetwork": True},
        }
        capabilities = {
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        session = self.ask("session", {"capabilities": {"alwaysMatch": capabilities}})
        self.address += f"/session/{session['sessionId']}"

    def ask(self, path, data=None, method="POST"):
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(
            f"{self.address}/{path}", body, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from None

    def open(self, url, width, *, scheme="light"):
        metrics = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500}
        self.command("Emulation.setDeviceMetricsOverride", metrics)
        self.command("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
        self.ask("url", {"url": url})

    def command(self, name, parameters):
        return self.ask("goog/cdp/execute", {"cmd": name, "params": parameters})

    def run(self, script, *args):
        return self.ask("execute/sync", {"script": script, "args": list(args)})

    def picture(self, *, whole=False):
        found = self.command("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": whole})
        return Image.open(io.BytesIO(base64.b64decode(found["data"]))).convert("RGB")

    def log(self, kind):
        return self.ask("se/log", {"type": kind})

    def requests(self):
        """Addresses that anything asked for since the last call."""
        events = [json.loads(e["message"])["message"] for e in self.log("performance")]
        return [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]


@contextlib.contextmanager
def driver():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = shutil.which("chromedriver")
    assert program, "the browser's tests need: apt-get install chromium chromium-driver"
    process = subprocess.Popen([program, f"--port={port}", "--log-level=OFF"], stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/status", timeout=5):
                break
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="module")
def browser():
    with driver() as address:
        browser = Browser(address)
        yield browser
        browser.ask("window", method="DELETE")


@pytest.fixture(scope="module")
def page(filmed, dataset, tmp_path_factory):
    """Addresses of two reports: one with pictures, one of every ending and without."""
    folder = tmp_path_factory.mktemp("report")
    out = {}
    for name, source in (("pictures", filmed), ("endings", dataset)):
        path = folder / f"{name}.html"
        path.write_text(report_html(make_report(source, done=lambda part, share: None)), "utf-8")
        out[name] = path.as_uri()
    return out


@pytest.mark.parametrize("name", ["pictures", "endings"])
@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_is_quiet_offline_and_fits(browser, page, name, width):
    browser.requests()
    browser.log("browser")
    browser.open(page[name], width)
    for language in ("ja", "en"):
        browser.run(f"document.getElementById('show-{language}').click()")
        browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert browser.run("return document.scrollingElement.scrollWidth") <= width
    assert browser.log("browser") == []
    asked = browser.requests()
    assert asked
    assert [u[:80] for u in asked if not u.startswith(("file:", "data:"))] == []


def test_the_switch_shows_one_language_at_a_time(browser, page):
    browser.open(page["endings"], 1280)
    shown = "return [document.documentElement.lang, document.body.innerText]"
    browser.run("document.querySelector('label[for=show-ja]').click()")
    language, text = browser.run(shown)
    assert language == "ja"
    assert "歩留まり" in text
    assert "Yield by parameter" not in text
    browser.run("document.querySelector('label[for=show-en]').click()")
    language, text = browser.run(shown)
    assert language == "en"
    assert "Yield by parameter" in text
    assert "歩留まり" not in text


def test_previews_play_stop_and_play_again(browser, page):
    browser.open(page["pictures"], 1280)
    browser.run("document.querySelector('.clips').scrollIntoView()")
    assert _moves(browser)
    browser.run("document.querySelector('.play[data-stop=\"1\"]').click()")
    time.sleep(0.3)
    assert not _moves(browser)
    browser.run("document.querySelector('.play[data-stop=\"0\"]').click()")
    time.sleep(0.3)
    assert _moves(browser)


def test_a_reader_who_wants_no_motion_gets_stills(browser, page):
    browser.open(page["pictures"], 1280)
    calm = [{"name": "prefers-reduced-motion", "value": "reduce"}]
    browser.command("Emulation.setEmulatedMedia", {"features": calm})
    browser.ask("refresh", {})
    browser.run("document.querySelector('.clips').scrollIntoView()")
    time.sleep(0.3)
    assert not _moves(browser)


@pytest.mark.parametrize("what", [".clip button.enlarge", ".trace button.enlarge"])
@pytest.mark.parametrize("width", WIDTHS)
def test_pictures_and_figures_can_be_enlarged_and_closed(browser, page, what, width):
    browser.open(page["pictures"], width)
    small = browser.run(f"const b = document.querySelector('{what}'); b.click(); return b.clientWidth")
    wide = "return document.querySelector('#large .stage > *').getBoundingClientRect().width"
    large = browser.run(wide)
    assert large >= min(small, width - 60)
    browser.run("document.querySelector('[data-zoom=\"1.5\"]').click()")
    assert browser.run(wide) == pytest.approx(1.5 * large, rel=0.01)
    assert browser.run("return document.scrollingElement.scrollWidth") <= width
    browser.run("document.querySelector('[data-close]').click()")
    assert browser.run("return document.getElementById('large').open") is False


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_figures_ink_follows_the_page_in_light_and_dark(browser, page, scheme):
    browser.open(page["endings"], 1280, scheme=scheme)
    ink, paper, drawn = browser.run(
        "const of = (e, p) => getComputedStyle(e)[p]; const text = document.querySelector('.effects svg text');"
        "return [of(document.body, 'color'), of(document.body, 'backgroundColor'), of(text, 'fill')]"
    )
    assert drawn == ink
    assert ink != paper


def _moves(browser):
    """Whether the first clip looks different within three seconds."""
    box = browser.run(
        "const b = document.querySelector('.clip img').getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]"
    )
    first, end = None, time.monotonic() + 3
    while time.monotonic() < end:
        now = np.asarray(browser.picture().crop([round(x) for x in box]))
        if first is not None and (now != first).any():
            return True
        first = now
        time.sleep(0.1)
    return False
