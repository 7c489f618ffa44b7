/// A PostgreSQL type, by its OID in `pg_type` (fixed for the built-in types).
public struct PostgresType: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The OID.
    public let rawValue: UInt32

    /// Makes a type from an OID, for types that have no constant here.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// `boolean`.
    public static let bool = PostgresType(rawValue: 16)
    /// `bytea`.
    public static let bytea = PostgresType(rawValue: 17)
    /// `name`.
    public static let name = PostgresType(rawValue: 19)
    /// `bigint`.
    public static let int8 = PostgresType(rawValue: 20)
    /// `smallint`.
    public static let int2 = PostgresType(rawValue: 21)
    /// `integer`.
    public static let int4 = PostgresType(rawValue: 23)
    /// `text`.
    public static let text = PostgresType(rawValue: 25)
    /// `oid`.
    public static let oid = PostgresType(rawValue: 26)
    /// `json`.
    public static let json = PostgresType(rawValue: 114)
    /// `double precision`.
    public static let float8 = PostgresType(rawValue: 701)
    /// An untyped literal, as in `SELECT NULL`.
    public static let unknown = PostgresType(rawValue: 705)
    /// `char(n)`.
    public static let bpchar = PostgresType(rawValue: 1042)
    /// `varchar`.
    public static let varchar = PostgresType(rawValue: 1043)
    /// `timestamp with time zone`.
    public static let timestamptz = PostgresType(rawValue: 1184)
    /// `void`, the type of functions without a result.
    public static let void = PostgresType(rawValue: 2278)
    /// `uuid`.
    public static let uuid = PostgresType(rawValue: 2950)
    /// `jsonb`.
    public static let jsonb = PostgresType(rawValue: 3802)

    /// `boolean[]`.
    public static let boolArray = PostgresType(rawValue: 1000)
    /// `bytea[]`.
    public static let byteaArray = PostgresType(rawValue: 1001)
    /// `name[]`.
    public static let nameArray = PostgresType(rawValue: 1003)
    /// `smallint[]`.
    public static let int2Array = PostgresType(rawValue: 1005)
    /// `integer[]`.
    public static let int4Array = PostgresType(rawValue: 1007)
    /// `text[]`.
    public static let textArray = PostgresType(rawValue: 1009)
    /// `varchar[]`.
    public static let varcharArray = PostgresType(rawValue: 1015)
    /// `bigint[]`.
    public static let int8Array = PostgresType(rawValue: 1016)
    /// `double precision[]`.
    public static let float8Array = PostgresType(rawValue: 1022)
    /// `timestamp with time zone[]`.
    public static let timestamptzArray = PostgresType(rawValue: 1185)
    /// `uuid[]`.
    public static let uuidArray = PostgresType(rawValue: 2951)
    /// `jsonb[]`.
    public static let jsonbArray = PostgresType(rawValue: 3807)

    private static let known: [(PostgresType, String, array: PostgresType?)] = [
        (.bool, "boolean", .boolArray), (.bytea, "bytea", .byteaArray), (.name, "name", .nameArray),
        (.int8, "bigint", .int8Array), (.int2, "smallint", .int2Array), (.int4, "integer", .int4Array),
        (.text, "text", .textArray), (.oid, "oid", nil), (.json, "json", nil),
        (.float8, "double precision", .float8Array), (.unknown, "unknown", nil), (.bpchar, "char", nil),
        (.varchar, "varchar", .varcharArray), (.timestamptz, "timestamptz", .timestamptzArray), (.void, "void", nil),
        (.uuid, "uuid", .uuidArray), (.jsonb, "jsonb", .jsonbArray),
    ]

    /// The SQL name of a type that has a constant here, else `oid N`.
    public var description: String {
        for (type, name, array) in Self.known {
            if type == self { return name }
            if array == self { return name + "[]" }
        }
        return "oid \(rawValue)"
    }

    /// Whether the binary form is the UTF-8 text itself.
    var isText: Bool {
        switch self {
        case .text, .varchar, .bpchar, .name, .json, .unknown: true
        default: false
        }
    }

    var isTextArray: Bool {
        switch self {
        case .textArray, .varcharArray, .nameArray: true
        default: false
        }
    }

    /// Whether a parameter encoded as this type may be sent where a statement declares another.
    func isAccepted(as declared: PostgresType) -> Bool {
        self == declared || (isText && declared.isText) || (isTextArray && declared.isTextArray)
    }
}
