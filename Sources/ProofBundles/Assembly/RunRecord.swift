public import ClawWire
public import ReceiptLog

/// Everything that was found about one run, not put in order yet.
public struct RunMaterial: Sendable {
    /// The job; its identifier is the run's.
    public var jobID: JobID
    /// What the log holds.
    public var log: CollectedLog
    /// WPC envelopes by policy hash.
    public var policies: [Digest: JSONValue] = [:]
    /// Gateway receipts that name the run or the scope hash of one of its tokens.
    public var calls: [GatewayCall] = []
    /// Gateway receipts that could not be read.
    public var unreadableCalls = 0
    /// The agent's own chain.
    public var agentEvents: [RunEvent] = []
    /// Signed approval receipts that the inputs of receipts are, by their origin.
    public var approvalEnvelopes: [RecordOrigin: JSONValue] = [:]
    /// Records on which grants rest that were not found.
    public var approvalsNotFound = 0
    /// The last signed head of the revocations topic, as published.
    public var revocationHead: [UInt8]?
    /// Whose gateway receipts count; nobody's signature is known when it is empty.
    public var gatewaySigners: Set<String> = []

    /// Starts with what the log holds.
    public init(jobID: JobID, log: CollectedLog) {
        self.jobID = jobID
        self.log = log
    }

    /// Whether the run has revocations or control events, and no head of their topic that is younger: nothing shows then
    /// that a reader of the topic had them all.
    public var lacksRevocationHead: Bool {
        guard let last = EvidenceWriter.lastEnding(log.receipts) else { return false }
        let head = revocationHead.flatMap { try? JSONReader.parse($0) }
        return head?["as_of"]?.string.flatMap { Timestamp(rfc3339: $0) }.map { $0 < last } ?? true
    }
}

/// A token of a run.
public struct RunToken: Sendable, Hashable {
    /// The receipt of its issuance.
    public let issuance: LoggedReceipt
    /// The grant as the receipt has it.
    public let grant: Receipt.Grant
    /// Its subject.
    public let subject: Receipt.Subject
    /// The WPC.
    public let policyHash: Digest?
    /// The claims, as far as they follow from the receipt, when their scope hash is the token's; never `nonce`.
    public let claims: CSTClaims?
    /// The receipt that ended it before its time.
    public let ending: LoggedReceipt?
    /// When it became void, or will.
    public let voidFrom: Timestamp
}

/// A gateway receipt that is no evidence of the run, or only in part.
public struct SetAsideCall: Sendable, Hashable {
    /// Why it does not stand among the bundle's receipts.
    public enum Reason: String, Sendable, Hashable, CaseIterable {
        /// It names another run.
        case otherRun = "other_run"
        /// It names no entry of the chain.
        case notInChain = "not_in_chain"
        /// Its signer is not a known gateway.
        case signerUnknown = "signer_unknown"
        /// Hash or signature are wrong.
        case signatureInvalid = "signature_invalid"
        /// Another receipt has the same identifier.
        case replayed
        /// There were more than a bundle may hold.
        case limit
        /// The reference refuses a bundle that holds it beside the others, for example for its spans.
        case contradictory

        /// True when the call is one of the run all the same, and counts as its use.
        var isOfTheRun: Bool {
            switch self {
            case .notInChain, .limit, .contradictory: true
            case .otherRun, .signerUnknown, .signatureInvalid, .replayed: false
            }
        }
    }
    /// The receipt.
    public let call: GatewayCall
    /// Why.
    public let reason: Reason
}

/// One run in order: tokens, chain, calls.
public struct RunRecord: Sendable {
    /// Most entries of a chain and most receipts of a kind in a bundle (WIRE section 9).
    public static let maximumEntries = 1_000

    /// What it was made of.
    public let material: RunMaterial
    /// `run_id`: the job's identifier.
    public let runID: String
    /// The tokens in the order of their issuance.
    public let tokens: [RunToken]
    /// The event chain.
    public let chain: [RunEvent]
    /// Entries of the chain by the position of the receipt that they stand for.
    public let eventHashes: [Int64: Digest]
    /// Calls that are bound to the chain, in order of time.
    public let calls: [GatewayCall]
    /// The other calls.
    public let setAside: [SetAsideCall]
    /// Entries that the chain has no room for.
    public let eventsLeftOut: Int
    /// False when an agent's chain was given and continues nothing of ours, so that ours follows on it.
    public let agentContinuesOurs: Bool

