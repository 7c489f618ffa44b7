import ClawWire
import ReceiptLog
import Testing

/// RFC 9162 section 2.1 as its recursive definitions say it, written without regard to cost.
private enum Definition {
    static func split(_ n: Int) -> Int {
        var k = 1
        while k * 2 < n { k *= 2 }
        return k
    }

    static func root(_ leaves: ArraySlice<[UInt8]>) -> Digest {
        guard let first = leaves.first else { return Digest(hashing: [UInt8]()) }
        if leaves.count == 1 { return Digest(hashing: [0] + first) }
        let middle = leaves.startIndex + split(leaves.count)
        return Digest(hashing: [1] + root(leaves[..<middle]).bytes + root(leaves[middle...]).bytes)
    }

    static func path(_ m: Int, _ leaves: ArraySlice<[UInt8]>) -> [Digest] {
        guard leaves.count > 1 else { return [] }
        let k = split(leaves.count)
        let middle = leaves.startIndex + k
        return m < k
            ? path(m, leaves[..<middle]) + [root(leaves[middle...])]
            : path(m - k, leaves[middle...]) + [root(leaves[..<middle])]
    }

    static func proof(_ m: Int, _ leaves: ArraySlice<[UInt8]>, _ isWhole: Bool) -> [Digest] {
        if m == leaves.count { return isWhole ? [] : [root(leaves)] }
        let k = split(leaves.count)
        let middle = leaves.startIndex + k
        return m <= k
            ? proof(m, leaves[..<middle], isWhole) + [root(leaves[middle...])]
            : proof(m - k, leaves[middle...], false) + [root(leaves[..<middle])]
    }
}

struct MerkleTests {
    private static let leaves: [[UInt8]] = (0..<65).map { Array("leaf \($0)".utf8) }

    private func altered(_ digest: Digest) -> Digest { Digest(hashing: digest.bytes) }

    @Test func rootsOfTheCertificateTransparencyTestTree() throws {
        let leaves = [
            "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
        ]
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ]
        let data = try leaves.map { try #require(Hex.decode($0)) }
        for size in 0...leaves.count {
            #expect(MerkleTree(leaves: Array(data[..<size])).root.hex == roots[size])
        }
    }

    @Test func treeAndFrontierAgreeWithTheDefinition() throws {
        var frontier = MerkleFrontier()
        for size in 0...64 {
            let tree = MerkleTree(leaves: Array(Self.leaves[..<size]))
            #expect(tree.root == Definition.root(Self.leaves[..<size]))
            #expect(frontier.root == tree.root)
            #expect(frontier.nodes.count == size.nonzeroBitCount)
            #expect(MerkleFrontier(size: UInt64(size), nodes: frontier.nodes) == frontier)
            #expect(MerkleFrontier(size: UInt64(size), nodes: frontier.nodes + [tree.root]) == nil)
            let next = MerkleTree(leaves: Array(Self.leaves[...size]))
            #expect(next.inclusionPath(of: size) == frontier.pathOfNextLeaf)
            frontier.append(RFC9162.leafHash(Self.leaves[size]))
        }
    }

    @Test func inclusionForEverySizeAndIndex() throws {
        for size in 1...64 {
            let tree = MerkleTree(leaves: Array(Self.leaves[..<size]))
            #expect(tree.inclusionPath(of: size) == nil)
            #expect(tree.inclusionPath(of: -1) == nil)
            for index in 0..<size {
                let path = try #require(tree.inclusionPath(of: index))
                #expect(path == Definition.path(index, Self.leaves[..<size]))
                let leaf = RFC9162.leafHash(Self.leaves[index])
                func holds(_ leaf: Digest, _ i: Int, _ n: Int, _ path: [Digest], _ root: Digest) -> Bool {
                    RFC9162.verifyInclusion(leafHash: leaf, index: UInt64(i), size: UInt64(n), path: path, root: root)
                }
                #expect(holds(leaf, index, size, path, tree.root))
                #expect(!holds(altered(leaf), index, size, path, tree.root))
                #expect(!holds(leaf, index, size, path, altered(tree.root)))
                #expect(!holds(leaf, index, size, path + [leaf], tree.root))
                #expect(!holds(leaf, size, size, path, tree.root))
                if size > 1 {
                    #expect(!holds(leaf, (index + 1) % size, size, path, tree.root))
                    #expect(!holds(leaf, index, size, Array(path.dropLast()), tree.root))
                }
                for i in path.indices {
                    var wrong = path
                    wrong[i] = altered(wrong[i])
                    #expect(!holds(leaf, index, size, wrong, tree.root))
                }
            }
        }
    }

    @Test func consistencyForEveryPairOfSizes() throws {
        let trees = (0...64).map { MerkleTree(leaves: Array(Self.leaves[..<$0])) }
        for second in 0...64 {
            for first in 0...second {
                let path = try #require(trees[second].consistencyPath(from: first))
                let defined =
                    first == 0 || first == second ? [] : Definition.proof(first, Self.leaves[..<second], true)
                #expect(path == defined)
                func holds(_ m: Int, _ old: Digest, _ n: Int, _ new: Digest, _ path: [Digest]) -> Bool {
                    RFC9162.verifyConsistency(
                        first: UInt64(m), firstRoot: old, second: UInt64(n), secondRoot: new, path: path)
                }
                let old = trees[first].root
                let new = trees[second].root
                #expect(holds(first, old, second, new, path))
                #expect(!holds(first, altered(old), second, new, path))
                #expect(!holds(first, old, second, new, path + [new]))
                if first > 0 { #expect(!holds(first, old, second, altered(new), path)) }
                if first > 0, first < second {
                    #expect(!holds(first, old, second, new, Array(path.dropLast())))
                    #expect(!holds(second, new, first, old, path))
                }
                for i in path.indices {
                    var wrong = path
                    wrong[i] = altered(wrong[i])
                    #expect(!holds(first, old, second, new, wrong))
                }
            }
            #expect(trees[second].consistencyPath(from: second + 1) == nil)
        }
    }

    @Test func aPathIntoASubtreeIsNoProofOfTheTree() throws {
        let half = MerkleTree(leaves: Array(Self.leaves[..<2]))
        let path = try #require(half.inclusionPath(of: 0))
        let leaf = RFC9162.leafHash(Self.leaves[0])
        #expect(RFC9162.verifyInclusion(leafHash: leaf, index: 0, size: 2, path: path, root: half.root))
        #expect(!RFC9162.verifyInclusion(leafHash: leaf, index: 0, size: 4, path: path, root: half.root))
    }

    @Test func verificationOfHugeSizesEnds() {
        let digest = Digest(hashing: "x")
        let long = [Digest](repeating: digest, count: 100_000)
        #expect(RFC9162.root(leafHash: digest, index: 0, size: .max, path: long) == nil)
        #expect(
            !RFC9162.verifyConsistency(
                first: 1, firstRoot: digest, second: .max, secondRoot: digest, path: long))
        #expect(RFC9162.root(leafHash: digest, index: .max - 1, size: .max, path: Array(long[..<64])) == nil)
        #expect(
            !RFC9162.verifyConsistency(
                first: .max - 1, firstRoot: digest, second: .max, secondRoot: digest, path: Array(long[..<64])))
        #expect(MerkleFrontier(size: .max, nodes: Array(long[..<64])) == nil)
    }
}
