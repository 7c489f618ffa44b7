/// Where the tokens for the SASL mechanism OAUTHBEARER come from.
public enum BrokerTokenSource: Sendable, Hashable {
    /// An authorization server, by the client credentials grant (RFC 6749 section 4.4).
    public struct ClientCredentials: Sendable, Hashable {
        /// Address of the token endpoint; https.
        public var endpoint: String
        /// The client's identifier.
        public var clientID: String
        /// The file with the client's secret, read anew for each token.
        public var secretFile: String
        /// What is asked for.
        public var scope: String?
        /// Authorities that vouch for the endpoint; `nil` trusts the system's.
        public var authorityFile: String?

        /// Describes a client.
        public init(
            endpoint: String, clientID: String, secretFile: String, scope: String? = nil, authorityFile: String? = nil
        ) {
            self.endpoint = endpoint
            self.clientID = clientID
            self.secretFile = secretFile
            self.scope = scope
            self.authorityFile = authorityFile
        }
    }

    /// An authorization server.
    case clientCredentials(ClientCredentials)
    /// A file that somebody keeps fresh, read anew for each token.
    case file(String)
    /// A program with its arguments that prints a token.
    case command([String])
}