    /// Puts a run in order. The same material gives the same record.
    ///
    /// - Parameters:
    ///   - material: what was found.
    ///   - contradictory: payload hashes of calls that cannot stand in a bundle beside the others.
    public init(_ material: RunMaterial, contradictory: Set<Digest> = []) {
        self.material = material
        runID = material.jobID.rawValue
        tokens = RunTokens.tokens(in: material.log.receipts, jobID: material.jobID)
        // One name in the log is signer and identifier. What the log knows comes first: whoever writes to the gateways'
        // topic can put no call of his own into the place of one that was counted.
        let logged = LoggedCalls.hashes(material.log.receipts)
        var seen: [String: Digest] = [:]
        var keptIDs: Set<String> = []
        var repeats: Set<GatewayCall> = []
        var kept: [GatewayCall] = []
        var doubles: [GatewayCall] = []
        var aside: [SetAsideCall] = []
        let ordered = material.calls.sorted {
            let known = (logged.contains($0.payloadHash), logged.contains($1.payloadHash))
            return known.0 != known.1 ? known.0 : GatewayCall.precedes($0, $1)
        }
        for call in ordered where repeats.insert(call).inserted {
            guard call.isIntact else {
                aside.append(SetAsideCall(call: call, reason: .signatureInvalid))
                continue
            }
            guard material.gatewaySigners.isEmpty || material.gatewaySigners.contains(call.envelope.signerDID) else {
                aside.append(SetAsideCall(call: call, reason: .signerUnknown))
                continue
            }
            let name = "\(call.envelope.signerDID) \(call.receiptID)"
            if let first = seen[name] {
                if first != call.payloadHash { aside.append(SetAsideCall(call: call, reason: .replayed)) }
                continue
            }
            seen[name] = call.payloadHash
            guard let run = call.runID, ExactText.equal(run, material.jobID.rawValue) else {
                aside.append(SetAsideCall(call: call, reason: .otherRun))
                continue
            }
            guard keptIDs.insert(call.receiptID).inserted else {
                // Another gateway's call of the same identifier: the reference takes one of them for a replay.
                doubles.append(call)
                continue
            }
            kept.append(call)
        }
        kept.sort(by: GatewayCall.precedes)
        let built = RunChain(material, calls: kept)
        chain = built.events
        eventHashes = built.hashes
        eventsLeftOut = built.leftOut
        agentContinuesOurs = built.agentContinuesOurs
        let hashes = Set(chain.map(\.hash))
        for call in doubles {
            let isBound = call.eventHash.map { hashes.contains($0) } ?? false
            aside.append(SetAsideCall(call: call, reason: isBound ? .contradictory : .notInChain))
        }
        var bound: [GatewayCall] = []
        for call in kept {
            guard let hash = call.eventHash, hashes.contains(hash) else {
                aside.append(SetAsideCall(call: call, reason: .notInChain))
                continue
            }
            guard !contradictory.contains(call.payloadHash) else {
                aside.append(SetAsideCall(call: call, reason: .contradictory))
                continue
            }
            guard bound.count < Self.maximumEntries else {
                aside.append(SetAsideCall(call: call, reason: .limit))
                continue
            }
            bound.append(call)
        }
        calls = bound
        setAside = aside.sorted { GatewayCall.precedes($0.call, $1.call) }
    }
}

