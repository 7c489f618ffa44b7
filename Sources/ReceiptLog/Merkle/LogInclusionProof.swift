public import ClawWire

/// The portable inclusion proof `log_inclusion_proof.v1` of the reference log (WIRE section 10).
///
/// The reference signs the root hash alone, so its verifiers cannot tell a proof from the same proof under another log,
/// size or time. ``Statement`` is our additional signature over all of these, carried in `metadata`, which the closed
/// schema leaves open.
public struct LogInclusionProof: Sendable, Hashable {
    /// The log.
    public let logID: LogID
    /// Number of leaves.
    public let treeSize: UInt64
    /// Index of the leaf.
    public let leafIndex: UInt64
    /// The leaf. The reference log takes leaves of other lengths than 32 bytes too.
    public let leaf: [UInt8]
    /// The root.
    public let root: [UInt8]
    /// The siblings, from the leaf upwards.
    public let auditPath: [[UInt8]]
    /// When the root was published, as the proof spells it.
    public let rootPublishedAt: String
    /// Who signed the root.
    public let signerDID: String
    /// Ed25519 over the ASCII text of the root's base64url form.
    public let rootSignature: [UInt8]
    /// Base64url of our additional signature, when there is one.
    public let statementSignature: Ed25519Signature?

    /// What our additional signature covers.
    public struct Statement: Sendable, Hashable {
        /// The log.
        public let logID: LogID
        /// Number of leaves.
        public let treeSize: UInt64
        /// The root.
        public let root: [UInt8]
        /// When it was published.
        public let publishedAt: String

        /// The signed bytes: a line that names the purpose, then the base64url JCS hash of the statement.
        public var signedBytes: [UInt8] {
            let value: JSONValue = [
                "log_id": .string(logID.rawValue), "root_hash_b64u": .string(Base64URL.encode(root)),
                "root_published_at": .string(publishedAt), "tree_size": .integer(treeSize),
            ]
            return Array("clawgrant-log-root-v1\n\(value.canonicalDigest.b64u)".utf8)
        }
    }

    /// The two signatures under a root; one pair serves all proofs of a tree.
    public struct SignedRoot: Sendable, Hashable {
        /// The log.
        public let logID: LogID
        /// Number of leaves.
        public let treeSize: Int
        /// The root.
        public let root: Digest
        /// When it was published.
        public let publishedAt: Timestamp
        /// Who signed.
        public let signer: Ed25519PublicKey
        /// Over the ASCII text of the root hash.
        public let rootSignature: Ed25519Signature
        /// Over ``Statement/signedBytes``.
        public let statementSignature: Ed25519Signature

        /// Signs the root of a tree.
        ///
        /// - Throws: what the signer throws.
        public init(
            tree: ClawlogsTree, logID: LogID, publishedAt: Timestamp, signer: any Ed25519Signer
        ) throws {
            self.logID = logID
            treeSize = tree.count
            root = tree.root
            self.publishedAt = publishedAt
            self.signer = signer.publicKey
            rootSignature = try signer.sign(Array(tree.root.b64u.utf8))
            let statement = Statement(
                logID: logID, treeSize: UInt64(tree.count), root: tree.root.bytes, publishedAt: publishedAt.iso8601)
            statementSignature = try signer.sign(statement.signedBytes)
        }

        /// Signs the compatible root of a batch, dated when the batch was sealed.
        ///
        /// - Throws: what the signer throws.
        public init(of header: BatchHeader, signer: any Ed25519Signer) throws {
            logID = header.logID
            treeSize = header.count
            root = header.compatibleRoot
            publishedAt = header.sealedAt
            self.signer = signer.publicKey
            rootSignature = try signer.sign(Array(root.b64u.utf8))
            statementSignature = try signer.sign(
                Statement(
                    logID: logID, treeSize: UInt64(treeSize), root: root.bytes, publishedAt: publishedAt.iso8601
                ).signedBytes)
        }

        /// Takes signatures that came with a batch, or returns `nil` when they are not over its compatible root.
        public init?(
            header: BatchHeader, signer: Ed25519PublicKey, rootSignature: Ed25519Signature,
            statementSignature: Ed25519Signature
        ) {
            logID = header.logID
            treeSize = header.count
            root = header.compatibleRoot
            publishedAt = header.sealedAt
            self.signer = signer
            self.rootSignature = rootSignature
            self.statementSignature = statementSignature
            let statement = Statement(
                logID: logID, treeSize: UInt64(treeSize), root: root.bytes, publishedAt: publishedAt.iso8601)
            guard signer.isValidSignature(rootSignature, for: Array(root.b64u.utf8)),
                signer.isValidSignature(statementSignature, for: statement.signedBytes)
            else { return nil }
        }
    }

    /// Makes the proof of a leaf, or returns `nil` when the tree has no such leaf or is not the one signed.
    public init?(tree: ClawlogsTree, index: Int, signedRoot: SignedRoot) {
        guard let leaf = tree.leaf(index), let path = tree.auditPath(of: index), tree.root == signedRoot.root,
            tree.count == signedRoot.treeSize
        else { return nil }
        logID = signedRoot.logID
        treeSize = UInt64(tree.count)
        leafIndex = UInt64(index)
        self.leaf = leaf.bytes
        root = tree.root.bytes
        auditPath = path.map(\.bytes)
        rootPublishedAt = signedRoot.publishedAt.iso8601
        signerDID = signedRoot.signer.did
        rootSignature = signedRoot.rootSignature.bytes
        statementSignature = signedRoot.statementSignature
    }

    /// The additional statement that belongs to this proof.
    public var statement: Statement {
        Statement(logID: logID, treeSize: treeSize, root: root, publishedAt: rootPublishedAt)
    }

    /// The proof as `log_inclusion_proof.v1`, members in the order of the reference.
    public var json: JSONValue {
        var metadata: JSONObject = [
            "leaf_index": .integer(leafIndex),
            "merkle_algorithm": "sha256(left||right), duplicate-last for odd levels",
        ]
        if let statementSignature { metadata["statement_sig_b64u"] = .string(statementSignature.b64u) }
        return [
            "proof_version": "1", "log_id": .string(logID.rawValue), "tree_size": .integer(treeSize),
            "leaf_hash_b64u": .string(Base64URL.encode(leaf)), "root_hash_b64u": .string(Base64URL.encode(root)),
            "audit_path": .array(auditPath.map { .string(Base64URL.encode($0)) }),
            "root_published_at": .string(rootPublishedAt),
            "root_signature": [
                "signer_did": .string(signerDID), "sig_b64u": .string(Base64URL.encode(rootSignature)),
            ],
            "metadata": .object(metadata),
        ]
    }
}
