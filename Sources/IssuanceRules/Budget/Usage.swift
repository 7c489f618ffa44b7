public import ClawWire

/// What the calls of a job have used.
///
/// A sum: the order of the calls leaves no trace in it. That each call is in it once is the caller's affair, by the
/// gateway's signer and receipt id.
public struct Usage: Sendable, Hashable {
    /// Model calls.
    public var modelCalls: Int64 = 0
    /// Input tokens.
    public var inputTokens: Int64 = 0
    /// Output tokens.
    public var outputTokens: Int64 = 0
    /// Money in millionths of a minor unit, by ISO 4217 code.
    public var costs: [String: Int64] = [:]
    /// Time of the first call.
    public var firstAt: Timestamp?
    /// Time of the last call.
    public var lastAt: Timestamp?

    /// Nothing used.
    public init() {}

    /// Adds a call.
    ///
    /// - Parameters:
    ///   - prices: the price table.
    ///   - currencies: the currencies that are counted.
    /// - Returns: the currencies in which the call has no price.
    public mutating func add(_ call: ObservedCall, prices: PriceTable, currencies: some Sequence<String>) -> [String] {
        modelCalls = Saturating.sum(modelCalls, 1)
        inputTokens = Saturating.sum(inputTokens, call.inputTokens)
        outputTokens = Saturating.sum(outputTokens, call.outputTokens)
        firstAt = firstAt.map { min($0, call.calledAt) } ?? call.calledAt
        lastAt = lastAt.map { max($0, call.calledAt) } ?? call.calledAt
        var unpriced: [String] = []
        for currency in currencies.sorted() {
            let cost = prices.cost(
                provider: call.provider, model: call.model, inputTokens: call.inputTokens,
                outputTokens: call.outputTokens, in: currency)
            if let cost {
                costs[currency] = Saturating.sum(costs[currency] ?? 0, cost)
            } else {
                unpriced.append(currency)
            }
        }
        return unpriced
    }

    /// How much of a limit's kind was used: calls, tokens, seconds rounded up, or minor units rounded up.
    public func used(of limit: Budget.Limit) -> Int64 {
        switch limit.dimension {
        case .modelCalls: return modelCalls
        case .inputTokens: return inputTokens
        case .outputTokens: return outputTokens
        case .cost:
            let millionths = costs[limit.currency ?? ""] ?? 0
            return millionths / 1_000_000 + (millionths % 1_000_000 > 0 ? 1 : 0)
        case .wallTime:
            guard let firstAt, let lastAt else { return 0 }
            let (span, overflow) = lastAt.microseconds.subtractingReportingOverflow(firstAt.microseconds)
            return overflow ? Budget.largest : span / 1_000_000 + (span % 1_000_000 > 0 ? 1 : 0)
        }
    }

    /// The same usage with the wall time that has passed until an instant: once a job has begun it runs on, whether or not
    /// more calls are received.
    public func passing(until now: Timestamp) -> Usage {
        var usage = self
        usage.lastAt = lastAt.map { max($0, now) }
        return usage
    }

    /// True when a share of a limit is used, in percent. Money counts in millionths, so that no rounding reaches a mark.
    public func reaches(_ percent: Int64, of limit: Budget.Limit) -> Bool {
        let (amount, scale): (Int64, Int128)
        switch limit.dimension {
        case .cost: (amount, scale) = (costs[limit.currency ?? ""] ?? 0, 1_000_000)
        case .modelCalls, .inputTokens, .outputTokens, .wallTime: (amount, scale) = (used(of: limit), 1)
        }
        return amount > 0 && Int128(amount) * 100 >= Int128(limit.amount) * Int128(percent) * scale
    }

    /// True when more than a limit is used.
    public func exceeds(_ limit: Budget.Limit) -> Bool {
        switch limit.dimension {
        case .cost: Int128(costs[limit.currency ?? ""] ?? 0) > Int128(limit.amount) * 1_000_000
        case .modelCalls, .inputTokens, .outputTokens, .wallTime: used(of: limit) > limit.amount
        }
    }
}

/// A mark of a budget that usage has come to.
public struct BudgetMark: Sendable, Hashable {
    /// The limit.
    public let limit: Budget.Limit
    /// The mark in percent of it; 100 is the limit itself.
    public let percent: Int64
    /// What was used when the mark was come to.
    public let used: Int64

    /// Makes a mark.
    public init(limit: Budget.Limit, percent: Int64, used: Int64) {
        self.limit = limit
        self.percent = percent
        self.used = used
    }

    /// True at the limit, where the job's tokens are revoked.
    public var isLimit: Bool { percent >= 100 }

    /// Names the mark within a job: a limit that is changed has marks of its own.
    public var name: String { Self.name(limit, percent) }

    static func name(_ limit: Budget.Limit, _ percent: Int64) -> String {
        let kind = limit.currency.map { "\(limit.dimension.rawValue)/\($0)" } ?? limit.dimension.rawValue
        return "\(kind):\(percent):\(limit.amount)"
    }
}

extension Budget {
    /// The marks that usage has come to and that are not among those reached before.
    public func newMarks(_ usage: Usage, reached: Set<String>) -> [BudgetMark] {
        limits.flatMap { limit in
            (thresholds.sorted() + [100]).compactMap { percent in
                guard !reached.contains(BudgetMark.name(limit, percent)), usage.reaches(percent, of: limit) else {
                    return nil
                }
                return BudgetMark(limit: limit, percent: percent, used: min(usage.used(of: limit), Budget.largest))
            }
        }
    }

    /// True when a limit is used up.
    public func isSpent(_ usage: Usage) -> Bool { limits.contains { usage.reaches(100, of: $0) } }

    /// The first limit that is used up at an instant, also when nothing was received for a while.
    public func spentLimit(_ usage: Usage, at now: Timestamp) -> Limit? {
        let usage = usage.passing(until: now)
        return limits.first { usage.reaches(100, of: $0) }
    }

    /// When the wall time of a job is over, in whole seconds since 1970. `nil` without a limit, and before the first call.
    public func wallTimeEnd(_ usage: Usage) -> Int64? {
        guard let wallTimeSeconds, let firstAt = usage.firstAt else { return nil }
        return Saturating.sum(firstAt.seconds, wallTimeSeconds)
    }
}
