/// Something that happened to a connection or pool and that an operator may want to see.
public enum PostgresEvent: Sendable {
    /// A connection was made.
    case connected(backendProcessID: Int32)
    /// An attempt of a pool failed; the next follows after the delay, or none when the delay is nil.
    case connectFailed(PostgresError, attempt: Int, nextAttemptIn: Duration?)
    /// A connection ended without being asked to.
    case connectionLost(backendProcessID: Int32, PostgresError)
    /// A cancel request was sent for what the connection was running.
    case cancelRequested(backendProcessID: Int32)
    /// The server sent a notice, a warning, or a last word on an idle connection.
    case notice(severity: String, sqlState: SQLState?, message: String)
}

/// A message that a session sent with NOTIFY.
public struct PostgresNotification: Sendable, Hashable {
    /// The channel.
    public let channel: String
    /// The text, empty when there was none.
    public let payload: String
    /// The sending session's process id.
    public let backendProcessID: Int32
}
