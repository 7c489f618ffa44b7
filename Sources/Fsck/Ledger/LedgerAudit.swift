import ClawWire

/// Holds the ledger's rows against the topics, and makes tokens again from their claims.
final class LedgerAudit {
    private static let page = 2_000
    private static let keyWidth = 8 + 4 + 1 + 8

    private let plan: FsckPlan
    private let book: FindingBook
    private let source: any LedgerSource
    private let outcomes: LedgerOutcomes
    private let spool: BatchSpool
    private let batches: ClosedRange<Int64>?
    private let isWhole: Bool
    private let control: ControlRows
    private let keys: SortedRuns
    private let directory: WorkDirectory

    /// Takes both sides.
    ///
    /// - Parameters:
    ///   - events: control events of the log.
    ///   - batches: what was looked at of the log.
    ///   - isWhole: true when that is everything from its first receipt on.
    init(
        _ plan: FsckPlan, _ book: FindingBook, _ source: any LedgerSource, _ outcomes: LedgerOutcomes,
        _ spool: BatchSpool, events: [ControlEventText], batches: ClosedRange<Int64>?, isWhole: Bool
    ) throws {
        self.plan = plan
        self.book = book
        self.source = source
        self.outcomes = outcomes
        self.spool = spool
        self.batches = batches
        self.isWhole = isWhole
        control = ControlRows(plan, book, source, events: events, isWhole: isWhole)
        directory = try WorkDirectory(in: plan.workDirectory)
        keys = SortedRuns(width: Self.keyWidth, memory: plan.sortMemory / 8, in: directory)
    }

    func run() async throws {
        let oldest = try await takeGroupKeys()
        try await takeBatches(oldestDay: oldest)
        try await takeUnsealed()
        try finishKeys(oldestDay: oldest)
        try spool.finish()
        var last = ""
        while true {
            let page = try await source.requests(after: last, limit: Self.page)
            for request in page { try outcomes.stored(request) }
            guard let end = page.last, page.count == Self.page else { break }
            last = end.id
        }
        last = ""
        while true {
            let page = try await source.approvals(after: last, limit: Self.page)
            for approval in page { try outcomes.uses.stored(approval) }
            guard let end = page.last, page.count == Self.page else { break }
            last = end.id
        }
        try outcomes.finish(isWhole: isWhole)
        try await control.run()
        if plan.tokenSigners.isEmpty { book.note("tokens made again from their claims: needs the keys of tokens") }
    }

    // MARK: Batches and their groups

    private func takeBatches(oldestDay: Int32?) async throws {
        var next = batches?.lowerBound ?? 0
        while true {
            let page = try await source.batches(from: next, limit: 32)
            for row in page {
                if let batches, !plan.isWholeLog, row.number > batches.upperBound { return }
                try await take(row, oldestDay: oldestDay)
                next = row.number + 1
            }
            if page.count < 32 { return }
        }
    }

    private func take(_ row: LedgerBatch, oldestDay: Int32?) async throws {
        let place = "clawgrant.receipt_batch \(row.number)"
        if Digest(hashing: row.header).bytes != row.headerHash {
            book.add(.ledgerBatchDiffers, at: place, "header_hash is not that of header")
        }
        for key in row.groups { try add(key, side: 1, number: row.number) }
        let groups = try await source.groups(row.groups)
        var leaves: [Digest] = []
        var isComplete = groups.count == row.groups.count
        for group in groups {
            guard let effects = LedgerEffect.read(group.body) else {
                book.add(.ledgerGroupUnreadable, at: Self.place(group.key), "the body does not read")
                isComplete = false
                continue
            }
            for secret in SecretScan.secrets(in: group.body) {
                SecretAudit.report(secret, book, at: Self.place(group.key))
            }
            for effect in effects {
                leaves.append(Digest(hashing: 0x00, effect.receipt))
                try ClaimsAudit(plan, book, outcomes, place: Self.place(group.key)).check(effect)
            }
        }
        if !isComplete, row.groups.contains(where: { $0.day < oldestDay ?? .max }) {
            book.note("bodies of effects that were moved to the archive")
        }
        try spool.add(row, root: isComplete ? Trees.levels(leaves).last?.first : nil)
    }

    static func place(_ key: LedgerGroupKey) -> String { "clawgrant.effect_group \(key.group) (day \(key.day))" }

    // MARK: Every group once

    private func add(_ key: LedgerGroupKey, side: UInt8, number: Int64) throws {
        var entry = EntryWriter(width: Self.keyWidth)
        entry.put(key.group)
        entry.put(key.day)
        entry.put(side)
        entry.put(number)
        try keys.add(entry.bytes)
    }

