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
        output.append(UInt8(ascii: "\""))
        output.append(contentsOf: name.utf8)
        output.append(UInt8(ascii: "\""))
        output.append(UInt8(ascii: ":"))
        needsComma = false
    }

    mutating func string(_ text: String) {
        separate()
        output.append(UInt8(ascii: "\""))
        if Self.isPlain(text) {
            output.append(contentsOf: text.utf8)
        } else {
            for byte in text.utf8 { appendEscaped(byte) }
        }
        output.append(UInt8(ascii: "\""))
        needsComma = true
    }

    /// Looks at every byte without an early end, which the compiler turns into vector code.
    private static func isPlain(_ text: String) -> Bool {
        let bytes = text.utf8.span
        var needsEscape = false
        for i in bytes.indices { needsEscape = needsEscape || isEscaped(bytes[i]) }
        return !needsEscape
    }

    private static func isEscaped(_ byte: UInt8) -> Bool { byte < 0x20 || byte == 0x22 || byte == 0x5C }

    /// Unlike ``JSONWriter``, which serves the compatible formats too, this never prints a lone surrogate: every scalar
    /// of a text is printed as itself, so what is written can be read back whatever the text is.
    private mutating func appendEscaped(_ byte: UInt8) {
        guard Self.isEscaped(byte) else {
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
        let bytes = digest.bytes
        let alphabet = Self.alphabet
        output.append(UInt8(ascii: "\""))
        // 32 bytes are ten groups of three and two more, without padding 43 characters.
        for i in stride(from: 0, to: 33, by: 3) {
            let group =
                UInt32(bytes[i]) << 16 | UInt32(bytes[i + 1]) << 8 | (i + 2 < bytes.count ? UInt32(bytes[i + 2]) : 0)
            output.append(alphabet[Int(group >> 18)])
            output.append(alphabet[Int(group >> 12 & 0x3F)])
            output.append(alphabet[Int(group >> 6 & 0x3F)])
            if i < 30 { output.append(alphabet[Int(group & 0x3F)]) }
        }
        output.append(UInt8(ascii: "\""))
        needsComma = true
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

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

    /// Appends a part of canonical text after which a member may begin.
    mutating func raw(_ bytes: ArraySlice<UInt8>) {
        output.append(contentsOf: bytes)
        needsComma = false
    }

    mutating func timestamp(_ instant: Timestamp) {
        separate()
        output.append(UInt8(ascii: "\""))
        appendDateTime(instant)
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
        string(digest.hex)
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

    /// The text of ``Timestamp/iso8601`` without its intermediate strings.
    private mutating func appendDateTime(_ instant: Timestamp) {
        let milliseconds = instant.milliseconds
        let days = Int64(instant.day)
        // Days are counted from 0000-03-01 so that the leap day is the last of its year.
        let shiftedDays = days + 719_468
        let era = (shiftedDays >= 0 ? shiftedDays : shiftedDays - 146_096) / 146_097
        let dayOfEra = shiftedDays - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let time = milliseconds - days * 86_400_000
        digits(yearOfEra + era * 400 + (month <= 2 ? 1 : 0), 4)
        output.append(UInt8(ascii: "-"))
        digits(month, 2)
        output.append(UInt8(ascii: "-"))
        digits(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1, 2)
        output.append(UInt8(ascii: "T"))
        digits(time / 3_600_000, 2)
        output.append(UInt8(ascii: ":"))
        digits(time / 60_000 % 60, 2)
        output.append(UInt8(ascii: ":"))
        digits(time / 1_000 % 60, 2)
        output.append(UInt8(ascii: "."))
        digits(time % 1_000, 3)
        output.append(UInt8(ascii: "Z"))
    }

    private mutating func digits(_ value: Int64, _ width: Int) {
        var divisor: Int64 = 1
        for _ in 1..<width { divisor *= 10 }
        while divisor > 0 {
            output.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: abs(value / divisor) % 10))
            divisor /= 10
        }
    }
}

extension Timestamp {
    /// The instant cut to the milliseconds that records carry.
    var cutToMilliseconds: Timestamp { Timestamp(milliseconds: milliseconds) }
}
