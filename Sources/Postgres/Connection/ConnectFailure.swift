/// Reads libpq's text about a failed attempt to connect, the only place where the server's SQLSTATE can be found then.
enum ConnectFailure {
    static func error(message: String, needsPassword: Bool) -> PostgresError {
        let state = sqlState(in: message)
        var error = PostgresError(.connectionLost, readable(message), sqlState: state)
        let classes: Set<Substring> = ["28", "3D", "42", "0A", "22"]
        if needsPassword || state.map({ classes.contains($0.errorClass) }) ?? false { error.kind = .configuration }
        if needsPassword { error.hint = "the server asks for a password and none was given" }
        return error
    }

    /// The verbose form is `FATAL:  28P01: password authentication failed …`, whatever the severity's translation.
    static func sqlState(in message: String) -> SQLState? {
        let bytes = Array(message.utf8)
        let colon = UInt8(ascii: ":")
        let space = UInt8(ascii: " ")
        guard bytes.count >= 10 else { return nil }
        for start in 0...(bytes.count - 10)
        where bytes[start] == colon && bytes[start + 1] == space && bytes[start + 2] == space
            && bytes[start + 8] == colon && bytes[start + 9] == space
        {
            let code = String(decoding: bytes[(start + 3)..<(start + 8)], as: UTF8.self)
            if let state = SQLState(rawValue: code) { return state }
        }
        return nil
    }

    /// The first line: those after it say where in the server's source the error was raised.
    private static func readable(_ message: String) -> String {
        let lines = message.split(whereSeparator: \.isNewline).filter { !$0.hasPrefix("LOCATION:") }
        return lines.isEmpty ? "the connection could not be made" : PostgresError.oneLine(lines.joined(separator: "; "))
    }
}
