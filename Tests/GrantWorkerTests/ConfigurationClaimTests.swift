import GrantWorker
import Testing

@Suite("Claims in a configuration file")
struct ConfigurationClaimTests {
    private static func read(_ text: String) throws -> WorkerConfiguration.Claims? {
        try ConfigurationRoom().read(ConfigurationSample.least + "\n" + text + "\n").worker.claims
    }

    @Test("They are served where HTTP is, at its address unless another is given")
    func defaults() throws {
        #expect(try Self.read("") == nil)
        let http = "http: {issuer: \"https://issuer.harborline.example\", listen: {port: 8480}}"
        let claims = try #require(try Self.read(http))
        #expect(claims == WorkerConfiguration.Claims(address: "https://issuer.harborline.example"))
        let elsewhere = "claims: {address: \"https://claims.harborline.example/a\", retry_window_s: 0}"
        let other = try #require(try Self.read(http + "\n" + elsewhere))
        #expect(other.address == "https://claims.harborline.example/a" && other.retryWindow == .zero)
    }

    @Test("An address that proofs cannot be made for is refused with its place")
    func faults() throws {
        for address in [
            "http://issuer.harborline.example", "https://issuer.harborline.example/", "https://", "issuer.example",
            "https://issuer.example?x=1", "https://a@issuer.example", "http://127.0.0.1.example",
        ] {
            let error = #expect(throws: ConfigurationFileError.self) {
                _ = try Self.read("claims: {address: \"\(address)\"}")
            }
            #expect("\(try #require(error))".contains("claims.address: found"), "\(address)")
        }
        for text in ["retry_window_s: 601", "proof_tolerance_s: 1", "nonce_lifetime_s: 5", "extra: 1"] {
            #expect(throws: ConfigurationFileError.self) {
                _ = try Self.read("claims: {address: \"http://127.0.0.1:8480\", \(text)}")
            }
        }
        #expect(throws: ConfigurationFileError.self) { _ = try Self.read("claims: {retry_window_s: 5}") }
    }
}
