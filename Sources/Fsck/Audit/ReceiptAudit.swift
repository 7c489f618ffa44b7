import ClawWire

/// Looks at single receipts: their members, their identifier, and what a grant says of its own bounds.
final class ReceiptAudit {
    private let plan: FsckPlan
    private let book: FindingBook
    private let uniques: UniqueAudit
    private let effects: EffectAudit
    private let stops: StopAudit
    private let keys: KeyAudit
    private let outcomes: LedgerOutcomes?
    private let tokenKeys: Set<String>
    private let secret: TokenIDDerivation?

    init(
        _ plan: FsckPlan, _ book: FindingBook, uniques: UniqueAudit, effects: EffectAudit, stops: StopAudit,
        keys: KeyAudit, outcomes: LedgerOutcomes?
    ) {
        self.plan = plan
        self.book = book
        self.uniques = uniques
        self.effects = effects
        self.stops = stops
        self.keys = keys
        self.outcomes = outcomes
        tokenKeys = Set(plan.tokenKeys.map(\.kid.rawValue))
        secret = plan.tokenIDSecret.map { TokenIDDerivation(secret: $0) }
    }

    /// Takes a receipt.
    ///
    /// - Parameter path: the siblings from the receipt to the root of its batch; `nil` when the receipts do not have
    ///   it.
    func take(
        _ receipt: Members, kind: String, bytes: [UInt8], digest: Digest, sealedAt: Timestamp, at place: ReceiptPlace,
        path: () -> [Digest]?
    ) throws {
        for secret in SecretScan.secrets(in: bytes) { SecretAudit.report(secret, book, at: place.text) }
        guard let form = ReceiptForm.of(kind) else {
            book.note("receipts of the kind \(Place.quoted(kind)): their members and identifiers are not known here")
            try uniques.take(.receipt, Fingerprint(receipt.string("receipt_id") ?? ""), at: place)
            return
        }
        for name in receipt.names where !form.members.contains(name) {
            book.add(.receiptUnknownMember, at: place.text, "\(kind) has the unknown member \(Place.quoted(name))")
        }
        if let fault = form.fault(of: receipt) {
            book.add(.receiptMember, at: place.text, fault)
            return
        }
        checkIdentity(receipt, kind, form, at: place)
        if let at = receipt.time("occurred_at"), at > sealedAt.adding(seconds: 60) {
            book.add(
                .receiptAfterSealing, at: place.text, "it occurred at \(at), more than a minute after it was sealed")
        }
        try uniques.take(.receipt, Fingerprint(receipt.string("receipt_id") ?? ""), at: place)
        for image in ExpectedEffects.of(receipt, kind: kind, digest: digest, at: place, path: path) {
            try effects.expect(image, at: place)
        }
        try takeByKind(receipt, kind, at: place)
    }

    private func checkIdentity(_ receipt: Members, _ kind: String, _ form: ReceiptForm, at place: ReceiptPlace) {
        let parts = form.identity(receipt)
        let text =
            "[\"clawgrant-receipt-v1\","
            + [kind, parts.subject, parts.effect]
            .map { String(decoding: EffectImageWriter.quoted($0), as: UTF8.self) }.joined(separator: ",") + "]"
        let id = Digest(hashing: text).b64u
        if receipt.string("receipt_id") != id {
            book.add(
                .receiptID, at: place.text,
                "receipt_id is \(Place.quoted(receipt.string("receipt_id") ?? "")), \(id) follows from the receipt")
        }
    }

    private func takeByKind(_ receipt: Members, _ kind: String, at place: ReceiptPlace) throws {
        switch kind {
        case "grant.issued":
            try outcome(receipt, state: 1, at: place)
            try grant(receipt, at: place)
        case "decision.denied": try outcome(receipt, state: 2, at: place)
        case "decision.expired": try outcome(receipt, state: 3, at: place)
        case "decision.quarantined":
            let origin = ExpectedEffects.originText(receipt.object("quarantine")?.object("origin"))
            try uniques.take(.deadLetterOrigin, Fingerprint(origin), at: place)
        case "dead_letter.redriven", "dead_letter.discarded":
            let origin = ExpectedEffects.originText(receipt.object("dead_letter")?.object("origin"))
            try uniques.take(.deadLetterOrigin, Fingerprint(origin), at: place, refers: true)
        case "revocation":
            guard let revocation = receipt.object("revocation"), receipt.has("request_id") else { return }
            try uniques.take(
                .token, Fingerprint(revocation.string("token_hash") ?? ""), at: place, refers: true)
        case "grant.claimed":
            try uniques.take(
                .token, Fingerprint(receipt.object("claim")?.string("token_hash") ?? ""), at: place, refers: true)
        case "key.changed": keys.take(change: receipt)
        case "stop.declared", "stop.lifted", "stop.drilled", "control.applied": stops.take(event: receipt, at: place)
        default: break
        }
    }

