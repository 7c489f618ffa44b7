public import ClawWire

/// The web console: the section `http.console`.
public struct ConsoleSettings: Sendable, Hashable {
    /// Longest and shortest life of a session, in seconds.
    package static let sessionSeconds = 60...86_400

    /// Whether it is served.
    public var isEnabled = false
    /// How long somebody stays signed in.
    public var sessionLifetime: Duration = .seconds(3_600)
    /// File of the secret that sessions are signed with; workers that share it share sessions. Without one a session ends
    /// with the worker's process.
    public var sessionSecretFile: String?
    /// Who may stop from the console: the person behind a client certificate, by its fingerprint (`x5t#S256`, RFC 8705
    /// section 3.1). Empty, the default, lets nobody.
    public var stoppers: [String: PersonID] = [:]

    /// Nothing is served.
    public init() {}
}
