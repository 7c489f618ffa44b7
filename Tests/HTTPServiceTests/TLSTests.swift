import DevStack
import Foundation
import HTTPService
import NIOSSL
import SecureFront
import Testing

@Suite struct TLSTests {
    struct Setting {
        let directory: TemporaryDirectory
        let certificates: TestCertificates

        init() async throws {
            directory = try TemporaryDirectory(prefix: "claw-tls")
            certificates = try await TestCertificates.make(in: directory)
        }

        func configuration(mutual: Bool = false) -> HTTPServiceConfiguration {
            HTTPServiceConfiguration(
                host: "127.0.0.1", port: 0,
                tls: HTTPServiceConfiguration.TLS(
                    certificateFile: certificates.server.certificate, keyFile: certificates.server.key,
                    clientAuthorityFile: mutual ? certificates.authority : nil, reloadInterval: nil))
        }
    }

    @Test func bothVersionsOfHTTPAreSpokenOverTLS() async throws {
        let setting = try await Setting()
        let running = try await RunningService.start(setting.configuration(), respond: HTTPServiceTests.echo)
        let url = "https://127.0.0.1:\(running.port)/a"
        let body = [UInt8](repeating: 7, count: 200_000)
        for isOld in [false, true] {
            let client = try TestClient.make(trusting: setting.certificates.authority, http1Only: isOld)
            try await TestClient.with(client) { client in
                let answer = try await TestClient.post(client, url, body)
                #expect(answer.status == 200)
                #expect(answer.body.utf8.count == body.count)
                #expect(answer.version == (isOld ? 1 : 2))
                #expect(try await TestClient.post(client, url, [UInt8](repeating: 7, count: 2 << 20)).status == 413)
            }
        }
        try await running.stop()
    }

    @Test func oldVersionsOfTLSAreRefused() async throws {
        let setting = try await Setting()
        let running = try await RunningService.start(setting.configuration(), respond: HTTPServiceTests.echo)
        let url = "https://127.0.0.1:\(running.port)/a"
        for (version, isTaken) in [(TLSVersion.tlsv11, false), (.tlsv12, true), (.tlsv13, true)] {
            let client = try TestClient.make(trusting: setting.certificates.authority, maximumVersion: version)
            try await TestClient.with(client) { client in
                let status = try? await TestClient.post(client, url).status
                #expect((status == 200) == isTaken, "\(version)")
            }
        }
        try await running.stop()
    }

    @Test func clientsNeedACertificateOfTheAuthorityNamed() async throws {
        let setting = try await Setting()
        let running = try await RunningService.start(
            setting.configuration(mutual: true), respond: HTTPServiceTests.echo)
        let url = "https://127.0.0.1:\(running.port)/a"
        for (certificate, isTaken) in [
            (setting.certificates.client, true), (setting.certificates.stranger, false), (nil, false),
        ] {
            for isOld in [false, true] {
                let client = try TestClient.make(
                    trusting: setting.certificates.authority, certificate: certificate, http1Only: isOld)
                try await TestClient.with(client) { client in
                    let status = try? await TestClient.post(client, url).status
                    #expect((status == 200) == isTaken)
                }
            }
        }
        try await running.stop()
    }

    @Test func aClientThatNeverShakesHandsIsLetGo() async throws {
        let setting = try await Setting()
        var configuration = setting.configuration()
        configuration.limits.handshakeTimeout = .milliseconds(200)
        let running = try await RunningService.start(configuration, respond: HTTPServiceTests.echo)
        let silent = try await RawConnection.open(port: running.port)
        try await silent.waitUntilClosed()
        let wrong = try await RawConnection.open(port: running.port)
        try await wrong.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        try await wrong.waitUntilClosed()
        try await running.stop()
    }

    @Test func changedCertificatesServeTheConnectionsThatCome() async throws {
        let setting = try await Setting()
        let running = try await RunningService.start(setting.configuration(), respond: HTTPServiceTests.echo)
        #expect(try running.service.reloadCertificates() == false)
        let elsewhere = try TemporaryDirectory(prefix: "claw-tls")
        defer { elsewhere.close() }
        let other = try await TestCertificates.make(in: elsewhere)
        let files = FileManager.default
        // A certificate without its key changes nothing.
        try files.removeItem(atPath: setting.certificates.server.certificate)
        try files.copyItem(atPath: other.server.certificate, toPath: setting.certificates.server.certificate)
        #expect(throws: HTTPServiceError.self) { try running.service.reloadCertificates() }
        let url = "https://127.0.0.1:\(running.port)/a"
        func isServed(_ authority: String) async throws -> Bool {
            try await TestClient.with(try TestClient.make(trusting: authority)) { client in
                (try? await TestClient.post(client, url).status) == 200
            }
        }
        #expect(try await isServed(setting.certificates.authority))
        try files.removeItem(atPath: setting.certificates.server.key)
        try files.copyItem(atPath: other.server.key, toPath: setting.certificates.server.key)
        #expect(try running.service.reloadCertificates())
        #expect(try await isServed(other.authority))
        #expect(try await isServed(setting.certificates.authority) == false)
        try await running.stop()
    }

    @Test func filesThatCannotServeAreNamed() async throws {
        let setting = try await Setting()
        var configuration = setting.configuration()
        configuration.tls?.keyFile = setting.certificates.client.key
        let mismatch = #expect(throws: HTTPServiceError.self) {
            try HTTPService(configuration: configuration, logger: LogKeeper().logger, respond: HTTPServiceTests.echo)
        }
        #expect(mismatch?.code == .certificate)
        configuration.tls?.keyFile = setting.directory.path("nowhere.key")
        let missing = #expect(throws: HTTPServiceError.self) {
            try HTTPService(configuration: configuration, logger: LogKeeper().logger, respond: HTTPServiceTests.echo)
        }
        #expect(missing?.description.contains("nowhere.key") == true)
    }
}
