/// Walks DER (X.690): definite lengths in their shortest form, single-byte tags; anything else is refused.
struct DERReader {
    /// One element.
    struct Element {
        let tag: UInt8
        let content: ArraySlice<UInt8>
    }

    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// True when every byte has been read.
    var isAtEnd: Bool { rest.isEmpty }

    /// The next element's tag.
    var nextTag: UInt8? { rest.first }

    /// Reads the next element, or returns `nil` when the bytes are not DER.
    mutating func next() -> Element? {
        guard let tag = rest.popFirst(), tag & 0x1F != 0x1F, let first = rest.popFirst() else { return nil }
        var length = Int(first)
        if first >= 0x80 {
            let octets = Int(first & 0x7F)
            guard (1...3).contains(octets), rest.count >= octets else { return nil }
            length = rest.prefix(octets).reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(octets)
            guard length >= 0x80, octets == 1 || length >= 1 << (8 * (octets - 1)) else { return nil }
        }
        guard rest.count >= length else { return nil }
        defer { rest = rest.dropFirst(length) }
        return Element(tag: tag, content: rest.prefix(length))
    }

    /// Reads the next element's content when it has the tag.
    mutating func next(_ tag: UInt8) -> ArraySlice<UInt8>? {
        guard nextTag == tag else { return nil }
        return next()?.content
    }
}

/// An object identifier as dotted decimal, for messages; `nil` when the content is not one.
func dottedObjectIdentifier(_ content: ArraySlice<UInt8>) -> String? {
    guard !content.isEmpty, content.count <= 32, content.last.map({ $0 & 0x80 == 0 }) == true else { return nil }
    var arcs: [UInt64] = []
    var value: UInt64 = 0
    for byte in content {
        guard value < 1 << 56 else { return nil }
        value = value << 7 | UInt64(byte & 0x7F)
        guard byte & 0x80 == 0 else { continue }
        if arcs.isEmpty {
            let root = min(value / 40, 2)
            arcs = [root, value - root * 40]
        } else {
            arcs.append(value)
        }
        value = 0
    }
    return arcs.map(String.init).joined(separator: ".")
}
