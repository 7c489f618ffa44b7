import ClawWire
import ReceiptLog

/// The inclusion paths of some leaves, kept while a tree of any size grows.
///
/// It holds the right edge of the tree and one path for each leaf of interest, so that one reading of a log is enough
/// and memory does not grow with it.
struct InclusionTracker {
    private struct Node {
        let first: UInt64
        let count: UInt64
        let hash: Digest
    }

    /// The whole tree, with the paths of the leaves of interest.
    struct Completed {
        let size: UInt64
        let root: Digest
        let paths: [UInt64: [Digest]]
    }

    private var nodes: [Node] = []
    private var targets: [(index: UInt64, path: [Digest])] = []
    /// Number of leaves.
    private(set) var size: UInt64 = 0

    /// Starts with the empty tree.
    init() {}

    /// Starts with the right edge of a tree whose leaves are of no interest.
    init(_ frontier: MerkleFrontier) {
        for hash in frontier.nodes {
            // The largest complete subtree that is left: the highest bit that is not taken yet.
            let rest = frontier.size - size
            let count = UInt64(1) << (63 - UInt64(rest.leadingZeroBitCount))
            nodes.append(Node(first: size, count: count, hash: hash))
            size += count
        }
    }

    /// Adds a leaf.
    mutating func append(_ leafHash: Digest, isOfInterest: Bool) {
        if isOfInterest { targets.append((size, [])) }
        var node = Node(first: size, count: 1, hash: leafHash)
        while let left = nodes.last, left.count == node.count {
            nodes.removeLast()
            node = merge(left, node)
        }
        nodes.append(node)
        size += 1
    }

    /// The tree as it is; ``root`` of no leaves is that of the empty tree.
    func completed() -> Completed {
        var copy = self
        guard var node = copy.nodes.popLast() else { return Completed(size: 0, root: RFC9162.emptyRoot, paths: [:]) }
        while let left = copy.nodes.popLast() { node = copy.merge(left, node) }
        return Completed(
            size: size, root: node.hash,
            paths: Dictionary(copy.targets.map { ($0.index, $0.path) }, uniquingKeysWith: { first, _ in first }))
    }

    private mutating func merge(_ left: Node, _ right: Node) -> Node {
        extend(left, by: right.hash)
        extend(right, by: left.hash)
        return Node(first: left.first, count: left.count + right.count, hash: RFC9162.nodeHash(left.hash, right.hash))
    }

    /// Leaves come in order, so those below a node are neighbours in the list.
    private mutating func extend(_ node: Node, by sibling: Digest) {
        var low = 0
        var high = targets.count
        while low < high {
            let middle = (low + high) / 2
            if targets[middle].index < node.first { low = middle + 1 } else { high = middle }
        }
        while low < targets.count, targets[low].index < node.first + node.count {
            targets[low].path.append(sibling)
            low += 1
        }
    }
}
