public import ClawWire

extension Receipt {
    /// A model call, as a gateway signed it: names, counts and hashes of its receipt (WIRE section 8.2).
    ///
    /// The gateway's own receipt stays on its topic, where ``Provenance/inputs`` says; ``payloadHash`` is what the gateway
    /// signed, so that whoever has it can be held to it.
    public struct GatewayCall: Sendable, Hashable {
        /// DID of the gateway that signed.
        public let signerDID: String
        /// The gateway's `receipt_id`.
        public let receiptID: String
        /// The gateway's `payload_hash_b64u`.
        public let payloadHash: Digest
        /// The gateway's `timestamp`, to the millisecond.
        public let calledAt: Timestamp
        /// `provider`.
        public let provider: String
        /// `model`.
        public let model: String
        /// `tokens_input`.
        public let inputTokens: Int64
        /// `tokens_output`.
        public let outputTokens: Int64
        /// `binding.token_scope_hash_b64u`.
        public let scopeHash: String?
        /// `binding.policy_hash`.
        public let policyHash: String?
        /// `binding.run_id`.
        public let runID: String?

        /// Makes a call.
        public init(
            signerDID: String, receiptID: String, payloadHash: Digest, calledAt: Timestamp, provider: String,
            model: String, inputTokens: Int64, outputTokens: Int64, scopeHash: String?, policyHash: String?,
            runID: String?
        ) {
            self.signerDID = signerDID
            self.receiptID = receiptID
            self.payloadHash = payloadHash
            self.calledAt = calledAt.cutToMilliseconds
            self.provider = provider
            self.model = model
            self.inputTokens = inputTokens
            self.outputTokens = outputTokens
            self.scopeHash = scopeHash
            self.policyHash = policyHash
            self.runID = runID
        }

        /// Names the gateway's receipt: signer and identifier, which a gateway uses once.
        public var name: String { "\(signerDID)/\(receiptID)" }
    }

    /// How grave a finding is.
    public enum Severity: String, Sendable, Hashable, CaseIterable {
        /// Worth knowing.
        case notice
        /// Somebody should look at it.
        case warning
        /// Somebody must look at it now.
        case critical
    }

    /// Something that is not as the grants say it should be.
    public struct Finding: Sendable, Hashable {
        /// What, for machines: SCREAMING_SNAKE_CASE, listed in `docs/budgets.md` and `docs/source-health.md`.
        public let code: String
        /// How grave.
        public let severity: Severity
        /// What it is about: a gateway receipt as `signer/receipt_id`, a run as `run:id`, a budget as `job:id`, a source
        /// as `source:name`, an approver as `approver:source/person`.
        public let about: String
        /// Hashes of the evidence: of the gateway receipts' payloads, of records that are none, of an occasion.
        public let evidence: [Digest]
        /// By how much a budget was exceeded; only for a budget.
        public let excess: BudgetExcess?

        /// Makes a finding.
        public init(
            code: String, severity: Severity, about: String, evidence: [Digest] = [], excess: BudgetExcess? = nil
        ) {
            self.code = code
            self.severity = severity
            self.about = about
            self.evidence = evidence
            self.excess = excess
        }

        /// Identifies what was found: about the same thing, the same code and evidence are one finding.
        var effect: String {
            var writer = CanonicalWriter(capacity: 256)
            writer.openArray()
            writer.string(code)
            for digest in evidence { writer.string(digest.b64u) }
            if let excess {
                let currency = excess.currency ?? ""
                writer.string("\(excess.dimension.rawValue):\(currency):\(excess.limit):\(excess.used)")
            }
            writer.closeArray()
            return Digest(hashing: writer.output).b64u
        }
    }

    /// What a budget counts.
    public enum BudgetDimension: String, Sendable, Hashable, CaseIterable {
        /// Calls of models.
        case modelCalls = "model_calls"
        /// Tokens sent to models.
        case inputTokens = "input_tokens"
        /// Tokens that models gave back.
        case outputTokens = "output_tokens"
        /// Money, in minor units of the budget's currency, by the price table of the rules.
        case cost
        /// Seconds from the first call on.
        case wallTime = "wall_time_seconds"
    }

    /// By how much a budget was exceeded, and how it came to that.
    public struct BudgetExcess: Sendable, Hashable {
        /// What is counted.
        public let dimension: BudgetDimension
        /// What was allowed.
        public let limit: Int64
        /// What was used.
        public let used: Int64
        /// Calls that were on their way when the tokens were revoked: dated before it, read after it.
        public let callsInFlight: Int64
        /// ISO 4217 code, for ``BudgetDimension/cost``.
        public let currency: String?

