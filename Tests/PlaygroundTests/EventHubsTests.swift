import BrokerTokens
import ClawWire
import DevStack
import Foundation
import GrantChecker
import GrantWorker
import Kafka
import Logging
import Playground
import SecureFront
import Testing

/// A worker configured by `preset: event_hubs`, behind a front with the manners of that service.
@Suite(.enabled(if: AvailableServers.postgres && AvailableServers.broker(.noida)), .timeLimit(.minutes(6)))
struct EventHubsTests {
    enum Credentials: String, CaseIterable { case connectionString, token }

    static let connectionString =
        "Endpoint=sb://northquay.servicebus.example/;SharedAccessKeyName=worker;SharedAccessKey=c2VjcmV0"

    @Test(arguments: Credentials.allCases)
    func aWorkerGrantsOverTLSAndSASLWithoutTransactions(_ credentials: Credentials) async throws {
        let playground = try await Playground.start()
        let directory = try TemporaryDirectory(prefix: "claw-hubs")
        let certificates = try await TestCertificates.make(in: directory)
        let payload = #"{"sub":"worker","exp":\#(Int64(Date().timeIntervalSince1970) + 600)}"#
        let token = "e30.\(Base64URL.encode(Array(payload.utf8))).c2ln"
        var options = SecureBrokerFront.Options()
        options.users["$ConnectionString"] = Self.connectionString
        options.expiry = { $0 == token ? Date(timeIntervalSinceNow: 600) : nil }
        let front = try await SecureBrokerFront.open(
            to: playground.broker.port, certificate: certificates.server, options: options)
        for (name, text) in [("connection", Self.connectionString), ("token", token)] {
            let path = "\(playground.directory)/secrets/\(name)"
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        }
        let proof =
            switch credentials {
            case .connectionString: "secret_files: {sasl.password: secrets/connection}"
            case .token: "oauth: {token_file: secrets/token}"
            }
        let yaml = """
            config_version: "1"
            log_id: \(playground.logID)
            kafka:
              preset: event_hubs
              properties: {bootstrap.servers: "\(front.bootstrapServers)", ssl.ca.location: "\(certificates.authority)"}
              \(proof)
            database: {conninfo: "\(playground.conninfo)"}
            keys:
              - {purpose: token, file: keys/token.pem}
              - {purpose: receipt, file: keys/receipt.pem}
            secrets: {token_id_file: secrets/token-id, sealing_file: secrets/sealing}
            rules: rules.yaml
            wpc: {directory: policies}
            limits: {lanes: 1}
            """
        let file = try ConfigurationFile(
            yaml: yaml, path: "\(playground.directory)/clawgrant.yaml", environment: [:]
        ).withTokens { BrokerTokens.provider($0) }
        #expect(!file.worker.usesTransactions)
        let worker = Worker(
            configuration: file.worker, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let running = Task { try await worker.run() }
        do {
            let drafts = (0..<20).map { ApprovalDraft("h\($0)", .reconcile, in: playground) }
            try await playground.produce(try drafts.map { try $0.record(signedBy: playground.keys.eventSigner) })
            try await playground.waitForStatus("ten grants", within: .seconds(120)) { $0.issued >= 10 }
            front.cutConnections()
            try await playground.waitUntilSettled(waiting: 0, within: .seconds(120))
            let report = try await playground.check()
            #expect(report.violations.map(\.description) == [])
            #expect(report.counts.issued == 20)
            #expect(front.counters.authenticated > 0)
            #expect(front.counters.refused == 0)
            #expect(front.counters.closedOversized == 0)
            // AddPartitionsToTxn, AddOffsetsToTxn, EndTxn, TxnOffsetCommit.
            for key: Int16 in [24, 25, 26, 28] { #expect(front.counters.requests[key] == nil) }
        } catch {
            Issue.record(error)
        }
        worker.stop()
        try await running.value
        await front.close()
        await playground.stop()
    }
}
