import ClawWire
import Yams

/// The sections `gateways` and `prices`, and the member `budget` of a job class.
extension RulesLoader {
    mutating func loadGateways(_ value: YAMLValue?) -> GatewayRules {
        guard let value else { return GatewayRules() }
        let fields = reader.members(value, .gateways)
        var signers: [Ed25519PublicKey] = []
        for element in reader.elements(fields["signers"]) {
            guard let key = reader.key(element) else { continue }
            if signers.contains(key) {
                reader.report(element, found: "a second entry for this key", expected: "one entry for each")
            } else {
                signers.append(key)
            }
        }
        return GatewayRules(
            signers: signers,
            clockSkewSeconds: reader.duration(fields["clock_skew"]) ?? GatewayRules.standardClockSkew)
    }

    mutating func loadPrices(_ value: YAMLValue?) -> PriceTable {
        var lines: [PriceTable.Line] = []
        for element in reader.elements(value) {
            let fields = reader.members(element, .price)
            let missing = ["provider", "model", "currency", "input_per_million_minor", "output_per_million_minor"]
                .filter { fields[$0] == nil }
            guard missing.isEmpty else {
                reader.report(
                    element, found: "no \(missing.joined(separator: ", "))", expected: "all of a price's keys")
                continue
            }
            let price = 0...Int(PriceTable.largestPrice)
            let input = reader.count(fields["input_per_million_minor"], in: price, default: 0)
            let output = reader.count(fields["output_per_million_minor"], in: price, default: 0)
            guard let provider = reader.text(fields["provider"], expected: "a provider"),
                let model = reader.text(fields["model"], expected: "a model; * stands for any characters"),
                let currency = loadCurrency(fields["currency"])
            else { continue }
            lines.append(
                PriceTable.Line(
                    provider: provider, model: model, currency: currency, inputPerMillion: Int64(input),
                    outputPerMillion: Int64(output)))
        }
        return PriceTable(lines)
    }

    mutating func loadBudget(_ value: YAMLValue?) -> Budget? {
        guard let value else { return nil }
        let fields = reader.members(value, .budget)
        var budget = Budget()
        func limit(_ key: String) -> Int64? {
            fields[key].map { Int64(reader.count($0, in: 1...Int(Budget.largest), default: 1)) }
        }
        budget.modelCalls = limit("model_calls")
        budget.inputTokens = limit("input_tokens")
        budget.outputTokens = limit("output_tokens")
        budget.wallTimeSeconds = limit("wall_time_seconds")
        if let cost = fields["cost"] {
            let money = reader.members(cost, .cost)
            let currency = loadCurrency(money["currency"])
            let amount = reader.count(money["amount_minor"], in: 1...Int(Budget.largestAmount), default: 1)
            if money["currency"] == nil || money["amount_minor"] == nil {
                reader.report(cost, found: "half an amount", expected: "currency and amount_minor")
            }
            if let currency { budget.costs[currency] = Int64(amount) }
        }
        if let marks = fields["thresholds"] {
            budget.thresholds = Set(reader.elements(marks).map { Int64(reader.count($0, in: 1...99, default: 50)) })
        }
        if budget.limits.isEmpty {
            reader.report(
                value, found: "no limit",
                expected: "at least one of model_calls, input_tokens, output_tokens, cost, wall_time_seconds")
        }
        return budget
    }

    private mutating func loadCurrency(_ value: YAMLValue?) -> String? {
        guard let value, let text = reader.text(value, expected: "a currency such as EUR") else { return nil }
        guard Budget.isCurrency(text) else {
            reader.report(value, expected: "three capital letters, such as EUR")
            return nil
        }
        return text
    }
}

extension GatewayRules {
    var document: JSONValue {
        ["signers": .array(signers.map(\.did).sorted().map { .string($0) }), "clock_skew": .integer(clockSkewSeconds)]
    }
}

extension PriceTable {
    var document: JSONValue {
        .array(
            lines.map {
                [
                    "provider": .string($0.provider), "model": .string($0.model), "currency": .string($0.currency),
                    "input_per_million_minor": .integer($0.inputPerMillion),
                    "output_per_million_minor": .integer($0.outputPerMillion),
                ]
            })
    }
}