    private func outcome(_ receipt: Members, state: UInt8, at place: ReceiptPlace) throws {
        if let request = receipt.string("request_id") {
            try uniques.take(.requestOutcome, Fingerprint(request), at: place)
            let token = receipt.object("token")?.string("token_hash")
            try outcomes?.logged(request: request, state: state, token: token, at: place)
        } else if let approval = receipt.strings("approval_ids")?.first {
            try uniques.take(.approvalOutcome, Fingerprint(approval), at: place)
        }
    }

    private func grant(_ receipt: Members, at place: ReceiptPlace) throws {
        guard let token = receipt.object("token") else { return }
        try uniques.take(.tokenID, Fingerprint(token.string("jti") ?? ""), at: place)
        try uniques.take(.token, Fingerprint(token.string("token_hash") ?? ""), at: place)
        if let position = receipt.count("control_position") {
            try stops.take(grant: receipt, controlPosition: position, at: place)
        } else {
            book.add(
                .grantWithoutControlPosition, at: place.text, "the grant does not say after which control event it came"
            )
        }
        if !receipt.has("rules_hash_b64u") {
            book.add(.grantWithoutRules, at: place.text, "the grant does not say under which rules it came")
        }
        let approvals = receipt.strings("approval_ids") ?? []
        if approvals.isEmpty { book.add(.grantWithoutApproval, at: place.text, "the grant rests on no approval") }
        if (receipt.strings("approver_ids") ?? []).isEmpty {
            book.add(.grantWithoutApprover, at: place.text, "nobody is named who approved")
        }
        if let request = receipt.string("request_id") {
            for approval in approvals { try outcomes?.uses.logged(approval, by: request, at: place) }
        }
        keys.take(grant: token, at: place)
        let kid = token.string("kid") ?? ""
        if !tokenKeys.isEmpty, !tokenKeys.contains(kid) {
            book.add(.tokenKeyUnknown, at: place.text, "the key \(Place.quoted(kid)) is none of the keys of tokens")
        }
        if let secret, let request = receipt.string("request_id"), token.string("jti") != secret.tokenID(of: request) {
            book.add(
                .tokenIDNotDerived, at: place.text,
                "jti \(Place.quoted(token.string("jti") ?? "")) does not follow from the request")
        }
        let rules = receipt.digest("rules_hash_b64u").flatMap { plan.rules[$0] }
        GrantBounds(receipt, token, rules, plan, book, place.text).check()
        guard let rules, let name = receipt.string("job_class"), let jobClass = rules.jobClasses[name] else { return }
        if jobClass.isSingleUse {
            for approval in approvals { try uniques.take(.approvalUse, Fingerprint(approval), at: place) }
        }
    }
}

/// Derives `jti` from requests: a UUID of version 4's form made of HMAC-SHA-256 over `clawgrant jti`, a zero byte and
/// the request's identifier.
struct TokenIDDerivation {
    private let inner: [UInt8]
    private let outer: [UInt8]

    /// RFC 2104 with SHA-256, whose blocks have 64 bytes.
    init(secret: [UInt8]) {
        var key = secret.count > 64 ? Digest(hashing: secret).bytes : secret
        key += [UInt8](repeating: 0, count: 64 - key.count)
        inner = key.map { $0 ^ 0x36 }
        outer = key.map { $0 ^ 0x5C }
    }

    func tokenID(of request: String) -> String {
        let message = Array("clawgrant jti".utf8) + [0] + Array(request.utf8)
        let code = Digest(hashing: outer + Digest(hashing: inner + message).bytes).bytes
        var uuid = Array(code.prefix(16))
        uuid[6] = uuid[6] & 0x0F | 0x40
        uuid[8] = uuid[8] & 0x3F | 0x80
        let hex = Hex.encode(uuid)
        var text = ""
        for (index, digit) in hex.enumerated() {
            if [8, 12, 16, 20].contains(index) { text += "-" }
            text.append(digit)
        }
        return text
    }
}
