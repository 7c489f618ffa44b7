public import ClawWire
public import GrantLedger
public import GrantWorker
import HTTPService
public import IssuanceRules
public import Keys
import Logging
import Metrics

/// Claims of tokens that were delivered by reference: the job proves the key that its request named, and gets the token
/// once.
///
/// The answer is given after the commit of a transaction that stands in line with emergency stops as issuing does: once a
/// stop is acknowledged, no claim in its scope is answered.
public struct GrantClaims: RouteGroup {
    /// How often a claim is tried again when control events overtake it.
    private static let attempts = 5

    private let ledger: any ClaimLedger
    private let settings: WorkerConfiguration.Claims
    /// How long after its own time a proof is remembered: no worker takes it then, and no clock that is in use is so far
    /// behind the one that forgets it.
    private let proofLife: Duration
    private let release: ReleaseGuard
    private let minters: [KeyID: CSTMinter]
    private let sealing: SealingSecret
    private let nonces: ProofNonces
    private let worker: WorkerID
    private let rules: Digest
    private let clock: @Sendable () -> Timestamp
    private let logger: Logger

    /// Makes the routes of a worker's claims, which need no caller but a proof.
    ///
    /// - Parameters:
    ///   - surroundings: the worker.
    ///   - clock: the worker's own clock.
    /// - Returns: `nil` when no claims are configured.
    /// - Throws: ``LedgerError`` when the ledger cannot be asked for the key of nonces; what reading the sealing secret
    ///   throws.
    public static func make(
        _ surroundings: WorkerSurroundings, clock: @escaping @Sendable () -> Timestamp
    ) async throws -> GrantClaims? {
        guard let settings = surroundings.configuration.claims else { return nil }
        return GrantClaims(
            ledger: surroundings.ledger, settings: settings,
            clockDifference: surroundings.configuration.limits.maximumClockDifference,
            release: ReleaseGuard(surroundings.configuration, localStop: surroundings.localStop, clock: clock),
            keys: surroundings.keys, sealing: try SealingSecret.load(surroundings.configuration),
            nonceKey: try await surroundings.ledger.proofNonceKey(), worker: surroundings.configuration.workerID,
            rules: surroundings.rules.hash, clock: clock, logger: surroundings.logger)
    }

    /// Makes the routes of their parts.
    init(
        ledger: any ClaimLedger, settings: WorkerConfiguration.Claims, clockDifference: Duration, release: ReleaseGuard, keys: KeyRing,
        sealing: SealingSecret, nonceKey: [UInt8], worker: WorkerID, rules: Digest,
        clock: @escaping @Sendable () -> Timestamp, logger: Logger
    ) {
        self.ledger = ledger
        self.settings = settings
        proofLife = settings.proofTolerance + clockDifference * 2
        self.release = release
        minters = keys.remakers(for: .token).mapValues { CSTMinter(signer: $0) }
        self.sealing = sealing
        nonces = ProofNonces(key: nonceKey, lifetime: settings.nonceLifetime)
        self.worker = worker
        self.rules = rules
        self.clock = clock
        self.logger = logger
    }

    /// `POST /v1/grants/{request_id}/claim`.
    public var routes: [Route] {
        [Route("POST", "/v1/grants/{request_id}/claim", access: .open, bodyBytes: 1_024) { await respond($0) }]
    }

    private func respond(_ request: RouteRequest) async -> HTTPServiceResponse {
        guard let text = request.parameters["request_id"], !text.isEmpty, text.utf8.count <= 255 else {
            return counted(.notYours, "the address names no request")
        }
        let requestID = RequestID(text)
        let now = clock()
        let proof: DPoPProof
        do throws(DPoPProof.Fault) {
            proof = try DPoPProof(
                request.http.fields.filter { $0.name.lowercased() == "dpop" }.map(\.value),
                expecting: DPoPProof.Expectation(
                    method: request.http.method, target: settings.address + ClaimAddress.path(of: requestID), now: now,
                    tolerance: settings.proofTolerance))
            guard let nonce = proof.nonce, nonces.accepts(nonce, at: now) else {
                throw DPoPProof.Fault(
                    code: .useNonce, description: "the proof has no nonce of this server that is young enough; "
                        + "make one with the nonce in the field DPoP-Nonce")
            }
        } catch {
            count(error.code.rawValue)
            return JSONReply.refusal(400, error.code.rawValue, error.description, fields: [nonceField(now)])
        }
        return await answer(requestID, proof)
    }

    private func answer(_ requestID: RequestID, _ proof: DPoPProof) async -> HTTPServiceResponse {
        for attempt in 1...Self.attempts {
            do {
                let grant = try await take(requestID, proof)
                return try reply(grant, proof)
            } catch let refused as ClaimJudgement.Refused {
                return counted(refused.refusal, refused.detail)
            } catch let held as ReleaseGuard.Held {
                count("held_back")
                logger.warning("a claim is held back", metadata: ["why": "\(held)"])
                return unavailable("nothing is given out at the moment; ask again with another proof")
            } catch let error as LedgerError where error.code == .conflict && attempt < Self.attempts {
                continue
            } catch {
                count("failed")
                logger.error(
                    "a claim could not be answered", metadata: ["request": "\(requestID)", "error": "\(error)"])
                return unavailable("the claim could not be answered; ask again with another proof")
            }
        }
        return unavailable("control events overtook the claim; ask again with another proof")
    }

