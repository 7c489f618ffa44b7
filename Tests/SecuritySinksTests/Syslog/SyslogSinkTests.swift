import ClawWire
import DevStack
import GrantLedger
import GrantWorker
import Kafka
import Logging
import NIOSSL
import Primitives
import SecureFront
import SecurityEvents
import TestSupport
import Testing

@testable import SecuritySinks

/// Syslog towards a real rsyslog, over TCP and TLS.
@Suite(
    "Syslog to rsyslog", .enabled(if: Rsyslog.isThere, "rsyslog is not installed: ./dev test installs it"),
    .serialized, .timeLimit(.minutes(4)))
struct SyslogSinkTests {
    private let surroundings = SinkSurroundings(
        kafka: KafkaConfiguration(), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })

    private func sink(
        _ rsyslog: Rsyslog, _ security: SecurityEventSettings.SyslogReceiver.Security? = nil,
        host: String = "127.0.0.1",
        format: SecurityEventFormat = .syslog
    ) -> SyslogSink {
        var receiver = SecurityEventSettings.SyslogReceiver(host: host, port: Int(rsyslog.port), security: security)
        receiver.format = format
        receiver.maximumEvents = 20
        receiver.replayedEvents = 60
        return SyslogSink(name: "soc", receiver, surroundings)
    }

    private func bench(_ log: PaperLog) -> DriverBench {
        var bench = DriverBench(log: log)
        bench.patience.shortestWait = .milliseconds(50)
        bench.patience.longestWait = .milliseconds(200)
        bench.patience.failuresBeforeFinding = 1_000
        return bench
    }

    @Test("Over TLS with certificates on both sides every event arrives; a restarted receiver leaves no gap")
    func tls() async throws {
        let home = try TemporaryDirectory(prefix: "claw-syslog-tls")
        let certificates = try await TestCertificates.make(in: home)
        let rsyslog = try Rsyslog(
            .tls(
                authority: certificates.authority, certificate: certificates.server.certificate,
                key: certificates.server.key))
        var security = SecurityEventSettings.SyslogReceiver.Security()
        security.authorityFile = certificates.authority
        security.certificateFile = certificates.client.certificate
        security.keyFile = certificates.client.key
        let log = try PaperLog(receipts: 100)
        let sink = sink(rsyslog, security, host: "localhost")
        let first = try await rsyslog.start()
        try await bench(log).drive([sink], until: "100 events in the file") {
            try log.sink("soc")?.next == 100 && Set(EventNumbers.syslog(rsyslog.lines)).count == 100
        }
        #expect(NumberCheck.faults(try EventNumbers.syslog(rsyslog.lines), 0..<100).isEmpty)

        // It dies with what it had in hand, and comes back.
        _ = first.signal(.kill)
        _ = try await first.waitForExit(within: .seconds(10))
        let second = Lock<ManagedProcess?>(nil)
        for number in 100..<160 { try log.append([Samples.denial(number)]) }
        try await bench(log).drive([sink], until: "failures, then everything") {
            if (log.sink("soc")?.failures ?? 0) >= 3, second.withLock({ $0 == nil }) {
                let process = try await rsyslog.start()
                second.withLock { $0 = process }
            }
            return try log.sink("soc")?.next == 160 && Set(EventNumbers.syslog(rsyslog.lines)).count == 160
        }
        let numbers = try EventNumbers.syslog(rsyslog.lines)
        #expect(NumberCheck.faults(numbers, 0..<160).isEmpty)
        await sink.close()
        _ = second.withLock { $0?.signal(.kill) }
    }

    @Test("A receiver of another name, of an unknown authority, or one that refuses us, gets nothing")
    func strangers() async throws {
        let home = try TemporaryDirectory(prefix: "claw-syslog-strangers")
        let certificates = try await TestCertificates.make(in: home)
        let rsyslog = try Rsyslog(
            .tls(
                authority: certificates.authority, certificate: certificates.server.certificate,
                key: certificates.server.key))
        let process = try await rsyslog.start()
        var good = SecurityEventSettings.SyslogReceiver.Security()
        good.authorityFile = certificates.authority
        good.certificateFile = certificates.client.certificate
        good.keyFile = certificates.client.key
        let log = try PaperLog(receipts: 5)
        let accepted = sink(rsyslog, good)
        try await bench(log).drive([accepted], until: "the receiver to be ready") { log.sink("soc")?.next == 5 }
        await accepted.close()

        var wrongName = good
        wrongName.serverName = "collector.harborline.example"
        var wrongAuthority = good
        wrongAuthority.authorityFile = certificates.strangeAuthority
        var nobody = good
        nobody.certificateFile = nil
        nobody.keyFile = nil
        var stranger = good
        stranger.certificateFile = certificates.stranger.certificate
        stranger.keyFile = certificates.stranger.key
        for (security, remedy) in [
            (wrongName, SinkFailure.Remedy.misconfigured), (wrongAuthority, .misconfigured), (nobody, nil),
            (stranger, nil),
        ] {
            let sink = sink(rsyslog, security)
            let event = try #require(Canaries.events.first)
            // A receiver that is slow to refuse takes some bytes first; the next delivery fails then.
            var failure: SinkFailure?
            for _ in 0..<10 where failure == nil {
                do {
                    try await sink.deliver([RenderedEvent(event, bytes: sink.rendered(event))])
                } catch {
                    failure = error
                }
            }
            let refusal = try #require(failure, "\(security) was accepted")
            if let remedy { #expect(refusal.remedy == remedy, "\(refusal)") }
            #expect(!refusal.description.contains("PRIVATE"))
            await sink.close()
        }
        #expect(Set(try EventNumbers.syslog(rsyslog.lines)) == Set(0..<5))
        var unreadable = good
        unreadable.keyFile = home.path("nothing")
        let sink = sink(rsyslog, unreadable)
        await #expect { try await sink.deliver([]) } throws: { ($0 as? SinkFailure)?.remedy == .misconfigured }
        _ = process.signal(.kill)
    }

    @Test(
        "Hostile texts are one record each, with nothing that steers a terminal",
        arguments: [
            SecurityEventFormat.syslog, .syslogCEF,
        ])
    func canaries(format: SecurityEventFormat) async throws {
        let rsyslog = try Rsyslog(.tcp)
        let process = try await rsyslog.start()
        let log = try PaperLog()
        try log.append(Canaries.$plantsTokens.withValue(true) { Canaries.receipts })
        let sink = sink(rsyslog, format: format)
        try await bench(log).drive([sink], until: "every event in the file") {
            log.sink("soc")?.next == log.end && Set(rsyslog.lines).count >= Int(log.end)
        }
        let lines = rsyslog.lines
        #expect(NumberCheck.faults(try EventNumbers.syslog(lines), 0..<log.end).isEmpty)
        for scalar in rsyslog.output.unicodeScalars where scalar != "\n" {
            #expect(scalar.value >= 0x20 && scalar.value != 0x7F)
        }
        #expect(!rsyslog.output.contains(Canaries.bearer))
        _ = process.signal(.kill)
    }

    @Test("A certificate is for the names and the addresses it lists, each asked for as what it is")
    func names() async throws {
        let home = try TemporaryDirectory(prefix: "claw-syslog-names")
        try await Command.output(
            of: ManagedProcess.Configuration(
                executable: "openssl",
                arguments: [
                    "req", "-x509", "-days", "2", "-subj", "/CN=wrong.harborline.example", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", home.path("k.pem"), "-out", home.path("c.pem"),
                    "-addext", "subjectAltName=DNS:SOC.harborline.example,DNS:*.logs.harborline.example,IP:127.0.0.1",
                ]))
        let certificate = try #require(try NIOSSLCertificate.fromPEMFile(home.path("c.pem")).first)
        for name in ["soc.harborline.example", "a.logs.harborline.example", "127.0.0.1"] {
            #expect(ServerIdentity.isCertificate(certificate, for: name))
        }
        for name in [
            "wrong.harborline.example", "logs.harborline.example", "a.b.logs.harborline.example", "harborline.example",
            "127.0.0.2", "[::1]", "",
        ] {
            #expect(!ServerIdentity.isCertificate(certificate, for: name), "\(name)")
        }
    }

    @Test("Nobody there is a failure that passes")
    func nobody() async throws {
        let rsyslog = try Rsyslog(.tcp)
        let sink = sink(rsyslog)
        await #expect { try await sink.deliver([]) } throws: { ($0 as? SinkFailure)?.remedy == .retry(after: nil) }
    }
}
