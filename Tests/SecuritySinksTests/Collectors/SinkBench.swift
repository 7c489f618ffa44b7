import ClawWire
import DevStack
import Foundation
import GrantWorker
import HTTPService
import ReceiptLog
import SecureFront
import SecurityEvents
import SecuritySinks
import TestSupport
import Testing

/// Events for sinks that are tested without a ledger.
enum SinkBench {
    static let producer = EventProducer(
        version: "1.2.3", logID: Samples.logID, workerID: WorkerID("worker-1"), tenant: "harborline")

    static func event(_ receipt: Receipt, at position: Int64) -> SecurityEvent {
        SecurityEvent(
            receipt: receipt, sequence: SequenceNumber(position), batch: SequenceNumber(position / 7),
            sealedAt: Samples.noon.adding(seconds: 120), producer: producer)
    }

    /// Receipts of every kind, over and over, at dense positions.
    static func events(_ count: Int) -> [SecurityEvent] {
        let every = Samples.every
        return (0..<count).map { event(every[$0 % every.count], at: Int64($0)) }
    }

    /// What strangers may write: ends of lines and headers, quotes, separators, escapes, forged records.
    static let hostile =
        "a\nCEF:0|x|y|1|z|forged|10|\r\n<130>1 - - - - - - \u{1B}[2Jb\u{2028}c=d|e\\f]g\"h\"}{\"event\":\"forged\",\"fields\":"
        + "{\"sequence\":\"9\"}}],[ \u{202E}İstanbul 本番 ✅\u{0}"

    static func attack(at position: Int64) -> SecurityEvent {
        event(
            Receipt(
                content: .decisionDenied(Receipt.Refusal(asked: nil, rule: "rule\"\n")),
                subject: Receipt.Subject(requestID: RequestID("req\"}\n{")), provenance: Samples.provenance(),
                reasons: [Receipt.Reason(code: "CAPABILITY_DENIED", detail: hostile)], occurredAt: Samples.noon),
            at: position)
    }
}

/// Drives a sink over events as the worker does, without waits: the same again after a failure, refused ones left out.
struct SinkRun {
    private(set) var skipped: Set<Int64> = []
    private(set) var failures: [SinkFailure] = []

    /// Delivers all events, or records an issue.
    mutating func drive(
        _ sink: any SecurityEventSink, _ events: [SecurityEvent], sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        var rest = events.map { RenderedEvent($0, bytes: sink.rendered($0)) }[...]
        for _ in 0..<2_000 where !rest.isEmpty {
            var count = 0
            var bytes = 0
            for event in rest {
                if count > 0, count >= sink.maximumEvents || bytes + event.bytes.count > sink.maximumBytes { break }
                count += 1
                bytes += event.bytes.count
            }
            let chunk = rest.prefix(count)
            do throws(SinkFailure) {
                try await sink.deliver(Array(chunk))
                rest = rest.dropFirst(count)
            } catch {
                failures.append(error)
                if case .skip(let numbers) = error.remedy {
                    skipped.formUnion(numbers.map(\.value))
                    let left = chunk.filter { event in
                        !numbers.contains(event.sequence) && numbers.contains { $0 < event.sequence }
                    }
                    rest = left + rest.dropFirst(count)
                }
            }
        }
        await sink.close()
        if !rest.isEmpty {
            Issue.record(
                "\(rest.count) events were not delivered: \(failures.suffix(3))", sourceLocation: sourceLocation)
        }
    }
}

/// Files of credentials for one test.
final class SecretRoom: Sendable {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory(prefix: "claw-sinks") }

    @discardableResult
    func write(_ name: String, _ text: String, mode: Int = 0o600) throws -> String {
        let path = directory.path(name)
        try? FileManager.default.removeItem(atPath: path)
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        return path
    }
}

/// The failure of a delivery of some events, if there is one.
func failure(of sink: any SecurityEventSink, _ events: [SecurityEvent]) async -> SinkFailure? {
    do throws(SinkFailure) {
        try await sink.deliver(events.map { RenderedEvent($0, bytes: sink.rendered($0)) })
        return nil
    } catch {
        return error
    }
}

/// A failure's sentence is one line and holds nothing that was planted, and nothing of an event.
func expectClean(
    _ failures: [SinkFailure], secrets: [String] = [], sourceLocation: SourceLocation = #_sourceLocation
) {
    for failure in failures {
        let text = "\(failure) \(failure.remedy)"
        #expect(!text.contains("planted"), sourceLocation: sourceLocation)
        for secret in secrets { #expect(!text.contains(secret), sourceLocation: sourceLocation) }
        #expect(!text.contains("TimeGenerated") && !text.contains("forged"), sourceLocation: sourceLocation)
        for scalar in text.unicodeScalars {
            #expect(scalar.value >= 0x20 && scalar.value != 0x7F, "\(text)", sourceLocation: sourceLocation)
        }
    }
}

extension HTTPServiceConfiguration.TLS {
    /// TLS with a server's certificate.
    static func of(
        _ certificates: TestCertificates, asksForCertificate: Bool = false
    ) -> HTTPServiceConfiguration.TLS {
        HTTPServiceConfiguration.TLS(
            certificateFile: certificates.server.certificate, keyFile: certificates.server.key,
            clientAuthorityFile: asksForCertificate ? certificates.authority : nil)
    }
}
