import ClawWire
import ReceiptLog

/// Opens a delivered token with the job's key and holds it against its grant.
struct TokenOpening {
    enum Result {
        case opened
        /// Sealed to a key that is not at hand, or delivered by reference.
        case notOurs
        case fault(CheckedProperty, String)
    }

    let jobKeys: [SealingPrivateKey]
    let tokenKeys: [Ed25519PublicKey]

    func open(_ published: PublishedGrant) -> Result {
        let compact: String
        switch published.delivery {
        case .reference: return .notOurs
        case .plain(let token): compact = token.exposed
        case .sealed(let jwe):
            switch unseal(jwe, published.grant) {
            case .success(let text?): compact = text
            case .success(nil): return .notOurs
            case .failure(let fault): return .fault(.binding, fault.text)
            }
        }
        return judge(compact, published.grant)
    }

    private struct Fault: Error {
        let text: String
    }

    private func unseal(_ jwe: String, _ grant: GrantRecord) -> Swift.Result<String?, Fault> {
        for key in jobKeys {
            do {
                let opened = try SealedToken.open(jwe, privateKey: key)
                guard opened.context == Array(grant.requestID.rawValue.utf8) else {
                    return .failure(Fault(text: "the token of \(grant.requestID) was sealed for another request"))
                }
                return .success(opened.token.exposed)
            } catch {
                if error.code == .wrongRecipient { continue }
                return .failure(Fault(text: "the sealed token of \(grant.requestID) does not open: \(error)"))
            }
        }
        return .success(nil)
    }

    private func judge(_ compact: String, _ grant: GrantRecord) -> Result {
        let id = grant.requestID
        guard Digest(hashing: compact) == grant.token.tokenHash else {
            return .fault(.binding, "the token of \(id) is not the one that was recorded")
        }
        let claims: CSTClaims
        do {
            let verified = try CST.verify(
                try CST.parse(compact), keys: AcceptedKeys(signing: tokenKeys), now: grant.token.issuedAt,
                rules: .strict(audiences: nil))
            claims = verified.claims
        } catch {
            return .fault(.binding, "the token of \(id) does not verify: \(error)")
        }
        let payload = compact.split(separator: ".").dropFirst().first.flatMap { Base64URL.decode($0) } ?? []
        guard Digest(hashing: payload) == grant.claimsDigest else {
            return .fault(.binding, "the claims of \(id) are not those that were recorded")
        }
        guard claims.missionID == grant.jobID.rawValue, claims.subject == grant.agentDID.rawValue else {
            return .fault(.binding, "the token of \(id) is bound to another job or agent")
        }
        guard claims.ownerRef != nil else { return .fault(.binding, "the token of \(id) names no approval") }
        if let pinned = claims.policyHash, pinned.digest != grant.policyHash {
            return .fault(.binding, "the token of \(id) pins another policy")
        }
        guard claims.scope == grant.granted.scope, claims.audience.names == grant.granted.audience,
            claims.expires == grant.token.expiresAt, claims.issued == grant.token.issuedAt
        else { return .fault(.neverWider, "the token of \(id) says something else than its grant") }
        return .opened
    }
}
