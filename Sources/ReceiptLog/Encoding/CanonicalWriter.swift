import ClawWire

/// Writes RFC 8785 text straight into a buffer.
///
/// The caller gives members in canonical order; the tests compare every format with the generic printer, which sorts.
/// Receipts are written once per decision, where building and sorting a ``JSONValue`` would cost more than signing
/// batches costs.
struct CanonicalWriter {
    private(set) var output: [UInt8] = []
    private var needsComma = false

    init(capacity: Int = 1_024) { output.reserveCapacity(capacity) }

    mutating func openObject() { open(UInt8(ascii: "{")) }

    mutating func closeObject() { close(UInt8(ascii: "}")) }

    mutating func openArray() { open(UInt8(ascii: "[")) }

    mutating func closeArray() { close(UInt8(ascii: "]")) }

    /// Begins a member; a value has to follow.
    mutating func key(_ name: String) {
        separate()
        JSONText.appendQuoted(name, to: &output)
        output.append(UInt8(ascii: ":"))
        needsComma = false
    }

    mutating func string(_ text: String) {
        separate()
        let bytes = text.utf8.span
        if JSONText.plainPart(of: bytes, from: 0).end == bytes.count {
            JSONText.appendQuoted(text, to: &output)
        } else {
            output.append(UInt8(ascii: "\""))
            for byte in text.utf8 { appendEscaped(byte) }
            output.append(UInt8(ascii: "\""))
        }
        needsComma = true
    }

    /// Unlike ``JSONWriter``, which serves the compatible formats too, this never prints a lone surrogate: every scalar
    /// of a text is printed as itself, so what is written can be read back whatever the text is.
    private mutating func appendEscaped(_ byte: UInt8) {
        guard byte < 0x20 || byte == 0x22 || byte == 0x5C else {
            output.append(byte)
            return
        }
        output.append(UInt8(ascii: "\\"))
        switch byte {
        case 0x22, 0x5C: output.append(byte)
        case 0x08: output.append(UInt8(ascii: "b"))
        case 0x09: output.append(UInt8(ascii: "t"))
        case 0x0A: output.append(UInt8(ascii: "n"))
        case 0x0C: output.append(UInt8(ascii: "f"))
        case 0x0D: output.append(UInt8(ascii: "r"))
        default: output.append(contentsOf: "u00\(Hex.encode([byte]))".utf8)
        }
    }

    mutating func integer(_ value: Int64) {
        separate()
        ECMAScriptNumber.append(integer: value, to: &output)
        needsComma = true
    }

    mutating func digest(_ digest: Digest) {
        separate()
        output.append(UInt8(ascii: "\""))
        digest.appendB64U(to: &output)
        output.append(UInt8(ascii: "\""))
        needsComma = true
    }

    mutating func value(_ value: JSONValue) {
        separate()
        JSONWriter.append(value, order: .canonical, to: &output)
        needsComma = true
    }

    /// Appends bytes that are canonical already.
    mutating func verbatim(_ bytes: [UInt8]) {
        separate()
        output.append(contentsOf: bytes)
        needsComma = true
    }

    /// Appends a part of canonical text that begins with a member and after which another may begin.
    mutating func raw(_ bytes: ArraySlice<UInt8>) {
        separate()
        output.append(contentsOf: bytes)
        needsComma = false
    }

    mutating func timestamp(_ instant: Timestamp) {
        separate()
        output.append(UInt8(ascii: "\""))
        instant.appendISO8601(to: &output)
        output.append(UInt8(ascii: "\""))
        needsComma = true
    }

    mutating func member(_ name: String, _ text: String) {
        key(name)
        string(text)
    }

    mutating func member(_ name: String, _ text: String?) {
        if let text { member(name, text) }
    }

    mutating func member(_ name: String, _ number: Int64) {
        key(name)
        integer(number)
    }

    mutating func member(_ name: String, _ number: Int64?) {
        if let number { member(name, number) }
    }

    mutating func member(_ name: String, _ digest: Digest) {
        key(name)
        self.digest(digest)
    }

    mutating func member(_ name: String, _ digest: Digest?) {
        if let digest { member(name, digest) }
    }

    mutating func member(_ name: String, hex digest: Digest) {
        key(name)
        output.append(UInt8(ascii: "\""))
        digest.appendHex(to: &output)
        output.append(UInt8(ascii: "\""))
        needsComma = true
    }

    mutating func member(_ name: String, _ instant: Timestamp) {
        key(name)
        timestamp(instant)
    }

    mutating func member(_ name: String, _ texts: [String]) {
        key(name)
        openArray()
        for text in texts { string(text) }
        closeArray()
    }

    mutating func member(_ name: String, _ digests: [Digest]) {
        key(name)
        openArray()
        for digest in digests { self.digest(digest) }
        closeArray()
    }

    private mutating func open(_ bracket: UInt8) {
        separate()
        output.append(bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        output.append(bracket)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { output.append(UInt8(ascii: ",")) }
    }
}

extension Timestamp {
    /// The instant cut to the milliseconds that records carry.
    var cutToMilliseconds: Timestamp { Timestamp(milliseconds: milliseconds) }
}
