/// Where Microsoft Graph is, and how patiently it is asked.
public struct GraphSettings: Sendable, Hashable {
    /// Address of the service, without a version and without a slash at its end.
    public var endpoint = "https://graph.microsoft.com"
    /// Address of the authority that gives out tokens, without the tenant.
    public var authority = "https://login.microsoftonline.com"
    /// Longest time for a connection.
    public var connectTimeout: Duration = .seconds(5)
    /// Longest time for one answer.
    public var answerTimeout: Duration = .seconds(10)
    /// Largest answer, in bytes.
    public var maximumAnswerBytes = 1 << 20
    /// Most pages of a list.
    public var maximumPages = 10
    /// Times that one question is put before its caller is told.
    public var attempts = 3
    /// Longest wait between two attempts, a `Retry-After` included; a longer one is the caller's to wait.
    public var longestWait: Duration = .seconds(3)
    /// Failures in a row after which nobody asks for ``breakerPause``.
    public var breakerFailures = 5
    /// How long nobody asks then.
    public var breakerPause: Duration = .seconds(30)
    /// How long before its expiry a token is replaced.
    public var tokenMargin: Duration = .seconds(300)

    /// The public cloud.
    public init() {}

    /// The scope of a token for the service.
    var scope: String { "\(endpoint)/.default" }

    /// True for an address that secrets may be sent to: HTTPS, or this host itself.
    public static func isAcceptable(_ address: String) -> Bool {
        if address.hasPrefix("https://") { return address.utf8.count > 8 && !address.hasSuffix("/") }
        let loopbacks = ["http://127.0.0.1", "http://localhost", "http://[::1]"]
        guard let host = loopbacks.first(where: { address.hasPrefix($0) }), !address.hasSuffix("/") else {
            return false
        }
        let rest = address.dropFirst(host.count)
        return rest.isEmpty || rest.first == ":" || rest.first == "/"
    }
}
