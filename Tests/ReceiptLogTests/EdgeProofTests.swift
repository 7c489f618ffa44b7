import ClawWire
import ReceiptLog
import Testing

/// Proofs made of right edges are those of whole trees.
@Suite struct EdgeProofTests {
    private static let size = 70
    private static let leaves = (0..<size).map { RFC9162.leafHash(Array("leaf \($0)".utf8)) }
    private static let frontiers: [UInt64: MerkleFrontier] = {
        var frontiers: [UInt64: MerkleFrontier] = [:]
        var frontier = MerkleFrontier()
        for leaf in leaves {
            frontier.append(leaf)
            frontiers[frontier.size] = frontier
        }
        return frontiers
    }()

    /// Gives a proof no more than it asked for.
    private func path(_ proof: EdgeProof) -> [Digest]? {
        proof.path(
            frontiers: Self.frontiers.filter { proof.sizes.contains($0.key) },
            leafHashes: Dictionary(uniqueKeysWithValues: proof.leaves.map { ($0, Self.leaves[Int($0)]) }))
    }

    @Test func everyInclusionPathIsThatOfTheTree() throws {
        for size in 1...Self.size {
            let tree = MerkleTree(leafHashes: Array(Self.leaves[..<size]))
            for index in 0..<size {
                let proof = try #require(EdgeProof(inclusionOf: UInt64(index), in: UInt64(size)))
                #expect(path(proof) == tree.inclusionPath(of: index), "leaf \(index) of \(size)")
            }
        }
    }

    @Test func everyConsistencyPathIsThatOfTheTree() throws {
        for second in 1...Self.size {
            let tree = MerkleTree(leafHashes: Array(Self.leaves[..<second]))
            for first in 0...second {
                let proof = try #require(EdgeProof(from: UInt64(first), to: UInt64(second)))
                #expect(path(proof) == tree.consistencyPath(from: first), "\(first) to \(second)")
            }
        }
    }

    @Test func aProofNeedsFewLooksHoweverLongTheLog() throws {
        let size = UInt64(Int64.max)
        for index in [0, 1, 77, size / 2, size / 3, size - 2, size - 1] {
            let proof = try #require(EdgeProof(inclusionOf: index, in: size))
            #expect(proof.sizes.count + proof.leaves.count <= 256)
            let consistency = try #require(EdgeProof(from: index + 1, to: size))
            #expect(consistency.sizes.count + consistency.leaves.count <= 256)
        }
    }

    @Test func whatDoesNotExistHasNoProof() {
        #expect(EdgeProof(inclusionOf: 3, in: 3) == nil)
        #expect(EdgeProof(inclusionOf: 0, in: 0) == nil)
        #expect(EdgeProof(inclusionOf: 0, in: .max) == nil)
        #expect(EdgeProof(from: 4, to: 3) == nil)
    }

    @Test func edgesOfAnotherSizeMakeNoPath() throws {
        let proof = try #require(EdgeProof(inclusionOf: 5, in: 11))
        #expect(proof.path(frontiers: [:], leafHashes: [:]) == nil)
        let leaves = Dictionary(uniqueKeysWithValues: proof.leaves.map { ($0, Self.leaves[Int($0)]) })
        let wrong = Dictionary(
            uniqueKeysWithValues: proof.sizes.compactMap { size in Self.frontiers[size + 1].map { (size, $0) } })
        #expect(proof.path(frontiers: wrong, leafHashes: leaves) == nil)
    }
}
