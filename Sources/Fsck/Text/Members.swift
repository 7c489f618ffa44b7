import ClawWire

/// The members of one object within canonical text, read on demand.
struct Members {
    let text: [UInt8]
    private let list: [CanonicalText.Member]

    /// Reads the object that is the whole text.
    init(_ text: [UInt8]) throws(CanonicalText.Fault) {
        self.text = text
        list = try CanonicalText.wholeObject(text.span)
    }

    init(_ text: [UInt8], _ list: [CanonicalText.Member]) {
        self.text = text
        self.list = list
    }

    /// Names in order.
    var names: [String] { list.map { CanonicalText.plain(text.span, $0.key) } }

    /// Every member: its name and where its value stands.
    var all: [(name: String, value: Range<Int>)] {
        list.map { (CanonicalText.plain(text.span, $0.key), $0.value) }
    }

    func range(_ name: String) -> Range<Int>? {
        let bytes = name.utf8
        let span = text.span
        for i in list.indices where list[i].key.count == bytes.count {
            var position = list[i].key.lowerBound
            var isEqual = true
            for byte in bytes {
                if span[position] != byte {
                    isEqual = false
                    break
                }
                position += 1
            }
            if isEqual { return list[i].value }
        }
        return nil
    }

    func has(_ name: String) -> Bool { range(name) != nil }

    /// The bytes of a value as they stand; `nil` when there is none.
    func raw(_ name: String) -> ArraySlice<UInt8>? { range(name).map { text[$0] } }

    func string(_ name: String) -> String? { range(name).flatMap { string(at: $0) } }

    func integer(_ name: String) -> Int64? {
        guard let range = range(name), range.count <= 17 else { return nil }
        return Int64(String(decoding: text[range], as: UTF8.self))
    }

    /// A count or position: not negative, and exact in every reader.
    func count(_ name: String) -> Int64? {
        integer(name).flatMap { $0 >= 0 && $0 <= 9_007_199_254_740_991 ? $0 : nil }
    }

    func digest(_ name: String) -> Digest? { string(name).flatMap { Digest(b64u: $0) } }

    /// A time in the one form that is written: UTC with milliseconds.
    func time(_ name: String) -> Timestamp? {
        guard let text = string(name), let time = Timestamp(rfc3339: text), time.iso8601 == text else { return nil }
        return time
    }

    func object(_ name: String) -> Members? { range(name).flatMap { object(at: $0) } }

    func strings(_ name: String) -> [String]? {
        guard let elements = elements(name) else { return nil }
        var strings: [String] = []
        for element in elements {
            guard let text = string(at: element) else { return nil }
            strings.append(text)
        }
        return strings
    }

    func objects(_ name: String) -> [Members]? {
        guard let elements = elements(name) else { return nil }
        var objects: [Members] = []
        for element in elements {
            guard let object = object(at: element) else { return nil }
            objects.append(object)
        }
        return objects
    }

    /// What a string at a place says, as UTF-8: for keys.
    func string(at range: Range<Int>) -> String? {
        guard range.count >= 2, text[range.lowerBound] == UInt8(ascii: "\"") else { return nil }
        return CanonicalText.plain(text.span, (range.lowerBound + 1)..<(range.upperBound - 1))
    }

    private func object(at range: Range<Int>) -> Members? {
        guard text[range.lowerBound] == UInt8(ascii: "{"),
            let (members, _) = try? CanonicalText.object(text.span, at: range.lowerBound)
        else { return nil }
        return Members(text, members)
    }

    private func elements(_ name: String) -> [Range<Int>]? {
        guard let range = range(name), text[range.lowerBound] == UInt8(ascii: "["),
            let (elements, _) = try? CanonicalText.array(text.span, at: range.lowerBound, maximum: 4_096)
        else { return nil }
        return elements
    }
}
