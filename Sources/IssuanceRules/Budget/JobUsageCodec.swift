import ClawWire

/// The stored form of a job's usage: one JSON object, version 1. Numbers stand as text, because money in millionths may
/// be larger than what JSON numbers hold exactly.
extension JobUsage {
    private static let subject = "job usage"

    /// The bytes to store: everything but the grants. Of the approvals' budgets what they allow together.
    public func encode() -> [UInt8] {
        func number(_ value: Int64) -> JSONValue { .string(String(value)) }
        func numbers(_ values: [String: Int64]) -> JSONValue {
            .object(JSONObject(values.sorted { $0.key < $1.key }.map { ($0.key, number($0.value)) }))
        }
        var object: JSONObject = [
            "v": 1, "calls": number(usage.modelCalls), "input": number(usage.inputTokens),
            "output": number(usage.outputTokens), "costs": numbers(usage.costs), "in_flight": number(callsInFlight),
            "marks": .array(marks.sorted().map { .string($0) }), "excess": numbers(reportedExcess),
        ]
        object["budget"] = Budget.narrowest(approvalBudgets).map(\.json)
        object["first"] = usage.firstAt.map { number($0.microseconds) }
        object["last"] = usage.lastAt.map { number($0.microseconds) }
        object["spent"] = spentAt.map { number($0.microseconds) }
        return JSONWriter.bytes(.object(object))
    }

    /// Reads stored bytes.
    ///
    /// - Throws: ``StorageError``.
    public init(decoding bytes: [UInt8]) throws(StorageError) {
        let value: JSONValue
        do {
            value = try JSONReader.parse(bytes)
        } catch {
            throw StorageError(subject: Self.subject, detail: error.description)
        }
        guard value["v"]?.integer == 1 else {
            throw StorageError(subject: Self.subject, detail: "its version is not 1")
        }
        func number(_ key: String) throws(StorageError) -> Int64 {
            guard let number = value[key]?.string.flatMap({ Int64($0) }) else {
                throw StorageError(subject: Self.subject, detail: "\(key) is no number")
            }
            return number
        }
        func time(_ key: String) -> Timestamp? {
            value[key]?.string.flatMap { Int64($0) }.map { Timestamp(microseconds: $0) }
        }
        func numbers(_ key: String) -> [String: Int64] {
            var numbers: [String: Int64] = [:]
            for member in value[key]?.object?.members ?? [] {
                numbers[member.key] = member.value.string.flatMap { Int64($0) }
            }
            return numbers
        }
        self.init()
        usage.modelCalls = try number("calls")
        usage.inputTokens = try number("input")
        usage.outputTokens = try number("output")
        usage.costs = numbers("costs")
        usage.firstAt = time("first")
        usage.lastAt = time("last")
        callsInFlight = try number("in_flight")
        marks = Set(value.elements("marks").compactMap(\.string))
        reportedExcess = numbers("excess")
        spentAt = time("spent")
        if let stored = value["budget"] {
            do {
                approvalBudgets = [try Budget(json: stored)]
            } catch {
                throw StorageError(subject: Self.subject, detail: "budget is none: \(error)")
            }
        }
    }
}
