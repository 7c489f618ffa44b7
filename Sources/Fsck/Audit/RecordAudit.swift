import ClawWire

/// Reads the records of the streams that follow from receipts: what they say, and that they hold no secret.
final class RecordAudit {
    private let plan: FsckPlan
    private let book: FindingBook
    private let effects: EffectAudit
    private let ledger: LedgerOutcomes?
    private var heads: HeadAudit

    init(_ plan: FsckPlan, _ book: FindingBook, effects: EffectAudit, ledger: LedgerOutcomes?) {
        self.plan = plan
        self.book = book
        self.effects = effects
        self.ledger = ledger
        heads = HeadAudit(plan, book)
    }

    /// Takes a numbered record of a stream.
    func take(_ record: FsckRecord, stream: Int, sequence: Int64, batch: Int64) throws {
        let name = plan.streams[stream].name
        let place = Place.record(plan.streams[stream].topic, record.partition, record.offset)
        if name == "revocations" {
            heads.numbered(sequence, sealedAt: record.header("ce_time").flatMap { Timestamp(rfc3339: $0) })
        }
        guard let value = record.value else {
            guard name == "revocations" else {
                book.add(.recordUnreadable, at: place, "the record has no value")
                return
            }
            SecretAudit.scan(record, book, at: place, allowing: nil)
            let image = ExpectedEffects.end(of: String(decoding: record.key ?? [], as: UTF8.self), batch: batch)
            try found(image, record, stream: stream, sequence: sequence, batch: batch)
            return
        }
        guard value.count <= 1_048_576 else {
            book.add(.recordUnreadable, at: place, "\(value.count) bytes; at most 1048576 are read")
            return
        }
        let kind: EffectKind
        switch name {
        case "grants": kind = .grant
        case "decisions": kind = .decision
        case "revocations": kind = record.key?.starts(with: "cutoff:".utf8) ?? false ? .cutoff : .revocation
        case "dead-letters": kind = .deadLetter
        case "control-results": kind = .controlResult
        case "findings": kind = Self.isBudget(value) ? .budget : .finding
        default:
            SecretAudit.scan(record, book, at: place, allowing: nil)
            return
        }
        let members: Members
        do { members = try Members(value) } catch let fault {
            let isJSON = (try? JSONReader.parse(value, duplicates: .keepLastValue)) != nil
            book.add(
                isJSON ? .recordNotCanonical : .recordUnreadable, at: place, "\(fault.what) at byte \(fault.offset)")
            SecretAudit.scan(record, book, at: place, allowing: nil)
            return
        }
        var delivery: Range<Int>?
        if kind == .grant { delivery = try DeliveryAudit(members, book, place).check() }
        SecretAudit.scan(record, book, at: place, allowing: delivery)
        guard let found = FoundEffect(kind, key: record.key ?? [], members) else {
            book.add(.recordUnreadable, at: place, "the record names no receipt")
            return
        }
        for name in found.unknown {
            book.add(.recordUnknownMember, at: place, "unknown member \(Place.quoted(name))")
        }
        if kind == .grant {
            try ledger?.published(
                claims: members.string("claims_digest_b64u"), of: found.image.receiptID, record, stream)
        }
        try self.found(found.image, record, stream: stream, sequence: sequence, batch: batch)
    }

    /// Compares the heads with what was read of the log and of the revocations topic.
    func finish(beganAt: Timestamp?, sealedAt: Timestamp?) {
        guard let stream = plan.streams.first(where: { $0.name == "revocations" }) else { return }
        heads.finish(at: stream.topic, beganAt: beganAt, sealedAt: sealedAt)
    }

    private func found(
        _ image: EffectImage, _ record: FsckRecord, stream: Int, sequence: Int64, batch: Int64
    ) throws {
        if let batches = effects.batches, !batches.contains(batch), !(plan.isSettled && plan.isWholeLog) { return }
        try effects.found(image, record, stream: stream, sequence: sequence, batch: batch)
    }

    /// The findings stream carries findings and marks of budgets.
    private static func isBudget(_ value: [UInt8]) -> Bool { (try? Members(value))?.has("budget_version") ?? false }

    /// Takes a head of the revocations topic, which has no position of its own.
    func take(head record: FsckRecord, topic: String) {
        heads.take(record, at: Place.record(topic, record.partition, record.offset))
    }
}

extension FsckPlan {
    /// True when everything there is, is asked for.
    var isWholeLog: Bool { from == 0 && through == nil }
}

/// How a grant says that its token reaches the job.
struct DeliveryAudit {
    private let grant: Members
    private let book: FindingBook
    private let place: String

