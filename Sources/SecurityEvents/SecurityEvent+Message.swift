import ClawWire
import ReceiptLog

extension SecurityEvent {
    /// One sentence for people. It may hold text that strangers wrote: every rendering escapes it.
    public var message: String { TokenMask.masked(sentence) }

    private var sentence: String {
        let subject = receipt.subject
        let jobClass = subject.jobClass.map { " for job class \($0)" } ?? ""
        let why = reason.map { ": \($0.code)" } ?? ""
        switch receipt.content {
        case .grantIssued(let grant):
            let seconds = grant.token.expiresAt.seconds - grant.token.issuedAt.seconds
            return "CST issued\(jobClass)\(subject.jobID.map { ", job \($0)" } ?? ""), valid for \(seconds) s"
        case .decisionDenied: return "CST refused\(jobClass)\(why)"
        case .decisionExpired: return "CST not issued in time\(jobClass)\(why)"
        case .decisionQuarantined(let quarantine):
            return "record \(quarantine.origin) went to the dead letters\(why)"
        case .deadLetterRedriven(let action):
            return "dead letter \(action.origin) was read again: \(action.outcome.rawValue)"
        case .deadLetterDiscarded(let action): return "dead letter \(action.origin) was discarded"
        case .revocation(let revocation): return "CST revoked\(jobClass): \(revocation.cause.rawValue)"
        case .revocationsEnded(let end):
            return "\(end.keys.count) revocations ended with what they revoked"
        case .keyChanged(let change): return "\(change.purpose.rawValue) key \(change.kid) is \(change.change.rawValue)"
        case .stopDeclared: return "Emergency stop of \(scope)"
        case .stopLifted: return "Emergency stop lifted for \(scope)"
        case .stopDrilled: return "Drill of an emergency stop of \(scope)"
        case .controlApplied(let payload):
            return "Control event \(payload["operation"]?.string ?? "") applied to \(scope)"
        case .controlRepeated(let payload):
            return "Control event \(payload["operation"]?.string ?? "") changed nothing: "
                + (payload["result"]?.string ?? "")
        case .gatewayReceipt(let call):
            return "Model \(call.model) of \(call.provider) called\(subject.jobID.map { " by job \($0)" } ?? "")"
        case .findingRaised(let finding): return "\(finding.code): \(finding.about)"
        case .budgetReached(let mark):
            return "\(mark.percent) % of the budget of \(mark.dimension.rawValue) used"
                + (subject.jobID.map { " by job \($0)" } ?? "")
        case .heartbeat: return "Nothing was sealed for a while; the log is alive"
        }
    }

    /// What a control event is about, as people write it: `job_class/prod_db_maintenance`.
    var scope: String {
        guard let data = control?["data"]?.object else { return control?["stop_id"]?.string ?? "nothing" }
        guard let scope = data["scope"]?.object else {
            return data["job_class"]?.string.map { "job_class/\($0)" } ?? data["kid"]?.string ?? "everything"
        }
        let kind = scope["kind"]?.string ?? "all"
        return scope["value"]?.string.map { "\(kind)/\($0)" } ?? kind
    }
}
