public import ClawWire
import ReceiptLog

/// What the reference's verifiers say of a document, defects included. Their VALID is not ours.
public struct CompatibleAnswer: Sendable, Hashable {
    /// One verifier's answer.
    public struct Answer: Sendable, Hashable {
        /// Who answers: `core`, `service`, or `library` where there is one only.
        public let verifier: String
        /// True for VALID.
        public let isValid: Bool
        /// The reference's code; `nil` when VALID.
        public let code: String?
        /// The member concerned.
        public let field: String?
        /// The proof tier, when there is one.
        public let tier: String?

        /// The answer as JSON.
        public var json: JSONValue {
            [
                "verifier": .string(verifier), "status": .string(isValid ? "VALID" : "INVALID"),
                "code": .optional(code), "field": .optional(field), "proof_tier": .optional(tier),
            ]
        }
    }

    /// What the document is.
    public let kind: DocumentKind
    /// The answers; none for documents that the reference has no verifier for.
    public let answers: [Answer]

    /// 0 when all say VALID, 1 when one does not, 2 when there is no answer.
    public var exitCode: Int32 { answers.isEmpty ? 2 : answers.allSatisfy(\.isValid) ? 0 : 1 }

    /// Asks about a document, with the gateways of the trust configuration as the allowlist.
    public init(_ bytes: [UInt8], trust: TrustConfiguration, now: Timestamp) {
        guard
            let value = try? JSONReader.parse(
                bytes, limits: ReferenceVerifier.limits, duplicates: .keepLastValue)
        else {
            kind = .unknown
            answers = []
            return
        }
        kind = ProofVerifier.kind(of: value)
        let signers = trust.gatewaySigners.sorted()
        let options = ReferenceOptions(["allowlistedReceiptSignerDids": .array(signers.map { .string($0) })])
        switch kind {
        case .proofBundle:
            answers = ReferenceVerifier.allCases.map { verifier in
                let verdict = verifier.verify(value, options: options, now: now)
                return Answer(
                    verifier: verifier.rawValue, isValid: verdict.status == .valid, code: verdict.code,
                    field: verdict.field, tier: verdict.proofTier?.rawValue)
            }
        case .exportBundle:
            let verdict = ExportVerifier(options: options, now: now).verify(value)
            answers = [
                Answer(
                    verifier: "library", isValid: verdict.status == .valid, code: verdict.code, field: verdict.field,
                    tier: verdict.proofTier?.rawValue)
            ]
        case .gatewayReceipt:
            let verdict = GatewayReceiptVerdict(envelope: value, signers: signers)
            answers = [
                Answer(
                    verifier: "library", isValid: verdict.status == .valid, code: verdict.code, field: verdict.field,
                    tier: nil)
            ]
        case .compatibleProof:
            do {
                _ = try LogInclusionProof.verify(value)
                answers = [Answer(verifier: "library", isValid: true, code: nil, field: nil, tier: nil)]
            } catch {
                answers = [
                    Answer(
                        verifier: "library", isValid: false, code: error.code.rawValue, field: error.field, tier: nil)
                ]
            }
        case .batch, .checkpointPair, .checkpoint, .inclusionProof, .receipt, .token, .policy, .approval, .grant,
            .revocationHead, .unknown:
            answers = []
        }
    }
}
