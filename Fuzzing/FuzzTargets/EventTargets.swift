package import ApprovalSources
import ClawWire
import Crypto
import IssuanceRules

extension FuzzTarget {
    /// Records with their headers, and what proves them.
    static let events = [
        FuzzTarget("cloudevent") { bytes throws(FuzzFinding) in
            let record = SourceRecord(lines: bytes)
            let limits = SourceConfiguration.Limits()
            guard let event = try? CloudEvent(record: record, limits: limits) else { return }
            try require(record.headers.count <= limits.maximumHeaders, "more headers than the limit")
            for text in [event.id, event.source, event.type, event.subject ?? "-"] {
                try require(text.utf8.count <= limits.maximumIdentifierBytes, "an identifier above the limit")
                try require(!text.unicodeScalars.contains { $0.value < 0x20 }, "an identifier with a control character")
            }
            // What is written stands one level deeper than data that came alone.
            var wide = limits
            wide.json = JSONLimits(maximumBytes: 1 << 24, maximumDepth: 70, maximumMembers: 200_000)
            let structured = try? CloudEvent(record: event.record(.structured, topic: "fuzz"), limits: wide)
            try require(structured == event, "an event is not read as it was written")
            // Data of another type than it says has no one form in both modes; empty data is none in binary mode.
            guard [nil, "application/json"].contains(event.dataContentType), event.data != .bytes([]) else { return }
            guard event.json != nil || event.data == .none else { return }
            let binary = try? CloudEvent(record: event.record(.binary, topic: "fuzz"), limits: wide)
            try require(binary?.canonicalBytes == event.canonicalBytes, "an event has two canonical forms")
            try require(
                binary?.extensions.mapValues(\.text) == event.extensions.mapValues(\.text),
                "an extension is lost between the modes")
        },
        FuzzTarget("control") { bytes throws(FuzzFinding) in
            let record = SourceRecord(lines: bytes)
            switch Control.source.read(record, at: Fixed.now) {
            case .event, .widened: try require(false, "a control event is obeyed that nobody signed")
            case .quarantined, .tombstone: break
            }
            guard let event = try? CloudEvent(record: record, limits: SourceConfiguration.Limits()),
                let signed = try? Control.signer.sign(event)
            else { return }
            let reading = Control.source.read(signed.record(.structured, topic: "fuzz"), at: Fixed.now)
            switch reading {
            case .event(let event): try Control.isStored(event)
            case .widened(let stops, let fault):
                try require(fault.code == .malformed, "an event is widened for another reason than its form")
                try require(!stops.isEmpty, "an event is widened to nothing")
                for stop in stops {
                    guard case .stop(let order) = stop.operation, order.isWidened
                    else { return try require(false, "an event is widened to something else than a stop") }
                    try Control.isStored(stop)
                }
            case .quarantined(let fault):
                try require(
                    fault.code != .unauthenticated && fault.code != .unknownSigner, "a signature of ours is refused")
            case .tombstone: try require(false, "a signed event is taken for a tombstone")
            }
        },
        FuzzTarget("batch-signature") { bytes throws(FuzzFinding) in
            let text = String(decoding: bytes, as: UTF8.self)
            guard let signature = try? BatchSignature(text: text) else { return }
            try require((try? BatchSignature(text: signature.text)) == signature, "what was written is not read")
            try require(
                !signature.includes(ClawWire.Digest(hashing: "nowhere")), "an event is in a batch that was never in one"
            )
        },
        FuzzTarget("header-signature") { bytes throws(FuzzFinding) in
            guard let first = bytes.first else { return }
            let form = HeaderProof.forms[Int(first) % HeaderProof.forms.count]
            let record = SourceRecord(lines: Array(bytes.dropFirst()))
            let body = record.value ?? []
            let verifier = HeaderSignatureVerifier(form, secrets: [HeaderProof.secret])
            let found = try? verifier.verify(headers: record.headers, body: body, at: Fixed.now)
            try require(found == nil, "a body is proven by who does not know the secret")
            var headers = record.headers.filter { !verifier.headers.contains($0.name.lowercased()) }
            headers += HeaderProof.headers(form, body: body)
            try require(
                (try? verifier.verify(headers: headers, body: body, at: Fixed.now))?.keyName == "fuzz",
                "a right code is refused")
            try require(
                (try? verifier.verify(headers: headers, body: body + [0], at: Fixed.now)) == nil,
                "a code is taken for another body")
            try require(
                (try? verifier.verify(headers: headers + headers.suffix(1), body: body, at: Fixed.now)) == nil,
                "a header that stands twice is taken")
        },
        FuzzTarget("header-jws") { bytes throws(FuzzFinding) in
            let whole = HeaderSignatureVerifier(jwsIn: nil, keys: [HeaderProof.keys])
            try require(
                (try? whole.verify(headers: [], body: bytes, at: Fixed.now)) == nil,
                "a token is taken that no listed key signed")
            // A header of the input, signed: what is taken says the algorithm of the key, and nothing critical.
            var pieces = Pieces(bytes)
            let (header, payload) = (pieces.bytes(), pieces.bytes())
            let compact = HeaderProof.compact(header, payload)
            guard let proof = try? whole.verify(headers: [], body: compact, at: Fixed.now) else { return }
            try require(proof.payload == payload, "another content is taken than the one that was signed")
            let object = (try? JSONReader.parse(header))?.object
            try require(
                object?["alg"] == "EdDSA" && object?["crit"] == nil && object?["b64"] == nil,
                "a header is taken that asks for something else")
            let detached = compact.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            let field = Array(detached[0]) + Array("..".utf8) + Array(detached[2])
            let beside = HeaderSignatureVerifier(jwsIn: "x-jws", keys: [HeaderProof.keys])
            let headers = [SourceRecord.Header("X-JWS", field)]
            try require(
                (try? beside.verify(headers: headers, body: payload, at: Fixed.now)) != nil,
                "a signature is taken with its content and not without")
            try require(
                (try? beside.verify(headers: headers, body: payload + [0], at: Fixed.now)) == nil,
                "a signature is taken for another content")
        },
        FuzzTarget("header-keys") { bytes throws(FuzzFinding) in
            guard let keys = try? HeaderKeySet(name: "fuzz", jwks: bytes) else { return }
            try require((try? HeaderKeySet(name: "fuzz", jwks: bytes)) == keys, "one document, two key sets")
            let verifier = HeaderSignatureVerifier(jwsIn: nil, keys: [keys])
            let token = Array("eyJhbGciOiJFZERTQSJ9.e30.".utf8) + Array(Fixed.noSignature.utf8)
            try require(
                (try? verifier.verify(headers: [], body: token, at: Fixed.now)) == nil,
                "a signature is valid that nobody made")
        },
    ]
}

