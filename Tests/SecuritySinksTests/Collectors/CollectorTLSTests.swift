import CollectorDoubles
import DevStack
import Foundation
import GrantWorker
import HTTPService
import SecureFront
import Testing

@testable import SecuritySinks

/// Whom sinks over HTTP trust, and who they are.
@Suite struct CollectorTLSTests {
    private static func sink(
        _ double: OTLPDouble, authority: String?, certificate: (certificate: String, key: String)? = nil
    ) -> OTLPLogsSink {
        var settings = OTLPLogsSettings(url: double.address)
        settings.connection.authorityFile = authority
        settings.connection.certificate = certificate.map {
            CollectorConnection.Certificate(certificateFile: $0.certificate, keyFile: $0.key)
        }
        return OTLPLogsSink(name: "otel", settings)
    }

    @Test func onlyAServerOfATrustedAuthorityGetsEvents() async throws {
        let directory = try TemporaryDirectory(prefix: "claw-sinks")
        let certificates = try await TestCertificates.make(in: directory)
        try await OTLPDouble.run(tls: .of(certificates)) { double in
            let events = SinkBench.events(2)
            #expect(await failure(of: Self.sink(double, authority: certificates.authority), events) == nil)
            for authority in [certificates.strangeAuthority, nil] {
                let refused = try #require(await failure(of: Self.sink(double, authority: authority), events))
                #expect(refused.remedy == .misconfigured)
                #expect(refused.description.contains("certificate"))
            }
            let missing = await failure(of: Self.sink(double, authority: directory.path("nowhere.pem")), events)
            #expect(missing?.remedy == .misconfigured)
            #expect(double.requests == 1)
        }
    }

    /// What a certificate is for, which host is asked, and whether events go there.
    @Test(arguments: [
        ("DNS:other.harborline.example", "127.0.0.1", false), ("DNS:other.harborline.example", "localhost", false),
        ("DNS:localhost", "127.0.0.1", false), ("IP:127.0.0.2", "127.0.0.1", false),
        // For the address that is connected to, which is not what is asked for.
        ("IP:127.0.0.1", "localhost", false), ("DNS:127.0.0.1", "127.0.0.1", false),
        // By its common name alone.
        ("email:localhost@harborline.example", "localhost", false),
        ("IP:127.0.0.1", "127.0.0.1", true), ("DNS:localhost", "localhost", true),
        ("DNS:other.harborline.example,DNS:LOCALHOST", "localhost", true),
    ])
    func theServersNameIsChecked(names: String, host: String, isTaken: Bool) async throws {
        let directory = try TemporaryDirectory(prefix: "claw-sinks")
        defer { directory.close() }
        let certificates = try await TestCertificates.make(in: directory)
        let other = try await TestCertificates.named(names, in: directory)
        let tls = HTTPServiceConfiguration.TLS(certificateFile: other.certificate, keyFile: other.key)
        try await OTLPDouble.run(tls: tls) { double in
            let address = double.address.replacingOccurrences(of: "127.0.0.1", with: host)
            var settings = OTLPLogsSettings(url: address)
            settings.connection.authorityFile = certificates.authority
            let sink = OTLPLogsSink(name: "otel", settings)
            let refused = await failure(of: sink, SinkBench.events(1))
            await sink.close()
            #expect(refused?.remedy == (isTaken ? nil : .misconfigured), "\(names) for \(host): \(refused as Any)")
            #expect(double.requests == (isTaken ? 1 : 0))
        }
    }

    @Test func aClientCertificateIsShownWhereItIsAskedFor() async throws {
        let directory = try TemporaryDirectory(prefix: "claw-sinks")
        let certificates = try await TestCertificates.make(in: directory)
        try await OTLPDouble.run(tls: .of(certificates, asksForCertificate: true)) { double in
            let events = SinkBench.events(1)
            let known = Self.sink(double, authority: certificates.authority, certificate: certificates.client)
            #expect(await failure(of: known, events) == nil)
            for certificate in [certificates.stranger, nil] {
                let sink = Self.sink(double, authority: certificates.authority, certificate: certificate)
                #expect(await failure(of: sink, events) != nil)
            }
            #expect(double.requests == 1)
            // A key that others can read is not used, whoever signed its certificate.
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: certificates.client.key)
            let open = Self.sink(double, authority: certificates.authority, certificate: certificates.client)
            #expect(await failure(of: open, events)?.remedy == .misconfigured)
        }
    }

    @Test func changedFilesAreInForceAtTheNextDelivery() async throws {
        let directory = try TemporaryDirectory(prefix: "claw-sinks")
        let certificates = try await TestCertificates.make(in: directory)
        let file = directory.path("trusted.pem")
        try FileManager.default.copyItem(atPath: certificates.strangeAuthority, toPath: file)
        try await OTLPDouble.run(tls: .of(certificates)) { double in
            let sink = Self.sink(double, authority: file)
            #expect(await failure(of: sink, SinkBench.events(1))?.remedy == .misconfigured)
            try FileManager.default.removeItem(atPath: file)
            try FileManager.default.copyItem(atPath: certificates.authority, toPath: file)
            #expect(await failure(of: sink, SinkBench.events(1)) == nil)
            await sink.close()
            #expect(await failure(of: sink, SinkBench.events(1)) == nil)
        }
    }

    @Test func anAnswerIsReadUpToItsBound() async throws {
        try await OTLPDouble.run { double in
            var settings = OTLPLogsSettings(url: double.address)
            settings.connection.maximumAnswerBytes = 4
            let sink = OTLPLogsSink(name: "otel", settings)
            let bounded = try #require(await failure(of: sink, SinkBench.events(1)))
            #expect(bounded.remedy == .retry(after: nil))
            #expect(bounded.description.contains("larger than 4 bytes"))
        }
    }

    @Test func nobodyAtTheAddressIsTriedAgain() async throws {
        let sink = OTLPLogsSink(name: "otel", OTLPLogsSettings(url: "http://127.0.0.1:1/v1/logs"))
        #expect(await failure(of: sink, SinkBench.events(1))?.remedy == .retry(after: nil))
    }

    @Test(arguments: [0, 1, 100, 100_000]) func compressionIsGzip(count: Int) throws {
        var bytes = Array(repeating: Array("clawgrant".utf8), count: count).flatMap(\.self)
        bytes += (0..<(count / 2)).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }
        let packed = try #require(Gzip.compress(bytes))
        #expect(Gunzip.bytes(packed, maximumBytes: 10_000_000) == bytes)
        var broken = packed
        broken[broken.count - 6] ^= 1
        #expect(Gunzip.bytes(broken, maximumBytes: 10_000_000) == nil)
    }
}
