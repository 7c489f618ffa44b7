public import ClawWire

/// A whole RFC 9162 tree over known leaf hashes: built once in O(n), then each proof costs O(log n) look-ups.
public struct MerkleTree: Sendable, Hashable {
    /// `levels[l][k]` is the hash of leaves `k·2^l ..< min((k+1)·2^l, count)`. A node without a right sibling is carried
    /// up unchanged, which gives exactly the tree of RFC 9162 section 2.1.1.
    private let levels: [[Digest]]

    /// Builds the tree of leaf hashes (see ``RFC9162/leafHash(_:)``).
    public init(leafHashes: [Digest]) {
        var levels = [leafHashes]
        var current = leafHashes
        while current.count > 1 {
            var next: [Digest] = []
            next.reserveCapacity((current.count + 1) / 2)
            var i = 0
            while i + 1 < current.count {
                next.append(RFC9162.nodeHash(current[i], current[i + 1]))
                i += 2
            }
            if i < current.count { next.append(current[i]) }
            levels.append(next)
            current = next
        }
        self.levels = levels
    }

    /// Builds the tree of leaf data.
    public init(leaves: [[UInt8]]) { self.init(leafHashes: leaves.map(RFC9162.leafHash)) }

    /// Number of leaves.
    public var count: Int { levels[0].count }

    /// The root; of no leaves ``RFC9162/emptyRoot``.
    public var root: Digest { levels[levels.count - 1].first ?? RFC9162.emptyRoot }

    /// The inclusion proof of a leaf, from the leaf's sibling upwards; `nil` when there is no such leaf.
    public func inclusionPath(of index: Int) -> [Digest]? {
        guard index >= 0, index < count else { return nil }
        var path: [Digest] = []
        var node = index
        for level in levels {
            let sibling = node ^ 1
            if sibling < level.count { path.append(level[sibling]) }
            node >>= 1
        }
        return path
    }

    /// The consistency proof from the first `size` leaves to the whole tree; `nil` when the tree is smaller.
    ///
    /// Empty for sizes 0 and ``count``, which need no proof.
    public func consistencyPath(from size: Int) -> [Digest]? {
        guard size >= 0, size <= count else { return nil }
        guard size > 0, size < count else { return [] }
        var path: [Digest] = []
        var start = 0
        var end = count
        var known = size
        var isWhole = true
        // RFC 9162 section 2.1.4.1, walked from the root down; the path is collected in reverse.
        while known < end - start {
            let split = Self.largestPowerOfTwo(below: end - start)
            if known <= split {
                path.append(node(start + split, end))
                end = start + split
            } else {
                path.append(node(start, start + split))
                start += split
                known -= split
                isWhole = false
            }
        }
        if !isWhole { path.append(node(start, end)) }
        return path.reversed()
    }

    private static func largestPowerOfTwo(below count: Int) -> Int {
        1 << (Int.bitWidth - 1 - (count - 1).leadingZeroBitCount)
    }

    /// Hash of the leaves `start ..< end`, which are a node of the tree.
    private func node(_ start: Int, _ end: Int) -> Digest {
        let count = end - start
        let level = count == 1 ? 0 : Int.bitWidth - (count - 1).leadingZeroBitCount
        return levels[level][start >> level]
    }
}
