public import ClawWire

extension ReferenceVerifier {
    /// Limits under which a stranger's bundle is read.
    public static let limits = JSONLimits(
        maximumBytes: 33_554_432, maximumDepth: 64, maximumMembers: 1_000_000, maximumStringBytes: 4_194_304)

    /// Answers about a proof bundle as the reference does, defects included (WIRE sections 9 and 14).
    ///
    /// Pure: no clock, no network, no trust but what the options name. VALID is the reference's word, not this
    /// project's: the library says it of an unsigned payload. A strict verification has to check more.
    ///
    /// - Parameters:
    ///   - bundle: the parsed document, members in document order, of repeated members the last value.
    ///   - options: the options of the reference's caller.
    ///   - now: the present time, which `verificationTime` in the options replaces but for attestations.
    public func verify(_ bundle: JSONValue, options: ReferenceOptions, now: Timestamp) -> ReferenceVerdict {
        let examination = ReferenceExamination(verifier: self, options: options, wallClock: now)
        return examination.verdict(about: bundle)
    }

    /// Answers about the text of a proof bundle.
    ///
    /// - Throws: ``JSONError`` for a text that is no JSON or passes ``limits``: the reference never sees such a one.
    public func verify(
        text: [UInt8], options: ReferenceOptions, now: Timestamp
    ) throws(JSONError) -> ReferenceVerdict {
        let bundle = try JSONReader.parse(text, limits: Self.limits, duplicates: .keepLastValue)
        return verify(bundle, options: options, now: now)
    }
}

/// One run of the reference's checks over one bundle.
struct ReferenceExamination {
    let verifier: ReferenceVerifier
    let options: ReferenceOptions
    let wallClock: Timestamp

    func verdict(about bundle: JSONValue) -> ReferenceVerdict {
        let opened: ReferenceContext
        do throws(ReferenceRefusal) {
            opened = try open(bundle)
        } catch {
            let refusedPolicy = error.code.hasPrefix("CAUSAL_POLICY_PROFILE_")
            return ReferenceVerdict(
                status: .invalid, refusal: error, trustTier: nil, proofTier: nil,
                components: refusedPolicy ? ["envelope_valid": false] : [:], riskFlags: [])
        }
        var context = opened
        do throws(ReferenceRefusal) {
            try weigh(&context)
        } catch {
            return ReferenceVerdict(
                status: .invalid, refusal: error, trustTier: error.keepsTiers ? context.trustTier : nil,
                proofTier: error.keepsTiers ? context.proofTier : nil,
                components: error.keepsTiers ? context.components : [:],
                riskFlags: error.keepsTiers ? context.riskFlags.sorted() : [])
        }
        return ReferenceVerdict(
            status: .valid, refusal: nil, trustTier: context.trustTier, proofTier: context.proofTier,
            components: context.components, riskFlags: context.riskFlags.sorted())
    }

    /// Envelope, schema, limits, hash and signature.
    private func open(_ bundle: JSONValue) throws(ReferenceRefusal) -> ReferenceContext {
        let now = try verificationTime()
        let envelope = try EnvelopeCheck.envelope(bundle, verifier)
        let policy = try MetadataChecks.causalPolicy(options, verifier: verifier)
        let payload: JSONValue
        if let envelope {
            let check = EnvelopeCheck(verifier: verifier, now: now, skew: options.expirySkew)
            payload = try check.payload(of: envelope)
        } else {
            payload = EnvelopeCheck.withoutLegacyReceipts(bundle)
        }
        let object = try PayloadLimits(verifier: verifier, isSigned: envelope != nil).check(payload)
        try PayloadLimits.checkAgent(object)
        if let envelope { try EnvelopeCheck.checkSignature(of: envelope, agent: object["agent_did"]?.string ?? "") }
        return ReferenceContext(
            verifier: verifier, options: options, now: now, wallClock: wallClock, envelope: envelope, payload: object,
            policy: policy)
    }

    private func verificationTime() throws(ReferenceRefusal) -> Timestamp {
        guard verifier == .core, let given = options.members["verificationTime"] else { return wallClock }
        guard let milliseconds = ReferenceDate.milliseconds(given) else {
            throw ReferenceRefusal("MALFORMED_ENVELOPE", "verificationTime", "the time of verification is no date")
        }
        return Timestamp(milliseconds: milliseconds)
    }

    /// Everything that comes after the signature.
    private func weigh(_ context: inout ReferenceContext) throws(ReferenceRefusal) {
        context.components["causal_policy_profile"] = .string(context.policy.profile.rawValue)
        context.components["causal_policy_snapshot"] = [
            "profile": .string(context.policy.profile.rawValue),
            "causal_connectivity_mode": .string(context.policy.connectivity.rawValue),
            "coverage_enforcement_phase": .string(context.policy.coverage.rawValue),
        ]
        try EventChainCheck.check(&context)
        try RateLimitCheck.check(&context)
        try MetadataChecks.check(.claims, &context)
        try MetadataChecks.check(.urm, &context)
        switch verifier {
        case .core: try weighInLibrary(&context)
        case .service: try weighInService(&context)
        }
        AttestationCheck.check(&context)
        TierRules.set(&context)
        try MetadataChecks.check(.verdict, &context)
    }

    private func weighInLibrary(_ context: inout ReferenceContext) throws(ReferenceRefusal) {
        context.receiptResults = BundledReceipts.results(context)
        try BundledReceipts.count(&context)
        try ToolReceiptCheck.check(&context)
        try SupportReceiptCheck.check(&context)
        try MetadataChecks.check(.causal, &context)
        try MetadataChecks.check(.coverage, &context)
    }

    private func weighInService(_ context: inout ReferenceContext) throws(ReferenceRefusal) {
        try MetadataChecks.check(.evidence, &context)
        try MetadataChecks.check(.causal, &context)
        context.receiptResults = BundledReceipts.results(context)
        try MetadataChecks.check(.virReceipts, &context)
        try BundledReceipts.count(&context)
        try MetadataChecks.check(.witnesses, &context)
        try MetadataChecks.check(.coverage, &context)
        try MetadataChecks.check(.execution, &context)
    }
}
