"""Fires a stop from the console with a headless Chromium, as somebody on call does, and tells what it saw.

usage: browser_stop.py CHROMIUM ADDRESS TOKEN PICTURES HOSTILE-TEXT CERTIFICATE KEY AUTHORITY

A headless Chromium cannot be told which client certificate to show. So it speaks with a forwarder on loopback that shows the
certificate to the console, on one connection over TLS for each of the browser's own; the console sees nothing else. Prints one
JSON object as browser.py does.
"""

import json
import socket
import ssl
import sys
import tempfile
import threading
from urllib.parse import urlsplit

import browser as console

CERTIFICATE, KEY, AUTHORITY = sys.argv[6:9]


def pump(source, sink):
    try:
        while piece := source.recv(1 << 16):
            sink.sendall(piece)
    except OSError:
        pass
    for each in (source, sink):
        try:
            each.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Forwarder:
    """Takes connections in the clear and passes them on over TLS, with the certificate or without one."""

    def __init__(self, address, certificate):
        self.to = urlsplit(address)
        self.context = ssl.create_default_context(cafile=AUTHORITY)
        if certificate:
            self.context.load_cert_chain(*certificate)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self.take, daemon=True).start()

    def take(self):
        while True:
            near, _ = self.server.accept()
            try:
                far = self.context.wrap_socket(
                    socket.create_connection((self.to.hostname, self.to.port)), server_hostname=self.to.hostname)
            except OSError:
                near.close()
                continue
            for pair in ((near, far), (far, near)):
                threading.Thread(target=pump, args=pair, daemon=True).start()


STEP = "document.getElementById('stop-step')"


def open_stops(browser, address, sign_in):
    browser.send("Page.navigate", {"url": f"{address}/console"})
    browser.until("document.getElementById('sign-in') && !document.getElementById('sign-in').hidden", "the form to sign in")
    sign_in()
    browser.until(f"{console.ROWS} > 4", "decisions")
    browser.run("document.activeElement.blur()")
    browser.key("2")
    browser.until(f"{console.TITLE} === 'Stops and cut-offs'", "the stops")


def by_token(browser):
    browser.run("document.getElementById('token').focus()")
    browser.type(console.TOKEN)
    browser.key("Enter")


def fill(browser, name, text):
    browser.run(f"document.querySelector('form.order [name={name}]').select()")
    browser.type(text)


def look(browser, seen):
    for domain in ["Page", "Runtime", "Log", "Network", "Audits"]:
        browser.send(f"{domain}.enable")
    browser.size(1440, 900)
    browser.send("Page.addScriptToEvaluateOnNewDocument", {
        "source": "window.violations = []; addEventListener('securitypolicyviolation', (e) => violations.push(`${e.violatedDirective} ${e.blockedURI}`));"})

    # Whoever shows no certificate is told why there is no form.
    bare = Forwarder(console.ADDRESS, None)
    open_stops(browser, bare.address, lambda: by_token(browser))
    seen["without_a_certificate"] = browser.run("document.getElementById('content').textContent")
    seen["forms_without_a_certificate"] = browser.run("document.querySelectorAll('form.order').length")

    # Cookies are a host's, whatever the port. The page that has one is left first: its next question would be refused.
    browser.send("Page.navigate", {"url": "about:blank"})
    browser.until("location.href === 'about:blank'", "an empty page")
    browser.send("Network.clearBrowserCookies")
    shown = Forwarder(console.ADDRESS, (CERTIFICATE, KEY))
    console.ADDRESS = shown.address
    open_stops(browser, shown.address, lambda: browser.run("document.getElementById('certificate').click()"))
    seen["who"] = browser.run("document.getElementById('who').textContent")
    browser.until("document.querySelector('form.order')", "the form of a stop")
    browser.run("document.querySelector('form.order [name=value]').focus()")
    fill(browser, "value", "ledger_reconcile")
    fill(browser, "reason", "Unexpected writes <b>everywhere</b>")
    fill(browser, "incident", "INC-88")
    browser.picture("stop-order")
    browser.key("Enter")
    browser.until(f"{STEP}.querySelector('form.confirm')", "the stop to be prepared")
    seen["plan"] = browser.run(f"{STEP}.textContent")
    seen["typed_has_focus"] = browser.run("document.activeElement.id === 's-typed'")
    fire = f"{STEP}.querySelector('button.danger')"
    seen["fires_untyped"] = browser.run(f"!{fire}.disabled")
    browser.type("ledger_reconcil")
    seen["fires_half_typed"] = browser.run(f"!{fire}.disabled")
    browser.key("Enter")
    seen["fired_half_typed"] = browser.run(f"Boolean({STEP}.querySelector('.done'))")
    browser.type("e")
    seen["fires_typed"] = browser.run(f"!{fire}.disabled")
    browser.picture("stop-typed")
    browser.key("Enter")
    browser.until(f"{STEP}.querySelector('.done')", "the acknowledgement")
    seen["done"] = browser.run(f"{STEP}.querySelector('.done').textContent")
    browser.until("document.getElementById('content').textContent.includes('INC-88')", "the stop in the table")
    browser.until("document.getElementById('stop-banner').textContent.includes('ledger_reconcile')", "the banner")
    seen["markup"] = browser.run("document.querySelectorAll('#content b').length")
    seen["unnamed"] = console.unnamed(browser)
    browser.picture("stop-done")
    seen["violations"] = browser.run("violations")
    seen["messages"] = console.messages(browser)
    seen["strangers"] = [url for url in console.strangers(browser) if not url.startswith(bare.address)]


def main():
    seen = {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = console.Browser(profile)
        try:
            target = browser.send("Target.createTarget", {"url": "about:blank"})["targetId"]
            browser.session = browser.send("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
            look(browser, seen)
        except RuntimeError as error:
            seen["trouble"] = str(error)
            seen["messages"] = console.messages(browser)
        finally:
            browser.close()
    print(json.dumps(seen))


main()
