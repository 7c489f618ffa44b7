import DevStack
import GrantWorker
import Playground
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
            let wrong = try await ProgramRun(["ready", "--timeout", "0"], config: config)
            #expect(wrong.code == 2 && wrong.errors.contains("--timeout is 1 to 300 seconds"), "\(wrong.errors)")
        } catch {
            for worker in playground.workers { Issue.record("\(worker.name):\n\(worker.logTail())") }
            await playground.stop()
            throw error
        }
        await playground.stop()
    }
}
