import ClawWire
import Testing

@testable import ProofBundles

/// What must hold of every input.
struct MetadataPropertyTests {
    private static let replacements: [JSONValue] = [
        .null, true, -1, 1.5, 1e300, "", "x", "aaaaaaaa", [], [:], [.null], ["a": .null],
    ]

    /// The value with one node replaced, for every node and replacement.
    private func mutations(_ value: JSONValue) -> [JSONValue] {
        var mutations = Self.replacements
        switch value {
        case .object(let object):
            for member in object.members {
                var copy = object
                for inner in self.mutations(member.value) {
                    copy[member.key] = inner
                    mutations.append(.object(copy))
                }
                copy[member.key] = nil
                mutations.append(.object(copy))
            }
        case .array(let elements):
            for (index, element) in elements.enumerated() {
                var copy = elements
                for inner in self.mutations(element) {
                    copy[index] = inner
                    mutations.append(.array(copy))
                }
            }
        case .null, .bool, .number, .string: break
        }
        return mutations
    }

    @Test func everyMutationOfMetadataIsAnswered() throws {
        let maker = try MetadataMaker()
        var metadata = try maker.dataHandling(maker.approvedReceipt())
        for member in try maker.signoff().members { metadata[member.key] = member.value }
        #expect(try maker.verdict(metadata, .service).status == .valid)
        let all = mutations(.object(metadata))
        #expect(all.count > 2_000)
        // Every seventh, from another start for each verifier: the whole set takes minutes without optimization.
        for (start, verifier) in ReferenceVerifier.allCases.enumerated() {
            for mutation in stride(from: start, to: all.count, by: 7).map({ all[$0] }) {
                guard let object = mutation.object else { continue }
                let verdict = try maker.verdict(object, verifier)
                #expect(verdict.status == .valid || verdict.code?.isEmpty == false)
            }
        }
    }

    @Test func collationIsAnOrder() {
        let texts = [
            "", "a", "A", "ab", "a-b", "a_b", "b", "10", "9", "::1", "127.0.0.1", "\u{0}", "a\u{0}", "é", "e", "f", "ß",
        ]
        for left in texts {
            #expect(CollationOrder.compare(left, left) == 0)
            for right in texts {
                #expect(CollationOrder.compare(left, right).signum() == -CollationOrder.compare(right, left).signum())
                for third in texts where CollationOrder.precedes(left, right) && CollationOrder.precedes(right, third) {
                    #expect(CollationOrder.precedes(left, third))
                }
            }
        }
        #expect(CollationOrder.precedes("::1", "127.0.0.1"))
        #expect(
            CollationOrder.precedes("a_b", "a-b") && CollationOrder.precedes("e", "é")
                && CollationOrder.precedes("é", "f"))
    }
}
