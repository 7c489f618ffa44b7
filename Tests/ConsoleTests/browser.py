"""Looks at the console with a headless Chromium, as somebody on call does, and tells what it saw.

usage: browser.py CHROMIUM ADDRESS TOKEN PICTURES HOSTILE-TEXT

Speaks the Chrome DevTools Protocol over pipes (--remote-debugging-pipe), so that it needs nothing but Python. Prints one
JSON object with a member for each look; the test judges them. Pictures are written to the folder PICTURES.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
import time

CHROMIUM, ADDRESS, TOKEN, PICTURES, HOSTILE = sys.argv[1:6]
PATIENCE = 30


class Browser:
    """A Chromium and its one page."""

    def __init__(self, profile):
        to_browser, self.requests = os.pipe()
        self.answers, from_browser = os.pipe()
        arguments = [
            CHROMIUM, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
            f"--user-data-dir={profile}", "--force-color-profile=srgb", "--window-size=1440,900", "about:blank",
        ]

        def place():
            # The protocol's pipes are the descriptors 3 and 4; moved out of the way first, as they may be those already.
            read, write = os.dup(to_browser), os.dup(from_browser)
            os.dup2(read, 3)
            os.dup2(write, 4)
            os.set_inheritable(3, True)
            os.set_inheritable(4, True)

        self.process = subprocess.Popen(
            arguments, preexec_fn=place, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.buffer = b""
        self.number = 0
        self.session = None
        self.events = []

    def send(self, method, parameters=None):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters or {}}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.requests, json.dumps(message).encode() + b"\0")
        number = self.number
        while True:
            answer = self.receive()
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def receive(self):
        while b"\0" not in self.buffer:
            piece = os.read(self.answers, 1 << 16)
            if not piece:
                raise RuntimeError("the browser has ended")
            self.buffer += piece
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def run(self, script):
        result = self.send("Runtime.evaluate", {
            "expression": script, "returnByValue": True, "awaitPromise": True})
        if "exceptionDetails" in result:
            raise RuntimeError(f"{script[:80]}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def until(self, script, what):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.run(f"Boolean({script})"):
                return
            time.sleep(0.05)
        self.picture("given-up")
        raise RuntimeError(f"waited in vain for {what}")

    def key(self, key, code=None, text=None):
        codes = {"Enter": 13, "Escape": 27, "Tab": 9}
        event = {"key": key, "code": code or key, "windowsVirtualKeyCode": codes.get(key, ord(key[0].upper()))}
        text = "\r" if key == "Enter" else text if text is not None else key if len(key) == 1 else None
        self.send("Input.dispatchKeyEvent", {"type": "keyDown", **event, **({"text": text} if text else {})})
        self.send("Input.dispatchKeyEvent", {"type": "keyUp", **event})

    def type(self, text):
        self.send("Input.insertText", {"text": text})

    def picture(self, name):
        data = self.send("Page.captureScreenshot", {"format": "png"})["data"]
        with open(os.path.join(PICTURES, f"{name}.png"), "wb") as file:
            file.write(base64.b64decode(data))

    def size(self, width, height, is_phone=False):
        self.send("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone})

    def scheme(self, name):
        self.send("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": name}]})

    def close(self):
        self.process.terminate()
        self.process.wait(10)


def messages(browser):
    """What a console of developers would show in red."""
    told = []
    for event in browser.events:
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            told.append(parameters["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            details = parameters["exceptionDetails"]
            told.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            told.append(json.dumps(parameters["args"]))
        elif method == "Audits.issueAdded" and parameters["issue"]["code"] != "PerformanceIssue":
            told.append(json.dumps(parameters["issue"])[:400])
    return told


def strangers(browser):
    """Requests that went anywhere but to the console's own host."""
    urls = [event["params"]["request"]["url"] for event in browser.events if event.get("method") == "Network.requestWillBeSent"]
    return [url for url in urls if not url.startswith(ADDRESS) and not url.startswith("about:")]