    init(_ grant: Members, _ book: FindingBook, _ place: String) {
        self.grant = grant
        self.book = book
        self.place = place
    }

    /// Checks the delivery.
    ///
    /// - Returns: where the token stands that may stand here.
    func check() throws -> Range<Int>? {
        guard let delivery = grant.object("delivery"), let mode = delivery.string("mode") else {
            book.add(.deliveryMalformed, at: place, "the grant has no delivery")
            return nil
        }
        if mode != grant.string("delivery_mode") {
            book.add(.deliveryMode, at: place, "the delivery is \(Place.quoted(mode)), another one was decided")
        }
        let token = grant.object("token")
        switch mode {
        case "sealed":
            let segments = (delivery.string("jwe") ?? "").utf8.split(
                separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            let isSealed =
                delivery.names == ["jwe", "mode"] && segments.count == 5
                && segments.allSatisfy { Base64URL.decode(Array($0)[...]) != nil }
                && segments.first.flatMap { Base64URL.decode(Array($0)[...]) }
                    .flatMap { try? JSONReader.parse($0, limits: .token) }?["enc"]?.string != nil
            guard isSealed else {
                book.add(.deliveryMalformed, at: place, "the sealed token is no compact JWE")
                return nil
            }
            return delivery.range("jwe")
        case "reference":
            let isNamed =
                [["mode", "reference"], ["jkt", "mode", "reference"], ["claim_url", "jkt", "mode", "reference"]]
                .contains(Array(delivery.names))
            if !isNamed || delivery.string("reference") != token?.string("jti") {
                book.add(.deliveryReference, at: place, "the reference is not the token's jti")
            } else if delivery.has("jkt"), delivery.digest("jkt") == nil {
                book.add(.deliveryMalformed, at: place, "jkt is no SHA-256 in base64url")
            }
            return nil
        case "plain":
            guard delivery.names == ["mode", "token"], let compact = delivery.string("token"),
                Digest(hashing: compact).hex == token?.string("token_hash")
            else {
                book.add(.deliveryMalformed, at: place, "the token in the clear is not the one that was minted")
                return nil
            }
            return delivery.range("token")
        default:
            book.add(.deliveryMalformed, at: place, "no way to deliver is called \(Place.quoted(mode))")
            return nil
        }
    }
}

/// Searches records for secrets.
enum SecretAudit {
    static func scan(_ record: FsckRecord, _ book: FindingBook, at place: String, allowing: Range<Int>?) {
        var found: [SecretScan.Secret] = []
        if let key = record.key { found += SecretScan.secrets(in: key) }
        for header in record.headers { if let value = header.value { found += SecretScan.secrets(in: value) } }
        if let value = record.value {
            if let allowing {
                found += SecretScan.secrets(in: Array(value[..<allowing.lowerBound]))
                found += SecretScan.secrets(in: Array(value[allowing.upperBound...]))
            } else {
                found += SecretScan.secrets(in: value)
            }
        }
        for secret in found { report(secret, book, at: place) }
    }

    static func report(_ secret: SecretScan.Secret, _ book: FindingBook, at place: String) {
        switch secret {
        case .token: book.add(.secretToken, at: place, "a compact token stands in the record")
        case .sealed: book.add(.secretSealedToken, at: place, "a sealed token stands outside of a delivery")
        case .privateKey: book.add(.secretPrivateKey, at: place, "a private key stands in the record")
        }
    }
}

/// Heads of the revocations topic: each says what stands before it, and the log signs it.
struct HeadAudit {
    private let plan: FsckPlan
    private let book: FindingBook
    /// How much older than the log's last batch the newest head may be while revocations stand behind it. Heads follow
    /// each other within a second; a worker that was stopped may leave its last revocations to the next one's head.
    private static let maximumLag: Int64 = 30

    private var nextSequence: Int64?
    private var asOf: Timestamp?
    private var controlPosition: Int64 = 0
    private var isThere = false
    /// What the head that reaches farthest says of the next record.
    private var reached: Int64 = 0
    /// When the last records were sealed: the first of each time.
    private var sealed: [(first: Int64, at: Timestamp?)] = []
    /// How many of these are kept at least; heads that are later than so many batches are findings.
    private static let remembered = 1_024

    init(_ plan: FsckPlan, _ book: FindingBook) {
        self.plan = plan
        self.book = book
    }

    /// Takes a record that has a position of its own.
    mutating func numbered(_ sequence: Int64, sealedAt: Timestamp?) {
        guard sequence >= nextSequence ?? 0 else { return }
        nextSequence = sequence + 1
        if sealed.last?.at == sealedAt { return }
        sealed.append((sequence, sealedAt))
        if sealed.count > 2 * Self.remembered { sealed.removeFirst(Self.remembered) }
    }

