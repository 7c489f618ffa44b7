import ClawWire

extension [RenderedEvent] {
    /// The events in order, cut into requests of at most so many bytes. An event that is longer by itself is a request of
    /// its own, which the other side then refuses by name.
    ///
    /// - Parameter separator: bytes that stand between two events of a request.
    func requests(maximumBytes: Int, separator: Int = 0) -> [ArraySlice<RenderedEvent>] {
        var requests: [ArraySlice<RenderedEvent>] = []
        var start = startIndex
        var bytes = 0
        for index in indices {
            let length = self[index].bytes.count + separator
            if index > start, bytes + length > maximumBytes {
                requests.append(self[start..<index])
                start = index
                bytes = 0
            }
            bytes += length
        }
        if start < endIndex { requests.append(self[start...]) }
        return requests
    }
}

extension ArraySlice<RenderedEvent> {
    /// The first half and the rest, for a request that was too large as a whole.
    var halves: (ArraySlice<RenderedEvent>, ArraySlice<RenderedEvent>) {
        let middle = startIndex + count / 2
        return (self[..<middle], self[middle...])
    }

    /// A JSON array of the events.
    var jsonArray: [UInt8] {
        var body: [UInt8] = [UInt8(ascii: "[")]
        for (index, event) in enumerated() {
            if index > 0 { body.append(UInt8(ascii: ",")) }
            body += event.bytes
        }
        return body + [UInt8(ascii: "]")]
    }
}

/// A code of another system's answer, for a sentence; empty for anything but a short name. Other words of an answer are never
/// repeated: they may repeat what was sent.
func codeName(_ text: String?) -> String {
    guard let text, (1...64).contains(text.utf8.count),
        text.utf8.allSatisfy({ byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-")
        })
    else { return "" }
    return " \(text)"
}
