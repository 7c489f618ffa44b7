#!/usr/bin/env python3
"""Writes the samples of the page's tests: make_sample.py FOLDER [CALLS]

Needs the package `cryptography`. The keys follow from their names, so the bytes are the same on every machine.
It shares no code with the assembler: docs/evidence.md is all it knows.
"""
import base64
import hashlib
import json
import sys
from datetime import datetime, timedelta, timezone

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

LOG = "logs.harborline.example/clawgrant"
JOB = "job-2026-03-01-reconcile-0417"
AGENT = "did:web:agents.harborline.example"
NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=timezone.utc)
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def sha(data):
    return hashlib.sha256(data).digest()


def b64u(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def jcs(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def document(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def at(seconds):
    return (NOON + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(seconds * 1000) % 1000:03d}Z"


def epoch(seconds):
    return int(NOON.timestamp()) + int(seconds)


class Key:
    def __init__(self, name):
        self.private = Ed25519PrivateKey.from_private_bytes(sha(("clawgrant-samples:" + name).encode()))
        self.raw = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        number, text = int.from_bytes(b"\xed\x01" + self.raw, "big"), ""
        while number:
            number, digit = divmod(number, 58)
            text = ALPHABET[digit] + text
        self.did = "did:key:z" + text
        self.kid = hashlib.sha256(self.raw).hexdigest()[:16]

    def sign(self, data):
        return b64u(self.private.sign(data))


KEYS = {n: Key(n) for n in ("log", "envelope", "gateway", "policy", "token", "approver", "stranger")}


def envelope(kind, payload, key, time, rule=document):
    digest = b64u(sha(rule(payload)))
    return {
        "envelope_version": "1", "envelope_type": kind, "payload": payload, "payload_hash_b64u": digest,
        "hash_algorithm": "SHA-256", "signature_b64u": key.sign(digest.encode()), "algorithm": "Ed25519",
        "signer_did": key.did, "issued_at": time,
    }


def node(left, right):
    return sha(b"\x01" + left + right)


def split(count):
    size = 1
    while size * 2 < count:
        size *= 2
    return size


def root(leaves):
    if len(leaves) == 1:
        return leaves[0]
    half = split(len(leaves))
    return node(root(leaves[:half]), root(leaves[half:]))


def path(leaves, index):
    if len(leaves) == 1:
        return []
    half = split(len(leaves))
    if index < half:
        return path(leaves[:half], index) + [root(leaves[half:])]
    return path(leaves[half:], index - half) + [root(leaves[:half])]


def levels(leaves):
    """The tree of the reference log: no prefixes, the last node of an odd level paired with itself."""
    result = [leaves]
    while len(result[-1]) > 1:
        level = result[-1]
        result.append([sha(level[i] + level[min(i + 1, len(level) - 1)]) for i in range(0, len(level), 2)])
    return result


class Log:
    def __init__(self):
        self.batches = []
        self.receipts = []
        self.previous = sha(f"clawgrant-log-v1\n{LOG}".encode())

    def seal(self, receipts, seconds):
        texts = [jcs(r) for r in receipts]
        leaves = [sha(b"\x00" + t) for t in texts]
        tree = levels([sha(t) for t in texts])
        counts = {}
        for receipt in receipts:
            counts[receipt["kind"]] = counts.get(receipt["kind"], 0) + 1
        first = len(self.receipts)
        header = jcs({
            "batch_version": "1", "clawlogs_root_b64u": b64u(tree[-1][0]), "count": len(texts), "counts": counts,
            "first_position": first, "key_ids": sorted({r["token"]["kid"] for r in receipts if "token" in r}),
            "last_position": first + len(texts) - 1, "log_id": LOG, "number": len(self.batches),
            "previous_header_hash_b64u": b64u(self.previous), "root_b64u": b64u(root(leaves)),
            "rules_hashes_b64u": sorted({r["rules_hash_b64u"] for r in receipts}), "sealed_at": at(seconds),
        })
        statement = {
            "log_id": LOG, "root_hash_b64u": b64u(tree[-1][0]), "root_published_at": at(seconds),
            "tree_size": len(texts),
        }
        signed = b"clawgrant-log-root-v1\n" + b64u(sha(jcs(statement))).encode()
        for index, text in enumerate(texts):
            audit, place = [], index
            for level in tree[:-1]:
                audit.append(b64u(level[min(place ^ 1, len(level) - 1)]))
                place //= 2
            self.receipts.append({
                "position": first + index, "batch": len(self.batches), "index": index,
                "kind": receipts[index]["kind"], "text": text.decode(), "path": [b64u(d) for d in path(leaves, index)],
                "log_inclusion_proof": {
                    "proof_version": "1", "log_id": LOG, "tree_size": len(texts), "leaf_hash_b64u": b64u(sha(text)),
                    "root_hash_b64u": b64u(tree[-1][0]), "audit_path": audit, "root_published_at": at(seconds),
                    "root_signature": {
                        "signer_did": KEYS["log"].did, "sig_b64u": KEYS["log"].sign(b64u(tree[-1][0]).encode()),
                    },
                    "metadata": {"leaf_index": index, "statement_sig_b64u": KEYS["log"].sign(signed)},
                },
            })
        self.batches.append((header, seconds))
        self.previous = sha(header)

    def checkpoint(self):
        leaves = [sha(b"\x00" + header) for header, _ in self.batches]
        text = f"{LOG}\n{len(leaves)}\n{base64.b64encode(root(leaves)).decode()}\n"
        key = KEYS["log"]
        identity = sha(LOG.encode() + b"\x0a\x01" + key.raw)[:4]
        line = base64.b64encode(identity + key.private.sign(text.encode())).decode()
        return f"{text}\n— {LOG} {line}\n", b64u(root(leaves)), leaves


WPC = {
    "policy_version": "1", "policy_id": "harborline.reconcile.2026-03",
    "issuer_did": "did:web:policy.harborline.example", "allowed_providers": ["openai"], "allowed_models": ["gpt-5*"],
}
POLICY = b64u(sha(jcs(WPC)))
RULES = b64u(sha(b"rules"))


def receipt(kind, subject, effect, seconds, **members):
    base = {
        "receipt_version": "1", "kind": kind,
        "receipt_id": b64u(sha(jcs(["clawgrant-receipt-v1", kind, subject, effect]))), "occurred_at": at(seconds),
        "worker_id": "worker-1", "rules_hash_b64u": RULES, "wpc_hash_b64u": POLICY, "inputs": [], "reasons": [],
        "approval_ids": [], "control_position": 4,
    }
    base.update(members)
    return base


def stranger(number):
    return receipt(
        "decision.denied", f"request:req-other-{number}", "outcome", 0, request_id=f"req-other-{number}",
        job_id=f"job-other-{number}", needed=["one approver"], rule="job_classes.other",
        reasons=[{"code": "CAPABILITY_DENIED", "detail": "nobody approved"}])


SUBJECT = {"job_id": JOB, "job_class": "ledger_reconcile", "agent_did": AGENT}
APPROVERS = ["avery.okafor@harborline.example", "jonas.lindqvist@harborline.example"]
EXTENT = {"actions": ["model.call", "ledger.read"], "audience": ["clawproxy.com"], "scope": ["proxy:call"], "ttl_seconds": 600}


def approval():
    return envelope("human_approval_receipt", {
        "receipt_version": "1", "receipt_id": "har-30417", "approval_type": "explicit_approve",
        "approver_subject": APPROVERS[0], "agent_did": AGENT, "scope_hash_b64u": b64u(sha(b"requested scope")),
        "hash_algorithm": "SHA-256", "timestamp": at(-40), "approver_method": "ui_click",
        "policy_hash_b64u": POLICY, "minted_capability_ttl_seconds": 900,
        "scope_summary": "Reconcile the February ledger of Harborline Freight, read only",
    }, KEYS["approver"], at(-40))


def claims(number, seconds, digests):
    owner = b64u(sha(jcs([{"approval_id": "change/harborline/CHG-30417", "evidence": sorted(digests)}])))
    known = {"aud": ["clawproxy.com"], "mission_id": JOB, "owner_ref": owner, "policy_hash_b64u": POLICY,
             "scope": ["proxy:call"], "sub": AGENT, "token_version": "1"}
    return {
        "token_version": "1", "sub": AGENT, "aud": "clawproxy.com", "scope": ["proxy:call"], "iat": epoch(seconds),
        "exp": epoch(seconds + 600), "owner_ref": owner, "policy_hash_b64u": POLICY,
        "token_scope_hash_b64u": b64u(sha(jcs(known))), "mission_id": JOB, "token_lane": "legacy",
        "jti": f"4e6c1de2-cbe2-4748-888c-0eebf38397{40 + number}",
    }


def grant(number, seconds, inputs, **more):
    mine = claims(number, seconds, [i["digest_b64u"] for i in inputs])
    request = f"req-3041{7 + number}"
    token = {
        "exp": mine["exp"], "iat": mine["iat"], "jti": mine["jti"], "kid": KEYS["token"].kid,
        "token_hash": sha(f"token {number}".encode()).hex(), "token_scope_hash_b64u": mine["token_scope_hash_b64u"],
    }
    made = receipt(
        "grant.issued", f"request:{request}", mine["jti"], seconds, request_id=request, token=token, asked=EXTENT,
        granted=EXTENT, delivery="sealed", approver_ids=APPROVERS, approval_ids=["change/harborline/CHG-30417"],
        authenticity="signed", inputs=inputs, rule="job_classes.ledger_reconcile", **SUBJECT, **more)
    return made, mine


def call(number, event, scope, seconds, key="gateway", model="gpt-5.1", tokens=None):
    return envelope("gateway_receipt", {
        "receipt_version": "1", "receipt_id": f"rcpt-{number}", "gateway_id": "did:web:clawproxy.com",
        "provider": "openai", "model": model, "request_hash_b64u": b64u(sha(f"request {number}".encode())),
        "response_hash_b64u": b64u(sha(f"response {number}".encode())),
        "tokens_input": tokens or 18_900 + 731 * number % 4_000, "tokens_output": 1_200 + 97 * number % 900,
        "latency_ms": 640 + number % 300, "timestamp": at(seconds),
        "binding": {"run_id": JOB, "event_hash_b64u": event, "nonce": f"nonce-{number}", "policy_hash": POLICY,
                    "token_scope_hash_b64u": scope},
    }, KEYS[key], at(seconds))


TYPES = {
    "grant.issued": "cst_issued", "decision.denied": "cst_denied", "decision.expired": "cst_expired",
    "revocation": "cst_revoked", "stop.declared": "emergency_stop", "stop.lifted": "emergency_stop_lifted",
    "control.applied": "control_applied", "budget.reached": "budget_reached", "finding.raised": "finding_raised",
}


class Chain:
    def __init__(self):
        self.events, self.hashes, self.last = [], {}, None

    def add(self, identifier, kind, time, payload):
        event = {
            "event_id": identifier, "run_id": JOB, "event_type": kind, "timestamp": time, "payload_hash_b64u": payload,
            "prev_hash_b64u": self.last,
        }
        self.last = b64u(sha(document(event)))
        event["event_hash_b64u"] = self.last
        self.events.append(event)

    def receipt(self, logged):
        body, position = json.loads(logged["text"]), logged["position"]
        if body["kind"] not in TYPES:
            return
        if body["kind"] == "grant.issued":
            for index, item in enumerate(body["inputs"]):
                self.add(f"evidence:{position}:{index}", "approval_decision", body["occurred_at"], item["digest_b64u"])
        self.add(f"receipt:{position}", TYPES[body["kind"]], body["occurred_at"], b64u(sha(logged["text"].encode())))
        self.hashes[position] = self.last


def tool(logged, event, scope):
    body, text = json.loads(logged["text"]), logged["text"].encode()
    digest = b64u(sha(text))
    salts = [sha(f"clawgrant-tool-receipt-v1\n{n}\n{digest}".encode()) for n in ("args", "result")]
    key = KEYS["envelope"]
    payload = {
        "receipt_version": "2", "receipt_id": "clawgrant:" + body["receipt_id"],
        "tool_name": "clawgrant.issue" if body["kind"] == "grant.issued" else "clawgrant.revoke", "tool_version": "1",
        "args_hash_b64u": b64u(sha(salts[0] + jcs(body["inputs"]))), "result_hash_b64u": b64u(sha(salts[1] + text)),
        "result_status": "success", "hash_algorithm": "SHA-256", "agent_did": key.did,
        "timestamp": body["occurred_at"], "latency_ms": 0,
        "binding": {"run_id": JOB, "event_hash_b64u": event, "policy_hash": POLICY, "token_scope_hash_b64u": scope},
        "args_salt_b64u": b64u(salts[0]), "result_salt_b64u": b64u(salts[1]),
    }
    whole = b64u(sha(document(payload)))
    return {
        "envelope_version": "2", "envelope_type": "tool_receipt", "payload": payload, "payload_hash_b64u": whole,
        "hash_algorithm": "SHA-256", "signature_b64u": key.sign(whole.encode()), "algorithm": "Ed25519",
        "signer_did": key.did, "issued_at": body["occurred_at"],
        "co_signatures": [{"signature_b64u": key.sign(whole.encode()), "algorithm": "Ed25519", "signer_did": key.did,
                           "issued_at": body["occurred_at"], "role": "approver"}],
    }


def attestations(logged, event):
    body, result = json.loads(logged["text"]), []
    token = body["token"]
    for index, person in enumerate(body["approver_ids"]):
        result.append(envelope("human_approval_receipt", {
            "receipt_version": "1", "receipt_id": f"clawgrant:{body['receipt_id']}:{index}",
            "approval_type": "explicit_approve", "approver_subject": person, "approver_method": "api_call",
            "agent_did": AGENT, "scope_hash_b64u": token["token_scope_hash_b64u"], "policy_hash_b64u": POLICY,
            "minted_capability_id": token["jti"], "minted_capability_ttl_seconds": token["exp"] - token["iat"],
            "hash_algorithm": "SHA-256", "timestamp": body["occurred_at"],
            "binding": {"run_id": JOB, "event_hash_b64u": event, "policy_hash": POLICY,
                        "token_scope_hash_b64u": token["token_scope_hash_b64u"]},
        }, KEYS["envelope"], body["occurred_at"]))
    return result


def build(calls=6, plain=False):
    """The run: two grants, calls, a budget, a finding, a stop. `plain` leaves out what is not wholly checked."""
    signed = approval()
    inputs = [
        {"digest_b64u": signed["payload_hash_b64u"], "offset": 17, "partition": 3, "source": "harborline-changes",
         "topic": "claw.approvals.decisions.v1"},
        {"digest_b64u": b64u(sha(b"the second approval")), "offset": 18, "partition": 3, "source": "harborline-changes",
         "topic": "claw.approvals.decisions.v1"},
    ]
    first, mine = grant(0, 0, inputs)
    second, later = grant(1, 420, inputs, replaces_request_id="req-30417")
    scope = mine["token_scope_hash_b64u"]
    log = Log()
    log.seal([stranger(0), first, stranger(1)], 1)
    log.seal([receipt(
        "decision.denied", "request:req-30420", "outcome", 75, request_id="req-30420",
        asked=dict(EXTENT, scope=["proxy:call", "ledger:write"]), needed=["a second approver for ledger:write"],
        rule="job_classes.ledger_reconcile", approval_ids=["change/harborline/CHG-30417"],
        reasons=[{"code": "SCOPE_NOT_ALLOWED", "detail": "ledger:write is not in the approved scope"}], **SUBJECT)], 76)
    log.seal([stranger(2)], 90)
    budget = {"dimension": "input_tokens", "limit": 200_000, "percent": 50, "used": 101_437}
    log.seal([stranger(3), receipt("budget.reached", f"job:{JOB}", "input_tokens:50:200000", 300, budget=budget, **SUBJECT)], 301)
    upgraded = receipt(
        "revocation", first["token"]["token_hash"], "revoked", 421,
        revocation={"cause": "upgraded", "jti": mine["jti"], "revoked_by": "worker-1", "token_hash": first["token"]["token_hash"]},
        request_id=first["request_id"], approval_ids=first["approval_ids"],
        **SUBJECT, **{"reasons": [{"code": "TOKEN_REVOKED", "detail": "another token took its place"}]})
    log.seal([second, upgraded, stranger(4)], 421)
    spans = [5, 31, 66, 148, 240, 296] if calls == 6 else [5 + 590 * i / calls for i in range(calls)]
    log.seal([receipt(
        "finding.raised", f"{KEYS['gateway'].did}/rcpt-90",
        b64u(sha(jcs(["GATEWAY_WRONG_POLICY", b64u(sha(b"finding"))]))), 500,
        finding={"about": f"{KEYS['gateway'].did}/rcpt-90", "code": "GATEWAY_WRONG_POLICY",
                 "evidence_b64u": [b64u(sha(b"finding"))], "severity": "warning"}, **SUBJECT)] + [stranger(5)], 501)
    stop = {
        "stop_id": "stop-2026-03-01-1", "event_id": "evt-991", "operation": "stop", "control_position": 5,
        "at": at(545), "grants_before": 2, "declared_at": at(544), "declared_by": [{"id": "mina.castellanos@harborline.example"}],
        "data": {"scope": {"kind": "job_class", "value": "ledger_reconcile"}}, "reason": "figures do not add up",
        "cutoffs": [{"scope": {"kind": "job_class", "value": "ledger_reconcile"}, "not_issued_before": epoch(546),
                     "cause": "stopped"}],
    }
    log.seal([receipt("stop.declared", stop["stop_id"], b64u(sha(jcs(stop))), 545, payload=stop)], 545)
    ended = receipt(
        "revocation", second["token"]["token_hash"], "revoked", 546,
        revocation={"cause": "stopped", "jti": later["jti"], "revoked_by": "worker-1", "token_hash": second["token"]["token_hash"]},
        request_id=second["request_id"], approval_ids=second["approval_ids"],
        **SUBJECT, **{"reasons": [{"code": "TOKEN_REVOKED", "detail": "an emergency stop covers it"}]})
    log.seal([stranger(6), ended], 547)
    log.seal([stranger(7)], 700)

    note, top, leaves = log.checkpoint()
    kept = [r for r in log.receipts if json.loads(r["text"]).get("job_id") == JOB or r["kind"] == "stop.declared"]
    bodies = {r["position"]: json.loads(r["text"]) for r in kept}
    last = max(i for i, r in enumerate(kept) if r["kind"] == "grant.issued")
    chain = Chain()
    for item in kept[: last + 1]:
        chain.receipt(item)
    events = [chain.hashes[p] for p, b in bodies.items() if b["kind"] == "grant.issued"]
    moments = spans + ([430, 470, 512] if calls == 6 else [])
    made = [call(i, events[1 if s >= 420 else 0], scope, s, model="gpt-5.1-mini" if i % 3 == 2 else "gpt-5.1")
            for i, s in enumerate(moments)][:1000]
    aside = [] if plain else [
        {"reason": "signer_unknown", "envelope": call(90, events[1], scope, 480, key="stranger")},
        {"reason": "not_in_chain", "envelope": call(91, b64u(sha(b"another chain")), scope, 490)},
    ]
    named = made + [a["envelope"] for a in aside if a["reason"] == "not_in_chain"]
    for item in sorted(named, key=lambda each: each["payload"]["timestamp"]):
        chain.add("call:" + item["payload"]["receipt_id"], "llm_call", item["payload"]["timestamp"], item["payload_hash_b64u"])
    for item in kept[last + 1:]:
        chain.receipt(item)
    tools, approvals, tokens = [], [], []
    endings = {b["revocation"]["token_hash"]: p for p, b in bodies.items() if b["kind"] == "revocation"}
    stops = [p for p, b in bodies.items() if b["kind"] == "stop.declared"]
    for item in kept:
        body, position = bodies[item["position"]], item["position"]
        if body["kind"] in ("grant.issued", "revocation"):
            tools.append(tool(item, chain.hashes[position], scope))
        if body["kind"] != "grant.issued":
            continue
        token = body["token"]
        ending = endings[token["token_hash"]]
        if token["iat"] >= epoch(420):
            ending = min(ending, stops[0])
        mine_too = mine if token["iat"] == epoch(0) else later
        state = {
            "position": position, "request_id": body["request_id"], "token_hash": token["token_hash"],
            "jti": token["jti"], "kid": token["kid"], "token_scope_hash_b64u": token["token_scope_hash_b64u"],
            "issued_at": body["occurred_at"], "expires_at": at(token["exp"] - epoch(0)), "policy_hash_b64u": POLICY,
            "claims": mine_too, "ended_by": ending, "ended_by_kind": bodies[ending]["kind"],
        }
        if bodies[ending]["kind"] == "revocation":
            state["cause"] = bodies[ending]["revocation"]["cause"]
        state["void_from"] = bodies[ending]["occurred_at"]
        state["state_at_checkpoint"] = "revoked"
        tokens.append(state)
        approvals.append({
            "position": position, "approval_ids": body["approval_ids"], "approver_ids": body["approver_ids"],
            "authenticity": body["authenticity"],
            "inputs": [dict({k: i[k] for k in ("digest_b64u", "topic", "partition", "offset", "source")},
                            **({"envelope": signed} if n == 0 else {})) for n, i in enumerate(body["inputs"])],
            "attestations": attestations(item, chain.hashes[position]),
        })
    counted = made + [a["envelope"] for a in aside if a["reason"] == "not_in_chain"]
    models = {}
    for item in counted:
        row = models.setdefault("openai/" + item["payload"]["model"], [0, 0, 0])
        for i, value in enumerate((1, item["payload"]["tokens_input"], item["payload"]["tokens_output"])):
            row[i] += value
    counts = {}
    for item in kept:
        counts[item["kind"]] = counts.get(item["kind"], 0) + 1
    missing = [] if plain else [
        {"code": "CALLS_SET_ASIDE", "count": 2, "detail": "gateway receipts are no full evidence of the run"}]
    total = len(log.receipts)
    head = {"as_of": at(699), "control_position": 5, "head_version": "1", "live": {"cutoffs": 1, "tokens": 2},
            "log_id": LOG, "next_sequence": 3, "swept_position": 5}
    head["signature"] = {
        "algorithm": "Ed25519", "signer_did": KEYS["log"].did,
        "signature_b64u": KEYS["log"].sign(b"clawgrant-revocation-head-v1\n" + b64u(sha(jcs(head))).encode()),
    }
    wanted = sorted({r["batch"] for r in kept})
    evidence = {
        "evidence_version": "1", "assembled_at": at(700),
        "run": {"run_id": JOB, "job_id": JOB, "job_class": "ledger_reconcile", "agent_dids": [AGENT], "agent_chain": "none"},
        "log": {
            "log_id": LOG, "signers": [KEYS["log"].did], "checkpoint": note, "size": len(leaves), "receipts": total,
            "sealed_at": at(700),
            "batches": [{"number": n, "header": log.batches[n][0].decode(), "path": [b64u(d) for d in path(leaves, n)]}
                        for n in wanted],
        },
        "receipts": kept,
        "policies": [{"policy_hash_b64u": POLICY, "envelope": envelope("work_policy_contract", WPC, KEYS["policy"], at(-86_400), jcs)}],
        "tokens": tokens, "approvals": approvals, "gateway_receipts": aside,
        "usage": {
            "calls": len(counted), "calls_bound": len(made),
            "tokens_input": sum(c["payload"]["tokens_input"] for c in counted),
            "tokens_output": sum(c["payload"]["tokens_output"] for c in counted),
            "models": [{"model": m, "calls": r[0], "tokens_input": r[1], "tokens_output": r[2]} for m, r in sorted(models.items())],
            "first_at": min(c["payload"]["timestamp"] for c in counted), "last_at": max(c["payload"]["timestamp"] for c in counted),
            "budget_positions": [p for p, b in bodies.items() if b["kind"] == "budget.reached"],
            "finding_positions": [p for p, b in bodies.items() if b["kind"] == "finding.raised"],
        },
        "revocations": {"positions": [p for p, b in bodies.items() if b["kind"] in ("revocation", "stop.declared")], "head": jcs(head).decode()},
        "completeness": {
            "statement": f"Batches 0 to {len(leaves) - 1} of {LOG} were read and verified. The listed positions are all receipts in "
                         "them that name the job, and the control events after the first of them that cover it.",
            "log_id": LOG, "first_position_read": 0, "last_position_read": total - 1, "positions": list(bodies),
            "counts": dict(sorted(counts.items())), "missing": missing,
            "summary": {"receipts": len(kept), "left_out": 0, "last_position_read": total - 1, "missing": [m["code"] for m in missing]},
        },
    }
    name = b64u(sha(jcs({"job_id": JOB, "log_id": LOG, "root_b64u": top, "size": len(leaves)})))[:22]
    payload = {
        "bundle_version": "1", "bundle_id": "clawgrant-" + name, "agent_did": KEYS["envelope"].did,
        "event_chain": chain.events, "receipts": made, "tool_receipts": tools,
        "metadata": {"clawgrant": {
            "profile": "clawgrant-run-v1", "job_id": JOB, "agent_dids": [AGENT], "log_id": LOG, "checkpoint_size": len(leaves),
            "checkpoint_root_b64u": top, "evidence_sha256_b64u": b64u(sha(jcs(evidence))),
            "tokens": [{"token_hash": t["token_hash"], "jti": t["jti"], "token_scope_hash_b64u": t["token_scope_hash_b64u"],
                        "issued_at": t["issued_at"], "expires_at": t["expires_at"], "policy_hash_b64u": POLICY,
                        "void_from": t["void_from"]} for t in tokens],
            "tokens_total": len(tokens), "completeness": evidence["completeness"]["summary"],
        }},
    }
    bundle = envelope("proof_bundle", payload, KEYS["envelope"], at(700))
    canonical = jcs(bundle)
    export = {
        "export_version": "1", "export_id": "clawgrant-" + name, "created_at": at(700), "issuer_did": KEYS["envelope"].did,
        "manifest": {"manifest_version": "1", "generated_at": at(700), "entries": [{
            "path": "artifacts/proof_bundle_envelope.json", "sha256_b64u": b64u(sha(canonical)),
            "content_type": "application/json", "size_bytes": len(canonical)}]},
        "artifacts": {"proof_bundle_envelope": bundle}, "issued_at": at(700), "metadata": {"clawgrant": evidence},
    }
    digest = b64u(sha(jcs(export)))
    export.update({"bundle_hash_b64u": digest, "hash_algorithm": "SHA-256",
                   "signature_b64u": KEYS["envelope"].sign(digest.encode()), "algorithm": "Ed25519"})
    return export


def trust():
    return {
        "trust_version": "1", "logs": [{"log_id": LOG, "keys": [KEYS["log"].did]}],
        "bundle_signers": [KEYS["envelope"].did], "envelope_signers": [KEYS["envelope"].did],
        "gateway_signers": [KEYS["gateway"].did], "policy_signers": [KEYS["policy"].did],
        "token_keys": [KEYS["token"].did], "approvers": [KEYS["approver"].did], "maximum_skew_seconds": 300,
    }


if __name__ == "__main__":
    folder, calls = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 6
    for file, value in (("page.export.json", build(calls)), ("plain.export.json", build(calls, plain=True)), ("page.trust.json", trust())):
        with open(f"{folder}/{file}", "wb") as output:
            output.write(document(value) + b"\n")
