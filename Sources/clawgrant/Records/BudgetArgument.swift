import ArgumentParser
import ClawWire
import IssuanceRules

/// One `--budget` of a command line: a limit, or marks on the way to the limits.
enum BudgetArgument: Sendable, Hashable, ExpressibleByArgument {
    /// `model_calls=500`, and so on.
    case limit(BudgetDimension, Int64)
    /// `cost=EUR:5000`, in minor units.
    case cost(currency: String, amount: Int64)
    /// `thresholds=50,80`, in percent.
    case thresholds([Int64])

    static let form =
        "model_calls=500, input_tokens=N, output_tokens=N, cost=EUR:5000 (minor units), "
        + "wall_time_seconds=7200 or thresholds=50,80"

    init?(argument text: String) {
        let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return nil }
        if parts[0] == "thresholds" {
            let marks = parts[1].split(separator: ",", omittingEmptySubsequences: false).map { Int64($0) }
            guard marks.allSatisfy({ $0 != nil }) else { return nil }
            self = .thresholds(marks.compactMap(\.self))
            return
        }
        switch BudgetDimension(rawValue: parts[0]) {
        case nil: return nil
        case .cost:
            let money = parts[1].split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            guard money.count == 2, let amount = Int64(money[1]) else { return nil }
            self = .cost(currency: money[0], amount: amount)
        case .some(let dimension):
            guard let amount = Int64(parts[1]) else { return nil }
            self = .limit(dimension, amount)
        }
    }

    /// The budget that some arguments make together; `nil` for none.
    ///
    /// - Throws: ``BudgetError`` as the reader of approvals would, `ValidationError` for a limit that is given twice.
    static func budget(_ arguments: [BudgetArgument]) throws -> Budget? {
        guard !arguments.isEmpty else { return nil }
        var object = JSONObject()
        var money: [JSONValue] = []
        var currencies: Set<String> = []
        func set(_ key: String, _ value: JSONValue) throws {
            guard object[key] == nil else { throw ValidationError("--budget \(key) is given twice") }
            object[key] = value
        }
        for argument in arguments {
            switch argument {
            case .limit(let dimension, let amount): try set(dimension.rawValue, .integer(amount))
            case .thresholds(let marks): try set("thresholds", .array(marks.map { .integer($0) }))
            case .cost(let currency, let amount):
                guard currencies.insert(currency).inserted else {
                    throw ValidationError("--budget cost is given twice in \(currency)")
                }
                money.append(["currency": .string(currency), "amount_minor": .integer(amount)])
            }
        }
        if !money.isEmpty { object["cost"] = .array(money) }
        return try Budget(json: .object(object))
    }
}
