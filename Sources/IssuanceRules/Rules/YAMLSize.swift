package import Yams

/// How much a YAML document comes to once its aliases are followed: a few lines of aliases of aliases stand for billions of
/// values, and whoever walks them all does not come back.
package enum YAMLSize {
    /// Most values of a document, aliases followed.
    package static let maximumNodes = 200_000

    /// True when the document has at most ``maximumNodes`` values. Costs no more than that many steps.
    package static func isBounded(_ root: Node) -> Bool {
        var rest = [root]
        var count = 0
        while let node = rest.popLast() {
            count += 1
            // What waits is a part of the document too.
            guard count + rest.count <= maximumNodes else { return false }
            switch node {
            case .scalar, .alias: continue
            case .sequence(let sequence): rest.append(contentsOf: sequence)
            case .mapping(let mapping):
                for (key, value) in mapping { rest += [key, value] }
            }
        }
        return true
    }
}
