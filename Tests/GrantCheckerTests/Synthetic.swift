import ClawWire
import Kafka
import Postgres
import ReceiptLog
import Testing

@testable import GrantChecker

/// A small log and its records, made by hand, so that tests can spoil them.
struct SyntheticLog {
    static let logID = LogID("example.test/log")
    static let time = Timestamp(seconds: 1_790_000_000)
    let logSigner: SeedSigner
    let tokenSigner: SeedSigner
    /// Batches in order, each a list of receipts.
    var batches: [[Receipt]] = []

    init() throws {
        logSigner = try #require(SeedSigner(seed: [UInt8](repeating: 1, count: 32)))
        tokenSigner = try #require(SeedSigner(seed: [UInt8](repeating: 2, count: 32)))
    }

    var plan: CheckPlan {
        get throws {
            CheckPlan(
                kafka: KafkaConfiguration(), database: try PostgresConfiguration(keywords: [:]), logID: Self.logID,
                logKeys: [logSigner.publicKey], tokenKeys: [tokenSigner.publicKey], inputs: [])
        }
    }

    /// A compact token of this log's key.
    func token(_ name: String) throws -> MintedToken {
        var claims = CSTClaims(
            subject: "did:web:agent.example", audience: .one("clawproxy.com"), scope: ["proxy:call"],
            issuedAt: Self.time.seconds, expiresAt: Self.time.seconds + 600)
        claims.missionID = "job-\(name)"
        claims.tokenID = TokenID(name)
        return try CST.mint(claims, signer: tokenSigner)
    }

    func grant(
        _ name: String, scope: [String] = ["proxy:call"], jti: String? = nil, ttl: Int64 = 600, at position: Int64 = 0,
        policy: Digest? = nil
    ) throws -> Receipt {
        let minted = try token(jti ?? name)
        return Receipt(
            content: .grantIssued(
                Receipt.Grant(
                    asked: AuthorityExtent(scope: ["proxy:call"], ttlSeconds: 600),
                    granted: AuthorityExtent(scope: scope, audience: ["clawproxy.com"], ttlSeconds: ttl),
                    token: TokenReference(
                        tokenHash: minted.hash.digest, jti: TokenID(jti ?? name), scopeHash: Digest(hashing: "scope"),
                        kid: tokenSigner.publicKey.kid, issuedAt: Self.time, expiresAt: Self.time.adding(seconds: ttl)),
                    delivery: .reference, approverIDs: [PersonID("approver")], rule: "job_classes.test")),
            subject: subject(name),
            provenance: Receipt.Provenance(
                workerID: WorkerID("worker"), policyHash: policy, controlPosition: position),
            reasons: [], occurredAt: Self.time)
    }

    /// The revocation of the token of ``grant(_:scope:jti:ttl:)``.
    func revocation(_ name: String) throws -> Receipt {
        Receipt(
            content: .revocation(
                Receipt.Revocation(
                    tokenHash: try token(name).hash.digest, jti: TokenID(name), cause: .requested, revokedBy: "worker")),
            subject: subject(name), provenance: Receipt.Provenance(workerID: WorkerID("worker")),
            reasons: [Receipt.Reason(code: "TOKEN_REVOKED", detail: "stop")], occurredAt: Self.time)
    }

    /// Tokens of ``grant(_:scope:jti:ttl:)`` whose revocation is over.
    func ended(_ names: [String], after seconds: Int64 = 700) throws -> Receipt {
        let keys = try names.map { RevocationKey.token(try token($0).hash.digest) }
        return Receipt(
            content: .revocationsEnded(
                RevocationEnd(keys: keys, expiredBefore: Self.time.adding(seconds: seconds))),
            subject: Receipt.Subject(), provenance: Receipt.Provenance(workerID: WorkerID("worker")),
            occurredAt: Self.time)
    }

    func heartbeat(_ seconds: Int64) -> Receipt {
        Receipt(
            content: .heartbeat, subject: Receipt.Subject(),
            provenance: Receipt.Provenance(workerID: WorkerID("worker")),
            occurredAt: Self.time.adding(seconds: seconds))
    }

    func denial(_ name: String) -> Receipt {
        Receipt(
            content: .decisionDenied(Receipt.Refusal(asked: nil, rule: "job_classes.test")), subject: subject(name),
            provenance: Receipt.Provenance(workerID: WorkerID("worker"), controlPosition: 0),
            reasons: [Receipt.Reason(code: "HUMAN_APPROVAL_DENIED", detail: "no")], occurredAt: Self.time)
    }

    private func subject(_ name: String) -> Receipt.Subject {
        Receipt.Subject(
            requestID: RequestID("req-\(name)"), approvalIDs: [ApprovalID("apr-\(name)")], jobID: JobID("job-\(name)"),
            jobClass: JobClass("test"), agentDID: AgentDID("did:web:agent.example"))
    }

    /// A record with its stream.
    struct Placed {
        let stream: CheckedStream
        var record: PublishedRecord
    }

    /// Everything that a correct worker would publish of the batches.
    func published() throws -> [Placed] {
        var tail = try LogTail(logID: Self.logID)
        var records: [Placed] = []
        var sequence: [CheckedStream: Int] = [:]
        for receipts in batches {
            let encoded = try receipts.map { try $0.encoded() }
            let sealed = try ReceiptBatch.seal(
                receipts: encoded.map(\.bytes), previous: tail, at: Self.time, signer: logSigner)
            tail = sealed.tail
            let number = Int(sealed.batch.header.number.value)
            func add(_ stream: CheckedStream, _ key: [UInt8], _ value: [UInt8]?) {
                let position = sequence[stream, default: 0]
                sequence[stream] = position + 1
                records.append(
                    Placed(
                        stream: stream,
                        record: PublishedRecord(
                            partition: 0, offset: Int64(records.count), key: key, value: value,
                            headers: Self.headers(stream.rawValue, position, number))))
            }
            let note = try tail.checkpoint.signed(by: logSigner)
            add(.receiptBatches, Array(Self.logID.rawValue.utf8), sealed.batch.record(checkpoint: note))
            for (index, receipt) in encoded.enumerated() {
                if let grant = GrantRecord(receipt, claimsDigest: Digest(hashing: "claims")) {
                    let proof = try #require(sealed.batch.proof(of: index))
                    let published = try grant.complete(delivery: .reference(ClaimReference("reference")), proof: proof)
                    add(.grants, grant.recordKey, published.canonicalBytes)
                }
                if let revocation = RevocationRecord(receipt) {
                    add(.revocations, revocation.recordKey, revocation.canonicalBytes)
                }
                if case .revocationsEnded(let end) = receipt.receipt.content {
                    for key in end.keys { add(.revocations, key.bytes, nil) }
                }
                if let decision = DecisionRecord(receipt) {
                    add(.decisions, decision.recordKey, decision.canonicalBytes)
                }
            }
        }
        return records
    }

    static func headers(_ stream: String, _ sequence: Int, _ batch: Int) -> [(name: String, value: [UInt8]?)] {
        [
            ("claw_stream", Array(stream.utf8)), ("claw_seq", Array(String(sequence).utf8)),
            ("claw_batch", Array(String(batch).utf8)),
        ]
    }
}

extension PublishedRecord {
    func with(value: [UInt8]? = nil, headers: [(name: String, value: [UInt8]?)]? = nil) -> PublishedRecord {
        PublishedRecord(
            partition: partition, offset: offset, key: key, value: value ?? self.value,
            headers: headers ?? self.headers)
    }
}
