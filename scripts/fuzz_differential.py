#!/usr/bin/env python3
"""Holds our readers against those of others, over inputs that a seeded generator makes of the fuzz targets' seeds.

usage: fuzz_differential.py --program .build/debug/clawgrant-verdicts [--count N] [--seed N] [--corpus FOLDER]... [KIND...]

The program answers one line for each input. Each answer is compared with that of the peer: Python's json with rfc8785, json5,
PyJWT and joserfc with cryptography, urllib, and the RFCs' grammars written down anew. Differences that are meant are named
in EXPECTED, each with what must be true of such an input; docs/fuzzing.md gives the reasons. Any other difference is
printed with its input and ends the run with status 1. A peer that is not installed is said to be left out.
"""

import argparse
import base64
import collections
import datetime
import hashlib
import json
import pathlib
import random
import re
import subprocess
import sys
import urllib.parse

SEEDS = pathlib.Path(__file__).resolve().parent.parent / "Tests/FuzzTargetsTests/Seeds"
NOW = 1_772_366_400
KEY_BYTES = bytes([7]) * 32


class Refused(Exception):
    """The peer takes the input for none of its kind."""


def b64u(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def canonical(value):
    import rfc8785

    try:
        return sha256(rfc8785.dumps(value))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise Refused(str(error)) from error


# --- peers: bytes to what our program says behind "ok", or Refused -------------------------------------------------------


def finite(text):
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise Refused("not finite")
    return value


def no_constant(text):
    raise Refused(text)


def unique(pairs):
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Refused("duplicate key")
    return value


def read_json(data, hook):
    try:
        text = data.decode("utf-8")
        return json.loads(
            text, object_pairs_hook=hook, parse_constant=no_constant, parse_float=finite, parse_int=finite)
    except (ValueError, RecursionError) as error:
        raise Refused(str(error)) from error


def peer_json(data):
    return canonical(read_json(data, unique))


def peer_json_last(data):
    return canonical(read_json(data, dict))


def joined(value):
    """The value with pairs of escaped surrogates as the scalars that they stand for, which json5 leaves apart."""
    match value:
        case str(): return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        case list(): return [joined(element) for element in value]
        case dict(): return {joined(name): joined(element) for name, element in value.items()}
        case _: return value


def peer_json5(data):
    import json5

    try:
        value = json5.loads(
            data.decode("utf-8"), object_pairs_hook=unique, parse_constant=no_constant, parse_float=finite,
            parse_int=lambda text, base=10: finite(text) if base == 10 else float(int(text, base)))
    except (ValueError, RecursionError) as error:
        raise Refused(str(error)) from error
    return canonical(joined(value))


ALPHABET58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def peer_base58(data):
    text = data.decode("latin-1")
    number = 0
    for character in text:
        digit = ALPHABET58.find(character)
        if digit < 0:
            raise Refused(character)
        number = number * 58 + digit
    zeros = len(text) - len(text.lstrip("1"))
    return (b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")).hex()


def peer_base64url(data):
    if not re.fullmatch(rb"[A-Za-z0-9_-]*", data) or len(data) % 4 == 1:
        raise Refused("alphabet or length")
    decoded = base64.urlsafe_b64decode(data + b"=" * (-len(data) % 4))
    if b64u(decoded).encode() != data:
        raise Refused("stray bits")
    return decoded.hex()


# RFC 3339 section 5.6, with a space for T as its note allows, and offsets without a colon as vendors write them.
TIME = re.compile(
    rb"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):?(\d\d))")


def peer_timestamp(data):
    match = TIME.fullmatch(data)
    if not match or len(data) > 40:
        raise Refused("grammar")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    if second > 60:
        raise Refused("second")
    try:
        # A leap second is the last second of its minute.
        local = datetime.datetime(year, month, day, hour, minute, min(second, 59))
    except ValueError as error:
        raise Refused(str(error)) from error
    offset = 0
    if match[9]:
        hours, minutes = int(match[10]), int(match[11])
        if hours > 23 or minutes > 59:
            raise Refused("offset")
        offset = (hours * 3600 + minutes * 60) * (1 if match[9] == b"+" else -1)
    seconds = (local - datetime.datetime(1970, 1, 1)) // datetime.timedelta(seconds=1) - offset
    if not 0 <= seconds < 253_402_300_800:
        raise Refused("year")
    micros = int(((match[7] or b"0") + b"000000")[:6])
    return str(seconds * 1_000_000 + micros)


def peer_form(data):
    if re.search(rb"%(?![0-9A-Fa-f]{2})", data):
        raise Refused("percent")
    pairs = []
    for part in data.split(b"&"):
        if not part:
            continue
        name, _, value = part.replace(b"+", b" ").partition(b"=")
        try:
            pairs.append([urllib.parse.unquote_to_bytes(half).decode("utf-8") for half in (name, value)])
        except UnicodeDecodeError as error:
            raise Refused(str(error)) from error
    if len(pairs) > 64:
        raise Refused("pairs")
    return canonical(pairs)


class Keys:
    """The fixed keys of the targets, as cryptography and joserfc have them."""

    def __init__(self):
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self.secret = Ed25519PrivateKey.from_private_bytes(KEY_BYTES)
        self.public = self.secret.public_key()
        self.raw = self.public.public_bytes_raw()


def peer_jws(data, keys):
    import jwt

    try:
        decoded = jwt.api_jws.PyJWS().decode_complete(data, keys.public, algorithms=["EdDSA"])
    except (jwt.PyJWTError, ValueError) as error:
        raise Refused(str(error)) from error
    return sha256(decoded["payload"])


def peer_cst(data, keys):
    import jwt

    try:
        claims = jwt.decode(
            data, keys.public, algorithms=["EdDSA"],
            options={"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False})
    except (jwt.PyJWTError, ValueError) as error:
        raise Refused(str(error)) from error
    return sha256(claims.get("jti", "").encode())


def peer_dpop(data, _keys):
    from joserfc import errors, jws
    from joserfc.jwk import ECKey, OKPKey

    try:
        header = json.loads(base64.urlsafe_b64decode(data.split(b".")[0] + b"=="))
        document = header["jwk"]
        kind = {"OKP": OKPKey, "EC": ECKey}[document["kty"]]
        key = kind.import_key({name: document[name] for name in ("kty", "crv", "x", "y") if name in document})
        registry = jws.JWSRegistry(algorithms=["EdDSA", "Ed25519", "ES256"], strict_check_header=False)
        proof = jws.deserialize_compact(data, key, registry=registry)
        claims = json.loads(proof.payload)
        return f"{key.thumbprint()} {sha256(claims['jti'].encode())}"
    except (errors.JoseError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise Refused(str(error)) from error


def peer_sealed(data, _keys):
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from joserfc import errors, jwe
    from joserfc.jwk import OKPKey

    private = X25519PrivateKey.from_private_bytes(KEY_BYTES)
    key = OKPKey.import_key({
        "kty": "OKP", "crv": "X25519", "x": b64u(private.public_key().public_bytes_raw()), "d": b64u(KEY_BYTES)})
    try:
        registry = jwe.JWERegistry(algorithms=["ECDH-ES", "A256GCM"], strict_check_header=False)
        return sha256(jwe.decrypt_compact(data, key, registry=registry).plaintext)
    except (errors.JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Refused(str(error)) from error
    except Exception as error:
        # cryptography's InvalidTag, which has no class of its own above it.
        if type(error).__name__ != "InvalidTag":
            raise
        raise Refused("tag") from error


# --- what is meant to differ ------------------------------------------------------------------------------------------------


def depth(data):
    level = deepest = 0
    in_string = escaped = False
    for byte in data:
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in b"[{":
            level += 1
            deepest = max(deepest, level)
        elif byte in b"]}":
            level -= 1
    return deepest


def segments(data):
    return [base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)) for part in data.split(b".")]


def is_loose(data):
    """A compact form that Python's base64 takes although it is not the one spelling of its bytes."""
    return any(peer_refuses(peer_base64url, part) for part in data.split(b"."))


def peer_refuses(peer, data):
    try:
        peer(data)
    except Refused:
        return True
    return False


def loose_json(data, index):
    """A part that Python reads and the strict reader refuses: repeated names, lone surrogates, too deep, too large."""
    try:
        return peer_refuses(peer_json, segments(data)[index])
    except ValueError:
        return True


SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")

# Kind, our answer (a reason, or "ok" where we take what the peer refuses), a name, and what must be true of the input.
EXPECTED = [
    ("json*", "no too_deep", "depth limit of 64", lambda data: depth(data) > 64),
    ("json*", "no number_too_long", "number of more than 64 characters",
     lambda data: re.search(rb"[0-9+.eE-]{65,}", data)),
    ("json*", "no string_too_long", "string of more than 256 KiB", lambda data: len(data) > 262_144),
    ("json*", "no too_many_members", "more than 100000 members", lambda data: len(data) > 100_000),
    ("json*", "no too_large", "document of more than 1 MiB", lambda data: len(data) > 1_048_576),
    ("json*", "no reserved_character", "scalar that stands for lone surrogates inside",
     lambda data: re.search(rb"\xf4\x8f[\x80-\x9f]|\\u[dD][bB][fF][cCdD]", data)),
    ("json-last", "ok", "lone surrogate, as ECMAScript takes it", SURROGATE.search),
    ("base58", "no", "text of more than 512 characters", lambda data: len(data) > 512),
    ("jws", "no", "compact form that is not the one spelling", is_loose),
    ("jws", "no", "header that the strict reader refuses", lambda data: loose_json(data, 0)),
    ("jws", "no", "b64, which is not taken (RFC 7797)", lambda data: b"b64" in segments(data)[0]),
    ("jws", "no", "kid of another key", lambda data: b'"kid"' in segments(data)[0]),
    ("jws", "no", "header of more than 4096 characters", lambda data: len(data.split(b".")[0]) > 4096),
    ("cst", "no TOKEN", "spelling or claims that no CST has", lambda data: True),
    ("dpop", "no", "claims that are not those of the request", lambda data: True),
    ("sealed", "no", "header that is never written here", lambda data: b"X25519" in segments(data)[0]),
    ("json5", "ok", "escaped surrogate pair, whose halves the peer leaves apart",
     lambda data: re.search(rb"\\u[dD][89abAB]", data)),
    ("json5", "no", "reading that the JSON5 grammar's subset here leaves out", lambda data: True),
]


def expected(kind, ours, data):
    for pattern, answer, name, holds in EXPECTED:
        applies = kind.startswith(pattern[:-1]) if pattern.endswith("*") else kind == pattern
        if applies and ours.startswith(answer):
            try:
                if holds(data):
                    return name
            except ValueError:
                continue
    return None


# --- inputs -----------------------------------------------------------------------------------------------------------------

WORDS = [
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u0000", b"\\ud800", b"\\udc00", b"\\ud83d\\ude00", b"null", b"true",
    b"-0", b"-", b"0", b"00", b"1e309", b"1e-400", b"4.9e-324", b"9007199254740993", b"1E+2", b"0.1", b"\x00", b"\xef\xbb\xbf",
    b"\xed\xa0\x80", b"\xf4\x8f\x80\x80", b"\xc0\xaf", b" ", b"\t", b"\n", b"\r", b"\x0c", b"e", b"=", b"==", b"%", b"%2", b"%41",
    b"%c3%a9", b"+", b"&", b".", b"..", b"NaN", b"Infinity", b"/*", b"//", b"'", b"$", b"\\x41", b"0x1F", b"\xe2\x80\xa8",
]


def mutate(data, others, chance):
    data = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        place = chance.randint(0, len(data))
        end = min(len(data), place + chance.randint(0, 12))
        match chance.randrange(7):
            case 0: del data[place:end]
            case 1: data[place:place] = data[place:end]
            case 2: data[place:place] = chance.choice(WORDS)
            case 3 if place < len(data): data[place] ^= 1 << chance.randrange(8)
            case 4 if place < len(data): data[place] = chance.randrange(256)
            case 5: data[place:end] = chance.choice(WORDS)
            case _:
                other = chance.choice(others)
                start = chance.randint(0, len(other))
                data[place:end] = other[start:start + chance.randint(1, 24)]
    return bytes(data)


def text(chance):
    pieces = ["a", "é", "\u2028", "\U0001f600", "\uffff", "\"", "\\", "/", "\n", "\x7f", "ſ", "\ufb33", "", "\u20ac", "key"]
    return "".join(chance.choice(pieces) for _ in range(chance.randrange(4)))


def number(chance):
    match chance.randrange(6):
        case 0: return chance.randint(-2**54, 2**54)
        case 1: return chance.random() * 10 ** chance.randint(-330, 308)
        case 2: return chance.randint(-9, 9)
        case 3: return -0.0
        case 4: return chance.choice([1e21, 1e-7, 999999999999999900000.0, 0.000001, 5e-324, 1.7976931348623157e308])
        case _: return float(chance.randint(-2**63, 2**63))


def value(chance, level=0):
    kind = chance.randrange(7 if level < 5 else 5)
    if kind == 5: return [value(chance, level + 1) for _ in range(chance.randrange(4))]
    if kind == 6: return {text(chance): value(chance, level + 1) for _ in range(chance.randrange(4))}
    return [None, True, False, text(chance), number(chance)][kind]


def make_json(chance):
    made = json.dumps(value(chance), ensure_ascii=chance.random() < 0.5, indent=chance.choice([None, None, 1]))
    return made.encode("utf-8", "surrogatepass")


def make_timestamp(chance):
    year = chance.choice([1969, 1970, 1971, 1972, 1999, 2000, 2024, 2026, 2100, 9999, chance.randint(0, 9999)])
    offset = chance.choice(["Z", "z", "+00:00", "-00:01", "+0530", "+23:59", "-23:59", "+24:00"])
    fraction = chance.choice(["", ".1", ".123456", ".1234567", ".000000001"])
    return (
        f"{year:04}-{chance.randint(1, 12):02}-{chance.randint(1, 31):02}{chance.choice('T t')}"
        f"{chance.randint(0, 24):02}:{chance.randint(0, 59):02}:{chance.randint(0, 60):02}{fraction}{offset}").encode()


def make_form(chance):
    pairs = [(text(chance), text(chance)) for _ in range(chance.randrange(6))]
    return urllib.parse.urlencode(pairs, quote_via=chance.choice([urllib.parse.quote, urllib.parse.quote_plus])).encode()


def make_base58(chance):
    return "".join(chance.choice(ALPHABET58) for _ in range(chance.randrange(60))).encode()


def make_base64url(chance):
    return b64u(chance.randbytes(chance.randrange(40))).encode()


def signed(header, payload, keys):
    head = f"{b64u(header)}.{b64u(payload)}".encode()
    return head + b"." + b64u(keys.secret.sign(head)).encode()


def make_jws(chance, keys):
    header = {"alg": chance.choice(["EdDSA", "EdDSA", "EdDSA", "none", "HS256", "eddsa"])}
    if chance.random() < 0.3: header["kid"] = chance.choice(["fuzz", "other", "", 3])
    if chance.random() < 0.1: header["crit"] = chance.choice([[], ["exp"], ["b64"], "b64"])
    if chance.random() < 0.1: header["b64"] = chance.choice([True, False])
    if chance.random() < 0.3: header["typ"] = chance.choice(["JWT", "x", 1])
    encoded = json.dumps(header).encode()
    if chance.random() < 0.2: encoded = mutate(encoded, [encoded], chance)
    return signed(encoded, make_json(chance), keys)


def make_cst(chance, keys):
    kid = sha256(keys.raw)[:16]
    header = {"alg": "EdDSA", "typ": "JWT", "kid": kid}
    claims = {
        "token_version": "1", "sub": "did:web:agents.harborline.example", "aud": ["clawproxy.com"], "scope": ["proxy:call"],
        "iat": NOW, "exp": NOW + 600, "mission_id": "job-1", "token_lane": "legacy", "jti": "j", "nonce": "n"}
    if chance.random() < 0.3: claims[chance.choice(list(claims))] = value(chance)
    encoded = json.dumps(claims).encode()
    if chance.random() < 0.3: encoded = mutate(encoded, [encoded], chance)
    return signed(json.dumps(header).encode(), encoded, keys)


def make_dpop(chance, keys):
    header = {"alg": "EdDSA", "typ": "dpop+jwt", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": b64u(keys.raw)}}
    claims = {
        "htm": "POST", "htu": "https://grants.harborline.example/claim", "jti": text(chance) or "j",
        "iat": NOW + chance.randint(-70, 70)}
    if chance.random() < 0.2: claims["htu"] = chance.choice([
        "HTTPS://GRANTS.harborline.example:443/claim", "https://grants.harborline.example/%63laim",
        "https://grants.harborline.example/a/../claim?x=1#y", "https://grants.harborline.example/Claim"])
    if chance.random() < 0.2: header["jwk"][chance.choice(["kid", "use", "alg", "key_ops"])] = value(chance)
    encoded = json.dumps(header).encode()
    if chance.random() < 0.2: encoded = mutate(encoded, [encoded], chance)
    return signed(encoded, json.dumps(claims).encode(), keys)


def make_sealed(chance, _keys):
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
    from joserfc import jwe
    from joserfc.jwk import OKPKey

    public = X25519PrivateKey.from_private_bytes(KEY_BYTES).public_key().public_bytes_raw()
    key = OKPKey.import_key({"kty": "OKP", "crv": "X25519", "x": b64u(public)})
    header = {"alg": "ECDH-ES", "enc": "A256GCM"}
    if chance.random() < 0.5: header["apv"] = b64u(text(chance).encode())
    if chance.random() < 0.3: header["typ"] = "JWT"
    registry = jwe.JWERegistry(algorithms=["ECDH-ES", "A256GCM"], strict_check_header=False)
    return jwe.encrypt_compact(header, make_json(chance), key, registry=registry).encode()


# Kind: the peer, a maker of inputs that are mostly right, and the targets whose seeds are taken too.
KINDS = {
    "json": (peer_json, make_json, ["json", "json-compatible", "cst", "records", "receipt", "trust", "wpc"]),
    "json-last": (peer_json_last, make_json, ["json", "json-compatible", "envelope", "export-compatible"]),
    "json5": (peer_json5, make_json, ["openclaw", "json"]),
    "base58": (peer_base58, make_base58, ["base58", "did"]),
    "base64url": (peer_base64url, make_base64url, ["base64url"]),
    "timestamp": (peer_timestamp, make_timestamp, ["timestamp"]),
    "form": (peer_form, make_form, ["form"]),
    "jws": (peer_jws, make_jws, ["cst", "header-jws"]),
    "cst": (peer_cst, make_cst, ["cst"]),
    "dpop": (peer_dpop, make_dpop, ["dpop"]),
    "sealed": (peer_sealed, make_sealed, ["sealed-token"]),
}
NEEDS = {
    "json": ["rfc8785"], "json-last": ["rfc8785"], "json5": ["json5", "rfc8785"], "form": ["rfc8785"],
    "jws": ["jwt", "cryptography"], "cst": ["jwt", "cryptography"], "dpop": ["joserfc", "cryptography"],
    "sealed": ["joserfc", "cryptography"],
}


def is_there(name):
    try:
        __import__(name)
    except ImportError:
        return False
    return True


def inputs(kind, count, seed, corpora):
    maker, targets = KINDS[kind][1:]
    chance = random.Random(f"{seed} {kind}")
    keys = Keys() if "cryptography" in NEEDS.get(kind, []) else None
    seeds = [
        path.read_bytes() for folder in [SEEDS, *corpora] for target in targets
        for path in sorted((folder / target).glob("*")) if path.is_file()]
    seeds = [data for data in seeds if len(data) <= 65_536][:4_000]
    # Everything that stands in the tree is held against the peer as it is, then changed.
    yield from seeds[:count]
    for _ in range(max(0, count - len(seeds))):
        if not seeds or chance.random() < 0.5:
            data = maker(chance, keys) if keys else maker(chance)
        else:
            data = chance.choice(seeds)
        if chance.random() < 0.5:
            data = mutate(data, seeds or [data], chance)
        yield data


def ask(program, kind, batch):
    lines = "".join(f"{kind} {b64u(data)}\n" for data in batch)
    answer = subprocess.run([program], input=lines, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        sys.exit(f"{program} ended with {answer.returncode} on {kind}: {answer.stderr[-2000:]}")
    return answer.stdout.split("\n")[:-1]


def run(kind, arguments):
    peer = KINDS[kind][0]
    keys = Keys() if "cryptography" in NEEDS.get(kind, []) else None
    counts = collections.Counter()
    bad = 0
    batch = []

    def judge():
        nonlocal bad
        for data, ours in zip(batch, ask(arguments.program, kind, batch), strict=True):
            try:
                theirs = "ok " + (peer(data, keys) if keys else peer(data))
            except Refused:
                theirs = "no"
            if ours == theirs or (ours.startswith("no") and theirs == "no"):
                counts["both take" if ours.startswith("ok") else "both refuse"] += 1
                continue
            is_split = ours.startswith("ok") != theirs.startswith("ok")
            name = expected(kind, ours, data) if is_split else None
            if name:
                counts[f"meant: {name}"] += 1
                continue
            bad += 1
            if bad <= 20:
                print(f"{kind}: we say {ours!r}, the peer {theirs!r}: {data!r}")
        batch.clear()

    for data in inputs(kind, arguments.count, arguments.seed, arguments.corpus):
        batch.append(data)
        if len(batch) == 20_000:
            judge()
    if batch:
        judge()
    print(f"{kind}: {sum(counts.values()) + bad} inputs, " + ", ".join(f"{counts[key]} {key}" for key in sorted(counts))
          + f", {bad} not meant")
    return bad, counts["both take"]


def main():
    parser = argparse.ArgumentParser(description="Holds our readers against those of others.")
    parser.add_argument("--program", required=True, help="clawgrant-verdicts")
    parser.add_argument("--count", type=int, default=2_000, help="inputs of each kind")
    parser.add_argument("--seed", type=int, default=20_261_123)
    parser.add_argument("--corpus", type=pathlib.Path, action="append", default=[], help="more seeds, a folder a target")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    arguments = parser.parse_args()
    failures = 0
    for kind in arguments.kinds or KINDS:
        if kind not in KINDS:
            sys.exit(f"there is no kind {kind}; there are {', '.join(KINDS)}")
        lacking = [name for name in NEEDS.get(kind, []) if not is_there(name)]
        if lacking:
            print(f"{kind}: left out, for want of {', '.join(lacking)}")
            continue
        bad, taken = run(kind, arguments)
        # A run in which nothing was ever taken by both compares nothing.
        if taken == 0:
            print(f"{kind}: no input was taken by both")
        failures += bad + (taken == 0)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
