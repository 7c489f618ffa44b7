"""A collector of OTLP/HTTP traces in JSON: takes requests on a free port of this host and writes one body a line.

Its first answers are those of the list of statuses that it is given, the rest 200. It refuses what is no
ExportTraceServiceRequest with 400, and what lacks the header of access with 401.
"""

import http.server
import json
import re
import sys

port_file, body_file, statuses = sys.argv[1], sys.argv[2], [int(s) for s in sys.argv[3:]]
HEX32, HEX16 = re.compile(r"[0-9a-f]{32}\Z"), re.compile(r"[0-9a-f]{16}\Z")


def attributes_are_well_formed(attributes):
    for attribute in attributes:
        (kind,) = attribute["value"]
        assert kind in ("stringValue", "intValue"), kind
        assert isinstance(attribute["value"][kind], str)
        assert re.match(r"[a-z][a-z0-9._]*\Z", attribute["key"]), attribute["key"]


def check(body):
    request = json.loads(body)
    for resource in request["resourceSpans"]:
        attributes_are_well_formed(resource["resource"]["attributes"])
        names = [attribute["key"] for attribute in resource["resource"]["attributes"]]
        assert "service.name" in names
        for scope in resource["scopeSpans"]:
            assert scope["scope"]["name"]
            for span in scope["spans"]:
                assert HEX32.match(span["traceId"]) and set(span["traceId"]) != {"0"}
                assert HEX16.match(span["spanId"]) and set(span["spanId"]) != {"0"}
                assert "parentSpanId" not in span or HEX16.match(span["parentSpanId"])
                assert span["name"] and span["kind"] in (1, 2, 3, 4, 5)
                start, end = span["startTimeUnixNano"], span["endTimeUnixNano"]
                assert isinstance(start, str) and isinstance(end, str) and 0 < int(start) <= int(end)
                attributes_are_well_formed(span.get("attributes", []))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        status = statuses.pop(0) if statuses else 200
        if self.headers.get("x-access") != "open sesame":
            status = 401
        elif self.path != "/v1/traces" or self.headers["content-type"] != "application/json":
            status = 400
        else:
            try:
                check(body)
            except Exception as error:
                print(f"refused: {error!r}", file=sys.stderr)
                status = 400
        if status == 200:
            with open(body_file, "ab") as file:
                file.write(body + b"\n")
        answer = b"{}"
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        if status in (429, 503):
            self.send_header("retry-after", "0")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(port_file + ".new", "w") as file:
    file.write(str(server.server_address[1]))
__import__("os").rename(port_file + ".new", port_file)
server.serve_forever()
