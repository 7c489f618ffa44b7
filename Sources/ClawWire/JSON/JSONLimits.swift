/// Bounds that hold before and while a document is read, so that hostile input costs no more than its own size.
public struct JSONLimits: Sendable, Hashable {
    /// Largest document, in bytes.
    public var maximumBytes: Int
    /// Deepest nesting of arrays and objects.
    public var maximumDepth: Int
    /// Most members or elements in all arrays and objects together.
    public var maximumMembers: Int
    /// Longest string or key, in UTF-8 bytes after unescaping.
    public var maximumStringBytes: Int
    /// Longest number, in characters.
    public var maximumNumberCharacters: Int

    /// Makes limits.
    public init(
        maximumBytes: Int = 1_048_576, maximumDepth: Int = 64, maximumMembers: Int = 100_000,
        maximumStringBytes: Int = 262_144, maximumNumberCharacters: Int = 64
    ) {
        self.maximumBytes = maximumBytes
        self.maximumDepth = maximumDepth
        self.maximumMembers = maximumMembers
        self.maximumStringBytes = maximumStringBytes
        self.maximumNumberCharacters = maximumNumberCharacters
    }

    /// For events and requests from topics: one megabyte, 64 levels.
    public static let standard = JSONLimits()
    /// For a WPC document: the registry's body limit of 65 536 bytes (WIRE section 7.1).
    public static let workPolicyContract = JSONLimits(maximumBytes: 65_536, maximumDepth: 32)
    /// For a compact token's header or payload.
    public static let token = JSONLimits(
        maximumBytes: 65_536, maximumDepth: 16, maximumMembers: 2_048, maximumStringBytes: 16_384)
}
