public import ClawWire

extension LogInclusionProof {
    /// Why a proof was refused, in the codes and fields of the reference verifier.
    public struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        /// The reference verifier's codes.
        public enum Code: String, Sendable, Hashable {
            /// The document does not have the closed form of `log_inclusion_proof.v1`.
            case schemaValidationFailed = "SCHEMA_VALIDATION_FAILED"
            /// Index, size, path and root do not fit together.
            case inclusionProofInvalid = "INCLUSION_PROOF_INVALID"
            /// The signer is no `did:key` of an Ed25519 key.
            case invalidDIDFormat = "INVALID_DID_FORMAT"
            /// The signature does not verify.
            case signatureInvalid = "SIGNATURE_INVALID"
        }
        /// The code.
        public let code: Code
        /// The member concerned; `nil` where the reference names none.
        public let field: String?
        /// A sentence for people.
        public let detail: String

        init(_ code: Code, _ field: String?, _ detail: String) {
            self.code = code
            self.field = field
            self.detail = detail
        }

        /// For example `INCLUSION_PROOF_INVALID at audit_path: …`.
        public var description: String { "\(code.rawValue) at \(field ?? "the proof"): \(detail)" }
    }

    /// Reads and checks a proof as the reference verifier does: any `did:key` may sign, and size, log and time are not
    /// covered. Encodings are read strictly.
    ///
    /// - Throws: ``Refusal`` with the reference's code and field.
    public static func verify(_ value: JSONValue) throws(Refusal) -> LogInclusionProof {
        let proof = try read(value)
        guard proof.rootSignature.count == 64, let signature = Ed25519Signature(bytes: proof.rootSignature),
            let key = Ed25519PublicKey(did: proof.signerDID),
            key.isValidSignature(signature, for: Array(Base64URL.encode(proof.root).utf8))
        else {
            throw Refusal(.signatureInvalid, "root_signature.sig_b64u", "the signature is not over the root hash")
        }
        var hash = proof.leaf
        var index = proof.leafIndex
        for sibling in proof.auditPath {
            hash = Digest(hashing: index.isMultiple(of: 2) ? hash + sibling : sibling + hash).bytes
            index /= 2
        }
        guard hash == proof.root else {
            throw Refusal(.inclusionProofInvalid, nil, "the audit path does not lead to the root")
        }
        return proof
    }

    /// Reads and checks a proof, and also that our additional signature by `logKey` covers its log, size and time.
    ///
    /// - Throws: ``Refusal``.
    public static func verifyStrictly(
        _ value: JSONValue, logKey: Ed25519PublicKey, logID: LogID
    ) throws(Refusal) -> LogInclusionProof {
        let proof = try verify(value)
        guard proof.signerDID == logKey.did else {
            throw Refusal(.signatureInvalid, "root_signature.signer_did", "the signer is not the log's key")
        }
        guard proof.logID == logID else {
            throw Refusal(.inclusionProofInvalid, "log_id", "the proof is of the log \(proof.logID)")
        }
        guard proof.leaf.count == 32, proof.root.count == 32 else {
            throw Refusal(.inclusionProofInvalid, "leaf_hash_b64u", "leaf and root must be SHA-256 digests")
        }
        guard let signature = proof.statementSignature,
            logKey.isValidSignature(signature, for: proof.statement.signedBytes)
        else {
            throw Refusal(
                .signatureInvalid, "metadata.statement_sig_b64u", "log, size and time are not covered by a signature")
        }
        return proof
    }

    private static let members: Set<String> = [
        "proof_version", "log_id", "tree_size", "leaf_hash_b64u", "root_hash_b64u", "audit_path", "root_published_at",
        "root_signature", "metadata",
    ]

    /// Checks in the order of the reference, which decides the code where several faults meet.
    private static func read(_ value: JSONValue) throws(Refusal) -> LogInclusionProof {
        guard let object = value.object else { throw schema(nil, "the proof is no object") }
        if let extra = object.keys.first(where: { !members.contains($0) }) {
            throw schema(String(extra.prefix(64)), "the member is not part of the format")
        }
        guard object["proof_version"] == .string("1") else { throw schema("proof_version", "must be \"1\"") }
        guard let logID = object["log_id"]?.string, !logID.isEmpty, logID.utf8.count <= 1_024 else {
            throw schema("log_id", "must be a non-empty string")
        }
        guard let size = object["tree_size"]?.number, size >= 0 else {
            throw schema("tree_size", "must be a number that is not negative")
        }
        let leaf = try bytes(object["leaf_hash_b64u"], "leaf_hash_b64u")
        let root = try bytes(object["root_hash_b64u"], "root_hash_b64u")
        guard let entries = object["audit_path"]?.array else { throw schema("audit_path", "must be an array") }
        var path: [[UInt8]] = []
        for (i, entry) in entries.enumerated() { path.append(try bytes(entry, "audit_path[\(i)]")) }
        guard let publishedAt = object["root_published_at"]?.string, Timestamp(rfc3339: publishedAt) != nil else {
            throw schema("root_published_at", "must be a date-time")
        }
        guard let signatureObject = object["root_signature"]?.object else {
            throw schema("root_signature", "must be an object")
        }
        if let extra = signatureObject.keys.first(where: { $0 != "signer_did" && $0 != "sig_b64u" }) {
            throw schema("root_signature.\(extra.prefix(64))", "the member is not part of the format")
        }
        guard let did = signatureObject["signer_did"]?.string, did.hasPrefix("did:") else {
            throw schema("root_signature.signer_did", "must be a DID")
        }
        let signature = try bytes(signatureObject["sig_b64u"], "root_signature.sig_b64u")
        if let metadata = object["metadata"], metadata.object == nil { throw schema("metadata", "must be an object") }

        let metadata = object["metadata"]?.object
        guard let index = metadata?["leaf_index"]?.integer, index >= 0 else {
            throw invalid("metadata.leaf_index", "an integer that is not negative is needed")
        }
        guard let treeSize = value["tree_size"]?.integer, treeSize > 0 else {
            throw invalid("tree_size", "must be a positive integer")
        }
        guard index < treeSize else { throw invalid("metadata.leaf_index", "must be less than tree_size") }
        let length = ClawlogsTree.pathLength(size: UInt64(treeSize))
        guard entries.count == length else {
            throw invalid("audit_path", "has \(entries.count) entries; a tree of \(treeSize) leaves needs \(length)")
        }
        guard Ed25519PublicKey(did: did) != nil else {
            throw Refusal(
                .invalidDIDFormat, "root_signature.signer_did", "must be a did:key of an Ed25519 key")
        }
        return LogInclusionProof(
            logID: LogID(logID), treeSize: UInt64(treeSize), leafIndex: UInt64(index), leaf: leaf, root: root,
            auditPath: path, rootPublishedAt: publishedAt, signerDID: did, rootSignature: signature,
            statementSignature: (metadata?["statement_sig_b64u"]?.string).flatMap { Ed25519Signature(b64u: $0) })
    }

    private static func bytes(_ value: JSONValue?, _ field: String) throws(Refusal) -> [UInt8] {
        guard let text = value?.string, text.utf8.count >= 8, text.utf8.count <= 1_024,
            let bytes = Base64URL.decode(text)
        else { throw schema(field, "must be base64url of at least 8 characters") }
        return bytes
    }

    private static func schema(_ field: String?, _ detail: String) -> Refusal {
        Refusal(.schemaValidationFailed, field, detail)
    }

    private static func invalid(_ field: String, _ detail: String) -> Refusal {
        Refusal(.inclusionProofInvalid, field, detail)
    }
}

extension LogInclusionProof {
    private init(
        logID: LogID, treeSize: UInt64, leafIndex: UInt64, leaf: [UInt8], root: [UInt8], auditPath: [[UInt8]],
        rootPublishedAt: String, signerDID: String, rootSignature: [UInt8], statementSignature: Ed25519Signature?
    ) {
        self.logID = logID
        self.treeSize = treeSize
        self.leafIndex = leafIndex
        self.leaf = leaf
        self.root = root
        self.auditPath = auditPath
        self.rootPublishedAt = rootPublishedAt
        self.signerDID = signerDID
        self.rootSignature = rootSignature
        self.statementSignature = statementSignature
    }
}
