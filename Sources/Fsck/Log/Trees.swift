import ClawWire

/// The two tree rules of a batch and the tree over headers, written from docs/receipts.md and RFC 9162 section 2.1.
enum Trees {
    /// The levels of an RFC 9162 tree over leaf hashes, leaves first. An odd last node goes up as it is, which is the
    /// same tree as the RFC's split at the largest power of two.
    static func levels(_ leaves: [Digest]) -> [[Digest]] {
        var levels = [leaves]
        var current = leaves
        while current.count > 1 {
            var above: [Digest] = []
            above.reserveCapacity((current.count + 1) / 2)
            var i = 0
            while i + 1 < current.count {
                above.append(Digest(hashing: 0x01, current[i], current[i + 1]))
                i += 2
            }
            if i < current.count { above.append(current[i]) }
            levels.append(above)
            current = above
        }
        return levels
    }

    /// Siblings from a leaf upwards; a level on which the node has none is left out.
    static func path(_ levels: [[Digest]], of leaf: Int) -> [Digest] {
        var path: [Digest] = []
        var node = leaf
        for level in levels.dropLast() {
            let sibling = node ^ 1
            if sibling < level.count { path.append(level[sibling]) }
            node /= 2
        }
        return path
    }

    /// Root by the rule of the reference log: no prefixes, the last node of an odd level with itself.
    static func pairedRoot(_ leaves: [Digest]) -> Digest? {
        var current = leaves
        while current.count > 1 {
            var above: [Digest] = []
            above.reserveCapacity((current.count + 1) / 2)
            var i = 0
            while i < current.count {
                let right = i + 1 < current.count ? current[i + 1] : current[i]
                above.append(Digest(hashing: nil, current[i], right))
                i += 2
            }
            current = above
        }
        return current.first
    }
}

/// A tree that grows by one leaf after the other, known by the roots of its complete parts.
struct GrowingTree {
    private(set) var size: UInt64 = 0
    /// Height and root of each complete part, the largest first.
    private var parts: [(height: Int, root: Digest)] = []

    mutating func append(leaf: Digest) {
        var part = (height: 0, root: leaf)
        while let last = parts.last, last.height == part.height {
            parts.removeLast()
            part = (part.height + 1, Digest(hashing: 0x01, last.root, part.root))
        }
        parts.append(part)
        size += 1
    }

    /// The root; `nil` for the empty tree.
    var root: Digest? {
        guard var root = parts.last?.root else { return nil }
        for part in parts.dropLast().reversed() { root = Digest(hashing: 0x01, part.root, root) }
        return root
    }
}
