import StubbornServer
import Testing

@testable import GraphConfirmation

struct StubbornServiceTests {
    /// Of a service that sends without end, or never, no more is read and waited for than is configured.
    @Test(arguments: StubbornServer.Manner.answering + [.tricklingHead, .mute])
    func anAnswerWithoutEndIsAnError(_ manner: StubbornServer.Manner) async throws {
        let server = try await StubbornServer.start(manner)
        let isLarge = manner == .endless || manner == .boastful
        var settings = GraphSettings()
        settings.answerTimeout = isLarge ? .seconds(600) : .milliseconds(300)
        settings.maximumAnswerBytes = 100_000
        let transport = HTTPTransport(settings)
        let error = await #expect(throws: GraphError.self) {
            _ = try await transport.send(.post(server.url, form: []), what: "a token")
        }
        #expect(error?.code == (isLarge ? .malformed : .timeout), "\(String(describing: error))")
        await transport.close()
        await server.close()
    }
}
