import AsyncHTTPClient
import HTTPAnswers
import NIOCore
import StubbornServer
import Testing

struct BoundedAnswerTests {
    private func failure(_ manner: StubbornServer.Manner, upTo bytes: Int, within time: Duration) async throws -> String
    {
        let server = try await StubbornServer.start(manner)
        let client = HTTPClient(eventLoopGroupProvider: .singleton)
        var failure = "none"
        do {
            let response = try await client.execute(HTTPClientRequest(url: server.url), timeout: .seconds(60))
            _ = try await response.bytes(upTo: bytes, by: .now + time)
        } catch is NIOTooManyBytesError {
            failure = "too many bytes"
        } catch let error as HTTPClientError where error == .deadlineExceeded {
            failure = "too late"
        }
        try await client.shutdown()
        await server.close()
        return failure
    }

    @Test func whatIsTooLargeIsNotReadToItsEnd() async throws {
        #expect(try await failure(.endless, upTo: 100_000, within: .seconds(600)) == "too many bytes")
        #expect(try await failure(.boastful, upTo: 100_000, within: .seconds(600)) == "too many bytes")
    }

    @Test func whatComesTooSlowlyIsNotWaitedFor() async throws {
        #expect(try await failure(.trickling, upTo: 1_000_000, within: .milliseconds(300)) == "too late")
        #expect(try await failure(.silent, upTo: 100, within: .milliseconds(300)) == "too late")
    }
}
