/// What the HTTP surface is told: the section `http` of the configuration.
public struct HTTPSettings: Sendable, Hashable {
    /// The files for TLS, in PEM.
    public struct TLS: Sendable, Hashable {
        /// The certificate, followed by those of intermediate authorities.
        public var certificateFile: String
        /// The private key, mode 0600.
        public var keyFile: String
        /// The authorities whose clients are let in; `nil` asks clients for no certificate.
        public var clientAuthorityFile: String?
        /// Whether every client must show a certificate.
        public var requiresClientCertificate = false

        /// Names the files.
        public init(certificateFile: String, keyFile: String, clientAuthorityFile: String? = nil) {
            self.certificateFile = certificateFile
            self.keyFile = keyFile
            self.clientAuthorityFile = clientAuthorityFile
        }
    }

    /// What a caller may do. The raw value is the name in the configuration.
    public enum Scope: String, Sendable, Hashable, CaseIterable {
        /// Ask what would become of a request, by itself.
        case preflight
        /// Ask whether a token is active.
        case introspect
        /// End tokens.
        case revoke
        /// Read revocations, decisions, findings and figures of the ledger.
        case read
        /// Fire a stop.
        case stop
        /// Read metrics.
        case metrics
    }

    /// Somebody who may ask what not everybody may.
    public struct Caller: Sendable, Hashable {
        /// Name, for the log and for receipts of what it does.
        public var name: String
        /// What it may do.
        public var scopes: Set<Scope>
        /// File with the SHA-256 of each of its bearer tokens, one a line in hexadecimal.
        public var tokenHashesFile: String?
        /// Fingerprints of its certificates: `x5t#S256` of RFC 8705, base64url.
        public var certificateThumbprints: Set<String> = []
        /// Alternative names of its certificates: `dns:` or `uri:` and the name.
        public var certificateNames: Set<String> = []
        /// Requests a second; `nil` for ``Limits/callerRate``.
        public var rate: Int?

        /// Names a caller.
        public init(name: String, scopes: Set<Scope>) {
            self.name = name
            self.scopes = scopes
        }
    }

    /// How tokens are looked up.
    public struct Introspection: Sendable, Hashable {
        /// Time between two looks at what the ledger has revoked.
        public var refreshInterval: Duration = .milliseconds(100)
        /// Oldest view of revocations under which a token is called active.
        public var maximumAge: Duration = .seconds(2)
        /// Tokens whose signatures and ledger entries are remembered.
        public var cachedTokens = 100_000
        /// Whether the reference's introspection answers whoever asks, as the reference does.
        public var isOpen = false
        /// The standard settings.
        public init() {}
    }

    /// Bounds on what clients may ask for and how long they may take.
    public struct Limits: Sendable, Hashable {
        /// Most connections.
        public var connections = 512
        /// Most requests that are answered at a time.
        public var requestsInFlight = 256
        /// Most requests that wait for something to happen.
        public var waitingRequests = 64
        /// Requests a second of each caller, twice as many at once.
        public var callerRate = 2_000
        /// Requests a second of each peer without a name, twice as many at once.
        public var peerRate = 50
        /// Peers that are told apart.
        public var trackedPeers = 10_000
        /// How long a connection may be without a request, or a request without its next piece.
        public var idleTimeout: Duration = .seconds(30)
        /// How long a request may take to arrive whole.
        public var requestTimeout: Duration = .seconds(10)
        /// How long the end waits for requests that are being answered.
        public var drainTimeout: Duration = .seconds(5)
        /// The standard limits.
        public init() {}
    }

    /// Address to listen on.
    public var host = "127.0.0.1"
    /// Port to listen on; 0 lets the system choose.
    public var port = 8_480
    /// TLS; `nil` only on loopback.
    public var tls: TLS?
    /// The issuer: the address under which this surface is reached, without a slash at its end (RFC 8414 section 2).
    public var issuer: String
    /// Who may ask what not everybody may.
    public var callers: [Caller] = []
    /// How tokens are looked up.
    public var introspection = Introspection()
    /// The web console.
    public var console = ConsoleSettings()
    /// Bounds.
    public var limits = Limits()

    /// The standard settings of an issuer.
    public init(issuer: String) { self.issuer = issuer }
}
