/// What model calls cost, in whole numbers: minor units of a currency for a million tokens.
public struct PriceTable: Sendable, Hashable {
    /// One line: the price of the models that fit it.
    public struct Line: Sendable, Hashable {
        /// The provider, exactly.
        public let provider: String
        /// The model; `*` stands for any run of characters.
        public let model: String
        /// ISO 4217 code.
        public let currency: String
        /// Minor units for a million input tokens.
        public let inputPerMillion: Int64
        /// Minor units for a million output tokens.
        public let outputPerMillion: Int64

        /// Makes a line.
        public init(
            provider: String, model: String, currency: String, inputPerMillion: Int64, outputPerMillion: Int64
        ) {
            self.provider = provider
            self.model = model
            self.currency = currency
            self.inputPerMillion = inputPerMillion
            self.outputPerMillion = outputPerMillion
        }
    }

    /// Largest price: with the most tokens of a call it stays within 64 bits.
    public static let largestPrice: Int64 = 1_000_000_000

    /// The lines; the first that fits counts.
    public let lines: [Line]

    /// Makes a table.
    public init(_ lines: [Line] = []) { self.lines = lines }

    /// The currencies that lines are in.
    public var currencies: Set<String> { Set(lines.map(\.currency)) }

    /// What a call costs, in millionths of a minor unit; `nil` when no line of the currency fits.
    public func cost(
        provider: String, model: String, inputTokens: Int64, outputTokens: Int64, in currency: String
    ) -> Int64? {
        let line = lines.first {
            $0.currency == currency && $0.provider == provider && Wildcard.matches($0.model, model)
        }
        guard let line else { return nil }
        return Saturating.sum(
            Saturating.product(inputTokens, line.inputPerMillion),
            Saturating.product(outputTokens, line.outputPerMillion))
    }
}

/// Sums that stop at the largest number instead of failing: a budget that far beyond is spent in any case.
enum Saturating {
    static func sum(_ left: Int64, _ right: Int64) -> Int64 {
        let (sum, overflow) = left.addingReportingOverflow(right)
        return overflow ? .max : sum
    }

    static func product(_ left: Int64, _ right: Int64) -> Int64 {
        let (product, overflow) = left.multipliedReportingOverflow(by: right)
        return overflow ? .max : product
    }
}

/// Patterns in which `*` stands for any run of characters, and everything else for itself.
enum Wildcard {
    static func matches(_ pattern: String, _ text: String) -> Bool {
        let pattern = Array(pattern.utf8)
        let text = Array(text.utf8)
        var (p, t) = (0, 0)
        // Where to go on when what follows the last star did not fit: one byte further. At most pattern × text steps.
        var restart: (pattern: Int, text: Int)?
        while t < text.count {
            if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
                restart = (p + 1, t)
                p += 1
            } else if p < pattern.count, pattern[p] == text[t] {
                p += 1
                t += 1
            } else if let last = restart {
                restart = (last.pattern, last.text + 1)
                (p, t) = (last.pattern, last.text + 1)
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
