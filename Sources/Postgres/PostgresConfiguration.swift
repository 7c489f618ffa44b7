import CLibPQ

/// How to reach a server, and the limits that hold on each connection.
///
/// The keywords are libpq's own (PostgreSQL manual, "Parameter Key Words"): `host` (a name, an address, or the directory
/// of a Unix socket), `port`, `dbname`, `user`, `passfile`, `sslmode`, `sslrootcert`, `sslcert`, `sslkey`,
/// `target_session_attrs` and the others; what is not given comes from libpq's environment variables and defaults.
/// The keywords `password` and `sslpassword` are kept apart as secrets and never printed.
public struct PostgresConfiguration: Sendable, CustomStringConvertible {
    /// libpq's keywords and values, without the secret ones.
    public private(set) var keywords: [String: String]
    private var secrets: [String: PostgresSecret]

    /// Shown in `pg_stat_activity` and the server's log.
    public var applicationName: String?
    /// `statement_timeout`: longest run of one statement. Nil leaves the server's setting.
    public var statementTimeout: Duration?
    /// `lock_timeout`: longest wait for one lock. Nil leaves the server's setting.
    public var lockTimeout: Duration?
    /// `idle_in_transaction_session_timeout`: the server ends a session that holds a transaction open and is silent.
    public var idleInTransactionTimeout: Duration?
    /// Other server settings for each session, by name.
    public var settings: [String: String] = [:]
    /// Longest time to make a connection, over all hosts. Resolving a host name is not interrupted.
    public var connectTimeout: Duration = .seconds(10)
    /// Longest wait for the reply to one pipeline, for servers that hang without closing. After it the statement is
    /// cancelled, and the connection discarded if that does not help. Nil waits for as long as the connection lives.
    public var replyTimeout: Duration?
    /// Longest wait for a cancelled statement to end before the connection is discarded.
    public var cancelGrace: Duration = .seconds(5)
    /// How a silent TCP peer is found out. Without meaning on Unix sockets.
    public var keepalives = Keepalives()
    /// Most connections that a pool opens.
    public var poolSize: Int = 4
    /// Longest wait for a pooled connection.
    public var acquireTimeout: Duration = .seconds(30)
    /// Waiting times between a pool's attempts to connect.
    public var backoff = Backoff()

    /// TCP settings that bound how long a dead peer stays unnoticed: about `idle + interval × count` when silent,
    /// `userTimeout` when data was sent.
    public struct Keepalives: Sendable, Hashable {
        /// Silence before the first probe; whole seconds.
        public var idle: Duration = .seconds(10)
        /// Time between probes; whole seconds.
        public var interval: Duration = .seconds(5)
        /// Probes without an answer after which the connection is lost.
        public var count = 3
        /// Longest time that sent data may stay unacknowledged; milliseconds.
        public var userTimeout: Duration = .seconds(15)

        /// Makes the default settings.
        public init() {}
    }

    /// Takes libpq's keywords.
    ///
    /// - Throws: ``PostgresError/Kind/configuration`` for a keyword that libpq does not know.
    public init(keywords: [String: String], password: PostgresSecret? = nil) throws(PostgresError) {
        let known = ConnectionOptions.known()
        self.keywords = [:]
        secrets = [:]
        for (keyword, value) in keywords {
            guard let isSecret = known[keyword] else {
                throw PostgresError(.configuration, "libpq knows no connection keyword \"\(keyword)\"")
            }
            if isSecret { secrets[keyword] = PostgresSecret(value) } else { self.keywords[keyword] = value }
        }
        if let password { secrets["password"] = password }
    }

    /// Takes a `postgresql://` URI or a `keyword=value` string.
    ///
    /// - Throws: ``PostgresError/Kind/configuration`` when libpq cannot read it. The error does not quote it, because it
    ///   may hold a password.
    public init(uri: String) throws(PostgresError) {
        guard let parsed = ConnectionOptions.parse(uri) else {
            throw PostgresError(
                .configuration,
                "the connection string is malformed; expected postgresql://user@host:port/database?keyword=value")
        }
        try self.init(keywords: parsed)
    }

