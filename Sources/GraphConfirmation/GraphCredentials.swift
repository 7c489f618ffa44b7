/// Who asks: an application and its certificate, for the tenants that have admitted it.
public struct GraphCredentials: Sendable {
    /// The application's client identifier.
    public let clientID: String
    /// Its certificate and key.
    public let certificate: ClientCertificate
    /// Tenants it may be asked about, in lower case.
    public let tenants: Set<String>

    /// Makes credentials.
    public init(clientID: String, certificate: ClientCertificate, tenants: Set<String>) {
        self.clientID = clientID
        self.certificate = certificate
        self.tenants = Set(tenants.map { $0.lowercased() })
    }
}
