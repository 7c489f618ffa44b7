/// A Work Policy Contract that an allowed signer signed and whose hash is the one asked for.
public struct VerifiedWPC: Sendable, Hashable {
    /// The policy.
    public let contract: WorkPolicyContract
    /// The registry's or issuer's key.
    public let signer: Ed25519PublicKey
    /// The envelope as it came.
    public let envelope: SignedEnvelope

    /// The hash a token pins.
    public var hash: Digest { contract.policyHash }
    /// The document.
    public var document: JSONObject { contract.document }
    /// The parts that bear on issuance.
    public var issuancePolicy: IssuancePolicy { contract.issuancePolicy }
}

/// The envelope of a Work Policy Contract: nine members, closed, JCS hash (WIRE section 7.1).
public enum WPCEnvelope {
    /// The envelope's type.
    public static let type = "work_policy_contract"

    /// Signs a policy.
    ///
    /// - Throws: what the signer throws.
    public static func sign(
        _ contract: WorkPolicyContract, signer: any Ed25519Signer, issuedAt: Timestamp
    ) throws -> SignedEnvelope {
        try SignedEnvelope.sign(
            type: type, payload: contract.document, rule: .canonical, signer: signer, issuedAt: issuedAt)
    }

    /// Verifies an envelope as the gateway does.
    ///
    /// - Parameters:
    ///   - bytes: the envelope's JSON.
    ///   - expectedHash: the policy that is asked for.
    ///   - signerAllowlist: DIDs whose signature counts. Unlike at the gateway, where an empty list allows everybody,
    ///     nobody is allowed when it is empty.
    ///   - forms: the forms to accept; the gateway accepts ``WorkPolicyContract/registrableForms``.
    /// - Throws: ``WPCError`` in the gateway's order: form, hash asked for, hash, signer, DID, signature.
    public static func verify(
        _ bytes: [UInt8], expectedHash: Digest, signerAllowlist: Set<String>,
        accepting forms: Set<IssuancePolicy.Form> = WorkPolicyContract.allForms
    ) throws(WPCError) -> VerifiedWPC {
        let value: JSONValue
        do {
            value = try JSONReader.parse(bytes, limits: WPCRegistry.answerLimits)
        } catch {
            throw WPCError(.envelopeInvalid, "\(error)")
        }
        return try verify(value, expectedHash: expectedHash, signerAllowlist: signerAllowlist, accepting: forms)
    }

    /// Verifies an envelope that was read already; see ``verify(_:expectedHash:signerAllowlist:accepting:)``.
    public static func verify(
        _ value: JSONValue, expectedHash: Digest, signerAllowlist: Set<String>,
        accepting forms: Set<IssuancePolicy.Form> = WorkPolicyContract.allForms
    ) throws(WPCError) -> VerifiedWPC {
        let envelope: SignedEnvelope
        do {
            envelope = try SignedEnvelope.parse(value, type: type)
        } catch {
            throw WPCError(.envelopeInvalid, path: error.field ?? "", error.detail)
        }
        guard envelope.expiresAt == nil else {
            throw WPCError(.envelopeInvalid, path: "expires_at", "the envelope of a policy has no such member")
        }
        let contract: WorkPolicyContract
        do {
            contract = try WorkPolicyContract(.object(envelope.payload), accepting: forms)
        } catch {
            throw WPCError(.envelopeInvalid, path: error.path, error.detail)
        }
        guard envelope.payloadHash == HashText(expectedHash) else {
            throw WPCError(
                .hashMismatch, path: "payload_hash_b64u",
                "the envelope is of policy \(envelope.payloadHash), asked for was \(expectedHash)")
        }
        do {
            let verified = try envelope.verify(rule: .canonical, signers: signerAllowlist)
            return VerifiedWPC(contract: contract, signer: verified.signer, envelope: envelope)
        } catch {
            // The gateway reports a wrong hash before a foreign signer; the generic envelope the other way round.
            guard HashText(contract.policyHash) == envelope.payloadHash else {
                throw WPCError(.hashInvalid, path: "payload_hash_b64u", "the policy has hash \(contract.policyHash)")
            }
            throw WPCError(code(error.code), path: error.field ?? "", error.detail)
        }
    }

