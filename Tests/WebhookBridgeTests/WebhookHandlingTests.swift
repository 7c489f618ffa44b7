import ApprovalSources
import ClawWire
import HTTPService
import IssuanceRules
import Kafka
import Primitives
import SecureFront
import Testing

@testable import WebhookBridge

@Suite struct WebhookHandlingTests {
    struct Setting {
        let writer: FakeWriter
        let keeper = LogKeeper()
        let handling: WebhookHandling

        init(
            maximumRequests: Int = 64, gate: @escaping @Sendable () async -> Void = {},
            outputs: [(path: String, output: WebhookSource.Output)] = [
                ("/native", .native(Webhook.native(), eventSource: "/bridge/itsm")),
                ("/raw", .raw(headers: ["x-github-event"])),
            ]
        ) throws {
            writer = FakeWriter(gate: gate)
            var configuration = try Webhook.configuration(outputs)
            configuration.maximumRequests = maximumRequests
            handling = WebhookHandling(configuration, writer: writer, logger: keeper.logger) { Webhook.now }
        }

        var written: [ProducerRecord] { writer.records.withLock { $0 } }
    }

    // MARK: What is written

    @Test func aProvenDecisionIsWrittenAsASignedEvent() async throws {
        let setting = try Setting()
        let body = try Webhook.decision("1")
        let answer = await setting.handling.answer(Webhook.request("/native", body))
        #expect(answer.status == 202)
        let record = try #require(setting.written.first)
        #expect(setting.written.count == 1)
        #expect(record.topic == "topic")
        #expect(record.key == Array("chg-1".utf8))
        guard case .facts(let facts, let evidence) = Webhook.understood(record) else {
            Issue.record("a worker would refuse it: \(Webhook.understood(record))")
            return
        }
        #expect(evidence == .signed(by: Webhook.signer.publicKey, form: .event))
        #expect(facts.map(\.kind) == ["decision.approved", "grant.started"])
        let value = try JSONReader.parse(try #require(record.value))
        #expect(value["data"]?["evidence"]?["body_sha256"]?.string == Digest(hashing: body).hex)
        #expect(value["data"]?["evidence"]?["delivery_id"]?.string == "d-1")
        #expect(value["source"]?.string == "/bridge/itsm")
    }

    @Test func aRawRecordKeepsTheBodyAndWhatProvesIt() async throws {
        let setting = try Setting()
        let body = try Webhook.decision("1")
        let request = Webhook.request(
            "/raw", body,
            more: [
                HTTPServiceField("X-GitHub-Event", "deployment_review"), HTTPServiceField("Authorization", "planted"),
                HTTPServiceField("Cookie", "planted"), HTTPServiceField("X-Forwarded-For", "198.51.100.1"),
            ])
        #expect(await setting.handling.answer(request).status == 202)
        let record = try #require(setting.written.first)
        #expect(record.value == body)
        #expect(record.key == Array("d-1".utf8))
        let headers = Dictionary(
            uniqueKeysWithValues: record.headers.map { ($0.name, String(decoding: $0.value ?? [], as: UTF8.self)) })
        #expect(
            Set(headers.keys) == [
                "content-type", "x-hub-signature-256", "x-github-delivery", "x-github-event", "claw_bridge_source",
                "claw_bridge_received_at", "claw_bridge_body_sha256", "claw_bridge_header_key",
            ])
        #expect(headers["claw_bridge_body_sha256"] == Digest(hashing: body).hex)
        #expect(headers["claw_bridge_header_key"] == "one")
        // A worker verifies the vendor's signature again.
        var configuration = Webhook.native()
        configuration.headerSignature = try Webhook.verifier()
        let reading = AnySource.facts(
            from: SourceRecord(
                topic: "topic", headers: record.headers.map { SourceRecord.Header($0.name, $0.value) },
                value: record.value, timestamp: Webhook.now), configuration: configuration, at: Webhook.now)
        guard case .facts(_, .headerSigned(let key)) = reading else {
            Issue.record("\(reading)")
            return
        }
        #expect(key == KeyID("header:one"))
    }

