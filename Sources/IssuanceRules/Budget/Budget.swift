public import ClawWire

/// What a budget counts. The text is the wire form.
public enum BudgetDimension: String, Sendable, Hashable, CaseIterable {
    /// Calls of models.
    case modelCalls = "model_calls"
    /// Tokens sent to models.
    case inputTokens = "input_tokens"
    /// Tokens that models gave back.
    case outputTokens = "output_tokens"
    /// Money, by the price table.
    case cost
    /// Seconds from the first call on.
    case wallTime = "wall_time_seconds"
}

/// How much the calls of one job may use: the rules of its class give it, and an approval may narrow it.
///
/// Two budgets for one job hold together: of each limit the smaller one counts, so that a budget can only take away
/// (P6). The fold is commutative, associative and idempotent.
public struct Budget: Sendable, Hashable {
    /// One limit.
    public struct Limit: Sendable, Hashable {
        /// What is counted.
        public let dimension: BudgetDimension
        /// ISO 4217 code, for ``BudgetDimension/cost``.
        public let currency: String?
        /// How much: calls, tokens, seconds, or minor units of the currency.
        public let amount: Int64
        /// What ``amount`` counts, for people.
        public var unit: String { currency.map { "minor units of \($0)" } ?? dimension.rawValue }
    }

    /// Largest limit: what JSON numbers hold exactly. Money stays below a tenth of it, so that no sum overflows.
    public static let largest: Int64 = 9_007_199_254_740_991
    /// Largest amount of money, in minor units.
    public static let largestAmount: Int64 = 1_000_000_000_000
    /// Marks on the way to a limit, in percent, where none are given.
    public static let standardThresholds: Set<Int64> = [50, 80]

    /// Most model calls.
    public var modelCalls: Int64?
    /// Most input tokens.
    public var inputTokens: Int64?
    /// Most output tokens.
    public var outputTokens: Int64?
    /// Most money, in minor units, by ISO 4217 code. Each currency has a limit of its own.
    public var costs: [String: Int64]
    /// Longest time from the first call on, in seconds; it passes while nothing is received.
    public var wallTimeSeconds: Int64?
    /// Marks on the way to each limit, in percent from 1 to 99.
    public var thresholds: Set<Int64>

    /// Makes a budget.
    public init(
        modelCalls: Int64? = nil, inputTokens: Int64? = nil, outputTokens: Int64? = nil, costs: [String: Int64] = [:],
        wallTimeSeconds: Int64? = nil, thresholds: Set<Int64> = Budget.standardThresholds
    ) {
        self.modelCalls = modelCalls
        self.inputTokens = inputTokens
        self.outputTokens = outputTokens
        self.costs = costs
        self.wallTimeSeconds = wallTimeSeconds
        self.thresholds = thresholds
    }

    /// The limits, in the order of ``BudgetDimension``, currencies by their codes.
    public var limits: [Limit] {
        BudgetDimension.allCases.flatMap { dimension -> [Limit] in
            let amount: Int64?
            switch dimension {
            case .modelCalls: amount = modelCalls
            case .inputTokens: amount = inputTokens
            case .outputTokens: amount = outputTokens
            case .wallTime: amount = wallTimeSeconds
            case .cost:
                return costs.sorted { $0.key < $1.key }.map {
                    Limit(dimension: .cost, currency: $0.key, amount: $0.value)
                }
            }
            return amount.map { [Limit(dimension: dimension, currency: nil, amount: $0)] } ?? []
        }
    }

    /// The same budget without anything but its wall time; `nil` where it has none.
    var wallTimeOnly: Budget? {
        wallTimeSeconds.map { Budget(wallTimeSeconds: $0, thresholds: thresholds) }
    }

    /// Adds another budget: of each limit the smaller one stays, marks are put together.
    public mutating func narrow(by other: Budget) {
        modelCalls = Self.smaller(modelCalls, other.modelCalls)
        inputTokens = Self.smaller(inputTokens, other.inputTokens)
        outputTokens = Self.smaller(outputTokens, other.outputTokens)
        wallTimeSeconds = Self.smaller(wallTimeSeconds, other.wallTimeSeconds)
        costs.merge(other.costs) { min($0, $1) }
        thresholds.formUnion(other.thresholds)
    }