    private static func code(_ code: EnvelopeError.Code) -> WPCError.Code {
        switch code {
        case .noAllowlist, .signerNotAllowed: .signerNotAllowed
        case .hashMismatch: .hashInvalid
        case .invalidDID: .signerUnsupported
        case .signatureInvalid: .signatureInvalid
        case .malformed, .unknownVersion, .unknownType, .unknownAlgorithm, .unknownHashAlgorithm, .schemaInvalid,
            .expired:
            .envelopeInvalid
        }
    }
}

/// What is said to and by the registry of policies (WIRE section 7.1). Pure: the transport is the caller's.
public enum WPCRegistry {
    static let answerLimits = JSONLimits(maximumBytes: 131_072, maximumDepth: 40)

    /// Reads a policy hash out of an address or a claim.
    ///
    /// - Throws: ``WPCError`` with `INVALID_POLICY_HASH`.
    public static func hash(_ text: String) throws(WPCError) -> Digest {
        guard let hash = Digest(b64u: text) else {
            throw WPCError(.invalidPolicyHash, "a policy hash is strict base64url of 32 bytes, 43 characters")
        }
        return hash
    }

    /// The path that is asked for a policy.
    public static func path(_ hash: Digest) -> String { "/v1/wpc/\(hash.b64u)" }

    /// Checks a registry's base address.
    ///
    /// - Throws: ``WPCError`` when it is no address or not https.
    public static func checkBaseURL(_ text: String) throws(WPCError) {
        let scheme = text.prefix { $0 != ":" }.lowercased()
        guard text.dropFirst(scheme.count).hasPrefix("://"), text.utf8.count > scheme.utf8.count + 3 else {
            throw WPCError(.registryAddressInvalid, "the registry's address has no scheme and host")
        }
        guard scheme == "https" else {
            throw WPCError(.registryAddressInsecure, "the registry's address must begin with https://")
        }
    }

    /// Reads the body of a registration, `{"wpc": …}`, as the registry does.
    ///
    /// - Throws: ``WPCError`` with `PAYLOAD_TOO_LARGE`, `INVALID_JSON` or `INVALID_WPC`.
    public static func registration(_ body: [UInt8]) throws(WPCError) -> WorkPolicyContract {
        guard let document = try json(body)["wpc"] else {
            throw WPCError(.invalidDocument, path: "wpc", "this member is required")
        }
        return try WorkPolicyContract(document, accepting: WorkPolicyContract.registrableForms)
    }

    /// Takes the envelope out of the registry's answer.
    ///
    /// - Throws: ``WPCError`` with `WPC_NOT_FOUND`, `WPC_REGISTRY_ERROR`, `…_BAD_JSON` or `…_BAD_RESPONSE`.
    public static func envelope(status: Int, body: [UInt8]) throws(WPCError) -> JSONValue {
        guard status != 404 else { throw WPCError(.notFound, "the registry does not know the policy") }
        guard (200..<300).contains(status) else {
            throw WPCError(.registryError, "the registry answered with status \(status)")
        }
        let answer: JSONValue
        do {
            answer = try JSONReader.parse(body, limits: answerLimits)
        } catch {
            throw WPCError(.registryBadJSON, "\(error)")
        }
        guard answer.object != nil else { throw WPCError(.registryBadResponse, "the answer is no object") }
        guard let envelope = answer["envelope"] else {
            throw WPCError(.envelopeInvalid, path: "envelope", "the answer holds no envelope")
        }
        return envelope
    }

    static func json(_ bytes: [UInt8]) throws(WPCError) -> JSONValue {
        do {
            return try JSONReader.parse(bytes, limits: .workPolicyContract)
        } catch {
            throw WPCError(error.code == .tooLarge ? .tooLarge : .invalidJSON, "\(error)")
        }
    }
}
