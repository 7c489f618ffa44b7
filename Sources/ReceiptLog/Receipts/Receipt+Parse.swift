import ClawWire

extension Receipt {
    /// Reads a receipt and checks that the bytes are its canonical form and that its identifier follows from it.
    ///
    /// - Throws: ``EvidenceError`` with the path of the first fault.
    public init(parsing bytes: [UInt8]) throws(EvidenceError) {
        let limits = JSONLimits(maximumBytes: Self.maximumBytes, maximumDepth: 32, maximumMembers: 8_192)
        let reader = try MemberReader(parsing: bytes, limits: limits)
        try reader.constant("receipt_version", "1")
        let subject = Subject(
            requestID: try reader.optionalString("request_id").map { RequestID($0) },
            approvalIDs: try reader.strings("approval_ids").map { ApprovalID($0) },
            jobID: try reader.optionalString("job_id").map { JobID($0) },
            jobClass: try reader.optionalString("job_class").map { JobClass($0) },
            agentDID: try reader.optionalString("agent_did").map { AgentDID($0) })
        self.init(
            content: try Content(reader), subject: subject, provenance: try Provenance(reader),
            reasons: try Reason.list(reader, "reasons"), occurredAt: try reader.timestamp("occurred_at"))
        let stated = try reader.string("receipt_id")
        guard stated == id.rawValue else {
            throw EvidenceError(
                .identifierMismatch, "receipt_id", "\"\(stated.prefix(64))\" does not follow from the receipt: \(id)")
        }
        let written = try encoded()
        try requireCanonical(written.bytes, bytes, "receipt")
    }
}

extension Receipt.Provenance {
    init(_ reader: MemberReader) throws(EvidenceError) {
        var inputs: [EvidenceInput] = []
        for input in try reader.nestedElements("inputs") {
            inputs.append(
                EvidenceInput(
                    digest: try input.digest("digest_b64u"), origin: try RecordOrigin(input),
                    source: try input.optionalString("source").map { SourceName($0) }))
        }
        self.init(
            workerID: WorkerID(try reader.string("worker_id")),
            rulesHash: try reader.optionalDigest("rules_hash_b64u"),
            policyHash: try reader.optionalDigest("wpc_hash_b64u"),
            authenticity: reader.has("authenticity") ? try reader.choice("authenticity") : nil,
            inputs: inputs, controlPosition: try reader.optionalInteger("control_position"))
    }
}

extension Receipt.Reason {
    static func list(_ reader: MemberReader, _ key: String) throws(EvidenceError) -> [Receipt.Reason] {
        var reasons: [Receipt.Reason] = []
        for reason in try reader.nestedElements(key) {
            reasons.append(
                Receipt.Reason(code: try reason.string("code"), detail: try reason.string("detail")))
        }
        return reasons
    }
}