    /// True when the first record that a head does not speak of was sealed when the head had been made: its sender was
    /// fenced or slept while the next sealer published, and a broker without fences took it all the same. What it says is
    /// true and less than the whole; readers wait for the next.
    private func isLate(_ at: Timestamp, next: Int64) -> Bool {
        guard let first = sealed.last(where: { $0.first <= next }), let sealedAt = first.at else { return false }
        return at <= sealedAt
    }

    /// Says whether revocations stand on the topic that no head speaks for: a reader of it could not tell that one more
    /// was taken away.
    func finish(at topic: String, beganAt: Timestamp?, sealedAt: Timestamp?) {
        guard let nextSequence, let beganAt, let sealedAt else { return }
        guard isThere else {
            // Of a log that has just begun, the first head may be on its way.
            if beganAt.adding(seconds: Self.maximumLag) < sealedAt {
                book.add(
                    .headMissing, at: topic,
                    "revocations stand below \(nextSequence), and no signed head says that they are all")
            }
            return
        }
        guard let asOf, reached < nextSequence, asOf.adding(seconds: Self.maximumLag) < sealedAt else {
            return
        }
        book.add(
            .headBehind, at: topic,
            "the newest head is of \(asOf) and speaks for what stands below \(reached); there are records up to "
                + "\(nextSequence - 1), and the log went on until \(sealedAt)")
    }

    mutating func take(_ record: FsckRecord, at place: String) {
        isThere = true
        guard let value = record.value, record.key == Array("head".utf8), let head = try? Members(value),
            head.string("head_version") == "1", let log = head.string("log_id"), let at = head.time("as_of"),
            let next = head.count("next_sequence"), let position = head.count("control_position"),
            let signature = head.object("signature"), let did = signature.string("signer_did"),
            head.names == [
                "as_of", "control_position", "head_version", "live", "log_id", "next_sequence", "signature",
                "swept_position",
            ]
        else {
            book.add(.headUnreadable, at: place, "the head does not read")
            return
        }
        SecretAudit.scan(record, book, at: place, allowing: nil)
        if let expected = plan.logID, log != expected {
            book.add(.headLog, at: place, "the head is of \(Place.quoted(log))")
        }
        checkSignature(head, signature, did, at: place)
        // A head that was sent again after a crash may stand behind a younger one; what it says is still checked.
        if let nextSequence, next != nextSequence,
            next > nextSequence || (asOf.map({ at >= $0 }) ?? true) && !isLate(at, next: next)
        {
            book.add(
                .headSequence, at: place, "next_sequence is \(next), the next record after this head is \(nextSequence)"
            )
        } else if nextSequence == nil, next != 0, plan.isWholeLog, !isCompacted {
            book.add(.headSequence, at: place, "next_sequence is \(next), and no record stands before the head")
        }
        if let asOf, at < asOf {
            // An older head knows less, and rightly so; readers keep the younger one.
            book.add(.headTimeReversed, at: place, "as_of \(at) is before \(asOf)")
        } else if position < controlPosition {
            book.add(.headControlPosition, at: place, "control_position \(position) is less than \(controlPosition)")
        }
        asOf = max(asOf ?? at, at)
        reached = max(reached, next)
        controlPosition = max(controlPosition, position)
    }

    private var isCompacted: Bool { plan.streams.contains { $0.name == "revocations" && $0.isCompacted } }

    private func checkSignature(_ head: Members, _ signature: Members, _ did: String, at place: String) {
        guard let key = plan.logKeys.first(where: { $0.did == did }) else {
            book.add(.headSignerUnknown, at: place, "\(Place.quoted(did)) is no key of the log")
            return
        }
        // The signature is over the record without this member.
        var text: [UInt8] = [UInt8(ascii: "{")]
        for member in head.all where member.name != "signature" {
            if text.count > 1 { text.append(UInt8(ascii: ",")) }
            text += EffectImageWriter.quoted(member.name) + [UInt8(ascii: ":")] + head.text[member.value]
        }
        text.append(UInt8(ascii: "}"))
        let signed = Array("clawgrant-revocation-head-v1\n\(Digest(hashing: text).b64u)".utf8)
        book.report.counts.signatures += 1
        let isValid =
            signature.string("algorithm") == "Ed25519"
            && signature.string("signature_b64u").flatMap { Ed25519Signature(b64u: $0) }
                .map { key.isValidSignature($0, for: signed) } ?? false
        if !isValid { book.add(.headSignatureInvalid, at: place, "the signature is not over the head") }
    }
}
