import ClawWire
import GrantLedger
import GrantWorker
import IssuanceRules
import ReceiptLog

/// What becomes of a claim. Pure: what the ledger held under the locks is the argument, the time is the ledger's.
struct ClaimJudgement: Sendable {
    /// Why nothing is given out. The text is the code of the answer.
    enum Refusal: String, Sendable, CaseIterable {
        /// There is no such grant for this key. Said of everything that the key has no right to know.
        case notYours = "invalid_grant"
        /// The proof was used before.
        case replayed = "invalid_dpop_proof"
        /// The grant's receipt is not in the log yet.
        case notSealed = "not_yet_sealed"
        /// The token is over.
        case expired = "token_expired"
        /// The token is revoked, by its name or by a cut-off.
        case revoked = "token_revoked"
        /// A stop covers the token.
        case stopped
        /// It was claimed, and the time in which the same answer is given again is over, or another answer is asked for.
        case claimed = "already_claimed"
    }

    /// A refusal with its sentence.
    struct Refused: Error, Sendable {
        let refusal: Refusal
        let detail: String
    }

    /// What is given out.
    struct Grant: Sendable {
        let request: StoredRequest
        let token: IssuedToken
        let material: GrantMaterial
        let claim: StoredClaim
        /// False when an answer is given again.
        let isFirst: Bool
    }

    let proof: DPoPProof
    let retryWindow: Duration

    /// JWK thumbprint of the key to which the answer is sealed.
    var sealedTo: Digest? { proof.sealTo.flatMap { Digest(b64u: SealedToken.thumbprint($0)) } }

    /// Whose grant it is comes first: everything behind it is told to the key alone to which the token is bound.
    ///
    /// - Throws: ``Refused``.
    func judge(_ snapshot: ClaimSnapshot, under control: ControlState) throws(Refused) -> Grant {
        guard let request = snapshot.request, let token = request.token, let material = snapshot.material,
            let bound = material.claim, bound.key == proof.key
        else { throw refused(.notYours, "this key may claim no token here") }
        guard !snapshot.isReplay else {
            throw refused(.replayed, "a proof is taken once; make another for each request")
        }
        guard snapshot.isSealed else {
            throw refused(.notSealed, "the receipt of the grant is not in the log yet; ask again in a second")
        }
        let now = snapshot.control.now
        guard token.expiresAt > now else { throw refused(.expired, "the token was valid until \(token.expiresAt)") }
        if let revocation = request.revocation {
            throw refused(.revoked, "the token was revoked at \(revocation.at): \(revocation.reason)")
        }
        guard !snapshot.isVoided, !control.revokes(tokenHash: token.tokenHash) else {
            throw refused(.revoked, "the token is void: a stop or a revocation covers it")
        }
        if let why = control.withholding(request) { throw refused(.stopped, why) }
        guard let earlier = snapshot.earlier else {
            let claim = StoredClaim(key: proof.key, sealedTo: sealedTo, at: now)
            return Grant(request: request, token: token, material: material, claim: claim, isFirst: true)
        }
        guard now <= earlier.at.adding(retryWindow) else {
            throw refused(
                .claimed, "the token was claimed at \(earlier.at), and an answer is given again for \(retryWindow)")
        }
        guard earlier.sealedTo == sealedTo else {
            throw refused(
                .claimed,
                "the token was claimed at \(earlier.at) with another seal_to; only the same answer is given again")
        }
        return Grant(request: request, token: token, material: material, claim: earlier, isFirst: false)
    }

    private func refused(_ refusal: Refusal, _ detail: String) -> Refused { Refused(refusal: refusal, detail: detail) }
}

extension ClaimJudgement.Grant {
    /// What a first claim leaves behind.
    ///
    /// - Throws: `EvidenceError` when the receipt cannot be written.
    func write(by worker: WorkerID, rules: Digest, controlPosition: Int64) throws -> ClaimWrite {
        let receipt = Receipt(
            content: .grantClaimed(
                Receipt.Claim(
                    tokenHash: token.tokenHash, jti: token.tokenID, key: claim.key, sealedTo: claim.sealedTo)),
            subject: Receipt.Subject(
                requestID: request.requestID, approvalIDs: request.approvals, jobID: request.jobID,
                jobClass: request.jobClass, agentDID: request.agentDID),
            provenance: Receipt.Provenance(
                workerID: worker, rulesHash: rules, controlPosition: controlPosition), occurredAt: claim.at)
        let encoded = try receipt.encoded()
        return ClaimWrite(
            claim: claim, expiresAt: token.expiresAt,
            effect: Effect(receipt: encoded.bytes, receiptKind: receipt.content.kind.rawValue, outputs: []))
    }
}

extension Timestamp {
    fileprivate func adding(_ duration: Duration) -> Timestamp {
        Timestamp(microseconds: microseconds + duration.components.seconds * 1_000_000)
    }
}
