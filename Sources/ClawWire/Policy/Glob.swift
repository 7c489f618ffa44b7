/// The globs of statement policies: `?` is one unit but `/`, `*` any run without `/`, `**` any run; `**/` also stands
/// for nothing. A pattern that is only `*` or `**` matches everything. Units are UTF-16 code units, as in the
/// reference.
enum Glob {
    private enum Token {
        case unit(UInt16)
        case one
        case segment
        case anything
    }

    static func matches(_ pattern: String, _ value: String) -> Bool {
        if pattern == "*" || pattern == "**" { return true }
        let tokens = tokens(Array(pattern.utf16))
        let units = Array(value.utf16)
        // reachable[i]: the tokens so far match the first i units. One pass a token bounds the work by their product.
        var reachable = [Bool](repeating: false, count: units.count + 1)
        reachable[0] = true
        for token in tokens {
            var next = [Bool](repeating: false, count: units.count + 1)
            switch token {
            case .unit(let unit):
                for i in units.indices where reachable[i] && units[i] == unit { next[i + 1] = true }
            case .one:
                for i in units.indices where reachable[i] && units[i] != slash { next[i + 1] = true }
            case .segment:
                for i in 0...units.count {
                    next[i] = reachable[i] || i > 0 && next[i - 1] && units[i - 1] != slash
                }
            case .anything:
                for i in 0...units.count {
                    next[i] = reachable[i] || i > 0 && next[i - 1] && !isLineEnd(units[i - 1])
                }
            }
            reachable = next
        }
        return reachable[units.count]
    }

    private static let slash = UInt16(UInt8(ascii: "/"))
    private static let star = UInt16(UInt8(ascii: "*"))

    private static func isLineEnd(_ unit: UInt16) -> Bool {
        unit == 0x0A || unit == 0x0D || unit == 0x2028 || unit == 0x2029
    }

    private static func tokens(_ pattern: [UInt16]) -> [Token] {
        var tokens: [Token] = []
        var i = 0
        while i < pattern.count {
            if pattern[i] == star {
                if i + 1 < pattern.count, pattern[i + 1] == star {
                    tokens.append(.anything)
                    i += 2
                    if i < pattern.count, pattern[i] == slash { i += 1 }
                } else {
                    tokens.append(.segment)
                    i += 1
                }
            } else {
                tokens.append(pattern[i] == UInt16(UInt8(ascii: "?")) ? .one : .unit(pattern[i]))
                i += 1
            }
        }
        return tokens
    }
}
