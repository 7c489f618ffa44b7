public import ClawWire

/// The right edge of a growing RFC 9162 tree: the roots of the complete subtrees that the leaves so far fall into.
///
/// This is all an appender needs: an append costs O(log n) hashes and the state is at most 64 digests.
public struct MerkleFrontier: Sendable, Hashable {
    /// Number of leaves.
    public private(set) var size: UInt64
    /// Roots of the complete subtrees, largest first: one for each bit that is set in ``size``.
    public private(set) var nodes: [Digest]

    /// The frontier of the empty tree.
    public init() {
        size = 0
        nodes = []
    }

    /// Restores a stored frontier, or returns `nil` when the number of nodes does not fit the size.
    public init?(size: UInt64, nodes: [Digest]) {
        guard nodes.count == size.nonzeroBitCount, size <= UInt64(Int64.max) else { return nil }
        self.size = size
        self.nodes = nodes
    }

    /// Adds a leaf.
    public mutating func append(_ leafHash: Digest) {
        var node = leafHash
        var merged = size
        while merged & 1 == 1 {
            node = RFC9162.nodeHash(nodes.removeLast(), node)
            merged >>= 1
        }
        nodes.append(node)
        size += 1
    }

    /// The root of the leaves so far; of none ``RFC9162/emptyRoot``.
    public var root: Digest {
        guard var hash = nodes.last else { return RFC9162.emptyRoot }
        for node in nodes.dropLast().reversed() { hash = RFC9162.nodeHash(node, hash) }
        return hash
    }

    /// The inclusion proof that the next appended leaf will have in the tree that it completes.
    ///
    /// The last leaf's siblings are exactly the subtrees to its left, so no older leaf is needed.
    public var pathOfNextLeaf: [Digest] { nodes.reversed() }
}
