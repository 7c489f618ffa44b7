/// A statement that each connection prepares once, when it first needs it.
///
/// Make it a constant: two statements with one name and different texts on one connection are refused.
public struct PreparedStatement: Sendable, Hashable {
    /// The name on the server and in errors, at most 63 bytes.
    public let name: String
    /// The text, with parameters `$1`, `$2`, ….
    public let sql: String
    /// The type of each parameter.
    public let parameterTypes: [PostgresType]

    /// Longest name that the server keeps apart from others (NAMEDATALEN).
    private static let longestName = 63

    /// Makes a statement.
    ///
    /// - Precondition: the name has 1 to 63 bytes.
    public init(_ name: String, _ sql: String, parameterTypes: [PostgresType] = []) {
        precondition(
            (1...Self.longestName).contains(name.utf8.count), "a statement's name has 1 to 63 bytes: \(name)")
        self.name = name
        self.sql = sql
        self.parameterTypes = parameterTypes
    }

    /// Why these parameters do not fit, or nil when they do.
    func mismatch(_ parameters: Parameters) -> PostgresError? {
        func refuse(_ text: String) -> PostgresError { PostgresError(.configuration, text, statementName: name) }
        guard parameters.count == parameterTypes.count else {
            return refuse("\(parameterTypes.count) parameters are declared and \(parameters.count) were given")
        }
        guard parameters.count <= Int(UInt16.max) else { return refuse("a statement takes at most 65535 parameters") }
        for (index, slot) in parameters.slots.enumerated() {
            guard slot.type.isAccepted(as: parameterTypes[index]) else {
                return refuse("parameter $\(index + 1) is declared \(parameterTypes[index]) and given as \(slot.type)")
            }
            guard slot.length < 1 << 30 else {
                return refuse("parameter $\(index + 1) has \(slot.length) bytes; the limit is 1 GiB")
            }
        }
        return nil
    }
}

/// One step of a pipeline.
public enum PipelineStep: Sendable {
    /// Runs a prepared statement with binary parameters and a binary result.
    case execute(PreparedStatement, Parameters)
    /// Runs one SQL command that has no parameters and is not worth preparing, such as `SET LOCAL …`.
    case command(String)

    /// Runs a prepared statement without parameters.
    public static func execute(_ statement: PreparedStatement) -> PipelineStep { .execute(statement, Parameters()) }

    /// What errors call this step: the statement's name, or the command's first word.
    var name: String {
        switch self {
        case .execute(let statement, _): statement.name
        case .command(let sql): Self.firstWord(sql)
        }
    }

    static func firstWord(_ sql: String) -> String {
        String(sql.drop(while: \.isWhitespace).prefix { $0.isLetter || $0 == "_" }.prefix(32))
    }
}