def unnamed(browser):
    """Controls without a name for those who do not see them."""
    nodes = browser.send("Accessibility.getFullAXTree")["nodes"]
    roles = {"button", "link", "textbox", "searchbox", "combobox", "radio", "dialog", "navigation", "complementary"}
    found = []
    for node in nodes:
        role, name = node.get("role", {}).get("value"), node.get("name", {}).get("value", "")
        if not node.get("ignored") and role in roles and not name.strip():
            found.append(role)
    return found


ROWS = "document.querySelectorAll('#content tbody tr').length"
TITLE = "document.getElementById('view-title').textContent"


def look(browser, seen):
    for domain in ["Page", "Runtime", "Log", "Network", "Audits"]:
        browser.send(f"{domain}.enable")
    browser.size(1440, 900)
    browser.scheme("light")
    browser.send("Page.addScriptToEvaluateOnNewDocument", {
        "source": "window.violations = []; addEventListener('securitypolicyviolation', (e) => violations.push(`${e.violatedDirective} ${e.blockedURI}`));"})
    browser.send("Page.navigate", {"url": f"{ADDRESS}/console"})
    browser.until("document.getElementById('sign-in') && !document.getElementById('sign-in').hidden", "the form to sign in")
    browser.picture("sign-in")
    seen["data_before_sign_in"] = browser.run("document.getElementById('content').childNodes.length")
    browser.run("document.getElementById('token').focus()")
    browser.type(TOKEN)
    browser.key("Enter")
    browser.until(f"{ROWS} > 4", "decisions")
    seen["token_is_forgotten"] = browser.run(
        "document.getElementById('token').value === '' && !JSON.stringify({...localStorage, ...sessionStorage}).includes(%s) && !document.cookie" % json.dumps(TOKEN))
    browser.until("!document.getElementById('stop-banner').hidden", "the banner of the stop")
    seen["banner"] = browser.run("document.getElementById('stop-banner').textContent")
    seen["rows"] = browser.run(ROWS)
    seen["markup"] = browser.run("document.querySelectorAll('img, b, body script, iframe, object').length")
    seen["hostile_person_is_text"] = browser.run(
        "document.getElementById('content').textContent.includes('⟨U+202E⟩\"><svg onload=alert(2)>')")
    browser.picture("decisions-light")

    # Keys.
    browser.run("document.activeElement.blur()")
    browser.key("/")
    browser.until("document.activeElement.id === 'f-text'", "the field to find in")
    browser.type("req-tw")
    browser.until(f"{ROWS} === 1", "the filtered row")
    seen["filtered"] = browser.run("document.querySelector('#content a.row').textContent")
    browser.run("document.getElementById('f-text').select()")
    browser.type("apr-two")
    browser.key("Enter")
    browser.until("document.querySelector('#matches a')", "what the name names")
    seen["match"] = browser.run("document.getElementById('matches').textContent")
    browser.run("document.getElementById('clear').click()")
    browser.until(f"{ROWS} > 4", "every decision again")
    browser.key("Escape")
    seen["left_the_field"] = browser.run("document.activeElement.tagName !== 'INPUT'")
    for key in "jjk":
        browser.key(key)
    seen["current_row"] = browser.run("document.activeElement === document.querySelectorAll('#content a.row')[0]")
    browser.run("document.querySelector('a.row[data-request=req-one]').focus()")
    browser.key("Enter")
    browser.until("document.querySelector('#detail .story')", "the request's story")
    seen["story"] = browser.run("document.getElementById('detail').textContent")
    seen["links"] = browser.run("[...document.querySelectorAll('#detail .links a')].map((each) => each.getAttribute('href'))")
    seen["detail_has_focus"] = browser.run("document.activeElement.id === 'detail'")
    browser.run("document.querySelector('#detail details').open = true")
    browser.picture("request-light")
    seen["unnamed_with_detail"] = unnamed(browser)
    browser.key("Escape")
    browser.until("document.getElementById('detail').hidden", "the request to close")
    seen["focus_came_back"] = browser.run("document.activeElement.dataset.request")
    browser.key("3")
    browser.until("document.querySelector('a.row[data-request=req-waits]')", "the request that waits")
    browser.run("document.querySelector('a.row[data-request=req-waits]').click()")
    browser.until("document.querySelector('#detail .story')", "the hostile request's story")
    seen["hostile_reason_is_text"] = browser.run(f"document.getElementById('detail').textContent.includes({json.dumps(HOSTILE)})")
    seen["markup_in_detail"] = browser.run("document.querySelectorAll('#detail img, #detail b, #detail script').length")
    browser.key("Escape")

    # Every view, dark.
    browser.key("t")
    browser.key("t")
    seen["theme"] = browser.run("document.documentElement.dataset.theme")
    seen["titles"] = []
    for number in range(1, 9):
        browser.run("document.activeElement.blur()")
        browser.key(str(number))
        title = browser.run("document.querySelectorAll('#views a')[%d].dataset.view" % (number - 1))
        browser.until(f"document.querySelectorAll('#views a')[{number - 1}].getAttribute('aria-current') === 'page' && document.getElementById('content').childNodes.length", title)
        seen["titles"].append(browser.run(TITLE))
        time.sleep(0.3)
        browser.picture(f"{number}-{title}-dark")
    seen["unnamed"] = unnamed(browser)
    browser.run("localStorage.setItem('theme', 'auto')")
    browser.key("t")
    seen["theme_goes_round"] = browser.run("document.documentElement.dataset.theme ?? 'auto'")
    browser.key("?")
    seen["help"] = browser.run("document.getElementById('help').open")
    browser.picture("keys-light")
    browser.key("Escape")
    browser.until("!document.getElementById('help').open", "the keys to close")

    # Going through with Tab: the way out is reached, and nothing keeps the focus.
    browser.key("1")
    browser.until(f"{ROWS} > 4", "decisions once more")
    browser.run("document.activeElement.blur(); getSelection().removeAllRanges()")
    reached = []
    for _ in range(60):
        browser.key("Tab")
        reached.append(browser.run(
            "document.activeElement.id || document.activeElement.className || document.activeElement.dataset?.view || document.activeElement.tagName"))
    seen["tabbed"] = reached
    seen["focus_is_seen"] = browser.run(
        "(() => { const link = document.querySelector('#views a'); link.focus({ focusVisible: true }); return getComputedStyle(link).outlineWidth; })()")

    # A telephone.
    browser.size(390, 844, True)
    time.sleep(0.5)
    seen["wider_than_a_telephone"] = browser.run("document.documentElement.scrollWidth - innerWidth")
    browser.picture("telephone")
    browser.run("document.querySelector('#content').scrollIntoView()")
    browser.picture("telephone-rows")
    browser.size(1440, 900)

    seen["violations"] = browser.run("violations")
    seen["messages"] = messages(browser)
    seen["strangers"] = strangers(browser)

    # The worker does not answer any more.
    browser.send("Network.emulateNetworkConditions", {
        "offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1})
    browser.until("!document.getElementById('stale-banner').hidden", "the banner of stale data")
    seen["stale"] = browser.run("document.getElementById('stale-banner').textContent")
    seen["rows_while_stale"] = browser.run(ROWS)
    browser.picture("stale-light")
    browser.send("Network.emulateNetworkConditions", {
        "offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1})
    browser.until("document.getElementById('stale-banner').hidden", "fresh data")

    browser.run("document.getElementById('sign-out').click()")
    browser.until("!document.getElementById('sign-in').hidden", "to be signed out")
    seen["data_after_sign_out"] = browser.run("document.getElementById('content').childNodes.length")
    seen["session_after_sign_out"] = browser.run("fetch('/console/api/v1/session').then((answer) => answer.json()).then((each) => each.name)")


def main():
    seen = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(profile)
        try:
            target = browser.send("Target.createTarget", {"url": "about:blank"})["targetId"]
            browser.session = browser.send("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
            look(browser, seen)
        except RuntimeError as error:
            seen["trouble"] = str(error)
            seen["messages"] = messages(browser)
        finally:
            browser.close()
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