    /// All of some budgets together; `nil` when there is none.
    public static func narrowest(_ budgets: some Sequence<Budget>) -> Budget? {
        budgets.reduce(into: nil as Budget?) { sum, budget in
            if sum?.narrow(by: budget) == nil { sum = budget }
        }
    }

    private static func smaller(_ left: Int64?, _ right: Int64?) -> Int64? {
        guard let left, let right else { return left ?? right }
        return min(left, right)
    }

    static func isCurrency(_ text: String) -> Bool {
        text.utf8.count == 3 && text.utf8.allSatisfy { $0 >= UInt8(ascii: "A") && $0 <= UInt8(ascii: "Z") }
    }
}

extension Budget: Joinable {
    mutating func join(_ other: Budget) { narrow(by: other) }
}

/// Why a JSON value is no budget.
public struct BudgetError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The member at fault, for example `cost.currency`; empty for the whole.
    public let field: String
    /// What was expected.
    public let expected: String

    /// Says what was expected where.
    public var description: String { field.isEmpty ? expected : "\(field): \(expected) was expected" }
}

extension Budget {
    private static let members: Set<String> = [
        "model_calls", "input_tokens", "output_tokens", "cost", "wall_time_seconds", "thresholds",
    ]

    /// Reads the form of the rules and of approvals. Strict: a limit that is not understood is no limit to pass over.
    ///
    /// - Throws: ``BudgetError``.
    public init(json: JSONValue) throws(BudgetError) {
        guard let object = json.object else { throw BudgetError(field: "", expected: "an object") }
        if let foreign = object.keys.first(where: { !ExactText.contains(Self.members, $0) }) {
            throw BudgetError(field: foreign.cut(toBytes: 64), expected: "no such member")
        }
        func limit(_ key: String) throws(BudgetError) -> Int64? {
            guard let value = object[key], !value.isNull else { return nil }
            guard let number = value.integer, (1...Self.largest).contains(number) else {
                throw BudgetError(field: key, expected: "a whole number from 1")
            }
            return number
        }
        self.init(
            modelCalls: try limit("model_calls"), inputTokens: try limit("input_tokens"),
            outputTokens: try limit("output_tokens"), wallTimeSeconds: try limit("wall_time_seconds"))
        if let value = object["cost"], !value.isNull {
            for element in value.array ?? [value] {
                guard let currency = element["currency"]?.string, Self.isCurrency(currency) else {
                    throw BudgetError(field: "cost.currency", expected: "three capital letters")
                }
                guard let amount = element["amount_minor"]?.integer, (1...Self.largestAmount).contains(amount) else {
                    throw BudgetError(field: "cost.amount_minor", expected: "a whole number of minor units from 1")
                }
                costs[currency] = min(costs[currency] ?? amount, amount)
            }
        }
        if let value = object["thresholds"], !value.isNull {
            let percents = value.array?.compactMap(\.integer) ?? []
            guard let elements = value.array, elements.count == percents.count, elements.count <= 99,
                percents.allSatisfy({ (1...99).contains($0) })
            else { throw BudgetError(field: "thresholds", expected: "a list of percents from 1 to 99") }
            thresholds = Set(percents)
        }
        guard !limits.isEmpty else { throw BudgetError(field: "", expected: "at least one limit") }
    }

    /// The budget as JSON.
    public var json: JSONValue {
        var object = JSONObject()
        object["model_calls"] = modelCalls.map { .integer($0) }
        object["input_tokens"] = inputTokens.map { .integer($0) }
        object["output_tokens"] = outputTokens.map { .integer($0) }
        let money = costs.sorted { $0.key < $1.key }.map { currency, amount -> JSONValue in
            ["currency": .string(currency), "amount_minor": .integer(amount)]
        }
        if !money.isEmpty { object["cost"] = money.count == 1 ? money[0] : .array(money) }
        object["wall_time_seconds"] = wallTimeSeconds.map { .integer($0) }
        object["thresholds"] = .array(thresholds.sorted().map { .integer($0) })
        return .object(object)
    }
}
