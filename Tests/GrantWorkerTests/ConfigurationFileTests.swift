import ClawWire
import Foundation
import GrantLedger
import GrantWorker
import GraphConfirmation
import Kafka
import Keys
import Logging
import Postgres
import Testing

@Suite("Reading a configuration file")
struct ConfigurationFileTests {
    @Test("A file with only what has no default gets the documented defaults")
    func defaults() throws {
        let room = try ConfigurationRoom()
        let file = try room.read(ConfigurationSample.least)
        let worker = file.worker
        #expect(worker.logID.rawValue == "harborline.example/clawgrant")
        #expect(worker.kafka["bootstrap.servers"] == "127.0.0.1:19092")
        #expect(worker.usesTransactions)
        #expect(!worker.isDryRun)
        #expect(worker.outputs == WorkerConfiguration.OutputTopics())
        #expect(worker.limits == WorkerConfiguration.Limits())
        #expect(worker.policies == WorkerConfiguration.PolicySources())
        #expect(worker.statusLists == nil)
        #expect(worker.database.poolSize == 8)
        #expect(worker.database.keywords == ["host": "/run/postgresql", "dbname": "clawgrant"])
        #expect(file.log == LogSettings())
        #expect(worker.keys.map(\.state) == [.active, .active])
    }

    @Test("Every setting reaches its place, and relative paths begin at the file")
    func everySetting() throws {
        let room = try ConfigurationRoom()
        let file = try room.read(ConfigurationSample.whole)
        let worker = file.worker
        let here = room.directory
        #expect(worker.isDryRun)
        #expect(worker.kafka["ssl.ca.location"] == "\(here)/ca.pem")
        #expect(worker.kafka["socket.keepalive.enable"] == "true")
        #expect(worker.kafka["metadata.max.age.ms"] == "180000")
        #expect(worker.kafka["sasl.password"] == "hunter2")
        #expect(!worker.usesTransactions)
        #expect(OutputStream.allCases.map(worker.outputs.name) == ["g", "d", "r", "b", "l", "c", "f"])
        #expect(worker.database.poolSize == 12)
        #expect(worker.database.description == "host=db.harborline.example password=<secret> user=claw")
        #expect(worker.tokenIDSecretFile == "\(here)/secrets/token-id")
        #expect(worker.sealingSecretFile == "/secrets/sealing")
        #expect(worker.rulesFile == "\(here)/rules/rules.yaml")
        #expect(worker.policies.directory == "\(here)/policies")
        #expect(worker.policies.topic == "claw.wpc.v1")
        #expect(worker.policies.url == "https://controls.harborline.example")
        #expect(worker.control.topic == "claw.control.v1")
        #expect(worker.control.viewMaximumAge == .seconds(5))
        #expect(worker.control.stopFile == "\(here)/halt/stop")
        #expect(file.log.level == .debug)
        #expect(file.log.format == .json)

        var lists = WorkerConfiguration.StatusLists(uriBase: "https://status.harborline.example/lists")
        lists.topic = "s"
        lists.interval = .seconds(5)
        lists.timeToLive = 30
        #expect(worker.statusLists == lists)
        var confirmation = WorkerConfiguration.Confirmation(
            clientID: "c", certificateFile: "\(room.directory)/keys/g.crt", keyFile: "/keys/g.key")
        confirmation.algorithm = .rs256
        confirmation.graph.endpoint = "https://graph.example"
        confirmation.graph.authority = "https://login.example"
        confirmation.graph.answerTimeout = .milliseconds(700)
        confirmation.concurrency = 3
        confirmation.shortestWait = .milliseconds(60)
        confirmation.longestWait = .milliseconds(70)
        confirmation.recheckInterval = .seconds(9)
        confirmation.unknownAfter = .seconds(8)
        #expect(worker.confirmation == confirmation)
        let limits = worker.limits
        #expect(limits.batchRecords == 100)
        #expect(limits.batchBytes == 1_048_576)
        #expect(limits.batchLinger == .milliseconds(5))
        #expect(limits.sealInterval == .milliseconds(40))
        #expect(limits.lanes == 4)
        #expect(limits.leaseLifetime == .seconds(6))
        #expect(limits.heartbeatInterval == .seconds(1))
        #expect(limits.sweepInterval == .milliseconds(250))
        #expect(limits.logHeartbeatInterval == .seconds(30))
        #expect(limits.revocationGrace == .seconds(7_200))
        #expect(limits.drainTimeout == .seconds(5))
        #expect(limits.maximumEventAge == 86_400)
        #expect(limits.maximumEventAhead == 60)
        #expect(limits.maximumClockDifference == .seconds(300))
        let other = ConfigurationSample.whole.replacing("max_event_ahead_s: 60", with: "max_clock_difference_s: 30")
        #expect(try room.read(other).worker.limits.maximumClockDifference == .seconds(30))
    }

    @Test("Keys are read with their place, state and period")
    func keys() throws {
        let room = try ConfigurationRoom()
        let keys = try room.read(ConfigurationSample.whole).worker.keys
        let end = try #require(Timestamp(rfc3339: "2026-12-01T00:00:00Z"))
        try #require(keys.count == 5)
        #expect(keys[0].location == .file("/keys/token.pem"))
        #expect(keys[0].notBefore == Timestamp(rfc3339: "2026-01-01T00:00:00Z"))
        #expect(keys[1].state == .verifyOnly(notAfter: end))
        #expect(keys[1].location == .file("\(room.directory)/keys/old.pem"))
        #expect(
            keys[2].location
                == .pkcs11(
                    PKCS11Location(
                        modulePath: "/usr/lib/module.so", tokenLabel: "claw", key: .label("receipts"),
                        pinFile: "\(room.directory)/secrets/pin")))
        guard case .pkcs11(let token) = keys[3].location else {
            Issue.record("\(keys[3].location) is no token")
            return
        }
        #expect(token.key == .id([0x0A, 0x1B]))
        #expect(keys[4].state == .retired)
    }

    @Test("A worker's name has a part of its own for each start")
    func workerNames() throws {
        let room = try ConfigurationRoom()
        let first = try room.read(ConfigurationSample.whole).worker.workerID.rawValue
        let second = try room.read(ConfigurationSample.whole).worker.workerID.rawValue
        #expect(first.hasPrefix("worker-a-"))
        #expect(first != second)
        #expect(first.utf8.count == "worker-a-".utf8.count + 8)
        let unnamed = try room.read(ConfigurationSample.least).worker.workerID.rawValue
        // PostgreSQL cuts application names at 63 bytes, and sessions are found by them.
        #expect(unnamed.utf8.count <= 63)
    }

    @Test("A file is loaded from its path; one that is missing is named")
    func loading() throws {
        let room = try ConfigurationRoom()
        try room.write("clawgrant.yaml", ConfigurationSample.least)
        let file = try ConfigurationFile.load("\(room.directory)/clawgrant.yaml", environment: [:])
        #expect(file.worker.rulesFile == "\(room.directory)/rules.yaml")
        #expect(throws: ConfigurationFileError.self) {
            try ConfigurationFile.load("\(room.directory)/nowhere.yaml", environment: [:])
        }
    }

    @Test("The example in deploy/examples is well formed")
    func example() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(
            contentsOf: root.appendingPathComponent("deploy/examples/clawgrant.yaml"), encoding: .utf8)
        let room = try ConfigurationRoom()
        #expect(room.problems(text) == [])
    }
}
