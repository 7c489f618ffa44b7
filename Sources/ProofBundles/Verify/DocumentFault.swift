/// Why a document that a stranger handed in was refused, and where.
///
/// The same document is refused again: no refusal goes away by trying once more.
public struct DocumentFault: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong, SCREAMING_SNAKE_CASE: a code of the reference where it has one.
    public let code: String
    /// Where, as a path of members; empty for the whole document.
    public let path: String
    /// A sentence for people.
    public let detail: String

    /// Makes a fault.
    public init(_ code: String, _ path: String, _ detail: String) {
        self.code = code
        self.path = path
        self.detail = detail
    }

    /// Code, place and sentence.
    public var description: String { "\(code)\(path.isEmpty ? "" : " at \(path)"): \(detail)" }

    /// The same below another member.
    func under(_ prefix: String) -> DocumentFault {
        DocumentFault(code, path.isEmpty ? prefix : path.hasPrefix("[") ? prefix + path : "\(prefix).\(path)", detail)
    }
}
