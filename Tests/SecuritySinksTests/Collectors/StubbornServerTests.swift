import GrantWorker
import GraphConfirmation
import SecuritySinks
import StubbornServer
import Testing

/// Collectors and token endpoints that come to no end: a sink reads and waits for as much as is configured, and tries again.
@Suite struct StubbornServerTests {
    private static let secret = "planted-client-secret-42aa"

    /// What ends at its size is given all the time of the world, and what ends at its time little of it.
    private static func patience(_ manner: StubbornServer.Manner) -> Duration {
        switch manner {
        case .endless, .boastful, .endlessHead: .seconds(600)
        case .trickling, .silent, .tricklingHead, .mute: .milliseconds(300)
        }
    }

    private static func connection(_ manner: StubbornServer.Manner) -> CollectorConnection {
        var connection = CollectorConnection()
        connection.answerTimeout = patience(manner)
        connection.maximumAnswerBytes = 100_000
        return connection
    }

    private static func expectRetry(_ failure: SinkFailure?, _ manner: StubbornServer.Manner) throws {
        let failure = try #require(failure)
        #expect(failure.remedy == .retry(after: nil), "\(failure)")
        if manner == .endless || manner == .boastful {
            #expect(failure.description.contains("larger than 100000 bytes"), "\(failure)")
        }
        expectClean([failure], secrets: [secret])
    }

    @Test(arguments: StubbornServer.Manner.allCases)
    func aCollector(_ manner: StubbornServer.Manner) async throws {
        let server = try await StubbornServer.start(manner)
        var settings = OTLPLogsSettings(url: server.url)
        settings.connection = Self.connection(manner)
        let sink = OTLPLogsSink(name: "otel", settings)
        try Self.expectRetry(await failure(of: sink, SinkBench.events(2)), manner)
        await sink.close()
        await server.close()
    }

    @Test(arguments: StubbornServer.Manner.allCases)
    func aTokenEndpoint(_ manner: StubbornServer.Manner) async throws {
        let room = try SecretRoom()
        let server = try await StubbornServer.start(manner)
        var settings = LogsIngestionSettings(
            endpoint: "http://127.0.0.1:9", ruleID: "dcr-1", stream: "Custom-Claw", tenant: "t", clientID: "c",
            proof: .secret(file: try room.write("client", Self.secret + "\n")))
        settings.authority = server.url
        settings.connection = Self.connection(manner)
        let sink = LogsIngestionSink(name: "sentinel", settings)
        let found = await failure(of: sink, SinkBench.events(2))
        #expect(found?.description.contains("asking for a token") == true)
        try Self.expectRetry(found, manner)
        await sink.close()
        await server.close()
    }
}
