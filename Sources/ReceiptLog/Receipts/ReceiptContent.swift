public import ClawWire

extension Receipt {
    /// The kind of a receipt; the text is the wire form and the key of a batch's counts.
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// A token was minted.
        case grantIssued = "grant.issued"
        /// A token was claimed by the key to which its delivery by reference was bound.
        case grantClaimed = "grant.claimed"
        /// A request was refused for good.
        case decisionDenied = "decision.denied"
        /// A request or an approval ran out of time.
        case decisionExpired = "decision.expired"
        /// A record could not be understood and went to the dead letters.
        case decisionQuarantined = "decision.quarantined"
        /// A dead letter's record was read again through the door by which it came.
        case deadLetterRedriven = "dead_letter.redriven"
        /// A dead letter was given up.
        case deadLetterDiscarded = "dead_letter.discarded"
        /// A token was revoked.
        case revocation
        /// Revocations are over, because the tokens have expired.
        case revocationsEnded = "revocations.ended"
        /// A key came, went or changed its state.
        case keyChanged = "key.changed"
        /// An emergency stop was declared.
        case stopDeclared = "stop.declared"
        /// A stop was lifted.
        case stopLifted = "stop.lifted"
        /// A stop was rehearsed.
        case stopDrilled = "stop.drilled"
        /// Another control event: a revocation, a rotation, a switch, a suspect key.
        case controlApplied = "control.applied"
        /// A control event came again over the control topic and changed nothing.
        case controlRepeated = "control.repeated"
        /// A gateway's signed receipt of a model call was accepted.
        case gatewayReceipt = "gateway.receipt"
        /// Something is not as the grants say it should be.
        case findingRaised = "finding.raised"
        /// A job's usage came to a mark of its budget.
        case budgetReached = "budget.reached"
        /// Nothing happened, and the log says so.
        case heartbeat
    }

    /// What happened, with the members that only this kind has.
    public enum Content: Sendable, Hashable {
        /// A token was minted. Subject: the request; effect: the `jti`.
        case grantIssued(Grant)
        /// Claimed. Subject: the token hash.
        case grantClaimed(Claim)
        /// Refused for good. Subject: the request, else the approval, else the evidence; effect: the outcome.
        case decisionDenied(Refusal)
        /// Ran out of time. Subject and effect as of a denial.
        case decisionExpired(Refusal)
        /// Not understood. Subject: the record's origin; effect: the digest of its value.
        case decisionQuarantined(Quarantine)
        /// Read again. Subject: the record's origin; effect: the hop.
        case deadLetterRedriven(DeadLetterAction)
        /// Given up. Subject: the record's origin.
        case deadLetterDiscarded(DeadLetterAction)
        /// Revoked. Subject: the token hash.
        case revocation(Revocation)
        /// Revocations and cut-offs are over. Effect: the digest of the payload.
        case revocationsEnded(RevocationEnd)
        /// A key changed. Subject: the key; effect: the change and its time.
        case keyChanged(KeyChange)
        /// Stop declared. Subject: the payload's `stop_id`; effect: the digest of the payload.
        case stopDeclared(JSONObject)
        /// Stop lifted. As for a declaration.
        case stopLifted(JSONObject)
        /// Stop rehearsed. As for a declaration.
        case stopDrilled(JSONObject)
        /// Another control event was applied. As for a stop.
        case controlApplied(JSONObject)
        /// A control event came again. As for a stop; the payload names the record.
        case controlRepeated(JSONObject)
        /// A model call. Subject: the gateway's signer and receipt id; effect: the hash that was signed.
        case gatewayReceipt(GatewayCall)
        /// A finding. Subject: what it is about; effect: a digest of code and evidence.
        case findingRaised(Finding)
        /// A mark of a budget. Subject: the job; effect: dimension, percent and limit.
        case budgetReached(BudgetMark)
        /// Still here. Subject: the worker; effect: the time.
        case heartbeat

        /// The kind.
        public var kind: Kind {
            switch self {
            case .grantIssued: .grantIssued
            case .grantClaimed: .grantClaimed
            case .decisionDenied: .decisionDenied
            case .decisionExpired: .decisionExpired
            case .decisionQuarantined: .decisionQuarantined
            case .deadLetterRedriven: .deadLetterRedriven
            case .deadLetterDiscarded: .deadLetterDiscarded
            case .revocation: .revocation
            case .revocationsEnded: .revocationsEnded
            case .keyChanged: .keyChanged
            case .stopDeclared: .stopDeclared
            case .stopLifted: .stopLifted
            case .stopDrilled: .stopDrilled
            case .controlApplied: .controlApplied
            case .controlRepeated: .controlRepeated
            case .gatewayReceipt: .gatewayReceipt
            case .findingRaised: .findingRaised
            case .budgetReached: .budgetReached
            case .heartbeat: .heartbeat
            }
        }

        func subjectID(of subject: Subject, _ provenance: Provenance) -> String {
            switch self {
            case .grantIssued, .decisionDenied, .decisionExpired:
                if let requestID = subject.requestID { return "request:\(requestID)" }
                if let approvalID = subject.approvalIDs.first { return "approval:\(approvalID)" }
                return "evidence:\(provenance.inputs.first?.digest.b64u ?? "")"
            case .grantClaimed(let claim): return claim.tokenHash.hex
            case .decisionQuarantined(let quarantine): return quarantine.origin.description
            case .deadLetterRedriven(let action), .deadLetterDiscarded(let action): return action.origin.description
            case .revocation(let revocation): return revocation.tokenHash.hex
            case .revocationsEnded: return "revocations"
            case .keyChanged(let change): return change.kid.rawValue
            case .stopDeclared(let payload), .stopLifted(let payload), .stopDrilled(let payload),
                .controlApplied(let payload), .controlRepeated(let payload):
                return payload["stop_id"]?.string ?? ""
            case .gatewayReceipt(let call): return call.name
            case .findingRaised(let finding): return finding.about
            case .budgetReached: return "job:\(subject.jobID?.rawValue ?? "")"
            case .heartbeat: return provenance.workerID.rawValue
            }
        }

        func effectID(at occurredAt: Timestamp) -> String {
            switch self {
            case .grantIssued(let grant): grant.token.jti.rawValue
            case .grantClaimed: "claimed"
            case .decisionDenied, .decisionExpired: "outcome"
            case .decisionQuarantined(let quarantine): quarantine.valueDigest.hex
            case .deadLetterRedriven(let action), .deadLetterDiscarded(let action): action.name
            case .revocation: "revoked"
            case .revocationsEnded(let end): JSONValue.object(end.payload).canonicalDigest.b64u
            case .keyChanged(let change): "\(change.change.rawValue)@\(change.effectiveAt.iso8601)"
            case .stopDeclared(let payload), .stopLifted(let payload), .stopDrilled(let payload),
                .controlApplied(let payload), .controlRepeated(let payload):
                JSONValue.object(payload).canonicalDigest.b64u
            case .gatewayReceipt(let call): call.payloadHash.b64u
            case .findingRaised(let finding): finding.effect
            case .budgetReached(let mark): mark.name
            case .heartbeat: occurredAt.iso8601
            }
        }
    }

    /// A minted token.
    public struct Grant: Sendable, Hashable {
        /// What was asked for.
        public let asked: AuthorityExtent
        /// What was granted.
        public let granted: AuthorityExtent
        /// The token's names.
        public let token: TokenReference
        /// How it is delivered.
        public let delivery: DeliveryMode
        /// The people who approved.
        public let approverIDs: [PersonID]
        /// The earlier request whose token this one replaces.
        public let replaces: RequestID?
        /// Path of the rule that decided.
        public let rule: String

        /// Makes a grant.
        public init(
            asked: AuthorityExtent, granted: AuthorityExtent, token: TokenReference, delivery: DeliveryMode,
            approverIDs: [PersonID] = [], replaces: RequestID? = nil, rule: String
        ) {
            self.asked = asked
            self.granted = granted
            self.token = token
            self.delivery = delivery
            self.approverIDs = approverIDs
            self.replaces = replaces
            self.rule = rule
        }
    }

    /// A final answer that is no token.
    public struct Refusal: Sendable, Hashable {
        /// What was asked for; `nil` where an approval ended without a request.
        public let asked: AuthorityExtent?
        /// What would have been needed, one sentence an unmet condition; of each as much as a reader takes.
        public let needed: [String]
        /// Path of the rule that decided.
        public let rule: String

        /// Makes a refusal.
        public init(asked: AuthorityExtent?, needed: [String] = [], rule: String) {
            self.asked = asked
            self.needed = needed.map { $0.cut(toBytes: MemberReader.maximumText).withoutReservedScalars }
            self.rule = rule
        }
    }

    /// A record that went to the dead letters.
    public struct Quarantine: Sendable, Hashable {
        /// Where it was read.
        public let origin: RecordOrigin
        /// SHA-256 of the record's value; written in lowercase hexadecimal.
        public let valueDigest: Digest
        /// Size of the value in bytes.
        public let valueBytes: Int

        /// Makes a quarantine.
        public init(origin: RecordOrigin, valueDigest: Digest, valueBytes: Int) {
            self.origin = origin
            self.valueDigest = valueDigest
            self.valueBytes = valueBytes
        }
    }

    /// A revoked token.
    public struct Revocation: Sendable, Hashable {
        /// The token.
        public let tokenHash: Digest
        /// Its `jti`, when it is one of ours.
        public let jti: TokenID?
        /// Why.
        public let cause: RevocationCause
        /// Who revoked: a DID or a worker.
        public let revokedBy: String

        /// Makes a revocation.
        public init(tokenHash: Digest, jti: TokenID?, cause: RevocationCause, revokedBy: String) {
            self.tokenHash = tokenHash
            self.jti = jti
            self.cause = cause
            self.revokedBy = revokedBy
        }
    }

    /// A change in the state of a signing key.
    public struct KeyChange: Sendable, Hashable {
        /// What a key is for; one key serves one purpose.
        public enum Purpose: String, Sendable, Hashable, CaseIterable {
            /// Tokens.
            case token
            /// Batch headers and checkpoints.
            case log
            /// Signed envelopes.
            case envelope
        }
        /// The new state.
        public enum Change: String, Sendable, Hashable, CaseIterable {
            /// Signs from now on.
            case activated
            /// Signs no more, verifies still.
            case verifyOnly = "verify_only"
            /// Verifies no more.
            case retired
            /// Nothing it signed is trusted.
            case compromised
        }
        /// The key.
        public let kid: KeyID
        /// Its public half.
        public let publicKey: Ed25519PublicKey
        /// What it is for.
        public let purpose: Purpose
        /// The new state.
        public let change: Change
        /// From when on.
        public let effectiveAt: Timestamp

        /// Makes a change of a key.
        public init(publicKey: Ed25519PublicKey, purpose: Purpose, change: Change, effectiveAt: Timestamp) {
            kid = publicKey.kid
            self.publicKey = publicKey
            self.purpose = purpose
            self.change = change
            self.effectiveAt = effectiveAt.cutToMilliseconds
        }
    }
}
