import DevStack
import Foundation
import GrantWorker
import Playground
import SecureFront
import Testing

@testable import clawgrant

/// `clawgrant ready`, the health check of a container.
struct ReadyTests {
    @Test(
        "A worker that listens everywhere is asked on loopback",
        arguments: [
            ("0.0.0.0", false, "http://127.0.0.1:8480/ready"), ("::", true, "https://[::1]:8480/ready"),
            ("127.0.0.1", true, "https://127.0.0.1:8480/ready"), ("fd00::1", true, "https://[fd00::1]:8480/ready"),
            ("localhost", false, "http://127.0.0.1:8480/ready"),
        ])
    func address(host: String, isSecured: Bool, expected: String) {
        var http = HTTPSettings(issuer: "https://issuer.harborline.example")
        http.host = host
        http.port = 8_480
        if isSecured { http.tls = HTTPSettings.TLS(certificateFile: "c.pem", keyFile: "k.pem") }
        #expect(ReadyCommand.address(http) == expected)
    }

    @Test(
        "A surface that demands client certificates is asked with one",
        .enabled(if: BrokerTools.find().has(.noida) && ProgramRun.path != nil), .timeLimit(.minutes(4)))
    func demandedCertificates() async throws {
        let directory = try TemporaryDirectory(prefix: "claw-ready")
        defer { directory.close() }
        let certificates = try await TestCertificates.make(in: directory)
        for key in [certificates.server.key, certificates.client.key, certificates.stranger.key] {
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: key)
        }
        let port = try FreePort.next()
        var options = PlaygroundOptions()
        options.workerSections = """
            http:
              issuer: "https://issuer.harborline.example"
              listen: {port: \(port)}
              tls:
                certificate_file: "\(certificates.server.certificate)"
                key_file: "\(certificates.server.key)"
                client_ca_file: "\(certificates.authority)"
                client_certificates: required
            """
        let playground = try await Playground.start(options)
        do {
            let worker = try playground.startWorker("w1")
            try await playground.waitUntilAtWork([worker])
            let config = worker.configurationFile
            func shown(_ client: (certificate: String, key: String), _ more: String...) -> [String] {
                ["ready", "--client-certificate", client.certificate, "--client-key", client.key] + more
            }
            let trusted = shown(certificates.client, "--ca", certificates.authority)
            try await waitUntil(
                deadline: .seconds(60), description: "the worker to be ready", interval: .milliseconds(200)
            ) {
                let run = try await ProgramRun(trusted, config: config)
                return run.code == 0 && run.output == "ready\n"
            }
            #expect(try await ProgramRun(shown(certificates.client), config: config).code == 0)
            let bare = try await ProgramRun(["ready"], config: config)
            #expect(bare.code == 2 && bare.errors.contains("--client-certificate"), "\(bare.errors)")
            for refused in [
                shown(certificates.stranger), shown(certificates.client, "--ca", certificates.strangeAuthority),
            ] {
                let run = try await ProgramRun(refused, config: config)
                #expect(run.code == 1 && run.errors.contains("does not answer"), "\(run.errors)")
            }
            let mixed = try await ProgramRun(
                shown((certificates.client.certificate, certificates.stranger.key)), config: config)
            #expect(mixed.code == 2 && mixed.errors.contains("do not go together"), "\(mixed.errors)")
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: certificates.client.key)
            let open = try await ProgramRun(trusted, config: config)
            #expect(open.code == 2 && open.errors.contains(certificates.client.key), "\(open.errors)")
        } catch {
            for worker in playground.workers { Issue.record("\(worker.name):\n\(worker.logTail())") }
            await playground.stop()
            throw error
        }
        await playground.stop()
    }

    @Test(
        "It answers 0 while the worker is ready, and 1 when it is gone",
        .enabled(if: BrokerTools.find().has(.noida) && ProgramRun.path != nil), .timeLimit(.minutes(4)))
    func worker() async throws {
        let port = try FreePort.next()
        var options = PlaygroundOptions()
        options.workerSections = "http: {issuer: \"http://127.0.0.1:\(port)\", listen: {port: \(port)}}"
        let playground = try await Playground.start(options)
        do {
            let worker = try playground.startWorker("w1")
            try await playground.waitUntilAtWork([worker])
            let config = worker.configurationFile
            try await waitUntil(
                deadline: .seconds(60), description: "the worker to be ready", interval: .milliseconds(200)
            ) {
                let run = try await ProgramRun(["ready"], config: config)
                return run.code == 0 && run.output == "ready\n"
            }
            await worker.kill()
            let gone = try await ProgramRun(["ready"], config: config)
            #expect(gone.code == 1 && gone.errors.contains("does not answer"), "\(gone.errors)")
            for (options, problem) in [
                (["--timeout", "0"], "--timeout is 1 to 300 seconds"),
                (["--client-key", "k.pem"], "--client-certificate and --client-key go together"),
                (["--ca", "/nowhere.pem"], "/nowhere.pem cannot be read as certificates in PEM"),
            ] {
                let wrong = try await ProgramRun(["ready"] + options, config: config)
                #expect(wrong.code == 2 && wrong.errors.contains(problem), "\(wrong.errors)")
            }
        } catch {
            for worker in playground.workers { Issue.record("\(worker.name):\n\(worker.logTail())") }
            await playground.stop()
            throw error
        }
        await playground.stop()
    }
}