    /// - Returns: the oldest day that has groups.
    private func takeGroupKeys() async throws -> Int32? {
        var last = LedgerGroupKey(day: .min, group: .min)
        var oldest: Int32?
        while true {
            let page = try await source.groupKeys(after: last, limit: Self.page)
            for key in page {
                oldest = min(oldest ?? key.day, key.day)
                try add(key, side: 0, number: 0)
            }
            guard let end = page.last, page.count == Self.page else { return oldest }
            last = end
        }
    }

    private func takeUnsealed() async throws {
        var last = Int64.min
        var count = 0
        while true {
            let page = try await source.unsealed(after: last, limit: Self.page)
            for group in page { try add(LedgerGroupKey(day: .max, group: group), side: 2, number: 0) }
            count += page.count
            guard let end = page.last, page.count == Self.page else { break }
            last = end
        }
        guard count > 0 else { return }
        if plan.isSettled {
            book.add(.ledgerUnsealed, at: "clawgrant.unsealed", "\(count) groups of effects are not sealed")
        } else {
            book.note("\(count) groups of effects that are not sealed yet")
        }
    }

    private func finishKeys(oldestDay: Int32?) throws {
        var group: Int64?
        var stored: LedgerGroupKey?
        var uses: [(side: UInt8, number: Int64, day: Int32)] = []
        let covers = plan.isWholeLog
        func close() {
            guard let group else { return }
            let sealed = uses.filter { $0.side == 1 }
            if let stored {
                if uses.isEmpty, covers {
                    book.add(.ledgerGroupLost, at: Self.place(stored), "the group is in no batch and does not wait")
                }
                if uses.count > 1 {
                    let places = sealed.map { "batch \($0.number)" }.joined(separator: ", ")
                    book.add(.ledgerGroupTwice, at: Self.place(stored), "the group is sealed more than once: \(places)")
                }
            } else if let use = sealed.first, use.day >= oldestDay ?? .max {
                book.add(
                    .ledgerGroupMissing, at: "clawgrant.receipt_batch \(use.number)",
                    "its group \(group) is not in the ledger")
            }
        }
        try keys.forEach { bytes in
            var entry = EntryReader(bytes)
            let number = entry.int64()
            let day = entry.int32()
            let side = entry.byte()
            if number != group {
                close()
                group = number
                stored = nil
                uses = []
            }
            if side == 0 {
                stored = LedgerGroupKey(day: day, group: number)
            } else {
                uses.append((side, entry.int64(), day))
            }
        }
        close()
    }
}

/// Proves P7 for a grant of the ledger: its claims are the receipt's, and its token follows from them.
struct ClaimsAudit {
    private let plan: FsckPlan
    private let book: FindingBook
    private let outcomes: LedgerOutcomes
    private let place: String

    init(_ plan: FsckPlan, _ book: FindingBook, _ outcomes: LedgerOutcomes, place: String) {
        self.plan = plan
        self.book = book
        self.outcomes = outcomes
        self.place = place
    }

    func check(_ effect: LedgerEffect) throws {
        guard !effect.grants.isEmpty, let receipt = try? Members(effect.receipt), let token = receipt.object("token"),
            let id = receipt.string("receipt_id")
        else { return }
        let place = "\(place), request \(Place.quoted(receipt.string("request_id") ?? ""))"
        for grant in effect.grants {
            let digest = Digest(hashing: grant.claims)
            try outcomes.stored(claims: digest, of: id)
            let record = try? Members(grant.record)
            if record?.digest("claims_digest_b64u") != digest {
                book.add(.claimsDigest, at: place, "claims_digest_b64u is not that of the claims")
            }
            guard let claims = try? JSONReader.parse(grant.claims, limits: .token).object else {
                book.add(.claimsMismatch, at: place, "the claims do not read")
                continue
            }
            let strangers = mismatches(claims, receipt, token)
            if !strangers.isEmpty {
                book.add(.claimsMismatch, at: place, "\(strangers.joined(separator: ", ")) differ from the receipt")
            }
            if ScopeInput.digest(claims).b64u != token.string("token_scope_hash_b64u") {
                book.add(.claimsScopeHash, at: place, "token_scope_hash_b64u does not follow from the claims")
            }
            checkPin(claims, receipt, at: place)
            try remake(grant, token, at: place)
        }
    }

    /// A token that must name its WPC's hash does: the gateway enforces no other.
    private func checkPin(_ claims: JSONObject, _ receipt: Members, at place: String) {
        guard claims["policy_hash_b64u"] == nil, let hash = receipt.digest("wpc_hash_b64u"),
            let rules = receipt.digest("rules_hash_b64u").flatMap({ plan.rules[$0] }),
            let jobClass = receipt.string("job_class").flatMap({ rules.jobClasses[$0] }),
            jobClass.workPolicy.isAlwaysPinned || plan.policies[hash]?.isPinned ?? false
        else { return }
        book.add(.claimsNotPinned, at: place, "the token does not name the hash of its WPC, \(hash)")
    }

