import ClawWire
import Testing

@testable import IssuanceRules

/// Jobs, tokens and calls for the tests of usage.
enum UsageSample {
    static let now = time("2026-11-20T12:00:00Z")
    static let gateway = Digest(hashing: "gateway").b64u
    static let policy = Digest(hashing: "policy")

    static func rules(budget: String? = nil, prices: String = "") throws -> RuleSet {
        try RuleSet(
            yaml: """
                rules_version: "1"
                sources:
                  approvals:
                    kind: native
                    topics: [approvals]
                    authenticity: topic
                    allow_topic_authenticity: true
                    may_approve: [run]
                gateways: {signers: ["did:key:z6MkqGZn7AUaYXDhtg5YnVqKx44BJJnP6a7Q6c9rgdx6HKYG"], clock_skew: 30s}
                prices: [\(prices)]
                job_classes:
                  run:
                    binding: contained
                    audience: [clawproxy.com]
                    scopes: {allow: ["proxy:call"]}
                    \(budget.map { "budget: \($0)" } ?? "")
                """)
    }

    static func price(input: Int, output: Int) -> String {
        "{provider: openai, model: \"gpt-5*\", currency: EUR, input_per_million_minor: \(input), "
            + "output_per_million_minor: \(output)}"
    }

    static func grant(_ job: String, request: String? = nil, revokedAt: Timestamp? = nil) -> UsageGrant {
        UsageGrant(
            requestID: RequestID(request ?? "req-\(job)"), jobID: JobID(job), jobClass: JobClass("run"),
            agentDID: AgentDID("did:web:agents.harborline.example"), approvals: [ApprovalID("apr-\(job)")],
            tokenHash: Digest(hashing: "token \(request ?? job)"), tokenID: TokenID("jti-\(request ?? job)"),
            scopeHash: scope(job), policyHash: policy, issuedAt: now.adding(seconds: -600),
            expiresAt: now.adding(seconds: 600), revokedAt: revokedAt)
    }

    static func scope(_ job: String) -> Digest { Digest(hashing: "scope \(job)") }

    static func call(
        _ id: String, job: String?, at: Timestamp = now.adding(seconds: -60), input: Int64 = 100, output: Int64 = 10,
        model: String = "gpt-5.1", policy: Digest? = policy, run: String? = nil
    ) -> ObservedCall {
        ObservedCall(
            name: ObservedCall.Name(signerDID: "did:key:gateway", receiptID: id),
            payloadHash: Digest(hashing: "\(id) \(job ?? "") \(at) \(input) \(output) \(model)"), calledAt: at,
            provider: "openai", model: model, inputTokens: input, outputTokens: output,
            scopeHash: job.map { scope($0).b64u }, policyHash: policy?.b64u, runID: run ?? job)
    }

    static func snapshot(_ grants: [UsageGrant], approvalBudgets: [Budget] = []) -> UsageSnapshot {
        var snapshot = UsageSnapshot(now: now)
        for grant in grants {
            snapshot.jobs[grant.jobID, default: JobUsage()].grants.append(grant)
            snapshot.jobs[grant.jobID]?.approvalBudgets = approvalBudgets
        }
        return snapshot
    }
}

extension UsageBook {
    var findings: [UsageFinding] {
        events.compactMap { event -> UsageFinding? in
            guard case .found(let finding, _) = event else { return nil }
            return finding
        }
    }
    var codes: [UsageFinding.Code] { findings.map(\.code) }
    var marks: [String] {
        events.compactMap { event -> String? in
            guard case .mark(_, let mark, _) = event else { return nil }
            return mark.name
        }
    }
    var revoked: [TokenID] {
        events.flatMap { event -> [TokenID] in
            guard case .revoke(_, let grants, _) = event else { return [] }
            return grants.map(\.tokenID)
        }
    }
    var repeats: Int { events.count { if case .repeated = $0 { true } else { false } } }
}
