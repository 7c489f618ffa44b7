import CPeerCrypto
import ClawWire

extension FuzzTarget {
    /// Spellings of bytes, numbers, keys and traces: what is written is read, and what is read has one spelling.
    static let encodings = [
        FuzzTarget("base58") { bytes throws(FuzzFinding) in
            let short = Array(bytes.prefix(256))
            try require(Base58.decode(Base58.encode(short)) == short, "what was written is not read")
            guard let decoded = Base58.decode(String(decoding: bytes, as: UTF8.self)) else { return }
            try require(Base58.encode(decoded).utf8.elementsEqual(bytes), "two spellings of one value")
        },
        FuzzTarget("hex") { bytes throws(FuzzFinding) in
            try require(Hex.decode(Hex.encode(bytes)) == bytes, "what was written is not read")
            let text = String(decoding: bytes, as: UTF8.self)
            guard let decoded = Hex.decode(text) else { return }
            try require(Hex.encode(decoded) == text.lowercased(), "a value is read that was not written")
        },
        FuzzTarget("did") { bytes throws(FuzzFinding) in
            let text = String(decoding: bytes, as: UTF8.self)
            guard let key = Ed25519PublicKey(did: text) else { return }
            try require(key.did.utf8.elementsEqual(bytes), "two spellings of one key")
            try require(DIDSyntax.isClaimDID(text), "a did:key is no DID")
        },
        FuzzTarget("number") { bytes throws(FuzzFinding) in
            guard bytes.count == 8 else { return try numberText(bytes) }
            let value = Double(bitPattern: bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
            guard value.isFinite else { return }
            let text = ECMAScriptNumber.text(value)
            try require(peerNumber(Array(text.utf8)) == value, "\(text) is another number to the C library")
            let read = try? JSONReader.parse(Array(text.utf8))
            try require(read == .number(value), "\(text) is not read as what was written")
            // No shorter text names the same number: Swift's own printer gives the fewest digits.
            try require(digits(text) <= digits("\(value)"), "\(text) has more digits than \(value)")
        },
        FuzzTarget("trace-context") { bytes throws(FuzzFinding) in
            let lines = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
            let state = lines.count == 2 ? Array(lines[1]) : nil
            guard let context = TraceContext(traceparent: Array(lines.first ?? []), tracestate: state) else { return }
            try require(context.traceparent.utf8.count == 55, "a traceparent of another length is written")
            let again = TraceContext(traceparent: context.traceparent, tracestate: context.state)
            try require(again == context, "what was written is not read as the same")
        },
        FuzzTarget("glob") { bytes throws(FuzzFinding) in
            let parts = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, parts[0].count <= 64, parts[1].count <= 256 else { return }
            let pattern = String(decoding: parts[0], as: UTF8.self)
            let value = String(decoding: parts[1], as: UTF8.self)
            try require(
                ClawWireReaders.matches(glob: pattern, value)
                    == NaiveGlob.matches(Array(pattern.utf16), Array(value.utf16)),
                "another matcher differs on \(pattern.debugDescription) and \(value.debugDescription)")
        },
        FuzzTarget("jwk") { bytes throws(FuzzFinding) in
            guard let value = try? JSONReader.parse(bytes), let key = try? PublicJWK(json: value) else { return }
            guard let again = try? PublicJWK(json: key.json) else {
                return try require(false, "what was written is not read")
            }
            try require(again == key, "a key is read as another")
            let signature = Base64URL.decode(Fixed.noSignature) ?? []
            try require(!key.isValidSignature(signature, for: []), "a signature is valid that nobody made")
        },
    ]

    /// Text as a number: whoever takes it takes it for the same one.
    private static func numberText(_ bytes: [UInt8]) throws(FuzzFinding) {
        guard case .number(let value)? = try? JSONReader.parse(bytes) else { return }
        let blanks: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0D]
        let trimmed = bytes.filter { !blanks.contains($0) }
        try require(
            peerNumber(trimmed) == value, "\(String(decoding: trimmed, as: UTF8.self)) is read as \(value)")
    }

    private static func peerNumber(_ text: [UInt8]) -> Double? {
        var value = 0.0
        let characters = text.map { CChar(bitPattern: $0) } + [0]
        return unsafe peer_number(characters, text.count, &value) ? value : nil
    }

    /// Significant digits of a printed number.
    private static func digits(_ text: String) -> Int {
        let mantissa = text.prefix { $0 != "e" && $0 != "E" }.filter(\.isNumber)
        let front = mantissa.drop { $0 == "0" }
        return front.reversed().drop { $0 == "0" }.count
    }
}

/// The glob of statement policies, told once more by its definition, with a memory instead of passes.
private enum NaiveGlob {
    static func matches(_ pattern: [UInt16], _ value: [UInt16]) -> Bool {
        if pattern.allSatisfy({ $0 == star }), pattern.count == 1 || pattern.count == 2 { return true }
        var known: [Int: Bool] = [:]
        return matches(pattern, 0, value, 0, &known)
    }

    private static let star = UInt16(UInt8(ascii: "*"))
    private static let slash = UInt16(UInt8(ascii: "/"))
    private static let lineEnds: Set<UInt16> = [0x0A, 0x0D, 0x2028, 0x2029]

    private static func matches(
        _ pattern: [UInt16], _ p: Int, _ value: [UInt16], _ v: Int, _ known: inout [Int: Bool]
    ) -> Bool {
        guard p < pattern.count else { return v == value.count }
        let place = p * (value.count + 1) + v
        if let answer = known[place] { return answer }
        var answer = false
        if pattern[p] == star {
            let isDouble = p + 1 < pattern.count && pattern[p + 1] == star
            var rest = p + (isDouble ? 2 : 1)
            if isDouble, rest < pattern.count, pattern[rest] == slash { rest += 1 }
            answer = matches(pattern, rest, value, v, &known)
            if !answer, v < value.count, isDouble ? !lineEnds.contains(value[v]) : value[v] != slash {
                answer = matches(pattern, p, value, v + 1, &known)
            }
        } else if v < value.count {
            let fits = pattern[p] == UInt16(UInt8(ascii: "?")) ? value[v] != slash : pattern[p] == value[v]
            answer = fits && matches(pattern, p + 1, value, v + 1, &known)
        }
        known[place] = answer
        return answer
    }
}
