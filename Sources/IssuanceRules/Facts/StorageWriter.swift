import ClawWire

/// Appends compact JSON without building a value first: the ledger stores states and requests in large numbers.
struct StorageWriter {
    private(set) var bytes: [UInt8] = []
    private var needsComma = false

    init() { bytes.reserveCapacity(1_024) }

    mutating func object(_ body: (inout StorageWriter) -> Void) {
        separate()
        bytes.append(UInt8(ascii: "{"))
        needsComma = false
        body(&self)
        bytes.append(UInt8(ascii: "}"))
        needsComma = true
    }

    mutating func array<Element>(
        _ key: StaticString, _ elements: [Element], _ body: (inout StorageWriter, Element) -> Void
    ) {
        guard !elements.isEmpty else { return }
        self.key(key)
        bytes.append(UInt8(ascii: "["))
        needsComma = false
        for element in elements { body(&self, element) }
        bytes.append(UInt8(ascii: "]"))
        needsComma = true
    }

    mutating func key(_ key: StaticString) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        key.withUTF8Buffer { (buffer: UnsafeBufferPointer<UInt8>) in unsafe bytes.append(contentsOf: buffer) }
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    mutating func member(_ key: StaticString, _ value: String?) {
        guard let value else { return }
        self.key(key)
        string(value)
    }

    mutating func member(_ key: StaticString, _ value: Timestamp?) {
        guard let value else { return }
        self.key(key)
        number(value.microseconds)
    }

    mutating func member(_ key: StaticString, integer value: Int64?) {
        guard let value else { return }
        self.key(key)
        number(value)
    }

    /// A whole value behind its key.
    mutating func value(_ value: JSONValue) {
        separate()
        JSONWriter.append(value, order: .asGiven, to: &bytes)
        needsComma = true
    }

    /// A member that is there only when it is true.
    mutating func flag(_ key: StaticString, _ value: Bool) {
        guard value else { return }
        self.key(key)
        bytes.append(UInt8(ascii: "1"))
        needsComma = true
    }

    mutating func string(_ value: String) {
        separate()
        JSONWriter.append(string: value, to: &bytes)
        needsComma = true
    }

    mutating func member(_ key: StaticString, _ value: Digest) {
        self.key(key)
        string(value)
    }

    mutating func string(_ digest: Digest) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        digest.appendB64U(to: &bytes)
        bytes.append(UInt8(ascii: "\""))
        needsComma = true
    }

    /// Bytes as a string of their base64url.
    mutating func base64URL(_ value: [UInt8]) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        Base64URL.append(value, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
        needsComma = true
    }

    /// Writes an integer; past ±(2^53 − 1), where JSON numbers stop being exact, as a string of its digits.
    private mutating func number(_ value: Int64) {
        separate()
        let isExact = value.magnitude <= 9_007_199_254_740_991
        if !isExact { bytes.append(UInt8(ascii: "\"")) }
        ECMAScriptNumber.append(integer: value, to: &bytes)
        if !isExact { bytes.append(UInt8(ascii: "\"")) }
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = false
    }
}

/// Why stored bytes could not be read back: the ledger holds something that this version did not write.
public struct StorageError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What was being read, for example `approval state`.
    public let subject: String
    /// Where and what, for example `ap[0].i is missing`.
    public let detail: String

    /// Says what could not be read and why.
    public var description: String { "the stored \(subject) cannot be read: \(detail)" }

    /// Stored bytes do not repair themselves.
    public var isRetriable: Bool { false }
}

extension JSONValue {
    func text(_ key: String, of subject: String) throws(StorageError) -> String {
        guard let value = self[key]?.string else {
            throw StorageError(subject: subject, detail: "\(key) is not a string")
        }
        return value
    }

    /// An integer that ``StorageWriter`` wrote.
    var storedInteger: Int64? { integer ?? string.flatMap { Int64($0) } }

    /// A time; one that no calendar of ours reaches reads as unknown, so that reckoning with it cannot overflow.
    func time(_ key: String) -> Timestamp? {
        guard let microseconds = self[key]?.storedInteger, microseconds.magnitude < 300_000_000_000_000_000 else {
            return nil
        }
        return Timestamp(microseconds: microseconds)
    }

    func flag(_ key: String) -> Bool { self[key] != nil }

    func elements(_ key: String) -> [JSONValue] { self[key]?.array ?? [] }
}
