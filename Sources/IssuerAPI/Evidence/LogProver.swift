import ClawWire
import GrantLedger
import ReceiptLog

/// Makes proofs of the log from what the ledger keeps of it. One proof reads one batch, and a few rows for each doubling
/// of the log.
struct LogProver: Sendable {
    /// Why there is no such proof.
    struct Missing: Error, Sendable {
        enum Reason: String, Sendable {
            /// The log does not reach so far.
            case notFound = "not_found"
            /// The batch is before the oldest day that the ledger keeps.
            case archived
        }
        let reason: Reason
        let detail: String
    }

    let ledger: any EvidenceLedger
    let logKeys: [Ed25519PublicKey]

    /// A batch with its receipts, checked against its header.
    struct Batch: Sendable {
        let sealed: SealedBatch
        let header: BatchHeader
        let receipts: [[UInt8]]
        let tree: MerkleTree
    }

    func batch(holding position: Int64) async throws -> (batch: Batch, index: Int) {
        guard let number = try await ledger.batch(holding: position) else { throw Self.unknown(position: position) }
        let batch = try await batch(number)
        let index = position - batch.header.firstPosition.value
        guard index >= 0, index < batch.header.count else { throw Self.unknown(position: position) }
        return (batch, Int(index))
    }

    private static func unknown(position: Int64) -> Missing {
        Missing(reason: .notFound, detail: "the log has no receipt at position \(position)")
    }

    func batch(_ number: Int64) async throws -> Batch {
        guard let sealed = try await ledger.batches(from: number, limit: 1).first, sealed.number == number else {
            throw Missing(reason: .notFound, detail: "the log has no batch \(number)")
        }
        let header = try BatchHeader(parsing: sealed.header)
        let receipts = sealed.groups.flatMap(\.effects).map(\.receipt)
        guard receipts.count == header.count else {
            throw Missing(
                reason: .archived,
                detail: "the receipts of batch \(number) are archived; the batch topic has them, see "
                    + "`clawgrant batch prove`")
        }
        let tree = MerkleTree(leaves: receipts)
        guard tree.root == header.root else {
            throw LedgerError(
                .corrupted, "the receipts of batch \(number) are not those it was sealed of; compare with a backup")
        }
        return Batch(sealed: sealed, header: header, receipts: receipts, tree: tree)
    }

    /// Where a receipt stands in a batch; `nil` when it is not there.
    func index(of id: String, in batch: Batch) -> Int? {
        // An identifier is of the base64url alphabet, so that it stands in a receipt as itself; a gateway's own
        // identifiers have a member of the same name.
        guard Digest(b64u: id) != nil else { return nil }
        let text = Array("\"receipt_id\":\"\(id)\"".utf8)
        return batch.receipts.indices.first { index in
            let bytes = batch.receipts[index]
            return bytes.firstRange(of: text) != nil && (try? Receipt(parsing: bytes))?.id.rawValue == id
        }
    }

    /// The proof of a receipt up to the checkpoint of a size, the batch's own when none is asked for.
    func inclusion(of index: Int, in batch: Batch, size: UInt64?) async throws -> InclusionProof {
        let number = UInt64(batch.header.number.value)
        let size = size ?? number + 1
        let checkpoint = try await checkpoint(size)
        guard let plan = EdgeProof(inclusionOf: number, in: size), let batchPath = batch.tree.inclusionPath(of: index)
        else {
            throw Missing(
                reason: .notFound,
                detail: "batch \(number) is not among the first \(size); ask for size \(number + 1) or more")
        }
        return InclusionProof(
            index: index, batchPath: batchPath, header: batch.header, headerPath: try await path(plan),
            checkpoint: checkpoint)
    }

    /// The proof by the rule of the reference log; `nil` when the batch has no signed root by that rule, or its signer is
    /// no key of this worker any more.
    func compatible(_ index: Int, in batch: Batch) -> LogInclusionProof? {
        guard let signatures = batch.sealed.rootSignatures else { return nil }
        let tree = ClawlogsTree(leaves: batch.receipts.map { Digest(hashing: $0) })
        for key in logKeys {
            let root = LogInclusionProof.SignedRoot(
                header: batch.header, signer: key, rootSignature: signatures.root,
                statementSignature: signatures.statement)
            if let root { return LogInclusionProof(tree: tree, index: index, signedRoot: root) }
        }
        return nil
    }

    /// The checkpoints of two sizes and the path between them.
    func consistency(from first: UInt64, to second: UInt64) async throws -> (SignedNote, SignedNote, [Digest]) {
        guard let plan = EdgeProof(from: first, to: second) else {
            throw Missing(reason: .notFound, detail: "size \(first) is not before size \(second)")
        }
        return (try await checkpoint(first), try await checkpoint(second), try await path(plan))
    }

    /// The note that the log signed for a size, without cosignatures: it never changes.
    func checkpoint(_ size: UInt64) async throws -> SignedNote {
        guard let stored = try await ledger.checkpoint(.size(size)) else {
            throw Missing(reason: .notFound, detail: "the log has no checkpoint of size \(size)")
        }
        return stored.sealed
    }

    private func path(_ plan: EdgeProof) async throws -> [Digest] {
        // The tail after batch n is the edge at size n + 1, and its header is leaf n.
        let numbers = Set(plan.sizes.map { Int64($0) - 1 } + plan.leaves.map { Int64($0) })
        guard !numbers.isEmpty else { return [] }
        let edges = try await ledger.edges(of: numbers)
        var frontiers: [UInt64: MerkleFrontier] = [:]
        var leafHashes: [UInt64: Digest] = [:]
        for (number, edge) in edges {
            frontiers[UInt64(number) + 1] = edge.tail.frontier
            leafHashes[UInt64(number)] = RFC9162.leafHash(edge.header)
        }
        guard let path = plan.path(frontiers: frontiers, leafHashes: leafHashes) else {
            throw LedgerError(.corrupted, "the tails of the log's batches contradict each other; compare with a backup")
        }
        return path
    }
}