    @Test func aStopGoesThrough() async throws {
        let setting = try Setting()
        let stop = StopDeclaration(
            stopID: "inc-1", scope: .everything, revokesLive: true, reason: nil, incident: nil, declaredBy: nil)
        let event = CloudEvent(
            id: "s-1", source: "/soc", type: EventType.stopDeclared, time: Webhook.now,
            data: .json(NativeStop.json(stop)))
        let body = try #require(event.message(.structured).value)
        #expect(await setting.handling.answer(Webhook.request("/native", body)).status == 202)
        guard case .facts(let facts, _) = Webhook.understood(try #require(setting.written.first)) else {
            Issue.record("refused")
            return
        }
        #expect(facts.map(\.kind) == ["stop.declared"])
    }

    // MARK: Who is let in

    @Test func nothingIsToldToWhoeverCannotSign() async throws {
        let setting = try Setting()
        let body = try Webhook.decision("1")
        let good = Webhook.request("/native", body)
        let answers = [
            await setting.handling.answer(Webhook.request("/native", body, secret: "some other secret")),
            await setting.handling.answer(
                HTTPServiceRequest(method: "POST", path: "/native", fields: good.fields, body: body + [0x20])),
            await setting.handling.answer(HTTPServiceRequest(method: "POST", path: "/native", fields: [], body: body)),
            await setting.handling.answer(
                HTTPServiceRequest(method: "POST", path: "/native", fields: good.fields + good.fields, body: body)),
        ]
        #expect(Set(answers).count == 1)
        #expect(answers.first?.status == 401)
        #expect(answers.first?.body == Array("refused\n".utf8))
        #expect(setting.written.isEmpty)
        // Whoever runs it learns which check failed.
        for code in ["signature_invalid", "unsigned", "malformed_signature"] {
            #expect(setting.keeper.lines.contains { $0.contains("code=\(code)") })
        }
    }

    @Test func otherPathsAndMethodsLeadNowhere() async throws {
        let setting = try Setting()
        let body = try Webhook.decision("1")
        #expect(await setting.handling.answer(Webhook.request("/other", body)).status == 404)
        #expect(await setting.handling.answer(Webhook.request("/native/", body)).status == 404)
        let get = await setting.handling.answer(HTTPServiceRequest(method: "GET", path: "/native"))
        #expect(get.status == 405)
        #expect(get.fields.contains(HTTPServiceField("allow", "POST")))
        #expect(await setting.handling.answer(HTTPServiceRequest(method: "GET", path: "/healthz")).status == 200)
        #expect(setting.written.isEmpty)
    }

    // MARK: What is refused