/// Finds the tokens of a run in its receipts.
enum RunTokens {
    static func tokens(in receipts: [LoggedReceipt], jobID: JobID) -> [RunToken] {
        // What ends tokens stands in few receipts; looking through all of them for each token would cost the square.
        let endings = receipts.filter { ["revocation", "stop.declared", "control.applied"].contains($0.kind) }
        let revocations = Dictionary(
            endings.compactMap { logged -> (Digest, LoggedReceipt)? in
                guard case .revocation(let revocation) = logged.receipt?.content else { return nil }
                return (revocation.tokenHash, logged)
            }, uniquingKeysWith: { first, _ in first })
        let control = endings.filter { $0.kind != "revocation" }.prefix(RunCollector.maximumControlReceipts)
        var derived = 0
        return receipts.compactMap { logged -> RunToken? in
            guard let receipt = logged.receipt, case .grantIssued(let grant) = receipt.content,
                receipt.subject.jobID == jobID, let agent = receipt.subject.agentDID
            else { return nil }
            let token = grant.token
            let ending = [revocations[token.tokenHash], control.first { ends($0, token, receipt) }]
                .compactMap { $0 }.min { $0.position < $1.position }
            var known: CSTClaims?
            if derived < maximumDerived {
                derived += 1
                known = claims(grant, receipt, agent, jobID)
            }
            var voidFrom = token.expiresAt
            if let at = ending?.receipt?.occurredAt, at < voidFrom { voidFrom = at }
            return RunToken(
                issuance: logged, grant: grant, subject: receipt.subject, policyHash: receipt.provenance.policyHash,
                claims: known, ending: ending, voidFrom: voidFrom)
        }
    }

    /// True for a control event with a cut-off that covers the token.
    private static func ends(_ logged: LoggedReceipt, _ token: TokenReference, _ issuance: Receipt) -> Bool {
        (logged.document["payload"]?["cutoffs"]?.array ?? []).contains { cutoff in
            guard let before = cutoff["not_issued_before"]?.integer, token.issuedAt.seconds < before,
                token.issuedAt.seconds >= cutoff["issued_since"]?.integer ?? 0
            else { return false }
            return isCovered(token, issuance, by: cutoff["scope"])
        }
    }

    private static func isCovered(_ token: TokenReference, _ issuance: Receipt, by scope: JSONValue?) -> Bool {
        guard let kind = scope?["kind"]?.string else { return false }
        let value = scope?["value"]?.string ?? ""
        func isIt(_ text: String?) -> Bool { text.map { ExactText.equal($0, value) } ?? false }
        return switch kind {
        case "all": true
        case "job": isIt(issuance.subject.jobID?.rawValue)
        case "job_class": isIt(issuance.subject.jobClass?.rawValue)
        case "agent": isIt(issuance.subject.agentDID?.rawValue)
        case "request": isIt(issuance.subject.requestID?.rawValue)
        case "approval": issuance.subject.approvalIDs.contains { isIt($0.rawValue) }
        case "policy_hash": isIt(issuance.provenance.policyHash?.b64u)
        case "issuer_key": isIt(token.kid.rawValue)
        case "token": isIt(token.tokenHash.hex)
        case "jti": isIt(token.jti.rawValue)
        default: false
        }
    }

    /// Most inputs among which the evidence of the approval is looked for.
    private static let maximumInputs = 6
    /// Most tokens of a run whose claims are put together again.
    private static let maximumDerived = 100

    /// Puts the claims together again. What the receipt does not say, the digest of the approval, is found by trying:
    /// the scope hash tells when it is right.
    static func claims(_ grant: Receipt.Grant, _ receipt: Receipt, _ agent: AgentDID, _ jobID: JobID) -> CSTClaims? {
        let token = grant.token
        var owners: [Digest?] = [nil]
        let digests = Set(receipt.provenance.inputs.map(\.digest)).sorted()
        if let approval = receipt.subject.approvalIDs.first, receipt.subject.approvalIDs.count == 1,
            digests.count <= maximumInputs
        {
            for subset in (1..<(1 << digests.count)).reversed() {
                let chosen = digests.indices.filter { subset >> $0 & 1 == 1 }.map { digests[$0] }
                owners.append(Self.owner(approval, chosen))
            }
        }
        for policy in [receipt.provenance.policyHash, nil] {
            for owner in owners {
                let claims = CSTClaims.jobToken(
                    sub: agent, aud: grant.granted.audience, scope: grant.granted.scope, iat: token.issuedAt,
                    exp: token.expiresAt, ownerRef: owner, policyHash: policy, missionID: jobID, jti: token.jti,
                    nonce: "")
                if claims.tokenScopeHash == HashText(token.scopeHash) { return claims }
            }
        }
        return nil
    }

    /// `owner_ref` of a token that rests on one approval.
    static func owner(_ approval: ApprovalID, _ evidence: [Digest]) -> Digest {
        let value: JSONValue = [
            ["approval_id": .string(approval.rawValue), "evidence": .array(evidence.map { .string($0.b64u) })]
        ]
        return value.canonicalDigest
    }
}
