import ApprovalSources
import AsyncHTTPClient
import ClawWire
import DevStack
import Foundation
import GrantWorker
import IssuanceRules
import Kafka
import Keys
import Playground
import Postgres
import SecureFront
import Testing

/// A bridge of its own process, with all that it reads.
struct BridgeProcess {
    /// The program beside the test's own.
    static let program: String? = BuiltProgram.clawgrant

    static let topic = "claw.approvals.bridge.v1"
    let file: String
    let log: String
    let port: UInt16
    let deskKey: SeedSigner

    /// Writes keys, secrets, rules and configuration into a playground's directory, before any worker reads them.
    init(_ playground: Playground, _ certificates: TestCertificates) async throws {
        let folder = playground.directory
        file = "\(folder)/bridge.yaml"
        log = "\(folder)/bridge.log"
        port = try FreePort.next()
        deskKey = try #require(SeedSigner(seed: [UInt8](repeating: 11, count: 32)))
        try KeyGenerator.generate(purpose: .envelope).writePrivateKey(to: "\(folder)/keys/bridge.pem")
        let ring = try KeyRing.load(
            [KeyConfiguration(purpose: .envelope, location: .file("\(folder)/keys/bridge.pem"))],
            required: [.envelope], at: .playgroundNow)
        let did = try ring.signer(for: .envelope, at: .playgroundNow).publicKey.did
        try Data(Webhook.secretText.utf8).write(to: URL(fileURLWithPath: "\(folder)/secrets/relay"))
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o600], ofItemAtPath: "\(folder)/secrets/relay")
        let point = Base64URL.encode(deskKey.publicKey.bytes)
        let keys: JSONValue = [
            "keys": [["kty": "OKP", "crv": "Ed25519", "kid": "desk", "x": .string(point)]]
        ]
        try Data(JSONWriter.bytes(keys)).write(to: URL(fileURLWithPath: "\(folder)/keys/desk.jwks.json"))
        let rules = "\(folder)/rules.yaml"
        try String(contentsOfFile: rules, encoding: .utf8).replacing(
            "sources:\n",
            with: """
                sources:
                  bridge:
                    kind: native
                    topics: [\(Self.topic)]
                    authenticity: signed
                    signers: [{did: "\(did)"}]
                    trusted_event_sources: [/bridge/entra, /bridge/desk]
                    may_approve: [identity_app_admin, ledger_reconcile]

                """
        ).write(toFile: rules, atomically: true, encoding: .utf8)
        try """
        config_version: "1"
        listen:
          port: \(port)
          tls: {certificate_file: \(certificates.server.certificate), key_file: \(certificates.server.key)}
        kafka: {properties: {bootstrap.servers: "\(playground.broker.bootstrapServers)"}}
        rules: rules.yaml
        signing_key_file: keys/bridge.pem
        limits: {write_timeout_ms: 20000}
        sources:
          entra:
            path: /hooks/entra
            topic: \(Self.topic)
            read_as: entra-pim
            signature: {scheme: github, keys: [{name: relay, file: secrets/relay}]}
          desk:
            path: /hooks/desk
            topic: \(Self.topic)
            read_as: approvals
            signature: {scheme: jws, header: X-Desk-Signature, keys: [{name: desk, file: keys/desk.jwks.json}]}
        """.write(toFile: file, atomically: true, encoding: .utf8)
        _ = try await playground.admin.createTopics([
            TopicSpecification(name: Self.topic, partitions: 2, replicationFactor: 1)
        ])
    }

    func start() throws -> ManagedProcess {
        var configuration = ManagedProcess.Configuration(
            executable: try #require(Self.program), arguments: ["bridge", "--config", file])
        configuration.output = .file(log)
        return try ManagedProcess(configuration)
    }

    /// A detached JWS over a body (RFC 7797 is not used: the payload is what RFC 7515 appendix F leaves out).
    func jws(_ body: [UInt8]) throws -> String {
        let header = Base64URL.encode(Array(#"{"alg":"EdDSA","kid":"desk"}"#.utf8))
        let signature = try deskKey.sign(Array("\(header).\(Base64URL.encode(body))".utf8))
        return "\(header)..\(signature.b64u)"
    }

    /// Posts until the bridge listens; the status of its answer.
    func post(
        _ client: HTTPClient, _ path: String, _ body: [UInt8], _ headers: [(String, String)]
    ) async throws -> Int {
        var status = 0
        try await waitUntil(deadline: .seconds(60), description: "the bridge to answer") {
            guard
                let answer = try? await TestClient.post(
                    client, "https://127.0.0.1:\(port)\(path)", body,
                    headers: headers + [("content-type", "application/cloudevents+json")])
            else { return false }
            status = answer.status
            return true
        }
        return status
    }
}

/// `clawgrant bridge` and `clawgrant run` as an operator runs them: webhook over HTTPS, signed native event, worker,
/// grant.
@Suite(
    .enabled(if: AvailableServers.postgres && AvailableServers.broker(.noida), "PostgreSQL or noida-db is missing"),
    .enabled(if: BridgeProcess.program != nil, "the program clawgrant is not built"), .serialized,
    .timeLimit(.minutes(8)))
struct BridgeProcessTests {
    @Test("Webhooks over HTTPS become grants, also across a bridge that is killed in between")
    func webhooksBecomeGrants() async throws {
        let playground = try await Playground.start()
        do {
            let directory = try TemporaryDirectory(prefix: "claw-hook")
            let certificates = try await TestCertificates.make(in: directory)
            let bridge = try await BridgeProcess(playground, certificates)
            let client = try TestClient.make(trusting: certificates.authority)
            try await TestClient.with(client) { try await play(playground, bridge, $0) }
        } catch {
            for worker in playground.workers { Issue.record("\(worker.name):\n\(worker.logTail())") }
            let log = FileManager.default.contents(atPath: "\(playground.directory)/bridge.log") ?? Data()
            Issue.record("\(String(decoding: log.suffix(8_192), as: UTF8.self))")
            await playground.stop()
            throw error
        }
        await playground.stop()
    }

    private func play(_ playground: Playground, _ bridge: BridgeProcess, _ client: HTTPClient) async throws {
        _ = try playground.startWorker("w1")
        var process = try bridge.start()
        // A relay's webhook about an activation, and a job's request that names it.
        let activation = EntraActivation("hook", at: .playgroundNow.adding(seconds: -60))
        let message = try #require(activation.message([.requested, .approved, .completed]).value)
        func relay(_ secret: String) -> [(String, String)] {
            [("x-hub-signature-256", "sha256=\(Webhook.code(message, secret))")]
        }
        #expect(try await bridge.post(client, "/hooks/entra", message, relay("another secret of theirs")) == 401)
        #expect(try await bridge.post(client, "/hooks/entra", message, relay(Webhook.secretText)) == 202)
        var request = RequestDraft("hook", .appAdmin, in: playground, at: .playgroundNow)
        request.approvalID = activation.approvalID
        try await playground.produce([try request.record(signedBy: playground.keys.requestSigner)])
        try await playground.waitForStatus("the activation's grant", within: .seconds(120)) { $0.issued == 1 }

        // A system with a key of its own: JWS in, a native event out that contains the request.
        let desk = try #require(
            ApprovalDraft("desk", .reconcile, in: playground).event.message(.structured).value)
        let foreign = try #require(SeedSigner(seed: [UInt8](repeating: 12, count: 32)))
        let jws = try bridge.jws(desk)
        let forged = jws.replacing(
            jws.split(separator: ".").last ?? "", with: try foreign.sign(desk).b64u)
        #expect(try await bridge.post(client, "/hooks/desk", desk, [("x-desk-signature", forged)]) == 401)
        #expect(try await bridge.post(client, "/hooks/desk", desk, [("x-desk-signature", jws)]) == 202)
        try await playground.waitForStatus("the desk's grant", within: .seconds(120)) { $0.issued == 2 }

        // Power fails. The vendor sends again, to a bridge that remembers nothing: it is the same event.
        process.signal(.kill)
        await process.terminate(grace: .zero)
        process = try bridge.start()
        #expect(try await bridge.post(client, "/hooks/desk", desk, [("x-desk-signature", jws)]) == 202)
        #expect(try await bridge.post(client, "/hooks/entra", message, relay(Webhook.secretText)) == 202)
        let last = try #require(
            ApprovalDraft("last", .reconcile, in: playground).event.message(.structured).value)
        #expect(try await bridge.post(client, "/hooks/desk", last, [("x-desk-signature", try bridge.jws(last))]) == 202)
        try await playground.waitForStatus("the last grant", within: .seconds(120)) { $0.issued == 3 }
        // An activation is two events each time it is sent.
        try await playground.waitForStatus("every record to be decided", within: .seconds(120)) {
            $0.recordsCommitted == 8
        }
        #expect(try await playground.status().issued == 3)

        let exit = await process.terminate(grace: .seconds(30))
        #expect(exit == .code(0))
        let log = try String(contentsOfFile: bridge.log, encoding: .utf8)
        #expect(!log.contains(Webhook.secretText) && !log.contains(jws))
    }
}
