public import ClawWire

/// Merkle tree hashing and the verification of proofs as RFC 9162 section 2.1 defines them (the same as RFC 6962).
///
/// Verification takes sizes and indices as 64-bit numbers and looks at no more path entries than a tree of that size
/// can have, so a proof of any length costs no more than 64 hashes.
public enum RFC9162 {
    /// Hash of a leaf: SHA-256(0x00 ‖ data).
    public static func leafHash(_ data: [UInt8]) -> Digest { Digest(hashing: 0x00, data) }

    /// Hash of an inner node: SHA-256(0x01 ‖ left ‖ right).
    public static func nodeHash(_ left: Digest, _ right: Digest) -> Digest { Digest(hashing: 0x01, left, right) }

    /// Root of the empty tree: SHA-256 of nothing.
    public static let emptyRoot = Digest(hashing: [UInt8]())

    /// The root that an inclusion proof leads to (RFC 9162 section 2.1.3.2), or `nil` when the proof's length or the
    /// index does not fit the tree size.
    public static func root(leafHash: Digest, index: UInt64, size: UInt64, path: [Digest]) -> Digest? {
        guard index < size, path.count <= 64 else { return nil }
        var node = index
        var last = size - 1
        var hash = leafHash
        for sibling in path {
            guard last > 0 else { return nil }
            if node & 1 == 1 || node == last {
                hash = nodeHash(sibling, hash)
                while node & 1 == 0, node != 0 {
                    node >>= 1
                    last >>= 1
                }
            } else {
                hash = nodeHash(hash, sibling)
            }
            node >>= 1
            last >>= 1
        }
        return last == 0 ? hash : nil
    }

    /// True when `path` proves that the leaf stands at `index` of the tree of `size` leaves with `root`.
    public static func verifyInclusion(
        leafHash: Digest, index: UInt64, size: UInt64, path: [Digest], root: Digest
    ) -> Bool {
        self.root(leafHash: leafHash, index: index, size: size, path: path) == root
    }

    /// True when `path` proves that the tree of `second` leaves begins with the tree of `first` leaves
    /// (RFC 9162 section 2.1.4.2).
    ///
    /// The empty tree is the beginning of every tree, and a tree of itself; both take an empty path.
    public static func verifyConsistency(
        first: UInt64, firstRoot: Digest, second: UInt64, secondRoot: Digest, path: [Digest]
    ) -> Bool {
        guard first <= second, path.count <= 65 else { return false }
        if first == second { return path.isEmpty && firstRoot == secondRoot && (first > 0 || firstRoot == emptyRoot) }
        if first == 0 { return path.isEmpty && firstRoot == emptyRoot }
        guard !path.isEmpty else { return false }
        // The root of a complete first tree is itself a node of the second and is not repeated in the path.
        let nodes = first & (first - 1) == 0 ? [firstRoot] + path : path
        var node = first - 1
        var last = second - 1
        while node & 1 == 1 {
            node >>= 1
            last >>= 1
        }
        var firstHash = nodes[0]
        var secondHash = nodes[0]
        for sibling in nodes.dropFirst() {
            guard last > 0 else { return false }
            if node & 1 == 1 || node == last {
                firstHash = nodeHash(sibling, firstHash)
                secondHash = nodeHash(sibling, secondHash)
                while node & 1 == 0, node != 0 {
                    node >>= 1
                    last >>= 1
                }
            } else {
                secondHash = nodeHash(secondHash, sibling)
            }
            node >>= 1
            last >>= 1
        }
        return last == 0 && firstHash == firstRoot && secondHash == secondRoot
    }
}
