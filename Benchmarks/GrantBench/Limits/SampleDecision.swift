import ApprovalSources
import ClawWire
import Foundation
import GrantLedger
import IssuanceRules
import Playground
import ReceiptLog

/// The calls on the way of one decision, one by one, on what a playground's workers would be given.
struct SampleDecision {
    let rules: RuleSet
    let source: SourceConfiguration
    let policies: [Digest: WPCAvailability]
    let signer: SeedSigner
    let minter: CSTMinter
    let tokenIDSecret: TokenIDSecret
    let sealingSecret: SealingSecret
    let recipient: [UInt8]

    init(_ playground: Playground) throws {
        rules = try RuleSet(yaml: try String(contentsOfFile: "\(playground.directory)/rules.yaml", encoding: .utf8))
        guard let rule = rules.sources[SourceName("approvals")],
            let signer = SeedSigner(seed: Array(repeating: 7, count: 32)),
            let tokenIDSecret = TokenIDSecret(bytes: Array(repeating: 8, count: 32)),
            let sealingSecret = SealingSecret(bytes: Array(repeating: 9, count: 32))
        else { throw BenchError("the playground's rules have no source \"approvals\"") }
        var source = SourceConfiguration(name: rule.name, kind: .native, authenticity: .signed)
        source.signers = rule.signers.values.map { SourceConfiguration.Signer(publicKey: $0.key) }
        source.trustedSources = rule.trustedEventSources
        source.jobClasses = rule.mayApprove
        self.source = source
        self.signer = signer
        self.tokenIDSecret = tokenIDSecret
        self.sealingSecret = sealingSecret
        minter = CSTMinter(signer: signer)
        recipient = playground.keys.job.publicKey
        var policies: [Digest: WPCAvailability] = [:]
        let allowed = Set(rules.workPolicies.signers.map(\.did))
        for (jobClass, hash) in playground.policies {
            let path = "\(playground.directory)/policies/\(jobClass.rawValue).json"
            let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
            let verified = try WPCEnvelope.verify(bytes, expectedHash: hash, signerAllowlist: allowed)
            policies[hash] = .available(verified.issuancePolicy, hash: hash)
        }
        self.policies = policies
    }

    /// One approval with its request, as the adapter reads it.
    struct Understood {
        let record: SourceRecord
        let facts: [Fact]
        let request: CapabilityRequest
        let authenticity: IssuanceRules.Authenticity
    }

    func read(_ record: SourceRecord, _ signatures: inout BatchSignatureCache) throws -> Understood {
        let reading = AnySource.facts(
            from: record, configuration: source, at: .playgroundNow, signatures: &signatures)
        guard case .facts(let facts, let evidence) = reading, let authenticity = evidence.authenticity else {
            throw BenchError("a generated record was not understood: \(reading)")
        }
        for fact in facts {
            if case .capabilityRequested(let request) = fact.content {
                return Understood(record: record, facts: facts, request: request, authenticity: authenticity)
            }
        }
        throw BenchError("a generated record carries no request")
    }

    func fold(_ understood: Understood) throws -> ApprovalState {
        guard let id = understood.facts.first?.approvalID else { throw BenchError("a fact names no approval") }
        var state = ApprovalState(approvalID: id)
        for fact in understood.facts {
            state.apply(fact, from: source.name, authenticity: understood.authenticity)
        }
        return state
    }

    func input(_ understood: Understood, _ state: ApprovalState, at now: Timestamp) -> DecisionInput {
        let request = understood.request
        return DecisionInput(
            request: request, requestSource: source.name, requestAuthenticity: understood.authenticity,
            receivedAt: now, approvals: [ApprovalCandidate(state: state)],
            wpc: request.policyHash.flatMap { policies[$0] } ?? .notRequested, now: now)
    }

    func plan(_ input: DecisionInput) throws -> (decision: Decision, plan: GrantPlan) {
        let decision = rules.decide(input)
        guard case .issue(let plan) = decision.outcome else {
            throw BenchError("a generated request was not granted: \(decision.reasons)")
        }
        return (decision, plan)
    }

    func claims(_ request: RequestID, _ plan: GrantPlan) -> CSTClaims {
        CSTClaims.jobToken(
            sub: plan.agentDID, aud: plan.audience, scope: plan.scope, iat: plan.issuedAt, exp: plan.expiresAt,
            ownerRef: plan.approvalDigest, policyHash: plan.policyHash, missionID: plan.jobID,
            jti: TokenID.derive(secret: tokenIDSecret, requestID: request),
            nonce: TokenNonce.derive(secret: tokenIDSecret, requestID: request))
    }
}
