public import ClawWire

/// One signature over the Merkle root of a batch of events, as each event of the batch carries it.
///
/// Wire form: base64url of the JSON object `root`, `signature`, `kid`, `index`, `size`, `path`. Signed are the bytes
/// of `clawgrant-batch-v1`, a line feed and the root in base64url.
public struct BatchSignature: Sendable, Hashable {
    /// Most events of a batch.
    public static let maximumSize = 65_536

    /// Root of the batch.
    public let root: Digest
    /// Signature over the root.
    public let signature: Ed25519Signature
    /// The signer's `did:key` or short key identifier.
    public let kid: String
    /// Position of the event in the batch.
    public let index: Int
    /// Number of events of the batch.
    public let size: Int
    /// Inclusion path, lowest sibling first.
    public let path: [Digest]

    /// Makes the part of one event.
    public init(root: Digest, signature: Ed25519Signature, kid: String, index: Int, size: Int, path: [Digest]) {
        self.root = root
        self.signature = signature
        self.kid = kid
        self.index = index
        self.size = size
        self.path = path
    }

    /// Reads the wire form.
    ///
    /// - Throws: ``SourceFault`` `malformed_signature`.
    public init(text: String) throws(SourceFault) {
        guard text.utf8.count <= 4_096, let bytes = Base64URL.decode(text),
            let object = (try? JSONReader.parse(bytes, limits: .token))?.object
        else { throw Self.fault("the text is not base64url of JSON") }
        guard object.count == 6, let root = object["root"]?.string.flatMap({ Digest(b64u: $0) }),
            let signature = object["signature"]?.string.flatMap({ Ed25519Signature(b64u: $0) }),
            let kid = object["kid"]?.string, let index = object["index"]?.integer, let size = object["size"]?.integer,
            let elements = object["path"]?.array, elements.count <= 17
        else { throw Self.fault("the object has not exactly root, signature, kid, index, size and path") }
        guard size >= 1, size <= Self.maximumSize, index >= 0, index < size else {
            throw Self.fault("the size is not from 1 to \(Self.maximumSize), or the index not below it")
        }
        var path: [Digest] = []
        for element in elements {
            guard let digest = element.string.flatMap({ Digest(b64u: $0) }) else {
                throw Self.fault("the path holds something else than digests")
            }
            path.append(digest)
        }
        self.init(root: root, signature: signature, kid: kid, index: Int(index), size: Int(size), path: path)
    }

    /// The wire form.
    public var text: String {
        let object: JSONValue = [
            "root": .string(root.b64u), "signature": .string(signature.b64u), "kid": .string(kid),
            "index": .integer(index), "size": .integer(size), "path": .array(path.map { .string($0.b64u) }),
        ]
        return Base64URL.encode(JSONWriter.bytes(object))
    }

    /// True when the event of this digest is in the batch.
    public func includes(_ digest: Digest) -> Bool {
        BatchTree.root(of: digest, index: index, size: size, path: path) == root
    }

    /// The bytes that are signed for a root.
    public static func signedBytes(_ root: Digest) -> [UInt8] { Array("clawgrant-batch-v1\n\(root.b64u)".utf8) }

    private static func fault(_ detail: String) -> SourceFault {
        SourceFault(.malformedSignature, field: CloudEvent.batchExtension, detail)
    }
}

/// Remembers which roots were verified, so that one verification serves a whole batch.
///
/// Only success is remembered. At its capacity the oldest entry is forgotten. A value type: keep one per reading task.
public struct BatchSignatureCache: Sendable {
    private struct Entry: Hashable {
        let root: Digest
        let signature: Ed25519Signature
        let key: Ed25519PublicKey
    }

    /// Most roots that are remembered.
    public let capacity: Int
    /// Verifications done since the cache was made.
    public private(set) var verifications = 0
    private var known: Set<Entry> = []
    /// The entry that was asked for last. Events of a batch come one after another, and comparing costs less than
    /// hashing.
    private var latest: Entry?
    private var ring: [Entry] = []
    private var oldest = 0

    /// Makes a cache of at least one root.
    public init(capacity: Int = 1_024) { self.capacity = max(1, capacity) }

    /// True when the signature is the key's over the root.
    public mutating func isValid(_ batch: BatchSignature, key: Ed25519PublicKey) -> Bool {
        let entry = Entry(root: batch.root, signature: batch.signature, key: key)
        if entry == latest { return true }
        if known.contains(entry) {
            latest = entry
            return true
        }
        verifications += 1
        guard key.isValidSignature(batch.signature, for: BatchSignature.signedBytes(batch.root)) else { return false }
        if ring.count < capacity {
            ring.append(entry)
        } else {
            known.remove(ring[oldest])
            ring[oldest] = entry
            oldest = (oldest + 1) % capacity
        }
        known.insert(entry)
        latest = entry
        return true
    }
}
