import ClawWire
import StubbornServer
import Testing

@testable import GrantWorker

struct RegistryPolicySourceTests {
    /// A registry that sends without end, or never, is one that does not answer: the input waits, and nothing is held.
    @Test(arguments: StubbornServer.Manner.answering)
    func anAnswerWithoutEndIsNotReadToItsEnd(_ manner: StubbornServer.Manner) async throws {
        let server = try await StubbornServer.start(manner)
        let isLarge = manner == .endless || manner == .boastful
        let source = try #require(
            RegistryPolicySource(url: server.url, patience: isLarge ? .seconds(600) : .milliseconds(300)))
        let error = await #expect(throws: RegistryPolicySource.RegistryError.self) {
            _ = try await source.envelope(of: Digest(hashing: "a WPC"))
        }
        #expect(error?.description.contains(isLarge ? "larger than 262144 bytes" : "did not come within") == true)
        await server.close()
    }

    @Test func onlyWebAddressesAreTaken() {
        for url in ["file:///etc/passwd", "ftp://wpc.example", "wpc.example", ""] {
            #expect(RegistryPolicySource(url: url) == nil)
        }
    }
}