    private func mismatches(_ claims: JSONObject, _ receipt: Members, _ token: Members) -> [String] {
        var names: [String] = []
        func text(_ claim: String, _ expected: String?) { if claims[claim]?.string != expected { names.append(claim) } }
        text("sub", receipt.string("agent_did"))
        text("mission_id", receipt.string("job_id"))
        text("jti", token.string("jti"))
        text("token_scope_hash_b64u", token.string("token_scope_hash_b64u"))
        if claims["iat"]?.integer != token.integer("iat") { names.append("iat") }
        if claims["exp"]?.integer != token.integer("exp") { names.append("exp") }
        if claims["owner_ref"]?.string == nil { names.append("owner_ref") }
        if let policy = claims["policy_hash_b64u"]?.string, policy != receipt.string("wpc_hash_b64u") {
            names.append("policy_hash_b64u")
        }
        let granted = receipt.object("granted")
        if ScopeInput.names(claims["scope"]) != granted?.strings("scope") { names.append("scope") }
        if ScopeInput.names(claims["aud"]) != granted?.strings("audience") { names.append("aud") }
        return names
    }

    /// Makes the token again: header and payload in base64url, signed with Ed25519.
    private func remake(_ grant: LedgerEffect.Grant, _ token: Members, at place: String) throws {
        if Hex.encode(grant.tokenHash) != token.string("token_hash") {
            book.add(.claimsToken, at: place, "the ledger's token hash is not the receipt's")
        }
        guard let signer = plan.tokenSigners.first(where: { $0.publicKey.kid.rawValue == token.string("kid") }) else {
            if !plan.tokenSigners.isEmpty {
                book.note("tokens of the key \(Place.quoted(token.string("kid") ?? "")), which was not given")
            }
            return
        }
        let header = "{\"alg\":\"EdDSA\",\"typ\":\"JWT\",\"kid\":\"\(signer.publicKey.kid.rawValue)\"}"
        var text = Array("\(Base64URL.encode(Array(header.utf8))).\(Base64URL.encode(grant.claims))".utf8)
        let signature = try signer.sign(text)
        text += Array(".\(signature.b64u)".utf8)
        book.report.counts.tokens += 1
        if Digest(hashing: text).hex != token.string("token_hash") {
            book.add(.claimsToken, at: place, "claims and key make another token than the receipt names")
        }
    }
}

/// What the scope hash of a token is over: the claims that say who may do what, trimmed and sorted.
enum ScopeInput {
    private static let texts = [
        "agent_did", "control_plane_policy_hash_b64u", "controller_did", "delegate_did", "delegation_id",
        "delegation_policy_hash_b64u", "delegator_did", "mission_id", "owner_did", "owner_ref", "payment_account_did",
        "policy_hash_b64u", "sub",
    ]

    /// A claim that is one text or a list of them.
    static func names(_ value: JSONValue?) -> [String]? {
        if let one = value?.string { return [one] }
        return value?.array?.compactMap(\.string)
    }

    static func digest(_ claims: JSONObject) -> Digest {
        var input: JSONObject = ["token_version": "1"]
        for name in texts {
            guard let text = claims[name]?.string.map(ExactText.trimmed), !text.isEmpty else { continue }
            input[name] = .string(text)
        }
        for name in ["aud", "scope"] {
            let texts = (names(claims[name]) ?? []).map(ExactText.trimmed).filter { !$0.isEmpty }
            var sorted: [String] = []
            for text in texts.sorted(by: { $0.utf16.lexicographicallyPrecedes($1.utf16) })
            where sorted.last.map({ !ExactText.equal($0, text) }) ?? true {
                sorted.append(text)
            }
            input[name] = .array(sorted.map { .string($0) })
        }
        if let cap = claims["spend_cap"]?.number, cap.isFinite, cap >= 0 { input["spend_cap"] = .number(cap) }
        if let cap = claims["delegation_spend_cap_minor"]?.string.map(ExactText.trimmed), !cap.isEmpty,
            cap.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 })
        {
            input["delegation_spend_cap_minor"] = .string(cap)
        }
        if let expiry = claims["delegation_expires_at"]?.number, expiry.rounded(.down) > 0 {
            input["delegation_expires_at"] = .number(expiry.rounded(.down))
        }
        return JSONValue.object(input).canonicalDigest
    }
}
