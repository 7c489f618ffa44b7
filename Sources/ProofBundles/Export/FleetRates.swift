import ClawWire

/// The rate-limit claims of all members of an aggregate: one agent's claims about one window share one limit.
struct FleetRates {
    private struct Window: Hashable {
        let agent: ExactString
        let scope: ExactString
        let key: ExactString
        let start: ExactString
        let end: ExactString
    }

    private struct Sum {
        let field: String
        let maxima: [Double?]
        var observed: [Double]
    }

    private static let counters = ["requests", "tokens_input", "tokens_output"]
    private var windows: [Window] = []
    private var sums: [Window: Sum] = [:]

    /// Adds a claim of a member that holds by itself.
    ///
    /// - Throws: `RATE_LIMIT_CLAIM_INCONSISTENT` when it names another limit for a known window.
    mutating func add(_ claim: JSONValue, of agent: String, field: String) throws(ReferenceRefusal) {
        func text(_ key: String) -> ExactString { ExactString(claim[key]?.string ?? "") }
        let window = Window(
            agent: ExactString(agent), scope: text("scope"), key: text("scope_key"), start: text("window_start"),
            end: text("window_end"))
        let maxima = Self.counters.map { claim["max_\($0)"]?.number }
        let observed = Self.counters.map { claim["observed_\($0)"]?.number ?? 0 }
        guard var sum = sums[window] else {
            windows.append(window)
            sums[window] = Sum(field: field, maxima: maxima, observed: observed)
            return
        }
        guard sum.maxima == maxima else {
            throw ReferenceRefusal("RATE_LIMIT_CLAIM_INCONSISTENT", field, "members claim different limits")
        }
        for index in observed.indices { sum.observed[index] += observed[index] }
        sums[window] = sum
    }

    /// Compares the sums with the limits.
    ///
    /// - Throws: `RATE_LIMIT_EXCEEDED` at the first claim of the first window whose sum passes its limit.
    func check() throws(ReferenceRefusal) {
        for window in windows {
            guard let sum = sums[window] else { continue }
            let isWithin = zip(sum.maxima, sum.observed).allSatisfy { maximum, observed in
                maximum.map { observed <= $0 } ?? true
            }
            guard isWithin else {
                throw ReferenceRefusal("RATE_LIMIT_EXCEEDED", sum.field, "the members together pass the limit")
            }
        }
    }
}
