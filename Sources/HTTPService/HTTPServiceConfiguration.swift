/// What an HTTP service listens on, and its bounds.
public struct HTTPServiceConfiguration: Sendable, Hashable {
    /// Whether clients must show a certificate. The raw value is the name in configurations.
    public enum ClientCertificates: String, Sendable, Hashable, CaseIterable {
        /// No handshake without one.
        case required
        /// One that is shown is verified; whoever shows none stays without a name.
        case optional
    }

    /// Which requests leave a line in the log above `debug`.
    public enum RequestLog: Sendable, Hashable {
        /// Every one.
        case every
        /// Those that were answered with 5xx.
        case failures
    }

    /// The files for TLS, in PEM.
    public struct TLS: Sendable, Hashable {
        /// The certificate, followed by those of intermediate authorities.
        public var certificateFile: String
        /// The private key.
        public var keyFile: String
        /// The authorities whose clients are let in; `nil` asks clients for no certificate.
        public var clientAuthorityFile: String?
        /// Whether a client must show a certificate, where ``clientAuthorityFile`` names authorities. A certificate of
        /// anybody else ends the connection either way.
        public var clientCertificates = ClientCertificates.required
        /// How often the files are looked at; changed ones serve the connections that come afterwards. `nil` is never.
        public var reloadInterval: Duration?

        /// Names the files.
        public init(
            certificateFile: String, keyFile: String, clientAuthorityFile: String? = nil,
            reloadInterval: Duration? = .seconds(30)
        ) {
            self.certificateFile = certificateFile
            self.keyFile = keyFile
            self.clientAuthorityFile = clientAuthorityFile
            self.reloadInterval = reloadInterval
        }
    }

    /// Bounds on what clients may ask for and how long they may take.
    public struct Limits: Sendable, Hashable {
        /// Largest body, in bytes; more is answered with 413.
        public var bodyBytes = 1 << 20
        /// Most bytes of all header fields together; more is answered with 431, or 400 by the parser.
        public var headerBytes = 16_384
        /// Most header fields of a request.
        public var headerFields = 100
        /// Most connections; more wait in the system's queue.
        public var connections = 256
        /// How long a connection may be without a request, or a request without its next piece.
        public var idleTimeout: Duration = .seconds(30)
        /// How long the TLS handshake may take.
        public var handshakeTimeout: Duration = .seconds(10)
        /// How long a request may take to arrive whole, however steadily it drips.
        public var requestTimeout: Duration = .seconds(20)
        /// How long a graceful end waits for requests that are being answered.
        public var drainTimeout: Duration = .seconds(15)
        /// The standard bounds.
        public init() {}
    }

    /// Address to listen on.
    public var host: String
    /// Port to listen on; 0 lets the system choose.
    public var port: Int
    /// TLS from version 1.2 on, with HTTP/2 where the client can; `nil` is HTTP/1.1 in the clear.
    public var tls: TLS?
    /// Bounds.
    public var limits: Limits
    /// What is logged of requests.
    public var requestLog = RequestLog.every

    /// Makes a configuration.
    public init(host: String, port: Int, tls: TLS?, limits: Limits = Limits()) {
        self.host = host
        self.port = port
        self.tls = tls
        self.limits = limits
    }
}

/// Why a service cannot serve.
public struct HTTPServiceError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong.
    public enum Code: String, Sendable, Hashable {
        /// A file for TLS cannot be read or used.
        case certificate
        /// The address cannot be listened on.
        case address
    }

    /// What is wrong.
    public let code: Code
    /// A sentence for people: what happened, to which file or address, and what to do.
    public let description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
