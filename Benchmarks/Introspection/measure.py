#!/usr/bin/env python3
"""Measures introspections a second of one `clawgrant serve` process.

Starts a private PostgreSQL, issues tokens straight into its ledger, serves them, and asks with wrk. Needs the commands
wrk and openssl and the Python package cryptography; give the program that was built with optimization:

    python3 Benchmarks/Introspection/measure.py .build/release/clawgrant --tokens 1000 --seconds 20
"""

import argparse
import base64
import glob
import hashlib
import json
import os
import re
import secrets
import subprocess
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives import serialization

CONFIGURATION = """
config_version: "1"
log_id: bench.example/clawgrant
# A broker of librdkafka's own, on which nothing was published: the ledger has nothing to be behind of.
kafka: {{properties: {{bootstrap.servers: "127.0.0.1:1", test.mock.num.brokers: "1"}}}}
database: {{conninfo: "host={home} dbname=clawgrant user={user}"}}
keys:
  - {{purpose: token, file: keys/token.pem}}
  - {{purpose: receipt, file: keys/receipt.pem}}
  - {{purpose: envelope, file: keys/envelope.pem}}
secrets: {{token_id_file: secrets/token-id, sealing_file: secrets/sealing}}
rules: rules.yaml
http:
  listen: {{port: 0}}
  issuer: https://issuer.bench.example
  callers:
    gateway: {{scopes: [introspect], token_hashes_file: caller, requests_per_s: 1000000}}
"""


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def b64u(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def text(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def tokens(key, kid, count, now):
    """Tokens of the compatible profile with the rows of the requests that they answer."""
    header = b64u(text({"alg": "EdDSA", "typ": "JWT", "kid": kid}))
    for number in range(count):
        claims = {
            "token_version": "1", "sub": f"did:key:z6MkBench{number}", "aud": "clawproxy.com",
            "scope": ["proxy:call", "clawproxy:call"], "iat": now, "exp": now + 3000,
            "owner_ref": b64u(hashlib.sha256(f"approval {number}".encode()).digest()),
        }
        hashed = {
            "token_version": "1", "sub": claims["sub"], "aud": ["clawproxy.com"],
            "scope": ["clawproxy:call", "proxy:call"], "owner_ref": claims["owner_ref"], "mission_id": f"job-{number}",
        }
        canonical = json.dumps(hashed, separators=(",", ":"), sort_keys=True).encode()
        scope = hashlib.sha256(canonical).digest()
        claims["token_scope_hash_b64u"] = b64u(scope)
        claims |= {
            "mission_id": f"job-{number}", "token_lane": "legacy", "jti": secrets.token_hex(16),
            "nonce": secrets.token_hex(16),
        }
        signed = f"{header}.{b64u(text(claims))}"
        token = f"{signed}.{b64u(key.sign(signed.encode()))}"
        digest = hashlib.sha256(token.encode()).hexdigest()
        yield token, "\t".join([
            f"req-{number}", "1", f"job-{number}", "bench", claims["sub"], "now", "now", f"{{apr-{number}}}",
            "\\\\x" + digest, "\\\\x" + scope.hex(), claims["jti"], kid, time.strftime("%F %T+00", time.gmtime(now)),
            time.strftime("%F %T+00", time.gmtime(now + 3000)), "{}", "f"])


COLUMNS = ("request_id, state, job_id, job_class, agent_did, received_at, decided_at, approvals, token_hash, scope_hash, "
           "token_id, kid, issued_at, expires_at, control_scopes, is_elevated")


def processor_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("program")
    options.add_argument("--tokens", type=int, default=1000)
    options.add_argument("--seconds", type=int, default=20)
    options.add_argument("--threads", type=int, default=1)
    options.add_argument("--connections", type=int, default=64)
    options = options.parse_args()
    program = str(Path(options.program).resolve())
    with tempfile.TemporaryDirectory(prefix="claw-introspection-") as home:
        measure(options, program, Path(home))


def measure(options, program, home):
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        run("chown", "-R", user, str(home))
        home.chmod(0o755)
    as_user = ["runuser", "-u", user, "--"] if user else []
    binaries = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
    data = home / "pg"
    run(*as_user, f"{binaries}/initdb", "-D", str(data), "-A", "trust", "--no-sync")
    server = [*as_user, f"{binaries}/pg_ctl", "-D", str(data), "-w", "-s"]
    subprocess.run(
        [*server, "-o", f"-k {home} -c listen_addresses= -c fsync=off", "-l", str(home / "pg.log"), "start"], check=True)
    served = None
    try:
        name = user or run("id", "-un").strip()
        run("createdb", "-h", str(home), "-U", name, "clawgrant")
        configuration = home / "bench.yaml"
        configuration.write_text(CONFIGURATION.format(home=home, user=name))
        (home / "rules.yaml").write_text(Path(__file__).with_name("rules.yaml").read_text())
        for folder in ("keys", "secrets"):
            (home / folder).mkdir()
        for purpose in ("token", "receipt", "envelope"):
            run(program, "keys", "generate", "--purpose", purpose, "--out", str(home / f"keys/{purpose}.pem"))
        for secret in ("token-id", "sealing"):
            run(program, "keys", "secret", "--out", str(home / "secrets" / secret))
        caller = secrets.token_hex(32)
        hashes = home / "caller"
        hashes.write_text(hashlib.sha256(caller.encode()).hexdigest() + "\n")
        hashes.chmod(0o600)
        run(program, "ledger", "migrate", "--config", str(configuration))
        key = serialization.load_pem_private_key((home / "keys/token.pem").read_bytes(), None)
        public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        issued = list(tokens(key, hashlib.sha256(public).hexdigest()[:16], options.tokens, int(time.time()) - 5))
        (home / "tokens").write_text("".join(f"{token}\n" for token, _ in issued))
        run("psql", "-h", str(home), "-U", name, "-d", "clawgrant", "-q", "-c",
            f"COPY clawgrant.request ({COLUMNS}) FROM STDIN", input="".join(f"{row}\n" for _, row in issued))
        log = open(home / "serve.log", "w")
        served = subprocess.Popen([program, "serve", "--config", str(configuration)], stdout=log, stderr=log)
        port = None
        for _ in range(600):
            found = re.search(r"is served.*port=(\d+)", (home / "serve.log").read_text())
            if found or served.poll() is not None:
                port = found and found.group(1)
                break
            time.sleep(0.1)
        if not port:
            raise SystemExit((home / "serve.log").read_text())
        environment = os.environ | {"CLAWGRANT_TOKENS": str(home / "tokens"), "CLAWGRANT_CALLER": caller}
        command = ["wrk", f"-t{options.threads}", f"-c{options.connections}", "--latency", "-s",
                   str(Path(__file__).with_name("introspect.lua")), f"http://127.0.0.1:{port}/introspect"]
        subprocess.run([*command, "-d2s"], check=True, capture_output=True, env=environment)
        before, start = processor_seconds(served.pid), time.monotonic()
        output = run(*command, f"-d{options.seconds}s", env=environment)
        used, wall = processor_seconds(served.pid) - before, time.monotonic() - start
        print(output)
        asked = int(re.search(r"(\d+) requests in", output).group(1))
        print(f"processor time of the server: {used / asked * 1e6:.1f} us a request, {used / wall:.2f} processors")
        print(f"load average: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    finally:
        if served:
            served.terminate()
            served.wait()
        subprocess.run([*server, "-m", "immediate", "stop"], check=False)


if __name__ == "__main__":
    main()
