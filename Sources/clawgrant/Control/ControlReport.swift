import ClawWire
import GrantWorker
import IssuanceRules

/// What became of a control event: the answer to "is it stopped?".
struct ControlReport {
    private let declaration: Declaration
    private let answer: ControlAcknowledgement
    private let milliseconds: Double

    init(_ declaration: Declaration, _ answer: ControlAcknowledgement, milliseconds: Double) {
        self.declaration = declaration
        self.answer = answer
        self.milliseconds = milliseconds
    }

    /// One step with its time.
    static func line(_ step: String, _ milliseconds: Double, _ text: String) -> String {
        let name = step + String(repeating: " ", count: max(0, 13 - step.count))
        let time = "\(milliseconds) ms"
        return "\(name)  \(time)\(String(repeating: " ", count: max(1, 12 - time.count)))\(text)"
    }

    private var headline: String? {
        let handle = declaration.event.handle
        let scope = declaration.operation.scope?.text ?? ""
        switch (answer.result, declaration.operation) {
        case (.refused, _): return nil
        case (.repeated(let position), .lift): return "\(handle) was lifted before, at control position \(position)"
        case (.repeated(let position), .stop), (.repeated(let position), .revoke):
            return "\(Console.styled("HOLDS ALREADY", .bold))  \(scope)  since control position \(position)"
        case (.repeated(let position), _): return "holds already since control position \(position): nothing changed"
        case (.withoutEffect, _): return "nothing holds that it would end: nothing changed"
        case (.pendingLift, _): return "the lift waits for its stop"
        case (.appliedAndLifted(let lift), _):
            return "stopped and at once lifted by \(lift), which was waiting; what was decided before stays dead"
        case (.applied, .stop), (.applied, .revoke):
            let word = declaration.operation.kind == .stop ? "STOPPED" : "REVOKED"
            return "\(Console.styled(word, .bold))  \(scope)  \(handle)"
        case (.applied, .lift):
            return "\(Console.styled("LIFTED", .bold))  \(handle); what was decided before stays dead for ever"
        case (.applied, .drill): return "\(Console.styled("DRILLED", .bold))  \(scope)  \(handle); nothing was denied"
        case (.applied, _): return "\(Console.styled("IN FORCE", .bold))  \(declaration.title)"
        }
    }

    var lines: [String] {
        guard let headline else { return [] }
        guard case .applied = answer.result, let position = answer.position else { return [Console.plain(headline)] }
        var lines = [Console.hasColours ? headline : Console.plain(headline)]
        lines.append(
            Self.line(
                WaitLevel.acknowledged.rawValue, milliseconds,
                "control position \(position); \(answer.grantsBefore) grants of the ledger precede it"))
        var details: [String] = []
        switch declaration.operation {
        case .stop, .revoke, .rotatePolicy, .disableElevated, .requireProxy, .suspectKey:
            let voided = answer.voidedTokens.map { "\($0) live tokens are void" } ?? "live tokens in scope are void"
            if answer.revocationRuns > 0 { details.append(voided + " from now on") }
            for cutoff in answer.cutoffs where !cutoff.isForever {
                details.append("cut-off: \(cutoff.scope.text) issued before \(cutoff.notIssuedBefore)")
            }
        case .lift, .enableElevated, .releaseProxy, .drill: break
        }
        details.append(
            "\((answer.waitedMilliseconds * 10).rounded() / 10) ms of it waited for decide transactions in flight")
        return lines + details.map { String(repeating: " ", count: 27) + Console.plain($0) }
    }

    var json: JSONValue {
        var object: JSONObject = [
            "step": "acknowledged", "ms": .number(milliseconds),
            "operation": .string(declaration.operation.kind.rawValue),
            "id": .string(declaration.event.handle), "event_id": .string(declaration.event.id.rawValue),
            "result": .string(answer.result.name), "at": .string(answer.at.iso8601),
        ]
        object["control_position"] = answer.position.map { .integer($0) }
        if case .applied = answer.result {
            object["grants_before"] = .integer(answer.grantsBefore)
            object["voided_tokens"] = answer.voidedTokens.map { .integer($0) } ?? .null
            object["revocation_runs"] = .integer(answer.revocationRuns)
            object["apply_ms"] = .number(answer.milliseconds)
            object["lock_wait_ms"] = .number(answer.waitedMilliseconds)
            object["cutoffs"] = .array(
                answer.cutoffs.map { cutoff in
                    var object: JSONObject = [
                        "scope": cutoff.scope.document, "not_issued_before": .integer(cutoff.notIssuedBefore.seconds),
                    ]
                    object["issued_since"] = cutoff.issuedSince.map { .integer($0.seconds) }
                    return .object(object)
                })
            object["receipt_id"] = .optional(answer.receiptID)
        }
        return .object(object)
    }
}
