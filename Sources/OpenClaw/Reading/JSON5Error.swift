/// Why a text is no JSON5 document that is read here, and where.
public struct JSON5Error: Error, Hashable, Sendable, CustomStringConvertible {
    /// Line, from 1.
    public let line: Int
    /// Column in bytes, from 1.
    public let column: Int
    /// A sentence for people.
    public let detail: String

    /// For example `line 3, column 14: the object ends without a closing brace`.
    public var description: String { "line \(line), column \(column): \(detail)" }
}
