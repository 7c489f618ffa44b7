import Postgres
import Testing

@Suite(.enabled(if: TestServer.isAvailable), .timeLimit(.minutes(3)))
struct NotificationTests {
    @Test func streamsReceiveTheirChannel() async throws {
        let listener = try await TestServer.shared.connect()
        let sender = try await TestServer.shared.connect()
        let stream = try await listener.listen("Odd \"channel\"")
        let notify = PreparedStatement("notify", "SELECT pg_notify($1, $2)", parameterTypes: [.text, .text])
        _ = try await sender.pipeline(
            ["one", "two", ""].map { .execute(notify, Parameters("Odd \"channel\"", $0)) })
        var payloads: [String] = []
        for await notification in stream.prefix(3) {
            payloads.append(notification.payload)
            #expect(notification.channel == "Odd \"channel\"")
            #expect(notification.backendProcessID == sender.backendProcessID)
        }
        #expect(payloads == ["one", "two", ""])
    }

    @Test func aWaitGetsWhatCameBeforeAndAfter() async throws {
        let connection = try await TestServer.shared.connect()
        let sender = try await TestServer.shared.connect()
        _ = try await connection.simple("LISTEN wait_channel; NOTIFY wait_channel, 'early'")
        #expect(try await connection.waitForNotification()?.payload == "early")
        let waiting = Task { try await connection.waitForNotification(timeout: .seconds(100))?.payload }
        _ = try await sender.simple("NOTIFY wait_channel, 'late'")
        #expect(try await waiting.value == "late")
        #expect(try await connection.waitForNotification(timeout: .milliseconds(10)) == nil)
        try await connection.unlisten("wait_channel")
        _ = try await sender.simple("NOTIFY wait_channel, 'unheard'")
        #expect(try await connection.waitForNotification(timeout: .milliseconds(10)) == nil)
    }

    @Test func aWaitCanBeCancelled() async throws {
        let connection = try await TestServer.shared.connect()
        let waiting = Task { await failure { try await connection.waitForNotification() } }
        waiting.cancel()
        #expect(await waiting.value?.kind == .cancelled)
    }

    @Test func aLostConnectionEndsStreamsAndWaits() async throws {
        let connection = try await TestServer.shared.connect()
        let admin = try await TestServer.shared.connect()
        let stream = try await connection.listen("ending")
        let reader = Task {
            var count = 0
            for await _ in stream { count += 1 }
            return count
        }
        let waiting = Task { await failure { try await connection.waitForNotification() } }
        try await admin.terminate(connection.backendProcessID)
        #expect(await reader.value == 0)
        #expect(await waiting.value?.kind == .connectionLost)
        let late = await failure { try await connection.listen("ending") }
        #expect(late?.kind == .connectionLost)
    }
}
