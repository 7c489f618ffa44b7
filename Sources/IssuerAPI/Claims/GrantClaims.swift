public import ClawWire
import GrantLedger
public import GrantWorker
import HTTPService
import IssuanceRules
import Keys
import Logging
import Metrics
import Observability
import Primitives
import ReceiptLog

/// Claims of tokens that were delivered by reference: the job proves the key that its request named, and gets the token
/// once.
///
/// The answer is given after the commit of a transaction that stands in line with emergency stops as issuing does: once a
/// stop is acknowledged, no claim in its scope is answered.
public struct GrantClaims: RouteGroup {
    /// The nonces, once their key was read.
    private final class NonceKey: Sendable {
        let made = Lock<ProofNonces?>(nil)
    }

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
    private let nonceKey = NonceKey()
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
    /// - Throws: what reading the sealing secret throws.
    public static func make(
        _ surroundings: WorkerSurroundings, clock: @escaping @Sendable () -> Timestamp
    ) throws -> GrantClaims? {
        guard let settings = surroundings.configuration.claims else { return nil }
        return GrantClaims(
            ledger: surroundings.ledger, settings: settings,
            clockDifference: surroundings.configuration.limits.maximumClockDifference,
            release: ReleaseGuard(
                surroundings.configuration, localStop: surroundings.localStop, lineage: surroundings.lineage,
                clock: clock),
            keys: surroundings.keys, sealing: try SealingSecret.load(surroundings.configuration),
            worker: surroundings.configuration.workerID,
            rules: surroundings.rules.hash, clock: clock, logger: surroundings.logger)
    }

    /// Makes the routes of their parts.
    init(
        ledger: any ClaimLedger, settings: WorkerConfiguration.Claims, clockDifference: Duration, release: ReleaseGuard,
        keys: KeyRing,
        sealing: SealingSecret, worker: WorkerID, rules: Digest,
        clock: @escaping @Sendable () -> Timestamp, logger: Logger
    ) {
        self.ledger = ledger
        self.settings = settings
        proofLife = settings.proofTolerance + clockDifference * 2
        self.release = release
        minters = keys.remakers(for: .token).mapValues { CSTMinter(signer: $0) }
        self.sealing = sealing
        self.worker = worker
        self.rules = rules
        self.clock = clock
        self.logger = logger
    }

    /// `POST /v1/grants/{request_id}/claim`.
    public var routes: [Route] {
        [
            Route("POST", "/v1/grants/{request_id}/claim", access: .open, bodyBytes: 1_024, errors: .oauth) {
                await respond($0)
            }
        ]
    }

    private func respond(_ request: RouteRequest) async -> HTTPServiceResponse {
        guard let nonces = await self.nonces() else {
            return APIFailure(.unavailable, "the ledger cannot be read; ask again", retryAfter: 1).response(.oauth)
        }
        var response = await answer(request, nonces)
        // The next proof needs no round of its own.
        response.fields.append(HTTPServiceField("dpop-nonce", nonces.nonce(at: clock())))
        return response
    }

