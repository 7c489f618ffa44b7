/// A JSON value that remembers the order in which its members stood in the document.
///
/// Order matters because the signed envelopes of the Claw services are hashed in document order (WIRE section 1), while
/// our own formats are hashed in RFC 8785 order. Both printers start from this one value.
public enum JSONValue: Sendable, Hashable {
    /// The literal `null`.
    case null
    /// A boolean literal.
    case bool(Bool)
    /// A number, kept as the IEEE 754 double that ECMAScript would make of it.
    case number(Double)
    /// A string of Unicode scalars; see ``JSONString`` for lone surrogates.
    case string(String)
    /// An array.
    case array([JSONValue])
    /// An object in document order.
    case object(JSONObject)

    /// Values are equal when they have the same type and content; strings unit by unit (see ``ExactText``).
    public static func == (left: JSONValue, right: JSONValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        case (.number(let a), .number(let b)): a == b
        case (.string(let a), .string(let b)): ExactText.equal(a, b)
        case (.array(let a), .array(let b)): a == b
        case (.object(let a), .object(let b)): a == b
        case (.null, _), (.bool, _), (.number, _), (.string, _), (.array, _), (.object, _): false
        }
    }
}

/// The members of a JSON object in document order, with unique keys.
///
/// Look-up is linear: the objects of the wire formats are small and their size is bounded by ``JSONLimits``; an index
/// is built only past a size where a scan would hurt.
public struct JSONObject: Sendable, Hashable {
    /// One member.
    public struct Member: Sendable, Hashable {
        /// The member's name.
        public let key: String
        /// The member's value.
        public var value: JSONValue
        /// Makes a member.
        public init(key: String, value: JSONValue) {
            self.key = key
            self.value = value
        }

        /// Members are equal when key and value are, unit by unit (see ``ExactText``).
        public static func == (left: Member, right: Member) -> Bool {
            ExactText.equal(left.key, right.key) && left.value == right.value
        }

        /// Hashes key and value.
        public func hash(into hasher: inout Hasher) {
            hasher.combine(key)
            hasher.combine(value)
        }
    }

    /// The members in document order.
    public private(set) var members: [Member] = []
    private var index: [ExactKey: Int]?
    private static let indexThreshold = 24

    /// Makes an empty object.
    public init() {}

    /// Makes an object of members in the given order; of a repeated key the first position and the last value stay.
    public init(_ members: some Sequence<(String, JSONValue)>) {
        for (key, value) in members { self[key] = value }
    }

    /// Number of members.
    public var count: Int { members.count }

    /// True when there is no member.
    public var isEmpty: Bool { members.isEmpty }

    /// The keys in document order.
    public var keys: [String] { members.map(\.key) }

    /// The value of a key. Assigning to a known key keeps its position; assigning `nil` removes the member.
    public subscript(key: String) -> JSONValue? {
        get { position(of: key).map { members[$0].value } }
        set {
            if let position = position(of: key) {
                if let newValue {
                    members[position].value = newValue
                } else {
                    members.remove(at: position)
                    index = nil
                }
            } else if let newValue {
                members.append(Member(key: key, value: newValue))
                indexLastMember()
            }
        }
    }

    /// Appends a member whose key is known to be absent.
    mutating func append(uniqueKey key: String, value: JSONValue) {
        if members.isEmpty { members.reserveCapacity(4) }
        members.append(Member(key: key, value: value))
        indexLastMember()
    }

    private mutating func indexLastMember() {
        if index != nil, let last = members.last {
            index?[ExactKey(text: last.key)] = members.count - 1
        } else if members.count > Self.indexThreshold {
            var index: [ExactKey: Int] = [:]
            for (position, member) in members.enumerated() { index[ExactKey(text: member.key)] = position }
            self.index = index
        }
    }

    /// True when the key has a member.
    public func contains(_ key: String) -> Bool { position(of: key) != nil }

    private func position(of key: String) -> Int? {
        if let index { return index[ExactKey(text: key)] }
        // The span lends the keys, where the array would hand out copies.
        let members = members.span
        for position in members.indices where ExactText.equal(members[position].key, key) { return position }
        return nil
    }

    /// Objects are equal when their members are equal in the same order.
    public static func == (left: JSONObject, right: JSONObject) -> Bool { left.members == right.members }

    /// Hashes the members in order.
    public func hash(into hasher: inout Hasher) { hasher.combine(members) }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    /// Makes an object of a literal, in the literal's order.
    public init(dictionaryLiteral elements: (String, JSONValue)...) { self.init(elements) }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    /// Makes `null`.
    public init(nilLiteral: ()) { self = .null }
    /// Makes a string.
    public init(stringLiteral value: String) { self = .string(value) }
    /// Makes a boolean.
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    /// Makes a number.
    public init(integerLiteral value: Int) { self = .number(Double(value)) }
    /// Makes a number.
    public init(floatLiteral value: Double) { self = .number(value) }
    /// Makes an array.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    /// Makes an object in the literal's order.
    public init(dictionaryLiteral elements: (String, JSONValue)...) { self = .object(JSONObject(elements)) }
}

extension JSONValue {
    /// The object, when this is one.
    public var object: JSONObject? { if case .object(let value) = self { value } else { nil } }
    /// The array, when this is one.
    public var array: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
    /// The string, when this is one.
    public var string: String? { if case .string(let value) = self { value } else { nil } }
    /// The boolean, when this is one.
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    /// The number, when this is one.
    public var number: Double? { if case .number(let value) = self { value } else { nil } }
    /// The number as an integer, when it is a whole number within ±(2^53 − 1).
    public var integer: Int64? {
        guard case .number(let value) = self, value.magnitude <= 9_007_199_254_740_991, value == value.rounded() else {
            return nil
        }
        return Int64(value)
    }
    /// True for `null`.
    public var isNull: Bool { if case .null = self { true } else { false } }
    /// The member of an object, `nil` when this is no object or has no such member.
    public subscript(key: String) -> JSONValue? { object?[key] }
    /// An integer as a JSON number. Exact within ±(2^53 − 1), the range in which every reader agrees (RFC 8259 §6).
    public static func integer(_ value: some BinaryInteger) -> JSONValue { .number(Double(value)) }
    /// A string, or `null` for `nil`.
    public static func optional(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
    /// The name of the value's JSON type, for error messages.
    public var typeName: String {
        switch self {
        case .null: "null"
        case .bool: "boolean"
        case .number: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }
}
