public import ClawWire

/// The Merkle rule of the reference log (WIRE section 10), kept for verifiers that know no other.
///
/// Leaves are used as they are, a parent is SHA-256(left ‖ right) without prefixes, and the last node of an odd level is
/// paired with itself. Its proofs are weaker than those of ``RFC9162``: an inner node passes as a leaf, and a repeated
/// last leaf does not show. ``LogInclusionProof/Statement`` closes the gap for those who check it.
public struct ClawlogsTree: Sendable, Hashable {
    private let levels: [[Digest]]

    /// Builds the tree of leaves.
    public init(leaves: [Digest]) {
        var levels = [leaves]
        var current = leaves
        while current.count > 1 {
            var next: [Digest] = []
            next.reserveCapacity((current.count + 1) / 2)
            for i in stride(from: 0, to: current.count, by: 2) {
                next.append(Self.parent(current[i], i + 1 < current.count ? current[i + 1] : current[i]))
            }
            levels.append(next)
            current = next
        }
        self.levels = levels
    }

    /// Number of leaves.
    public var count: Int { levels[0].count }

    /// The root; of no leaves SHA-256 of nothing, of one leaf the leaf itself.
    public var root: Digest { levels[levels.count - 1].first ?? RFC9162.emptyRoot }

    /// A leaf.
    public func leaf(_ index: Int) -> Digest? { levels[0].indices.contains(index) ? levels[0][index] : nil }

    /// The audit path of a leaf, from its sibling upwards; `nil` when there is no such leaf.
    public func auditPath(of index: Int) -> [Digest]? {
        guard levels[0].indices.contains(index) else { return nil }
        var path: [Digest] = []
        var node = index
        for level in levels.dropLast() {
            path.append(node ^ 1 < level.count ? level[node ^ 1] : level[node])
            node >>= 1
        }
        return path
    }

    /// SHA-256(left ‖ right).
    static func parent(_ left: Digest, _ right: Digest) -> Digest { Digest(hashing: nil, left, right) }

    /// Length of every audit path in a tree of `size` leaves: how often n → ⌊(n+1)/2⌋ leads to 1.
    static func pathLength(size: UInt64) -> Int {
        size <= 1 ? 0 : UInt64.bitWidth - (size - 1).leadingZeroBitCount
    }
}
