import AsyncHTTPClient
import ClawWire
import DevStack
import Foundation
import GrantVerifier
import GrantWorker
import IssuanceRules
import Kafka
import Keys
import Playground
import Postgres
import Primitives
import ReceiptLog
import SecureFront
import Testing

@testable import IssuerAPI

/// The surface of two processes over one ledger: a worker's, and one that only serves.
@Suite(
    "The HTTP surface beside a worker and alone", .enabled(if: BrokerTools.find().has(.noida)), .serialized,
    .timeLimit(.minutes(10)))
struct WholeWayTests {
    private static let issuer = "https://issuer.harborline.example"

    private struct Scene {
        let playground: Playground
        let worker: PlaygroundWorker
        let client: HTTPClient
        /// The worker's surface, then that of the process that only serves.
        let surfaces: [String]

        func ask(_ url: String, _ token: String) async throws -> String {
            try await Exchange.form(client, url + "/introspect", "token=\(token)").body
        }

        func isActive(_ url: String, _ token: String) async throws -> Bool? {
            try await Exchange.form(client, url + "/introspect", "token=\(token)").json["active"]?.bool
        }

        func waitUntilInactive(_ token: String) async throws {
            for url in surfaces {
                try await waitUntil(deadline: .seconds(30), description: "\(url) to know that a token is void") {
                    try await isActive(url, token) == false
                }
            }
        }
    }

    private func playing(_ body: (Scene) async throws -> Void) async throws {
        let callers = try TemporaryDirectory(prefix: "claw-http-callers")
        defer { callers.close() }
        let caller = try TestCaller.make("gateway", [.introspect], in: callers)
        let hashes = try #require(caller.tokenHashesFile)
        var options = PlaygroundOptions()
        options.limits["lease_lifetime_ms"] = 8_000
        options.workerSections = """
            http:
              listen: {port: 0}
              issuer: \(Self.issuer)
              callers:
                gateway: {scopes: [introspect, revoke, read], token_hashes_file: \(hashes), requests_per_s: 100000}
              limits: {peer_requests_per_s: 100000}
            """
        let playground = try await Playground.start(options)
        var alone: ManagedProcess?
        do {
            let worker = try playground.startWorker("w1")
            try await playground.waitUntilAtWork([worker])
            let log = "\(playground.directory)/serve.log"
            let program = try #require(Self.program)
            var configuration = ManagedProcess.Configuration(
                executable: program, arguments: ["serve", "--config", worker.configurationFile])
            configuration.output = .file(log)
            configuration.workingDirectory = playground.directory
            alone = try ManagedProcess(configuration)
            let ports = [try await Self.port(in: worker.log), try await Self.port(in: log)]
            try await TestClient.with(try TestClient.make(trusting: nil)) { client in
                try await body(
                    Scene(
                        playground: playground, worker: worker, client: client,
                        surfaces: ports.map { "http://127.0.0.1:\($0)" }))
            }
            for path in [worker.log, log] {
                let text = try String(contentsOfFile: path, encoding: .utf8)
                #expect(!text.contains(TestCaller.token) && !text.contains("eyJ"), "\(path) shows a secret")
            }
        } catch {
            Issue.record("w1:\n\(playground.workers.first?.logTail() ?? "")")
            _ = await alone?.terminate(grace: .zero)
            await playground.stop()
            throw error
        }
        // It leaves when it is asked to.
        #expect(await alone?.terminate(grace: .seconds(20)) == .code(0))
        await playground.stop()
    }

    private static let program: String? = BuiltProgram.clawgrant

    /// The port that a process says it listens on.
    private static func port(in log: String) async throws -> Int {
        let found = Lock<Int?>(nil)
        try await waitUntil(deadline: .seconds(60), description: "\(log) to tell the port") {
            let text = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
            guard let line = text.split(separator: "\n").last(where: { $0.contains("the HTTP surface is served") }),
                let place = line.range(of: "port=")
            else { return false }
            found.withLock { $0 = Int(line[place.upperBound...].prefix(while: \.isNumber)) }
            return found.withLock { $0 } != nil
        }
        return try #require(found.withLock { $0 })
    }

