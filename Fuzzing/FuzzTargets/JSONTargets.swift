import ClawWire

extension FuzzTarget {
    /// The reader and both printers: what was read is printed, and what is printed is read as the same value.
    static let json = [
        FuzzTarget("json") { bytes throws(FuzzFinding) in
            guard let value = try? JSONReader.parse(bytes) else { return }
            for order in [JSONWriter.Order.asGiven, .canonical, .document] {
                let printed = JSONWriter.bytes(value, order: order)
                guard let again = try? JSONReader.parse(printed, limits: .unbounded(printed.count)) else {
                    return try require(false, "what was printed cannot be read")
                }
                try require(JSONWriter.bytes(again, order: order) == printed, "printing is not stable")
            }
        },
        FuzzTarget("json-compatible") { bytes throws(FuzzFinding) in
            guard let value = try? JSONReader.parse(bytes, duplicates: .keepLastValue) else { return }
            let printed = JSONWriter.bytes(value, order: .document)
            let again = try? JSONReader.parse(
                printed, limits: .unbounded(printed.count), duplicates: .keepLastValue)
            try require(again.map { JSONWriter.bytes($0, order: .document) } == printed, "printing is not stable")
            _ = value.canonicalDigest
        },
        FuzzTarget("base64url") { bytes throws(FuzzFinding) in
            guard let decoded = Base64URL.decode(String(decoding: bytes, as: UTF8.self)) else { return }
            try require(Array(Base64URL.encode(decoded).utf8) == bytes, "two spellings of one value")
        },
        FuzzTarget("timestamp") { bytes throws(FuzzFinding) in
            guard let time = Timestamp(rfc3339: String(decoding: bytes, as: UTF8.self)) else { return }
            guard let again = Timestamp(rfc3339: time.iso8601) else { return try require(false, "unreadable: \(time)") }
            try require(again.milliseconds == time.milliseconds, "\(time) is read as \(again)")
        },
    ]
}

extension JSONLimits {
    /// Limits for a document that we printed ourselves: escapes may have made it larger than the one that was read.
    fileprivate static func unbounded(_ bytes: Int) -> JSONLimits {
        var limits = JSONLimits.standard
        limits.maximumBytes = max(bytes, limits.maximumBytes)
        return limits
    }
}