    @Test func bodiesThatCannotBeUnderstoodAreRefusedWithACode() async throws {
        let setting = try Setting()
        for (body, code) in [
            ("not json", "not_json"), ("[]", "not_a_cloud_event"),
            (#"{"specversion":"1.0","id":"1","source":"/x","type":"unknown"}"#, "unsupported_type"),
        ] {
            let answer = await setting.handling.answer(Webhook.request("/native", Array(body.utf8)))
            #expect(answer.status == 422)
            #expect(answer.body == Array("\(code)\n".utf8))
        }
        var untrusted = Webhook.native()
        untrusted.trustedSources = ["/another"]
        let other = try Setting(outputs: [("/native", .native(untrusted, eventSource: "/bridge/itsm"))])
        let answer = await other.handling.answer(Webhook.request("/native", try Webhook.decision("1")))
        #expect(answer.status == 422)
        #expect(answer.body == Array("rejected\n".utf8))
        #expect(other.keeper.lines.contains { $0.contains("untrusted_source") })
        #expect(setting.written.isEmpty && other.written.isEmpty)
    }

    // MARK: Repeats and pressure

    @Test func aRepeatIsAnsweredAndNotWritten() async throws {
        let setting = try Setting()
        let body = try Webhook.decision("1")
        #expect(await setting.handling.answer(Webhook.request("/native", body)).status == 202)
        #expect(await setting.handling.answer(Webhook.request("/native", body)).status == 200)
        // The identifier is not signed: another body under it is another delivery.
        #expect(await setting.handling.answer(Webhook.request("/native", try Webhook.decision("2"))).status == 202)
        #expect(await setting.handling.answer(Webhook.request("/native", body, delivery: nil)).status == 202)
        #expect(setting.written.count == 3)
    }

    @Test func aBrokerThatDoesNotTakeItIsAnsweredWithComeAgain() async throws {
        let setting = try Setting()
        setting.writer.failure.withLock {
            $0 = KafkaError(code: .messageTimedOut, kind: .retriable, operation: .produce, detail: "no broker")
        }
        let request = Webhook.request("/native", try Webhook.decision("1"))
        let answer = await setting.handling.answer(request)
        #expect(answer.status == 503)
        #expect(answer.fields.contains(HTTPServiceField("retry-after", "5")))
        setting.writer.failure.withLock { $0 = nil }
        // It was not remembered as done.
        #expect(await setting.handling.answer(request).status == 202)
        setting.writer.failure.withLock {
            $0 = KafkaError(code: .messageTooLarge, kind: .permanent, operation: .produce, detail: "too large")
        }
        #expect(await setting.handling.answer(Webhook.request("/native", try Webhook.decision("2"))).status == 413)
    }

    @Test func tooManyAtOnceAreAskedToComeAgain() async throws {
        let (gate, release) = AsyncStream<Void>.makeStream()
        let (entered, arrived) = AsyncStream<Void>.makeStream()
        let setting = try Setting(maximumRequests: 1) {
            arrived.yield()
            for await _ in gate {}
        }
        let first = Webhook.request("/native", try Webhook.decision("1"))
        let handling = setting.handling
        let running = Task { await handling.answer(first) }
        var iterator = entered.makeAsyncIterator()
        _ = await iterator.next()
        let second = Webhook.request("/native", try Webhook.decision("2"), delivery: "d-2")
        let answer = await setting.handling.answer(second)
        #expect(answer.status == 429)
        #expect(answer.fields.contains(HTTPServiceField("retry-after", "1")))
        release.finish()
        #expect(await running.value.status == 202)
        #expect(await setting.handling.answer(second).status == 202)
    }

    @Test func noSecretAndNoBodyIsEverLogged() async throws {
        let setting = try Setting()
        let planted = [
            HTTPServiceField("Authorization", "Bearer planted-token"), HTTPServiceField("Cookie", "planted"),
        ]
        let body = Array(#"{"planted":"planted-body"}"#.utf8)
        for path in ["/native", "/raw", "/planted"] {
            for secret in [Webhook.secretText, "planted-wrong-secret"] {
                for delivery in ["planted-delivery", nil] {
                    _ = await setting.handling.answer(
                        Webhook.request(path, body, delivery: delivery, secret: secret, more: planted))
                }
            }
        }
        setting.writer.failure.withLock {
            $0 = KafkaError(code: .transport, kind: .retriable, operation: .produce, detail: "gone")
        }
        _ = await setting.handling.answer(Webhook.request("/native", try Webhook.decision("9"), more: planted))
        #expect(!setting.keeper.lines.isEmpty)
        #expect(!setting.keeper.lines.contains { $0.contains("planted") }, "\(setting.keeper.lines)")
    }

    @Test func aBridgeThatContradictsItselfIsNotMade() throws {
        var configuration = try Webhook.configuration([("/a", .native(Webhook.native(), eventSource: "/b"))])
        configuration.signer = nil
        #expect(throws: BridgeError.self) {
            try WebhookBridge(configuration: configuration, logger: LogKeeper().logger) { Webhook.now }
        }
        let twice = try Webhook.configuration([("/a", .raw(headers: [])), ("/a", .raw(headers: []))])
        #expect(throws: BridgeError.self) {
            try WebhookBridge(configuration: twice, logger: LogKeeper().logger) { Webhook.now }
        }
    }
}
