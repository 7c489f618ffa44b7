import ClawWire
import TestSupport

extension SeededGenerator {
    mutating func bytes(upTo maximum: Int) -> [UInt8] {
        (0..<Int.random(in: 0...maximum, using: &self)).map { _ in UInt8.random(in: 0...255, using: &self) }
    }

    mutating func scalar() -> Unicode.Scalar {
        let ranges: [ClosedRange<UInt32>] = [
            0x20...0x7E, 0x00...0x1F, 0x80...0x7FF, 0xE000...0xFFFF, 0x10000...0x10EFFF,
        ]
        let range = ranges[Int.random(in: 0..<ranges.count, using: &self)]
        return Unicode.Scalar(UInt32.random(in: range, using: &self)) ?? "?"
    }

    mutating func text(upTo maximum: Int) -> String {
        var text = String.UnicodeScalarView()
        for _ in 0..<Int.random(in: 0...maximum, using: &self) { text.append(scalar()) }
        return String(text)
    }

    mutating func double() -> Double {
        switch Int.random(in: 0...3, using: &self) {
        case 0: return Double(Int.random(in: -1_000_000...1_000_000, using: &self))
        case 1: return Double(Int64.random(in: .min ... .max, using: &self))
        case 2: return Double.random(in: -1...1, using: &self)
        default:
            let value = Double(bitPattern: next())
            return value.isFinite ? value : 0
        }
    }

    mutating func json(depth: Int) -> JSONValue {
        switch Int.random(in: 0...(depth > 0 ? 6 : 4), using: &self) {
        case 0: return .null
        case 1: return .bool(Bool.random(using: &self))
        case 2, 3: return .number(double())
        case 4: return .string(text(upTo: 12))
        case 5: return .array((0..<Int.random(in: 0...5, using: &self)).map { _ in json(depth: depth - 1) })
        default:
            var object = JSONObject()
            let count = Int.random(in: 0...(depth == 4 ? 40 : 6), using: &self)
            for _ in 0..<count { object[text(upTo: 6)] = json(depth: depth - 1) }
            return .object(object)
        }
    }
}
