public import ClawWire
import ReceiptLog

/// What the reference's verifiers say of a document, defects included. Their VALID is not ours.
public struct CompatibleAnswer: Sendable, Hashable {
    /// One verifier's answer.
    public struct Answer: Sendable, Hashable {
        /// Who answers: of a proof bundle `core` and `service`, of a token `introspection`, of a WPC `gateway`, of an
        /// approval `local proxy`, of a commit's signature `command line`, else `library`.
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

    /// Asks about a document.
    ///
    /// A document that stands in a fixture's `bundle`, `envelope` or `inclusion_proof_v1` is taken out of it.
    ///
    /// - Parameters:
    ///   - bytes: the document.
    ///   - trust: whose gateways are the allowlist of receipts, unless the options name one; whose token keys, signers of
    ///     WPCs and approvers count.
    ///   - now: the time of verification.
    ///   - options: the options of the reference's caller, by the reference's names.
    public init(
        _ bytes: [UInt8], trust: TrustConfiguration, now: Timestamp, options: ReferenceOptions = ReferenceOptions()
    ) {
        guard
            let document = try? JSONReader.parse(
                bytes, limits: ReferenceVerifier.limits, duplicates: .keepLastValue)
        else {
            let text = bytes.count <= 131_072 ? String(validating: bytes, as: UTF8.self) : nil
            let token = text.flatMap { ProofVerifier.compactToken($0) }
            kind = token == nil ? .unknown : .token
            answers = token.map { [Self.token($0, trust, now)] } ?? []
            return
        }
        var options = options
        let value = Self.unwrapped(document)
        if value != document, options.urm == nil { options.members["urm"] = document["urm"] }
        if !options.members.contains("allowlistedReceiptSignerDids") {
            options.members["allowlistedReceiptSignerDids"] = .array(
                trust.gatewaySigners.sorted().map { .string($0) })
        }
        kind = ProofVerifier.kind(of: value)
        answers = Self.answers(about: value, kind, trust, options, now)
    }

    private static func unwrapped(_ document: JSONValue) -> JSONValue {
        guard ProofVerifier.kind(of: document) == .unknown else { return document }
        return ["envelope", "bundle", "inclusion_proof_v1"].compactMap { document[$0] }
            .first { ProofVerifier.kind(of: $0) != .unknown } ?? document
    }

    private static func answers(
        about value: JSONValue, _ kind: DocumentKind, _ trust: TrustConfiguration, _ options: ReferenceOptions,
        _ now: Timestamp
    ) -> [Answer] {
        switch kind {
        case .proofBundle:
            ReferenceVerifier.allCases.map { verifier in
                let verdict = verifier.verify(value, options: options, now: now)
                return Answer(
                    verifier: verifier.rawValue, isValid: verdict.status == .valid, code: verdict.code,
                    field: verdict.field, tier: verdict.proofTier?.rawValue)
            }
        case .exportBundle: [Answer(ExportVerifier(options: options, now: now).verify(value))]
        case .aggregate: [Answer(ExportVerifier(options: options, now: now).verify(aggregate: value))]
        case .commitSignature:
            [Answer(ReferenceCommandLine.verify(commitSignature: value))]
        case .gatewayReceipt:
            [Answer(GatewayReceiptVerdict(envelope: value, signers: options.receiptSigners))]
        case .compatibleProof: [inclusionProof(value)]
        case .token: [token(value["token"]?.string ?? "", trust, now)]
        case .policy: [policy(value, trust, options)]
        case .approval: approval(value, trust, options, now)
        case .batch, .checkpointPair, .checkpoint, .inclusionProof, .receipt, .toolReceipt, .grant, .revocationHead,
            .unknown:
            []
        }
    }

    private static func inclusionProof(_ value: JSONValue) -> Answer {
        do {
            _ = try LogInclusionProof.verify(value)
            return Answer(verifier: "library", isValid: true, code: nil, field: nil, tier: nil)
        } catch {
            return Answer(
                verifier: "library", isValid: false, code: error.code.rawValue, field: error.field, tier: nil)
        }
    }
}

extension CompatibleAnswer.Answer {
    fileprivate init(_ verdict: ExportVerdict) {
        self.init(
            verifier: "library", isValid: verdict.status == .valid, code: verdict.code, field: verdict.field,
            tier: verdict.proofTier?.rawValue)
    }

    fileprivate init(_ verdict: GatewayReceiptVerdict) {
        self.init(
            verifier: "library", isValid: verdict.status == .valid, code: verdict.code, field: verdict.field, tier: nil)
    }

    fileprivate init(_ verdict: ReferenceCommandLine.Verdict) {
        self.init(
            verifier: "command line", isValid: verdict.passes, code: verdict.passes ? nil : verdict.reasonCode,
            field: nil, tier: nil)
    }
}