    /// Tokens of approvals that are made now, by name.
    private func tokens(_ names: [String], _ playground: Playground) async throws -> [String: String] {
        try await playground.produce(
            names.map {
                try ApprovalDraft($0, .reconcile, in: playground).record(signedBy: playground.keys.eventSigner)
            })
        try await playground.waitUntilSettled(waiting: 0)
        let consumer = try KafkaConsumer(configuration: playground.clientConfiguration)
        let partitions = (0..<playground.options.outputPartitions).map {
            TopicPartition(topic: PlaygroundTopic.grants, partition: $0)
        }
        try await consumer.assign(Dictionary(uniqueKeysWithValues: partitions.map { ($0, KafkaOffset.beginning) }))
        var found: [String: String] = [:]
        var open = Set(partitions)
        while !open.isEmpty {
            let batch = try await consumer.nextBatch(
                maximumRecords: 1_000, maximumBytes: 1 << 24, linger: .zero, timeout: .seconds(5))
            for record in batch.records {
                let grant = try JSONReader.parse(try #require(record.value))
                guard let request = grant["request_id"]?.string, let jwe = grant["delivery"]?["jwe"]?.string else {
                    continue
                }
                found[String(request.dropFirst("req-".count))] =
                    try SealedToken.open(jwe, privateKey: playground.keys.job).token.exposed
            }
            open.subtract(batch.endsReached.keys)
        }
        await consumer.close(deadline: .seconds(2))
        return found
    }

    @Test("What ends a token ends it on both processes, and both tell the same story of it")
    func bothProcesses() async throws {
        try await playing { scene in
            let (client, playground) = (scene.client, scene.playground)
            let tokens = try await tokens(["a", "b", "c", "d", "e"], playground)
            let (a, b, c) = (try #require(tokens["a"]), try #require(tokens["b"]), try #require(tokens["c"]))
            let (d, e) = (try #require(tokens["d"]), try #require(tokens["e"]))
            for url in scene.surfaces {
                // A process that begins holds the ledger against the topics first.
                try await waitUntil(deadline: .seconds(60), description: "\(url) to call a token active") {
                    try await scene.isActive(url, a) == true
                }
                for token in [a, b, c, d, e] { #expect(try await scene.isActive(url, token) == true) }
                #expect(try await scene.ask(url, a + "A") == #"{"active":false}"#)
            }
            let members = try await Exchange.form(client, scene.surfaces[0] + "/introspect", "token=\(a)").json
            #expect(members["iss"]?.string == Self.issuer && members["job_id"]?.string == "job-a")

            // RFC 7009 at the process that only serves: it knows at once, the worker's within its bound.
            let revoked = try await Exchange.form(client, scene.surfaces[1] + "/revoke", "token=\(a)")
            #expect(revoked.status == 200 && revoked.body.isEmpty)
            #expect(try await scene.ask(scene.surfaces[1], a) == #"{"active":false}"#)
            try await scene.waitUntilInactive(a)
            for text in ["token=\(a)", "token=unknown", "token=\(b)A"] {
                #expect(try await Exchange.form(client, scene.surfaces[1] + "/revoke", text).status == 200)
            }
            #expect(
                try await playground.query("SELECT count(*)::text FROM clawgrant.control_event").string(0, 0) == "1")

            // The reference's, at the worker, by hash and with a reason.
            let hash = Digest(hashing: b).hex
            let body = #"{"token_hash":"\#(hash.uppercased())","reason":"job cancelled"}"#
            let first = try await Exchange.json(client, scene.surfaces[0] + "/v1/tokens/revoke", body)
            #expect(first.json["status"]?.string == "revoked" && first.json["token_hash"]?.string == hash)
            #expect(try await scene.isActive(scene.surfaces[0], b) == false)
            try await scene.waitUntilInactive(b)
            let again = try await Exchange.json(client, scene.surfaces[1] + "/v1/tokens/revoke", body)
            #expect(again.json["status"]?.string == "already_revoked")
            let known = try await Exchange.json(
                client, scene.surfaces[1] + "/v1/tokens/introspect", #"{"token":"\#(b)"}"#)
            #expect(known.json["active"] == false && known.json["revoked"] == true)

            // An approval that ends, a stop over the control topic.
            let end = try ApprovalDraft("c", .reconcile, in: playground).ended(at: .playgroundNow)
                .record(signedBy: playground.keys.eventSigner)
            try await playground.produce([end])
            try await scene.waitUntilInactive(c)
            #expect(try await scene.isActive(scene.surfaces[0], d) == true)
            try await playground.declare(
                .stop(.init(stopID: "stop-1", scope: StopScope(kind: .job, value: "job-d"), revokesLive: true)),
                id: "stop-1", by: [PlaygroundCast.ruth])
            try await scene.waitUntilInactive(d)
            for url in scene.surfaces { #expect(try await scene.isActive(url, e) == true) }
            try await story(scene, revoked: [a, b, c, d], live: e)
            try await documents(scene)
            try await unissued(scene)
            try await blind(scene, live: e, void: a)
        }
    }

    /// The stream in both directions and the status lists, from both processes.
    private func story(_ scene: Scene, revoked: [String], live: String) async throws {
        let hashes = Set(revoked.map { Digest(hashing: $0).hex })
        for url in scene.surfaces {
            try await waitUntil(deadline: .seconds(30), description: "the stream to hold four tokens") {
                var after: Int64 = -1
                var seen: [Int64] = []
                var found: Set<String> = []
                while true {
                    let page = try await Exchange.run(
                        scene.client, "GET", "\(url)/v1/revocations?after=\(after)&limit=2", bearer: TestCaller.token)
                    let events = page.json["events"]?.array ?? []
                    seen += events.compactMap { $0["sequence"]?.integer }
                    found.formUnion(events.compactMap { $0["record"]?["token_hash"]?.string })
                    after = try #require(page.json["next_after"]?.integer)
                    if page.json["is_complete"] == true { break }
                }
                #expect(seen == Array(0..<Int64(seen.count)))
                return found == hashes
            }
            let page = try await Exchange.run(
                scene.client, "GET", "\(url)/v1/revocations/stream?limit=200", bearer: TestCaller.token)
            let events = try #require(page.json["events"]?.array)
            #expect(Set(events.compactMap { $0["record"]?["token_hash"]?.string }) == hashes)
            #expect(page.json["list_complete"] == true)
        }
        let now = Timestamp.testNow
        let url = scene.surfaces[1]
        let aggregation = try await Exchange.run(scene.client, "GET", url + "/statuslists")
        let uris = aggregation.json["status_lists"]?.array?.compactMap(\.string) ?? []
        #expect(uris.count >= 2 && uris.allSatisfy { $0.hasPrefix(Self.issuer + "/statuslists/") })
        let logKeys = try JWKS.parse(
            Array(try await Exchange.run(scene.client, "GET", url + "/v1/keys/log").body.utf8))
        for (token, status) in revoked.map({ ($0, StatusList.Status.invalid) }) + [(live, .valid)] {
            let parsed = try CST.parse(token)
            let place = StatusPlace(token: Digest(hashing: token), expiry: parsed.unverifiedClaims.expires)
            let uri = StatusPlace.uri(base: Self.issuer + "/statuslists", list: place.list)
            try await waitUntil(deadline: .seconds(60), description: "the list to say \(status)") {
                let list = try await Exchange.run(scene.client, "GET", "\(url)/statuslists/\(place.list)")
                // None is signed while tokens are still revoked one by one.
                if list.status == 503 { return false }
                #expect(list.header("content-type") == StatusListToken.mediaType)
                #expect(list.header("access-control-allow-origin") == "*")
                #expect(list.header("cache-control")?.hasPrefix("public, max-age=") == true)
                let read = try StatusListToken(
                    verifying: list.body, uri: uri, keys: AcceptedKeys(signing: logKeys), now: now.adding(seconds: 1))
                return try read.list.status(at: place.index) == status
            }
        }
        let list = try await Exchange.run(scene.client, "GET", url + "/statuslists/\(now.seconds / 3_600)")
        let tag = try #require(list.header("etag"))
        let known = try await Exchange.run(
            scene.client, "GET", url + "/statuslists/\(now.seconds / 3_600)", headers: [("if-none-match", tag)])
        // A new version may have been made in between.
        #expect(known.status == 304 && known.body.isEmpty || known.header("etag") != tag)
        #expect(try await Exchange.run(scene.client, "GET", url + "/statuslists/1").status == 404)
        #expect(try await Exchange.run(scene.client, "GET", url + "/statuslists/x").status == 404)
        #expect(try await Exchange.run(scene.client, "GET", url + "/statuslists/1?time=5").status == 501)
    }

    /// Tokens that the ledger never issued: one made with the stolen key, by itself, and one of which only the hash is known.
    /// Both are revoked for whoever reads the streams, and so is one that introspection refuses for what others may not ask.
    private func unissued(_ scene: Scene) async throws {
        let (client, url) = (scene.client, scene.surfaces[0])
        let now = Timestamp.testNow
        let names: [(KeyPurpose, String)] = [(.token, "token"), (.receipt, "receipt"), (.envelope, "envelope")]
        let ring = try KeyRing.load(
            names.map {
                KeyConfiguration(purpose: $0, location: .file("\(scene.playground.directory)/keys/\($1).pem"))
            }, at: now)
        let claims = CSTClaims.jobToken(
            sub: AgentDID("did:key:z6MkAgentForged"), aud: ["clawproxy.com"], scope: ["proxy:call"], iat: now,
            exp: now.adding(seconds: 600), ownerRef: Digest(hashing: "nothing"), policyHash: nil,
            missionID: JobID("job-forged"), jti: TokenID("jti-forged"), nonce: "n")
        let forged = try CST.mint(claims, signer: ring.signer(for: .token, at: now))
        var endless = claims
        endless.expiresAt += 36_000
        endless.tokenScopeHash = HashText(ScopeHash.compute(endless))
        let lasting = try CST.mint(endless, signer: ring.signer(for: .token, at: now))
        let refused = try await Exchange.json(
            client, url + "/v1/tokens/introspect", #"{"token":"\#(lasting.token.exposed)"}"#)
        #expect(refused.status == 401 && refused.json["error"]?.string == "TOKEN_LIFETIME_TOO_LONG")
        #expect(try await Exchange.form(client, url + "/revoke", "token=\(lasting.token.exposed)").status == 200)
        let unknown = Digest(hashing: "a token that nobody has seen")
        #expect(try await Exchange.form(client, url + "/revoke", "token=\(forged.token.exposed)").status == 200)
        let answer = try await Exchange.json(client, url + "/v1/tokens/revoke", #"{"token_hash":"\#(unknown.hex)"}"#)
        let told = try #require(answer.json["event_key"]?.string)
        #expect(answer.json["status"] == "revoked" && told.hasSuffix(":\(unknown.hex)"))
        let again = try await Exchange.json(client, url + "/v1/tokens/revoke", #"{"token_hash":"\#(unknown.hex)"}"#)
        #expect(again.json["status"] == "already_revoked" && again.json["event_key"] == nil)
        for hash in [forged.hash.digest, lasting.hash.digest, unknown] {
            try await waitUntil(deadline: .seconds(30), description: "the streams to hold \(hash.hex)") {
                let page = try await Exchange.run(
                    client, "GET", "\(url)/v1/revocations/stream?limit=200", bearer: TestCaller.token)
                let dense = try await Exchange.run(
                    client, "GET", "\(url)/v1/revocations?limit=500", bearer: TestCaller.token)
                let events = page.json["events"]?.array ?? []
                let isDense = dense.json["events"]?.array?.contains { $0["record"]?["token_hash"]?.string == hash.hex }
                guard let event = events.first(where: { $0["record"]?["token_hash"]?.string == hash.hex }),
                    isDense == true
                else { return false }
                // Who revoked is who asked, and the key is the one that was answered.
                #expect(event["record"]?["revoked_by"]?.string == "http:gateway")
                if hash == unknown { #expect(event["key"]?.string == told) }
                return true
            }
        }
    }

    /// The public documents: what a verifier reads, read as a verifier does.
    private func documents(_ scene: Scene) async throws {
        for url in scene.surfaces {
            func get(_ path: String, _ headers: [(String, String)] = []) async throws -> Exchange {
                try await Exchange.run(scene.client, "GET", url + path, headers: headers)
            }
            let jwks = try await get("/v1/jwks")
            #expect(jwks.header("cache-control") == "public, max-age=300")
            let contract = try await get("/v1/keys/rotation-contract")
            let keys = try AcceptedKeys(jwks: Array(jwks.body.utf8), rotationContract: Array(contract.body.utf8))
            #expect(keys.active != nil)
            #expect(try await get("/.well-known/jwks.json").body == jwks.body)
            let tag = try #require(jwks.header("etag"))
            #expect(try await get("/v1/jwks", [("if-none-match", "\"x\", W/\(tag)")]).status == 304)
            let snapshot = try await get("/v1/keys/transparency/latest")
            let read = try KeyTransparencySnapshot.verify(snapshot.json, keys: keys.entries.map(\.key))
            #expect(read.roster.activeKid == keys.active?.kid)
            #expect(try await get("/v1/keys/transparency/latest").body == snapshot.body)
            let did = try await get("/v1/did")
            #expect(did.json["kid"]?.string == keys.active?.kid.rawValue)
            let metadata = try await get("/.well-known/oauth-authorization-server")
            #expect(metadata.json["issuer"]?.string == Self.issuer)
            // Every address of the metadata is served.
            for member in metadata.json.object?.members ?? [] {
                guard let address = member.value.string, address.hasPrefix(Self.issuer + "/") else { continue }
                let answer = try await get(String(address.dropFirst(Self.issuer.count)))
                #expect([200, 401, 405].contains(answer.status), "\(member.key): \(answer.status)")
            }
            #expect(try await get("/.well-known/ssf-configuration").status == 404)
        }
    }

    /// Without a database nobody is told that a token is active.
    private func blind(_ scene: Scene, live: String, void: String) async throws {
        try await scene.playground.postgres.stop(.immediate)
        for url in scene.surfaces {
            try await waitUntil(deadline: .seconds(30), description: "\(url) to be too old to say") {
                try await Exchange.form(scene.client, url + "/introspect", "token=\(live)").status == 503
            }
            #expect(try await scene.ask(url, void) == #"{"active":false}"#)
            #expect(try await Exchange.form(scene.client, url + "/revoke", "token=\(live)").status == 503)
        }
        try await scene.playground.postgres.start()
        for url in scene.surfaces {
            try await waitUntil(deadline: .seconds(60), description: "\(url) to see again") {
                try await scene.isActive(url, live) == true
            }
            #expect(try await scene.ask(url, void) == #"{"active":false}"#)
        }
    }
}