    /// Whether the server's identity is proved: a Unix socket, or TLS with `sslmode=verify-full`.
    public var isServerVerified: Bool {
        keywords["sslmode"] == "verify-full" || (keywords["host"].map { $0.hasPrefix("/") } ?? false)
    }

    /// The keywords and limits; secrets appear as `<secret>`.
    public var description: String {
        var shown = keywords
        for keyword in secrets.keys { shown[keyword] = PostgresSecret("").description }
        return shown.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
    }

    /// What libpq is given, secrets included, in no particular order.
    func connectionKeywords() -> [(String, String)] {
        var all = [
            "client_encoding": "UTF8", "gssencmode": "disable", "keepalives": "1",
            "keepalives_idle": "\(keepalives.idle.components.seconds)",
            "keepalives_interval": "\(keepalives.interval.components.seconds)",
            "keepalives_count": "\(keepalives.count)",
            "tcp_user_timeout": "\(keepalives.userTimeout.milliseconds)",
        ]
        all.merge(keywords) { _, given in given }
        if let applicationName { all["application_name"] = applicationName }
        all.merge(secrets.mapValues(\.value)) { _, secret in secret }
        let options = sessionSettings().map { name, value in "-c \(name)=\(Self.escaped(value))" }
        if !options.isEmpty {
            all["options"] = ([keywords["options"]].compactMap { $0 } + options).joined(separator: " ")
        }
        return Array(all)
    }

    private func sessionSettings() -> [(String, String)] {
        var all = settings
        if let statementTimeout { all["statement_timeout"] = "\(statementTimeout.milliseconds)" }
        if let lockTimeout { all["lock_timeout"] = "\(lockTimeout.milliseconds)" }
        if let idleInTransactionTimeout {
            all["idle_in_transaction_session_timeout"] = "\(idleInTransactionTimeout.milliseconds)"
        }
        return all.sorted { $0.key < $1.key }
    }

    /// Spaces and backslashes need a backslash in the `options` keyword (manual, "options").
    private static func escaped(_ value: String) -> String {
        var text = ""
        for character in value {
            if character == " " || character == "\\" { text.append("\\") }
            text.append(character)
        }
        return text
    }
}

extension Duration {
    /// Whole milliseconds, rounded up, so that a short limit never becomes 0, which means none.
    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (quotient, remainder) = attoseconds.quotientAndRemainder(dividingBy: 1_000_000_000_000_000)
        return seconds * 1_000 + quotient + (remainder > 0 ? 1 : 0)
    }
}

/// libpq's own list of connection keywords.
enum ConnectionOptions {
    /// Every keyword that libpq knows, and whether its value is secret.
    static func known() -> [String: Bool] {
        guard let options = unsafe PQconndefaults() else { return [:] }
        defer { unsafe PQconninfoFree(options) }
        var found: [String: Bool] = [:]
        unsafe forEach(options) { keyword, _, isSecret in found[keyword] = isSecret }
        return found
    }

    /// The keywords that a URI or a `keyword=value` string sets; nil when it is malformed.
    static func parse(_ text: String) -> [String: String]? {
        // A null error pointer is allowed: the message may quote the password and is not wanted.
        guard let options = unsafe PQconninfoParse(text, nil) else { return nil }
        defer { unsafe PQconninfoFree(options) }
        var found: [String: String] = [:]
        unsafe forEach(options) { keyword, value, _ in
            if let value { found[keyword] = value }
        }
        return found
    }

    /// Walks the list, which ends at an entry without a keyword.
    @unsafe
    private static func forEach(
        _ options: UnsafeMutablePointer<PQconninfoOption>, _ body: (String, String?, Bool) -> Void
    ) {
        var entry = unsafe options
        while let keyword = unsafe entry.pointee.keyword {
            let isSecret = unsafe entry.pointee.dispchar.map { unsafe String(cString: $0) } == "*"
            unsafe body(String(cString: keyword), entry.pointee.val.map { unsafe String(cString: $0) }, isSecret)
            unsafe entry += 1
        }
    }
}
