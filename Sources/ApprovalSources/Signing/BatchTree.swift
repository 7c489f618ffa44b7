public import ClawWire

/// A Merkle tree over the digests of a batch of events (RFC 9162 section 2.1).
///
/// A leaf's data are the 32 bytes of the event's digest.
public struct BatchTree: Sendable {
    /// Nodes by level, leaves first.
    private let levels: [[Digest]]

    /// Builds the tree, or returns `nil` for no leaf.
    public init?(_ digests: [Digest]) {
        guard !digests.isEmpty else { return nil }
        var levels = [digests.map(Self.leaf)]
        while let last = levels.last, last.count > 1 {
            // An odd node at the end moves up unchanged, which gives the tree of RFC 9162 for every size.
            levels.append(
                stride(from: 0, to: last.count, by: 2).map { i in
                    i + 1 < last.count ? Self.node(last[i], last[i + 1]) : last[i]
                })
        }
        self.levels = levels
    }

    /// Number of leaves.
    public var size: Int { levels[0].count }

    /// The root hash.
    public var root: Digest { levels[levels.count - 1][0] }

    /// The inclusion path of a leaf (RFC 9162 section 2.1.3.1), lowest sibling first.
    public func path(to index: Int) -> [Digest] {
        var path: [Digest] = []
        var i = index
        for level in levels.dropLast() {
            let sibling = i ^ 1
            if sibling < level.count { path.append(level[sibling]) }
            i >>= 1
        }
        return path
    }

    /// The root that a path leads to (RFC 9162 section 2.1.3.2), or `nil` when the path has not the length that the
    /// index and the size demand.
    public static func root(of digest: Digest, index: Int, size: Int, path: [Digest]) -> Digest? {
        guard index >= 0, index < size else { return nil }
        var fn = index
        var sn = size - 1
        var hash = leaf(digest)
        for sibling in path {
            guard sn > 0 else { return nil }
            if fn & 1 == 1 || fn == sn {
                hash = node(sibling, hash)
                while fn & 1 == 0, fn != 0 {
                    fn >>= 1
                    sn >>= 1
                }
            } else {
                hash = node(hash, sibling)
            }
            fn >>= 1
            sn >>= 1
        }
        return sn == 0 ? hash : nil
    }

    private static func leaf(_ digest: Digest) -> Digest { Digest(hashing: 0x00, digest.bytes) }

    private static func node(_ left: Digest, _ right: Digest) -> Digest { Digest(hashing: 0x01, left, right) }
}