    private func take(_ requestID: RequestID, _ proof: DPoPProof) async throws -> ClaimJudgement.Grant {
        let judgement = ClaimJudgement(proof: proof, retryWindow: settings.retryWindow)
        let expiry = proof.issuedAt.adding(seconds: proofLife.components.seconds)
        let read = ClaimRead(
            worker: worker, requestID: requestID, proof: proof.digest, proofExpiry: expiry,
            knownControlPosition: release.knownPosition)
        return try await ledger.claim(read) { snapshot in
            let control = try release.state(of: snapshot.control)
            let grant: ClaimJudgement.Grant
            do throws(ClaimJudgement.Refused) {
                grant = try judgement.judge(snapshot, under: control)
            } catch {
                // A refusal that the bound key is told of uses its proof up; a stranger's leaves nothing behind.
                guard error.refusal != .notYours, error.refusal != .replayed else { throw error }
                return (nil, .failure(error))
            }
            guard grant.isFirst else { return (nil, .success(grant)) }
            let write = try grant.write(
                by: worker, rules: rules, controlPosition: snapshot.control.controlPosition)
            return (write, Result<ClaimJudgement.Grant, ClaimJudgement.Refused>.success(grant))
        }.get()
    }

    // MARK: Answers

    private func reply(_ grant: ClaimJudgement.Grant, _ proof: DPoPProof) throws -> HTTPServiceResponse {
        guard let minter = minters[grant.material.kid] else {
            throw LedgerError(
                .refused,
                "the token of request \(grant.request.requestID) was signed with key \(grant.material.kid), which this "
                    + "worker does not have; add it to `keys` as verify-only")
        }
        let token = try minter.remint(payload: grant.material.claims, expecting: TokenHash(grant.material.tokenHash))
        var answer: JSONObject = [
            "claim_version": "1", "request_id": .string(grant.request.requestID.rawValue),
            "job_id": .string(grant.request.jobID.rawValue), "token_hash": .string(grant.token.tokenHash.hex),
            "jti": .string(grant.token.tokenID.rawValue), "kid": .string(grant.token.kid.rawValue),
            "token_scope_hash_b64u": .string(grant.token.scopeHash.b64u),
            "iat": .integer(grant.token.issuedAt.seconds), "exp": .integer(grant.token.expiresAt.seconds),
            "claimed_at": .string(grant.claim.at.iso8601), "token_type": "Bearer",
        ]
        if let recipient = proof.sealTo {
            answer["sealed_token"] = .string(
                try SealedToken.seal(
                    token, to: recipient, ephemeralSecret: sealing,
                    context: Array(grant.request.requestID.rawValue.utf8)))
        } else {
            answer["access_token"] = .string(token.exposed)
        }
        count(grant.isFirst ? "claimed" : "repeated")
        return JSONReply.ok(.object(answer), fields: [JSONReply.noStore, nonceField(clock())])
    }

    private func counted(_ refusal: ClaimJudgement.Refusal, _ detail: String) -> HTTPServiceResponse {
        count(refusal == .replayed ? "replayed" : refusal.rawValue)
        let nonce = nonceField(clock())
        return switch refusal {
        case .notYours, .replayed: JSONReply.refusal(400, refusal.rawValue, detail, fields: [nonce])
        case .notSealed:
            JSONReply.refusal(
                503, refusal.rawValue, detail, fields: [nonce, HTTPServiceField("retry-after", "1")])
        case .stopped: JSONReply.refusal(403, refusal.rawValue, detail, fields: [nonce])
        case .claimed: JSONReply.refusal(409, refusal.rawValue, detail, fields: [nonce])
        case .expired, .revoked: JSONReply.refusal(410, refusal.rawValue, detail, fields: [nonce])
        }
    }

    private func unavailable(_ sentence: String) -> HTTPServiceResponse {
        var response = JSONReply.unavailable(sentence)
        response.fields.append(nonceField(clock()))
        return response
    }

    private func nonceField(_ now: Timestamp) -> HTTPServiceField {
        HTTPServiceField("dpop-nonce", nonces.nonce(at: now))
    }

    private func count(_ result: String) {
        Counter(label: "clawgrant_claims_total", dimensions: [("result", result)]).increment()
    }
}

extension SealingSecret {
    /// The secret of a configuration.
    ///
    /// - Throws: `KeyError` when the file does not read; ``ConfigurationError`` when it holds too little.
    static func load(_ configuration: WorkerConfiguration) throws -> SealingSecret {
        let bytes = try SecretFile.load(configuration.sealingSecretFile).copyExposed()
        guard let secret = SealingSecret(bytes: bytes) else {
            throw ConfigurationError(
                "\(configuration.sealingSecretFile) holds fewer than 32 bytes; run `clawgrant keys`")
        }
        return secret
    }
}
