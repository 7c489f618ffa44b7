/// How a collector is reached over HTTP: whom to trust, who we are, and how long to wait.
public struct CollectorConnection: Sendable, Hashable {
    /// A certificate and its private key, by their files.
    public struct Certificate: Sendable, Hashable {
        /// The certificate, followed by those of intermediate authorities, in PEM.
        public var certificateFile: String
        /// The private key in PEM, mode 0600.
        public var keyFile: String

        /// Names the files.
        public init(certificateFile: String, keyFile: String) {
            self.certificateFile = certificateFile
            self.keyFile = keyFile
        }
    }

    /// The authorities whose servers are trusted, in PEM; `nil` trusts the system's.
    public var authorityFile: String?
    /// What is shown to servers that ask for a certificate.
    public var certificate: Certificate?
    /// Longest time for a connection.
    public var connectTimeout: Duration = .seconds(5)
    /// Longest time for one answer, from the first byte sent.
    public var answerTimeout: Duration = .seconds(20)
    /// Largest answer that is read, in bytes.
    public var maximumAnswerBytes = 1 << 18
    /// Whether bodies are sent in the form of gzip (RFC 1952).
    public var compresses = true

    /// The system's authorities, no certificate, the standard times.
    public init() {}
}