extension SourceRecord {
    /// A record of an input: a header a line, `name: value`, an empty line, the value. Without the empty line there is no
    /// value, which is a tombstone.
    package init(lines bytes: [UInt8]) {
        var headers: [SourceRecord.Header] = []
        var rest = bytes[...]
        var value: [UInt8]?
        while !rest.isEmpty, headers.count <= 100 {
            let end = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.endIndex
            let line = rest[..<end]
            rest = rest[end...].dropFirst()
            if line.isEmpty {
                value = Array(rest)
                break
            }
            let parts = line.split(separator: UInt8(ascii: ":"), maxSplits: 1, omittingEmptySubsequences: false)
            headers.append(
                SourceRecord.Header(
                    String(decoding: parts[0], as: UTF8.self),
                    parts.count == 2 ? Array(parts[1].drop { $0 == UInt8(ascii: " ") }) : nil))
        }
        self.init(topic: "fuzz", headers: headers, value: value, timestamp: Fixed.now)
    }
}

/// A control topic that one key may write to.
private enum Control {
    static let signer = NativeEventSigner(Fixed.signer)
    static let source = ControlSource(
        rules: ControlRules(signers: [
            Fixed.signer.publicKey.kid: ControlRules.Signer(
                key: Fixed.signer.publicKey, operations: Set(ControlOperation.Kind.allCases))
        ]))

    /// What is obeyed is kept in the ledger and read again from there.
    static func isStored(_ event: ControlEvent) throws(FuzzFinding) {
        let again = try? ControlEvent(encoded: event.encoded)
        try require(again == event, "a control event is not read as it is kept")
    }
}

/// What proves bodies: a secret, and a key set of one key.
private enum HeaderProof {
    private static let secretBytes = Array("a secret that the fuzzer does not know".utf8)

    static let secret: HeaderSecret = {
        guard let secret = HeaderSecret(name: "fuzz", bytes: secretBytes) else {
            preconditionFailure("the secret is long enough")
        }
        return secret
    }()

    static let forms: [HeaderSignatureScheme.HMACForm] = [.github, .pagerDuty, .slack, .atlassian].compactMap {
        (scheme: HeaderSignatureScheme) -> HeaderSignatureScheme.HMACForm? in
        if case .hmac(let form) = scheme { form } else { nil }
    }

    static let keys: HeaderKeySet = {
        let jwk: JSONValue = [
            "alg": "EdDSA", "crv": "Ed25519", "kid": "fuzz", "kty": "OKP",
            "x": .string(Base64URL.encode(Fixed.signer.publicKey.bytes)),
        ]
        let document: JSONValue = ["keys": [jwk]]
        guard let keys = try? HeaderKeySet(name: "fuzz", jwks: JSONWriter.bytes(document)) else {
            preconditionFailure("the document is a key set")
        }
        return keys
    }()

    /// The headers that a sender with the secret writes.
    static func headers(_ form: HeaderSignatureScheme.HMACForm, body: [UInt8]) -> [SourceRecord.Header] {
        var headers: [SourceRecord.Header] = []
        var signed = body
        if let time = form.timestamp {
            let text = String(Fixed.now.seconds)
            headers.append(SourceRecord.Header(time.header, text))
            signed = Array("\(time.version):\(text):".utf8) + body
        }
        let code = HMAC<Crypto.SHA256>.authenticationCode(for: signed, using: SymmetricKey(data: secretBytes))
        headers.append(SourceRecord.Header(form.header, form.prefix + Hex.encode(Array(code))))
        return headers
    }

    /// A token of a header and a content, signed by the listed key.
    static func compact(_ header: [UInt8], _ payload: [UInt8]) -> [UInt8] {
        let input = Array("\(Base64URL.encode(header)).\(Base64URL.encode(payload))".utf8)
        guard let signature = try? Fixed.signer.sign(input) else { return [] }
        return input + Array(".\(signature.b64u)".utf8)
    }
}
