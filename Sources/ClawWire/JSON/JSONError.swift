/// Why a document could not be read, and where.
public struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was wrong.
    public enum Code: String, Sendable, Hashable {
        /// The document is larger than ``JSONLimits/maximumBytes``.
        case tooLarge = "too_large"
        /// Nesting is deeper than ``JSONLimits/maximumDepth``.
        case tooDeep = "too_deep"
        /// More members than ``JSONLimits/maximumMembers``.
        case tooManyMembers = "too_many_members"
        /// A string is longer than ``JSONLimits/maximumStringBytes``.
        case stringTooLong = "string_too_long"
        /// A number is longer than ``JSONLimits/maximumNumberCharacters``.
        case numberTooLong = "number_too_long"
        /// A number has no finite double value.
        case numberNotFinite = "number_not_finite"
        /// An object repeats a key and repeats are refused.
        case duplicateKey = "duplicate_key"
        /// The bytes are not UTF-8.
        case invalidUTF8 = "invalid_utf8"
        /// A `\u` escape is a surrogate without its partner.
        case loneSurrogate = "lone_surrogate"
        /// A string holds a scalar of U+10F000…U+10F7FF, which the reader needs for lone surrogates.
        case reservedCharacter = "reserved_character"
        /// The text breaks the JSON grammar (RFC 8259).
        case syntax = "syntax"
        /// The text ends inside a value.
        case unexpectedEnd = "unexpected_end"
        /// Text follows the value.
        case trailingText = "trailing_text"
    }

    /// What was wrong.
    public let code: Code
    /// Byte offset from the start of the document.
    public let offset: Int
    /// Line, from 1.
    public let line: Int
    /// Column in bytes, from 1.
    public let column: Int
    /// A sentence for people.
    public let detail: String

    /// For example `line 3, column 14: an object repeats the key "exp"`.
    public var description: String { "line \(line), column \(column): \(detail)" }
}
