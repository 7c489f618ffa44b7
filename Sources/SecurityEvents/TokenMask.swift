public import ClawWire

/// Takes tokens out of text that goes to people and to other systems. Nothing there should ever hold one; this is the
/// second lock, and the first for what strangers write.
public enum TokenMask {
    /// What stands in a token's place.
    public static let placeholder = "(token)"

    /// The text with every compact JWS or JWE (RFC 7515 section 7.1, RFC 7516 section 7.1) replaced: runs of base64url
    /// and dots that begin as every encoded JSON object does and have at least two dots.
    public static func masked(_ text: String) -> String {
        guard mayHoldToken(text) else { return text }
        let bytes = Array(text.utf8)
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        var position = 0
        while position < bytes.count {
            guard isTokenByte(bytes[position]) else {
                output.append(bytes[position])
                position += 1
                continue
            }
            let end = bytes[position...].firstIndex { !isTokenByte($0) } ?? bytes.count
            append(bytes[position..<end], to: &output)
            position = end
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// Whether the first characters of `{"` in base64url stand anywhere; most text does not have them.
    private static func mayHoldToken(_ text: String) -> Bool {
        guard text.utf8.count >= 20 else { return false }
        var (last, beforeLast): (UInt8, UInt8) = (0, 0)
        for byte in text.utf8 {
            if byte == UInt8(ascii: "J"), last == UInt8(ascii: "y"), beforeLast == UInt8(ascii: "e") { return true }
            (last, beforeLast) = (byte, last)
        }
        return false
    }

    /// The value with every text in it masked.
    public static func masked(_ value: JSONValue) -> JSONValue {
        switch value {
        case .string(let text): .string(masked(text))
        case .array(let elements): .array(elements.map { masked($0) })
        case .object(let object): .object(masked(object))
        case .null, .bool, .number: value
        }
    }

    /// The object with every text in it masked.
    public static func masked(_ object: JSONObject) -> JSONObject {
        JSONObject(object.members.map { ($0.key, masked($0.value)) })
    }

    private static func append(_ run: ArraySlice<UInt8>, to output: inout [UInt8]) {
        guard let start = start(of: run), run[start...].count(where: { $0 == UInt8(ascii: ".") }) >= 2 else {
            output.append(contentsOf: run)
            return
        }
        output.append(contentsOf: run[..<start])
        output.append(contentsOf: placeholder.utf8)
    }

    private static func start(of run: ArraySlice<UInt8>) -> Int? {
        let mark = Array("eyJ".utf8)
        guard run.count >= 20 else { return nil }
        return (run.startIndex...(run.endIndex - mark.count)).first { run[$0..<($0 + mark.count)].elementsEqual(mark) }
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}
