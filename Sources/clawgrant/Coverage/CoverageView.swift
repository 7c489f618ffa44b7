import ClawWire
import GrantLedger
import IssuanceRules

/// A job's coverage for people and for programs.
struct CoverageView {
    private let coverage: JobCoverage
    private let budget: Budget?
    private let now: Timestamp

    init(_ coverage: JobCoverage, rules: RuleSet, now: Timestamp) {
        self.coverage = coverage
        let ofClass = (rules.jobClasses[coverage.jobClass]?.budget).map { [$0] } ?? []
        budget = Budget.narrowest(ofClass + coverage.usage.approvalBudgets)
        self.now = now
    }

    private var usage: Usage { coverage.usage.usage }

    private var live: Int { coverage.usage.grants.count { $0.isLive(at: now) } }

    // MARK: For programs

    var json: JSONValue {
        [
            "job_id": .string(coverage.jobID.rawValue), "job_class": .string(coverage.jobClass.rawValue),
            "tokens": [
                "issued": .integer(coverage.usage.grants.count), "live": .integer(live),
                "revoked": .integer(coverage.usage.grants.count { $0.revokedAt != nil }),
            ],
            "usage": [
                "model_calls": .integer(usage.modelCalls), "input_tokens": .integer(usage.inputTokens),
                "output_tokens": .integer(usage.outputTokens),
                "first_at": .optional(usage.firstAt?.iso8601), "last_at": .optional(usage.lastAt?.iso8601),
                "models": .array(
                    coverage.models.map {
                        [
                            "provider": .string($0.provider), "model": .string($0.model), "calls": .integer($0.calls),
                            "input_tokens": .integer($0.inputTokens), "output_tokens": .integer($0.outputTokens),
                        ]
                    }),
            ],
            "budget": .array((budget?.limits ?? []).map(json)),
            "spent_at": .optional(coverage.usage.spentAt?.iso8601),
            "calls_in_flight": .integer(coverage.usage.callsInFlight),
            "findings": .array(
                coverage.findings.map {
                    [
                        "code": .string($0.code), "severity": .string($0.severity), "about": .string($0.about),
                        "detail": .string($0.detail), "raised_at": .string($0.raisedAt.iso8601),
                    ]
                }),
        ]
    }

    private func json(_ limit: Budget.Limit) -> JSONValue {
        let used = usage.used(of: limit)
        return [
            "dimension": .string(limit.dimension.rawValue), "currency": .optional(limit.currency),
            "limit": .integer(limit.amount), "used": .integer(used), "state": .string(state(limit)),
        ]
    }

    /// `open`, `reached` or `exceeded`. A wall time that was over while nothing was received has been reached.
    private func state(_ limit: Budget.Limit) -> String {
        if usage.exceeds(limit) { return "exceeded" }
        let mark = BudgetMark(limit: limit, percent: 100, used: limit.amount)
        return usage.reaches(100, of: limit) || coverage.usage.marks.contains(mark.name) ? "reached" : "open"
    }

    // MARK: For people

    var lines: [String] {
        var lines = [
            Console.styled("job \(Console.plain(coverage.jobID.rawValue))", .bold)
                + " of class \(Console.plain(coverage.jobClass.rawValue)): \(coverage.usage.grants.count) tokens, "
                + "\(live) live"
        ]
        if let first = usage.firstAt, let last = usage.lastAt {
            lines.append(
                "  \(usage.modelCalls) model calls, \(usage.inputTokens) tokens in, \(usage.outputTokens) out, "
                    + "from \(first) to \(last)")
        } else {
            lines.append("  no gateway receipt: no call was made, or none through a gateway")
        }
        for model in coverage.models {
            lines.append(
                "  \(Console.plain(model.provider))/\(Console.plain(model.model)): \(model.calls) calls, "
                    + "\(model.inputTokens) tokens in, \(model.outputTokens) out")
        }
        for limit in budget?.limits ?? [] {
            let text = "budget: \(usage.used(of: limit)) of \(limit.amount) \(limit.unit), \(state(limit))"
            lines.append("  " + (state(limit) == "open" ? text : Console.styled(text, .yellow)))
        }
        if let spentAt = coverage.usage.spentAt {
            lines.append(
                "  the budget was spent at \(spentAt); \(coverage.usage.callsInFlight) calls were on their way then")
        }
        for finding in coverage.findings {
            lines.append(
                "  " + Console.styled(finding.code, finding.severity == "critical" ? .red : .yellow)
                    + " \(finding.raisedAt)  \(Console.plain(finding.detail))")
        }
        return lines
    }
}
