"""Pages of other origins (CORS) in a real browser: Chromium, without a window, shows a page that asks the region by fetch() and tells its own server what
it could read. test_negotiation.py asks the same and more by the Fetch standard's rules, where there is no browser."""

import contextlib
import http.server
import json
import os
import queue
import shutil
import signal
import subprocess
import threading

import pytest
from conftest import free_port
from region_kit import Tree

BROWSER = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no browser: run tools/setup browser")

# No sandbox, since root has none; it stays open (--remote-debugging-port) and looks for nothing beside this machine.
QUIET = ["--headless", "--no-sandbox", "--remote-debugging-port=0", "--ignore-certificate-errors", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-extensions", "--disable-sync", "--metrics-recording-only",
         "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost"]

PAGE = """<!doctype html><meta charset="utf-8"><title>page</title><script>
const ask = async ({url, ...init}) => {
  try {
    const answer = await fetch(url, init);
    return {status: answer.status, headers: Object.fromEntries(answer.headers), text: await answer.text()};
  } catch (error) {
    return {error: error.name};
  }
};
(async () => {
  const told = [];
  for (const one of %s) told.push(await ask(one));
  await fetch("/told", {method: "POST", body: JSON.stringify(told)});
})();
</script>"""


class Site(http.server.ThreadingHTTPServer):
    """A server of pages with an origin of its own."""

    def __init__(self, name="127.0.0.1"):
        super().__init__(("127.0.0.1", 0), Handler)
        self.origin = f"http://{name}:{self.server_address[1]}"
        self.told = queue.Queue()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def shows(self, folder, asked):
        """What the page's requests came to, each {status, headers, text} or {error}."""
        self.page = PAGE % json.dumps(asked).replace("<", "\\u003c")
        log = folder / "browser.log"
        with log.open("wb") as out:
            browser = subprocess.Popen([BROWSER, *QUIET, f"--user-data-dir={folder / 'profile'}", f"{self.origin}/"], stdin=subprocess.DEVNULL, stdout=out,
                                       stderr=out, start_new_session=True)
            try:
                return self.told.get(timeout=120)
            except queue.Empty:
                raise AssertionError(log.read_text()) from None
            finally:
                os.killpg(browser.pid, signal.SIGKILL)  # what was started is a script that waits for it
                browser.wait(timeout=60)


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        body = self.server.page.encode() if self.path == "/" else b""
        self.send_response(200 if body else 404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.server.told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()


@contextlib.contextmanager
def site(*name):
    with Site(*name) as one:
        yield one
        one.shutdown()


def requests_of(url, key, value):
    own = {"Authorization": f"Bearer {key}"}
    ndjson, as_json = {"Content-Type": "application/x-ndjson", "Idempotency-Key": f"k{value}"}, {"Content-Type": "application/json"}
    return [
        {"url": f"{url}/v1/ingest/page", "method": "POST", "headers": {**own, **ndjson}, "body": json.dumps({"a": value}) + "\n"},
        {"url": f"{url}/v1/query", "method": "POST", "headers": {**own, **as_json}, "body": json.dumps({"sql": "SELECT a FROM page ORDER BY a"})},
        {"url": f"{url}/v1/query", "method": "POST", "headers": {**as_json, "Authorization": "Bearer prism_0"}, "body": "{}"},
        {"url": f"{url}/v1/query", "method": "POST", "headers": {**own, **as_json}, "body": json.dumps({"sql": "SELECT nothing"})},
        {"url": f"{url}/v1/query", "method": "POST", "headers": {**own, **as_json, "X-Else": "1"}, "body": json.dumps({"sql": "SELECT 1"})},
        {"url": f"{url}/v1/datasets", "method": "PATCH", "headers": own},
        {"url": f"{url}/v1/datasets", "method": "GET", "headers": own},
    ]


def test_a_page_reads_what_its_origin_may_and_another_reads_nothing(tmp_path):
    with site() as listed, site("localhost") as other:
        region = Tree(tmp_path / "r", env={"PRISM_CORS_ORIGINS": listed.origin})
        tls_port = free_port()
        region.run("up", "--detach", "--tls-port", tls_port)
        try:
            if region.warms:
                region.warm()
            limited = region.call("PATCH", "/v1/admin/tenants/default", key=region.admin_key, json={"quotas": {"requests_per_s": 1000}})
            assert limited.status_code == 200, limited.text
            for n, url in enumerate((region.url, f"https://localhost:{tls_port}")):  # HTTP/1.1, and HTTP/2, which a browser takes where TLS offers it
                stored, found, unknown, wrong, unnamed, method, listing = listed.shows(tmp_path, requests_of(url, region.key, n))
                assert stored["status"] == 200 and json.loads(stored["text"])["accepted"] == 1, stored
                assert found["status"] == 200 and json.loads(found["text"])["rows"] == [[i] for i in range(n + 1)], found
                for answer in (stored, found, listing):
                    assert answer["status"] == 200 and {"ratelimit", "ratelimit-policy", "x-amzn-requestid"} <= set(answer["headers"]), answer
                assert unknown["status"] == 401 and unknown["headers"]["content-type"] == "application/problem+json", unknown
                assert json.loads(unknown["text"])["requestId"], unknown
                assert wrong["status"] == 400 and "nothing" in json.loads(wrong["text"])["detail"], wrong
                assert unnamed == method == {"error": "TypeError"}  # the preflight does not name them

            refused = other.shows(tmp_path, requests_of(region.url, region.key, 7))
            stored, found, unknown, wrong, *others, listing = refused
            assert [stored, found, wrong, *others, listing] == [{"error": "TypeError"}] * 6, refused
            assert unknown["status"] == 401  # the gateway's own words, which tell of no tenant
        finally:
            region.down()
