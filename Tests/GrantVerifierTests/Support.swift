import ClawWire
import GrantVerifier
import ReceiptLog

/// ReceiptLog has a type of this name too.
typealias BearerToken = ClawWire.BearerToken

enum Samples {
    static let logID = LogID("logs.harborline.example/clawgrant")
    static let noon = Timestamp(seconds: 1_772_366_400)
    static let log = signer("log")
    static let issuer = signer("token")
    static let previousIssuer = signer("token-2025")
    static let keys = AcceptedKeys(
        signing: [issuer.publicKey],
        verifyOnly: [(previousIssuer.publicKey, noon.adding(seconds: 1_800).seconds)])
    static let agent = AgentDID("did:key:z6MkAgentRun77")
    static let policyHash = Digest(hashing: "wpc")

    static func signer(_ name: String) -> SeedSigner {
        guard let signer = SeedSigner(seed: Digest(hashing: "clawgrant-tests:\(name)").bytes) else {
            preconditionFailure("a digest has the 32 bytes of a seed")
        }
        return signer
    }

    // MARK: Tokens

    static func claims(
        _ n: Int = 0, issuedAt: Timestamp = noon, lifetime: Int64 = 600, job: String? = nil,
        agent: AgentDID = agent, extended: ExtendedClaims? = nil
    ) -> CSTClaims {
        CSTClaims.jobToken(
            sub: agent, aud: ["clawproxy.com"], scope: ["proxy:call", "clawproxy:call"], iat: issuedAt,
            exp: issuedAt.adding(seconds: lifetime), ownerRef: Digest(hashing: "approval \(n)"),
            policyHash: policyHash, missionID: JobID(job ?? "job-\(n)"), jti: TokenID("jti-\(n)"),
            nonce: "nonce-\(n)", extended: extended)
    }

    static func mint(_ claims: CSTClaims, by signer: SeedSigner = issuer) throws -> BearerToken {
        try CST.mint(claims, signer: signer).token
    }

    /// Claims changed after minting rules: the scope hash is computed again.
    static func rehashed(_ claims: CSTClaims, _ change: (inout CSTClaims) -> Void) -> CSTClaims {
        var changed = claims
        change(&changed)
        changed.tokenScopeHash = HashText(ScopeHash.compute(changed))
        return changed
    }

    /// A token with any header and payload, signed by the issuer.
    static func forge(header: JSONValue, payload: JSONValue, by signer: SeedSigner = issuer) throws -> BearerToken {
        let input =
            Base64URL.encode(JSONWriter.bytes(header, order: .asGiven)) + "."
            + Base64URL.encode(JSONWriter.bytes(payload, order: .asGiven))
        return BearerToken(input + "." + Base64URL.encode(try signer.sign(Array(input.utf8)).bytes))
    }

    static func payload(_ claims: CSTClaims) throws -> JSONObject {
        let segments = try mint(claims).exposed.split(separator: ".")
        guard let bytes = Base64URL.decode(segments[1]), let object = try JSONReader.parse(bytes).object else {
            throw CancellationError()
        }
        return object
    }

    static func verified(_ token: BearerToken, at now: Timestamp = noon) throws -> VerifiedCST {
        try CST.verify(try CST.parse(token.exposed), keys: keys, now: now, rules: .compatible)
    }

    static let policy = VerificationPolicy(audiences: ["clawproxy.com"], scope: .any(["proxy:call"]))

    // MARK: Records

    static func revocation(
        _ hash: Digest, _ sequence: Int64, at instant: Timestamp = noon, cause: RevocationCause = .requested
    ) -> RevocationTopicRecord {
        let value: JSONValue = [
            "cause": .string(cause.rawValue), "receipt_digest_b64u": .string(Digest(hashing: "receipt \(hash)").b64u),
            "receipt_id": .string(Digest(hashing: "id \(hash)").b64u), "revocation_version": "1",
            "revoked_at": .integer(instant.seconds),
            "revoked_at_iso": .string(Timestamp(seconds: instant.seconds).iso8601),
            "revoked_by": "did:web:issuer.harborline.example", "token_hash": .string(hash.hex),
        ]
        return RevocationTopicRecord(
            key: RevocationKey.token(hash).bytes, value: JSONWriter.bytes(value, order: .canonical),
            sequence: SequenceNumber(sequence))
    }

    static func cutoff(
        _ scope: CutoffScope, before instant: Timestamp, since: Timestamp? = nil, position: Int64 = 0
    ) -> CutoffRecord {
        CutoffRecord(
            scope: scope, notIssuedBefore: instant, issuedSince: since, eventID: "ctl-\(position)",
            controlPosition: position,
            cause: .stopped, reason: "the agent left its sandbox", revokedBy: "ops/avery", revokedAt: instant,
            receiptID: ReceiptID(Digest(hashing: "id \(position)").b64u),
            receiptDigest: Digest(hashing: "receipt \(position)"))
    }

    static func topic(_ record: CutoffRecord, _ sequence: Int64) -> RevocationTopicRecord {
        RevocationTopicRecord(
            key: record.recordKey, value: record.canonicalBytes, sequence: SequenceNumber(sequence))
    }

    static func tombstone(_ key: RevocationKey, _ sequence: Int64) -> RevocationTopicRecord {
        RevocationTopicRecord(key: key.bytes, value: nil, sequence: SequenceNumber(sequence))
    }

    static func head(
        _ next: Int64, asOf: Timestamp = noon, position: Int64 = 0, swept: Int64 = 0, tokens: Int64 = 0,
        cutoffs: Int64 = 0, log: LogID = logID, signer: SeedSigner = log
    ) throws -> RevocationTopicRecord {
        let head = RevocationHead(
            logID: log, asOf: asOf, nextSequence: SequenceNumber(next), controlPosition: position,
            sweptPosition: swept, live: RevocationHead.Live(tokens: tokens, cutoffs: cutoffs))
        return RevocationTopicRecord(
            key: SignedRevocationHead.recordKey, value: try head.signed(by: signer).canonicalBytes, sequence: nil)
    }

    static func state(
        _ records: [RevocationTopicRecord] = [], limits: RevocationLimits = RevocationLimits()
    ) -> RevocationState {
        var state = RevocationState(logID: logID, logKeys: [log.publicKey], limits: limits)
        for record in records { state.apply(record) }
        return state
    }

    /// A complete and fresh state that holds these cut-offs and nothing else.
    static func state(
        cutoffs: [CutoffRecord], asOf: Timestamp = noon, swept: Int64 = 0
    ) throws -> RevocationState {
        var records: [RevocationTopicRecord] = []
        for record in cutoffs { records.append(topic(record, Int64(records.count))) }
        let count = Int64(cutoffs.count)
        records.append(
            try head(
                count, asOf: asOf, position: cutoffs.map { $0.controlPosition + 1 }.max() ?? 0, swept: swept,
                cutoffs: count))
        return state(records)
    }

    static func scope(_ kind: CutoffScope.Kind, _ value: String) throws -> CutoffScope {
        guard let scope = CutoffScope(kind, value) else { throw CancellationError() }
        return scope
    }
}