extension Receipt.Content {
    init(_ reader: MemberReader) throws(EvidenceError) {
        let text = try reader.string("kind")
        guard let kind = Receipt.Kind(rawValue: text) else {
            throw EvidenceError(.unknownKind, "kind", "\"\(text.prefix(64))\" is no kind of receipt known here")
        }
        switch kind {
        case .grantIssued:
            self = .grantIssued(
                Receipt.Grant(
                    asked: try AuthorityExtent(try reader.nested("asked")),
                    granted: try AuthorityExtent(try reader.nested("granted")),
                    token: try TokenReference(try reader.nested("token")), delivery: try reader.choice("delivery"),
                    approverIDs: try reader.strings("approver_ids").map { PersonID($0) },
                    replaces: try reader.optionalString("replaces_request_id").map { RequestID($0) },
                    rule: try reader.string("rule")))
        case .grantClaimed: self = .grantClaimed(try Receipt.Claim(try reader.nested("claim")))
        case .decisionDenied: self = .decisionDenied(try Receipt.Refusal(reader))
        case .decisionExpired: self = .decisionExpired(try Receipt.Refusal(reader))
        case .decisionQuarantined:
            let quarantine = try reader.nested("quarantine")
            self = .decisionQuarantined(
                Receipt.Quarantine(
                    origin: try RecordOrigin(try quarantine.nested("origin")),
                    valueDigest: try quarantine.hexDigest("value_sha256"),
                    valueBytes: Int(try quarantine.integer("value_bytes"))))
        case .deadLetterRedriven:
            self = .deadLetterRedriven(try Receipt.DeadLetterAction(try reader.nested("dead_letter")))
        case .deadLetterDiscarded:
            self = .deadLetterDiscarded(try Receipt.DeadLetterAction(try reader.nested("dead_letter")))
        case .revocation:
            let revocation = try reader.nested("revocation")
            self = .revocation(
                Receipt.Revocation(
                    tokenHash: try revocation.hexDigest("token_hash"),
                    jti: try revocation.optionalString("jti").map { TokenID($0) },
                    cause: try revocation.choice("cause"), revokedBy: try revocation.string("revoked_by")))
        case .revocationsEnded: self = .revocationsEnded(try RevocationEnd(try reader.nested("payload")))
        case .keyChanged:
            let key = try reader.nested("key")
            guard let publicKey = Ed25519PublicKey(did: try key.string("public_key_did")) else {
                throw EvidenceError(
                    .invalidMember, key.at("public_key_did"), "a did:key of an Ed25519 key was expected")
            }
            guard try key.string("kid") == publicKey.kid.rawValue else {
                throw EvidenceError(.identifierMismatch, key.at("kid"), "is not the kid of the public key")
            }
            self = .keyChanged(
                Receipt.KeyChange(
                    publicKey: publicKey, purpose: try key.choice("purpose"), change: try key.choice("change"),
                    effectiveAt: try key.timestamp("effective_at")))
        case .stopDeclared: self = .stopDeclared(try reader.nested("payload").object)
        case .stopLifted: self = .stopLifted(try reader.nested("payload").object)
        case .stopDrilled: self = .stopDrilled(try reader.nested("payload").object)
        case .controlApplied: self = .controlApplied(try reader.nested("payload").object)
        case .controlRepeated: self = .controlRepeated(try reader.nested("payload").object)
        case .gatewayReceipt: self = .gatewayReceipt(try Receipt.GatewayCall(try reader.nested("gateway_call")))
        case .findingRaised: self = .findingRaised(try Receipt.Finding(try reader.nested("finding")))
        case .budgetReached: self = .budgetReached(try Receipt.BudgetMark(try reader.nested("budget")))
        case .heartbeat: self = .heartbeat
        }
    }
}

extension Receipt.Refusal {
    fileprivate init(_ reader: MemberReader) throws(EvidenceError) {
        var asked: AuthorityExtent?
        if let extent = try reader.optionalNested("asked") { asked = try AuthorityExtent(extent) }
        self.init(asked: asked, needed: try reader.strings("needed"), rule: try reader.string("rule"))
    }
}

extension AuthorityExtent {
    init(_ reader: MemberReader) throws(EvidenceError) {
        self.init(
            scope: try reader.strings("scope"), actions: try reader.strings("actions"),
            audience: try reader.strings("audience"), ttlSeconds: try reader.optionalInteger("ttl_seconds"))
    }
}

extension TokenReference {
    init(_ reader: MemberReader) throws(EvidenceError) {
        self.init(
            tokenHash: try reader.hexDigest("token_hash"), jti: TokenID(try reader.string("jti")),
            scopeHash: try reader.digest("token_scope_hash_b64u"), kid: KeyID(try reader.string("kid")),
            issuedAt: try reader.seconds("iat"), expiresAt: try reader.seconds("exp"))
    }
}

extension RecordOrigin {
    init(_ reader: MemberReader) throws(EvidenceError) {
        self.init(
            topic: try reader.string("topic"),
            partition: Int32(try reader.integer("partition", in: 0...Int64(Int32.max))),
            offset: try reader.integer("offset"))
    }
}

extension MemberReader {
    /// A string that is a case of a closed set.
    func choice<Choice: RawRepresentable & CaseIterable>(
        _ key: String, _ type: Choice.Type = Choice.self
    ) throws(EvidenceError) -> Choice where Choice.RawValue == String {
        let text = try string(key)
        guard let choice = Choice(rawValue: text) else {
            let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw EvidenceError(.invalidMember, at(key), "\"\(text.prefix(64))\" is none of: \(known)")
        }
        return choice
    }
}
