import ClawWire

extension JobUsage {
    private static let members: Set<String> = [
        "model_calls", "input_tokens", "output_tokens", "cost", "first_call_at", "last_call_at", "narrowed_by",
    ]

    /// Reads the member `usage` of a case of `clawgrant rules test`: what the job has used so far.
    ///
    /// - Returns: `nil` when the case has none.
    /// - Throws: ``RulesCaseError`` naming what is wrong.
    init?(ofCase value: JSONValue?) throws(RulesCaseError) {
        guard let value, !value.isNull else { return nil }
        guard let object = value.object else {
            throw RulesCaseError(path: "usage", detail: "expected an object")
        }
        if let foreign = object.keys.first(where: { !Self.members.contains($0) }) {
            throw RulesCaseError(
                path: "usage.\(foreign.prefix(64))",
                detail: "expected one of \(Self.members.sorted().joined(separator: ", "))")
        }
        func count(_ value: JSONValue?, _ path: String) throws(RulesCaseError) -> Int64 {
            guard let value else { return 0 }
            guard let count = value.integer, (0...Budget.largest).contains(count) else {
                throw RulesCaseError(path: "usage.\(path)", detail: "expected a whole number from 0")
            }
            return count
        }
        func time(_ key: String) throws(RulesCaseError) -> Timestamp? {
            guard let value = object[key] else { return nil }
            guard let time = value.string.flatMap({ Timestamp(rfc3339: $0) }) else {
                throw RulesCaseError(
                    path: "usage.\(key)", detail: "expected an RFC 3339 time such as 2026-11-20T09:10:00Z")
            }
            return time
        }
        self.init()
        usage.modelCalls = try count(object["model_calls"], "model_calls")
        usage.inputTokens = try count(object["input_tokens"], "input_tokens")
        usage.outputTokens = try count(object["output_tokens"], "output_tokens")
        usage.firstAt = try time("first_call_at")
        usage.lastAt = try time("last_call_at") ?? usage.firstAt
        for element in object["cost"].map({ $0.array ?? [$0] }) ?? [] {
            guard let currency = element["currency"]?.string, Budget.isCurrency(currency) else {
                throw RulesCaseError(path: "usage.cost.currency", detail: "expected three capital letters")
            }
            usage.costs[currency] = Saturating.product(
                try count(element["amount_minor"], "cost.amount_minor"), 1_000_000)
        }
        for (index, element) in (object["narrowed_by"]?.array ?? []).enumerated() {
            do {
                approvalBudgets.append(try Budget(json: element))
            } catch {
                throw RulesCaseError(path: "usage.narrowed_by[\(index)]", detail: error.description)
            }
        }
    }
}
