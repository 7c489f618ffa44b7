public import ClawWire

/// A proof over a large RFC 9162 tree of which only its right edges are kept: the ``MerkleFrontier`` at each size, and
/// the leaves.
///
/// Every complete subtree ends some edge: the edge at its last leaf's size, when it is a left child, else the edge one
/// leaf before, together with that leaf. So a proof needs at most two looks for each of its nodes, however long the log.
public struct EdgeProof: Sendable, Hashable {
    /// The nodes of the path, each the leaves that it covers, in the order of the path.
    private let nodes: [Range<UInt64>]
    /// The complete subtrees that the nodes are made of.
    private let subtrees: [Subtree]

    /// Leaves `start ..< start + 2^height`, where start is a multiple of that.
    private struct Subtree: Sendable, Hashable {
        let start: UInt64
        let height: Int
        var end: UInt64 { start + 1 << UInt64(height) }
        var isRightChild: Bool { start >> UInt64(height) & 1 == 1 }
    }

    /// What ``path(frontiers:leafHashes:)`` asks for: tree sizes.
    public let sizes: Set<UInt64>
    /// What ``path(frontiers:leafHashes:)`` asks for: indices of leaves.
    public let leaves: Set<UInt64>

    private init(_ nodes: [Range<UInt64>]) {
        self.nodes = nodes
        subtrees = nodes.flatMap(Self.subtrees)
        sizes = Set(
            subtrees.compactMap { tree in
                tree.isRightChild ? (tree.height == 0 ? nil : tree.end - 1) : tree.end
            })
        leaves = Set(subtrees.filter(\.isRightChild).map { $0.end - 1 })
    }

    /// The inclusion proof of a leaf (RFC 9162 section 2.1.3.1); `nil` when the tree has no such leaf.
    public init?(inclusionOf index: UInt64, in size: UInt64) {
        guard index < size, size <= UInt64(Int64.max) else { return nil }
        var nodes: [Range<UInt64>] = []
        var (start, end) = (UInt64(0), size)
        while end - start > 1 {
            let split = start + Self.largestPowerOfTwo(below: end - start)
            if index < split {
                nodes.append(split..<end)
                end = split
            } else {
                nodes.append(start..<split)
                start = split
            }
        }
        self.init(nodes.reversed())
    }

    /// The consistency proof between two sizes (RFC 9162 section 2.1.4.1), empty for equal sizes and from the empty tree;
    /// `nil` when the second is the smaller.
    public init?(from first: UInt64, to second: UInt64) {
        guard first <= second, second <= UInt64(Int64.max) else { return nil }
        guard first > 0, first < second else {
            self.init([])
            return
        }
        var nodes: [Range<UInt64>] = []
        var (start, end, known, isWhole) = (UInt64(0), second, first, true)
        while known < end - start {
            let half = Self.largestPowerOfTwo(below: end - start)
            if known <= half {
                nodes.append(start + half..<end)
                end = start + half
            } else {
                nodes.append(start..<start + half)
                start += half
                known -= half
                isWhole = false
            }
        }
        if !isWhole { nodes.append(start..<end) }
        self.init(nodes.reversed())
    }

    /// The path; `nil` when something that it asks for is missing or is not what it must be.
    ///
    /// - Parameters:
    ///   - frontiers: the right edge of the tree at each of ``sizes``.
    ///   - leafHashes: the hash of each of ``leaves``.
    public func path(frontiers: [UInt64: MerkleFrontier], leafHashes: [UInt64: Digest]) -> [Digest]? {
        var known: [Subtree: Digest] = [:]
        for tree in subtrees {
            guard let hash = Self.hash(of: tree, frontiers, leafHashes) else { return nil }
            known[tree] = hash
        }
        var path: [Digest] = []
        for node in nodes {
            let parts = Self.subtrees(of: node).compactMap { known[$0] }
            guard var hash = parts.last else { return nil }
            for part in parts.dropLast().reversed() { hash = RFC9162.nodeHash(part, hash) }
            path.append(hash)
        }
        return path
    }

    private static func hash(
        of tree: Subtree, _ frontiers: [UInt64: MerkleFrontier], _ leafHashes: [UInt64: Digest]
    ) -> Digest? {
        guard tree.isRightChild else {
            guard let edge = frontiers[tree.end], edge.size == tree.end else { return nil }
            return edge.nodes.last
        }
        guard var hash = leafHashes[tree.end - 1] else { return nil }
        guard tree.height > 0 else { return hash }
        guard let edge = frontiers[tree.end - 1], edge.size == tree.end - 1, edge.nodes.count >= tree.height else {
            return nil
        }
        for node in edge.nodes.suffix(tree.height).reversed() { hash = RFC9162.nodeHash(node, hash) }
        return hash
    }

    /// The complete subtrees of a node, from the left: one, but for the node at the right edge of the tree.
    private static func subtrees(of node: Range<UInt64>) -> [Subtree] {
        var parts: [Subtree] = []
        var start = node.lowerBound
        while start < node.upperBound {
            let height = UInt64.bitWidth - 1 - (node.upperBound - start).leadingZeroBitCount
            parts.append(Subtree(start: start, height: height))
            start += 1 << UInt64(height)
        }
        return parts
    }

    private static func largestPowerOfTwo(below count: UInt64) -> UInt64 {
        1 << UInt64(UInt64.bitWidth - 1 - (count - 1).leadingZeroBitCount)
    }
}