        /// Makes an excess.
        public init(
            dimension: BudgetDimension, limit: Int64, used: Int64, callsInFlight: Int64, currency: String? = nil
        ) {
            self.currency = currency
            self.dimension = dimension
            self.limit = limit
            self.used = used
            self.callsInFlight = callsInFlight
        }
    }

    /// A mark of a budget that usage has come to.
    public struct BudgetMark: Sendable, Hashable {
        /// What is counted.
        public let dimension: BudgetDimension
        /// The mark, in percent of the limit; 100 is the limit itself.
        public let percent: Int64
        /// What is allowed.
        public let limit: Int64
        /// What was used when the mark was come to.
        public let used: Int64
        /// ISO 4217 code, for ``BudgetDimension/cost``.
        public let currency: String?

        /// Makes a mark.
        public init(dimension: BudgetDimension, percent: Int64, limit: Int64, used: Int64, currency: String? = nil) {
            self.dimension = dimension
            self.percent = percent
            self.limit = limit
            self.used = used
            self.currency = currency
        }

        /// True at the limit, where the job's tokens are revoked.
        public var isLimit: Bool { percent >= 100 }

        /// Identifies the mark within a job; a limit that is changed has marks of its own.
        public var name: String {
            let kind = currency.map { "\(dimension.rawValue)/\($0)" } ?? dimension.rawValue
            return "\(kind):\(percent):\(limit)"
        }
    }
}

extension CanonicalWriter {
    mutating func member(_ name: String, _ excess: Receipt.BudgetExcess?) {
        guard let excess else { return }
        key(name)
        openObject()
        member("calls_in_flight", excess.callsInFlight)
        member("currency", excess.currency)
        member("dimension", excess.dimension.rawValue)
        member("exceeded_by", max(0, excess.used - excess.limit))
        member("limit", excess.limit)
        member("used", excess.used)
        closeObject()
    }

    mutating func finding(_ finding: Receipt.Finding) {
        key("finding")
        openObject()
        member("about", finding.about)
        member("code", finding.code)
        member("evidence_b64u", finding.evidence)
        member("excess", finding.excess)
        member("severity", finding.severity.rawValue)
        closeObject()
    }

    mutating func budget(_ mark: Receipt.BudgetMark) {
        key("budget")
        openObject()
        member("currency", mark.currency)
        member("dimension", mark.dimension.rawValue)
        member("limit", mark.limit)
        member("percent", mark.percent)
        member("used", mark.used)
        closeObject()
    }

    mutating func gatewayCall(_ call: Receipt.GatewayCall) {
        key("gateway_call")
        openObject()
        member("called_at", call.calledAt)
        member("input_tokens", call.inputTokens)
        member("model", call.model)
        member("output_tokens", call.outputTokens)
        member("payload_hash_b64u", call.payloadHash)
        member("policy_hash", call.policyHash)
        member("provider", call.provider)
        member("receipt_id", call.receiptID)
        member("run_id", call.runID)
        member("signer_did", call.signerDID)
        member("token_scope_hash_b64u", call.scopeHash)
        closeObject()
    }
}

extension Receipt.BudgetExcess {
    init(_ reader: MemberReader) throws(EvidenceError) {
        self.init(
            dimension: try reader.choice("dimension"), limit: try reader.integer("limit"),
            used: try reader.integer("used"), callsInFlight: try reader.integer("calls_in_flight"),
            currency: try reader.optionalString("currency"))
    }
}

extension Receipt.Finding {
    init(_ reader: MemberReader) throws(EvidenceError) {
        var excess: Receipt.BudgetExcess?
        if let nested = try reader.optionalNested("excess") { excess = try Receipt.BudgetExcess(nested) }
        self.init(
            code: try reader.string("code"), severity: try reader.choice("severity"),
            about: try reader.string("about"), evidence: try reader.digests("evidence_b64u"), excess: excess)
    }
}

extension Receipt.BudgetMark {
    init(_ reader: MemberReader) throws(EvidenceError) {
        self.init(
            dimension: try reader.choice("dimension"), percent: try reader.integer("percent", in: 1...100),
            limit: try reader.integer("limit"), used: try reader.integer("used"),
            currency: try reader.optionalString("currency"))
    }
}

extension Receipt.GatewayCall {
    init(_ reader: MemberReader) throws(EvidenceError) {
        self.init(
            signerDID: try reader.string("signer_did"), receiptID: try reader.string("receipt_id"),
            payloadHash: try reader.digest("payload_hash_b64u"), calledAt: try reader.timestamp("called_at"),
            provider: try reader.string("provider"), model: try reader.string("model"),
            inputTokens: try reader.integer("input_tokens"), outputTokens: try reader.integer("output_tokens"),
            scopeHash: try reader.optionalString("token_scope_hash_b64u"),
            policyHash: try reader.optionalString("policy_hash"), runID: try reader.optionalString("run_id"))
    }
}
