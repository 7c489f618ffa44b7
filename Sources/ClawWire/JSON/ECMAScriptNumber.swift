/// Prints doubles as ECMAScript's Number::toString does (ECMA-262 §6.1.6.1.20), the rule RFC 8785 uses.
///
/// The shortest round-trip digits come from the standard library; only their layout differs.
public enum ECMAScriptNumber {
    /// The text of a finite double. Non-finite values have none in JSON and print as `null`, as `JSON.stringify` does.
    public static func text(_ value: Double) -> String {
        var output: [UInt8] = []
        append(value, to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    /// Appends the text of a double to a buffer.
    public static func append(_ value: Double, to output: inout [UInt8]) {
        guard value.isFinite else {
            output.append(contentsOf: "null".utf8)
            return
        }
        if value == value.rounded(), value.magnitude < 9_007_199_254_740_992 {
            append(integer: Int64(value), to: &output)
            return
        }
        if value < 0 { output.append(UInt8(ascii: "-")) }
        let (digits, exponent) = shortestDigits(value.magnitude)
        layOut(digits, exponent: exponent, to: &output)
    }

    /// Appends an integer's decimal digits to a buffer.
    public static func append(integer value: Int64, to output: inout [UInt8]) {
        if value < 0 { output.append(UInt8(ascii: "-")) }
        var magnitude = value.magnitude
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var first = digits.count
        repeat {
            first -= 1
            digits[first] = UInt8(ascii: "0") + UInt8(magnitude % 10)
            magnitude /= 10
        } while magnitude > 0
        for i in first..<digits.count { output.append(digits[i]) }
    }

    /// The digits d1…dk without leading or trailing zeros, and n such that the value is 0.d1…dk × 10^n.
    private static func shortestDigits(_ value: Double) -> (digits: [UInt8], exponent: Int) {
        var digits: [UInt8] = []
        var pointAt: Int?
        var exponent = 0
        let text = Array(value.description.utf8)
        var i = 0
        while i < text.count {
            switch text[i] {
            case UInt8(ascii: "."): pointAt = digits.count
            case UInt8(ascii: "e"):
                exponent = Int(String(decoding: text[(i + 1)...], as: UTF8.self)) ?? 0
                i = text.count
            default: digits.append(text[i])
            }
            i += 1
        }
        var n = (pointAt ?? digits.count) + exponent
        while digits.first == UInt8(ascii: "0") {
            digits.removeFirst()
            n -= 1
        }
        while digits.last == UInt8(ascii: "0") { digits.removeLast() }
        return (digits, n)
    }

    private static func layOut(_ digits: [UInt8], exponent n: Int, to output: inout [UInt8]) {
        let k = digits.count
        let zero = UInt8(ascii: "0")
        switch n {
        case _ where k <= n && n <= 21:
            output.append(contentsOf: digits)
            output.append(contentsOf: repeatElement(zero, count: n - k))
        case 1...21:
            output.append(contentsOf: digits[..<n])
            output.append(UInt8(ascii: "."))
            output.append(contentsOf: digits[n...])
        case -5...0:
            output.append(contentsOf: "0.".utf8)
            output.append(contentsOf: repeatElement(zero, count: -n))
            output.append(contentsOf: digits)
        default:
            output.append(digits[0])
            if k > 1 {
                output.append(UInt8(ascii: "."))
                output.append(contentsOf: digits[1...])
            }
            output.append(UInt8(ascii: "e"))
            output.append(UInt8(ascii: n - 1 < 0 ? "-" : "+"))
            append(integer: Int64((n - 1).magnitude), to: &output)
        }
    }
}