    /// The nonces of all workers; `nil` while the ledger cannot be asked for their key.
    private func nonces() async -> ProofNonces? {
        if let made = nonceKey.made.withLock({ $0 }) { return made }
        do {
            let nonces = ProofNonces(key: try await ledger.proofNonceKey(), lifetime: settings.nonceLifetime)
            nonceKey.made.withLock { $0 = nonces }
            return nonces
        } catch {
            logger.log(.nonceKeyUnread, metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func answer(_ request: RouteRequest, _ nonces: ProofNonces) async -> HTTPServiceResponse {
        guard let text = request.parameters["request_id"], !text.isEmpty, text.utf8.count <= 512 else {
            return refusal(.notYours, "this key may claim no token here")
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
            guard let nonce = proof.nonce, nonces.accepts(nonce, at: now) else { throw .nonceNeeded }
        } catch {
            count(error.code.rawValue)
            return JSONReply.refusal(400, error.code.rawValue, error.description)
        }
        return await claim(requestID, proof)
    }

    private func claim(_ requestID: RequestID, _ proof: DPoPProof) async -> HTTPServiceResponse {
        for attempt in 1...Self.attempts {
            do {
                let (answer, isFirst) = try await take(requestID, proof)
                count(isFirst ? "claimed" : "repeated")
                return answer
            } catch let refused as ClaimJudgement.Refused {
                return refusal(refused.refusal, refused.detail)
            } catch let fault as DPoPProof.Fault {
                count(fault.code.rawValue)
                return JSONReply.refusal(400, fault.code.rawValue, fault.description)
            } catch let held as ReleaseGuard.Held {
                count("held_back")
                logger.log(.claimHeldBack, metadata: ["why": "\(held)"])
                return unavailable("nothing is given out at the moment")
            } catch let error as LedgerError where error.code == .conflict && attempt < Self.attempts {
                continue
            } catch {
                count("failed")
                logger.log(.claimFailed, metadata: ["request": .outside(requestID), "error": "\(error)"])
                return unavailable("the claim could not be answered")
            }
        }
        return unavailable("control events overtook the claim")
    }

    /// Judges, makes the answer, and gives it back once the claim is committed: what cannot be answered is not claimed.
    private func take(
        _ requestID: RequestID, _ proof: DPoPProof
    ) async throws -> (answer: HTTPServiceResponse, isFirst: Bool) {
        typealias Taken = (answer: HTTPServiceResponse, isFirst: Bool)
        let judgement = ClaimJudgement(proof: proof, retryWindow: settings.retryWindow)
        let stops = release.known
        let read = ClaimRead(
            worker: worker, requestID: requestID, proof: proof.digest,
            proofExpiry: proof.issuedAt.adding(seconds: proofLife.components.seconds),
            knownControlPosition: stops.position)
        let taken = try await ledger.claim(read) { snapshot -> (ClaimWrite?, Result<Taken, ClaimJudgement.Refused>) in
            let control = try release.state(of: snapshot.control, since: stops)
            let grant: ClaimJudgement.Grant
            do throws(ClaimJudgement.Refused) {
                grant = try judgement.judge(snapshot, under: control)
            } catch {
                // A refusal that the bound key is told of uses its proof up; a stranger's leaves nothing behind.
                guard error.refusal != .notYours, error.refusal != .replayed else { throw error }
                return (nil, .failure(error))
            }
            let answer = JSONReply.ok(.object(try document(grant, proof)), fields: [.noStore])
            guard grant.isFirst else { return (nil, .success((answer, false))) }
            let write = try grant.write(by: worker, rules: rules, controlPosition: snapshot.control.controlPosition)
            return (write, .success((answer, true)))
        }
        return try taken.get()
    }

    // MARK: Answers

    /// The answer: the same members for the same claim, so that one that was lost is given again byte for byte.
    private func document(_ grant: ClaimJudgement.Grant, _ proof: DPoPProof) throws -> JSONObject {
        guard let minter = minters[grant.material.kid] else {
            throw LedgerError(
                .refused,
                "the token of request \(grant.request.requestID) was signed with key \(grant.material.kid), which this "
                    + "worker does not have; add it to `keys` as verify-only")
        }
        let token = try minter.remint(payload: grant.material.claims, expecting: TokenHash(grant.material.tokenHash))
        var answer: JSONObject = [
            "claim_version": "1", "claimed_at": .string(grant.claim.at.iso8601),
            "exp": .integer(grant.token.expiresAt.seconds), "iat": .integer(grant.token.issuedAt.seconds),
            "job_id": .string(grant.request.jobID.rawValue), "jti": .string(grant.token.tokenID.rawValue),
            "kid": .string(grant.token.kid.rawValue), "request_id": .string(grant.request.requestID.rawValue),
            "token_hash": .string(grant.token.tokenHash.hex),
            "token_scope_hash_b64u": .string(grant.token.scopeHash.b64u), "token_type": "Bearer",
        ]
        guard let recipient = proof.sealTo else {
            answer["access_token"] = .string(token.exposed)
            return answer
        }
        do throws(SealError) {
            answer["sealed_token"] = .string(
                try SealedToken.seal(
                    token, to: recipient, ephemeralSecret: sealing,
                    context: Array(grant.request.requestID.rawValue.utf8)))
        } catch {
            throw DPoPProof.Fault(code: .invalid, description: "nothing can be sealed to the key in seal_to")
        }
        return answer
    }

    private func refusal(_ refusal: ClaimJudgement.Refusal, _ detail: String) -> HTTPServiceResponse {
        count(refusal == .replayed ? "replayed" : refusal.rawValue)
        return switch refusal {
        case .notYours, .replayed: JSONReply.refusal(400, refusal.rawValue, detail)
        case .notSealed:
            JSONReply.refusal(503, refusal.rawValue, detail, fields: [HTTPServiceField("retry-after", "1")])
        case .stopped: JSONReply.refusal(403, refusal.rawValue, detail)
        case .claimed: JSONReply.refusal(409, refusal.rawValue, detail)
        case .expired, .revoked: JSONReply.refusal(410, refusal.rawValue, detail)
        }
    }

    private func unavailable(_ sentence: String) -> HTTPServiceResponse {
        APIFailure(.unavailable, "\(sentence); ask again with another proof", retryAfter: 1).response(.oauth)
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
