import Observability
import StubbornServer
import Testing

struct StubbornCollectorTests {
    /// What a collector says beyond its status is of no use: it is not waited for, however it comes.
    @Test(arguments: StubbornServer.Manner.answering)
    func anAnswerWithoutEndIsNotWaitedFor(_ manner: StubbornServer.Manner) async throws {
        let server = try await StubbornServer.start(manner)
        let transport = OTLPTransport()
        var settings = SpanExporter.Settings(endpoint: server.url)
        settings.timeout = .seconds(2)
        #expect(try await transport.send([0x7B, 0x7D], settings).status == 200)
        await transport.close()
        await server.close()
    }

    @Test(arguments: StubbornServer.Manner.headless)
    func aHeadWithoutEndIsNotWaitedFor(_ manner: StubbornServer.Manner) async throws {
        let server = try await StubbornServer.start(manner)
        let transport = OTLPTransport()
        var settings = SpanExporter.Settings(endpoint: server.url)
        settings.timeout = .milliseconds(300)
        await #expect(throws: (any Error).self) { _ = try await transport.send([0x7B, 0x7D], settings) }
        await transport.close()
        await server.close()
    }
}
