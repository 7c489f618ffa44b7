import ApprovalSources
import ClawWire
import Crypto
import HTTPService
import IssuanceRules
import Kafka
import Playground
import Primitives
import SecureFront
import Testing

@testable import WebhookBridge

/// Vendors' own webhooks under their own signatures, and what a worker understands of what becomes of them.
@Suite struct VendorWebhookTests {
    typealias Post = VendorPost

    struct Setting {
        let vendor: VendorPost
        let writer = FakeWriter()
        let keeper = LogKeeper()
        let handling: WebhookHandling

        init(_ vendor: VendorPost) throws {
            self.vendor = vendor
            var configuration = try Webhook.configuration([])
            configuration.sources = [
                WebhookSource(
                    name: vendor.rawValue, path: "/hook", topic: "topic", verifier: try vendor.verifier(),
                    deliveryHeader: vendor == .gitHub ? "x-github-delivery" : nil,
                    output: .native(vendor.configuration, eventSource: "/bridge/itsm"))
            ]
            handling = WebhookHandling(configuration, writer: writer, logger: keeper.logger) { Webhook.now }
        }

        var written: [ProducerRecord] { writer.records.withLock { $0 } }

        func post(_ record: ProducerRecord, secret: String = Webhook.secretText) async -> HTTPServiceResponse {
            await post(record.value ?? [], vendor.headers(of: record), secret: secret)
        }

        func post(
            _ body: [UInt8], _ headers: [HTTPServiceField] = [], secret: String = Webhook.secretText
        ) async -> HTTPServiceResponse {
            await handling.answer(
                HTTPServiceRequest(
                    method: "POST", path: "/hook", fields: headers + vendor.proof(body, secret), body: body))
        }

        /// The facts of everything that was written, as a worker reads it under the bridge's signature.
        func understood() throws -> [Fact] {
            try written.flatMap { record in
                guard case .facts(let facts, .signed) = Webhook.understood(record) else { throw Webhook.Failure() }
                return facts
            }
        }

        /// The facts of a record that reaches the worker by a topic of its own.
        func direct(_ record: ProducerRecord) throws -> [Fact] {
            let reading = AnySource.facts(
                from: SourceRecord(
                    topic: record.topic, headers: record.headers.map { SourceRecord.Header($0.name, $0.value) },
                    value: record.value, timestamp: Webhook.now),
                configuration: vendor.configuration, at: Webhook.now)
            guard case .facts(let facts, _) = reading else { throw Webhook.Failure() }
            return facts
        }
    }

    // MARK: Signatures

    @Test(arguments: Post.allCases)
    func onlyTheVendorsSecretsInForceCount(_ vendor: Post) async throws {
        let setting = try Setting(vendor)
        let record = vendor.sample
        for secret in [Webhook.secretText + "-gone", Webhook.secretText + "-later", "some other secret"] {
            #expect(await setting.post(record, secret: secret).status == 401)
        }
        let body = try #require(record.value)
        let altered = HTTPServiceRequest(
            method: "POST", path: "/hook",
            fields: vendor.headers(of: record) + vendor.proof(body, Webhook.secretText), body: body + [0x20])
        #expect(await setting.handling.answer(altered).status == 401)
        #expect(setting.written.isEmpty)
        let good = vendor == .slack ? 200 : 202
        #expect(await setting.post(record).status == good)
        var again = record
        again.headers = again.headers.map { header in
            header.name == "X-GitHub-Delivery" ? KafkaHeader(name: header.name, value: Array("d-2".utf8)) : header
        }
        #expect(await setting.post(again, secret: Webhook.secretText + "-next").status == good)
        #expect(setting.written.count == (vendor == .slack ? 0 : 2))
    }

    // MARK: Decisions

    @Test(arguments: [Post.gitHub, .jsm, .serviceNow])
    func anApprovalIsAssessedAsIfItHadBeenReadDirectly(_ vendor: Post) async throws {
        let setting = try Setting(vendor)
        #expect(await setting.post(vendor.sample).status == 202)
        let bridged = try setting.understood()
        let direct = try setting.direct(vendor.sample)
        #expect(bridged.contains { $0.kind == "decision.approved" })
        let one = try #require(assess(bridged))
        let other = try #require(assess(direct))
        #expect(one == other)
        #expect(one.why == "approved_by_other_human_and_active")
        #expect(one.approvers.count == (vendor == .gitHub ? 1 : 2))
        #expect(Set(bridged.map(\.entitlement)) == Set(direct.map(\.entitlement)))
        #expect(Set(bridged.map(\.requester?.id)) == Set(direct.map(\.requester?.id)))
        for kind in ["decision.approved", "grant.started"] {
            #expect(
                Set(bridged.filter { $0.kind == kind }.map(\.occurredAt))
                    == Set(direct.filter { $0.kind == kind }.map(\.occurredAt)))
        }
    }

    private func assess(_ facts: [Fact]) -> ApprovalAssessment? {
        guard let id = facts.compactMap(\.approvalID).first else { return nil }
        var state = ApprovalState(approvalID: id)
        for fact in facts { state.apply(fact, from: SourceName("vendor"), authenticity: .topic) }
        return state.assess(at: Webhook.now, entitlements: Post.entitlements)
    }

    @Test func aReviewStaysBoundToItsRunAndItsCommit() async throws {
        let setting = try Setting(.gitHub)
        #expect(await setting.post(Post.gitHub.sample).status == 202)
        let event = try JSONReader.parse(try #require(setting.written.first?.value))
        #expect(event["id"]?.string == "101-1-approved")
        #expect(
            event["data"]?["approval_id"]?.string == "github/northquay/ledger-api/run/101/1/environment/production")
        #expect(event["data"]?["entitlement"]?["scope"]?.string == "5275a45b7e99c7fd7265b790392c10a74101a67a")
        #expect(event["data"]?["evidence"]?["delivery_id"]?.string == "101-1-approved")
        #expect(event["data"]?["evidence"]?["kind"]?.string == "github")
        // The same delivery again is known, and the same event where it is not.
        #expect(await setting.post(Post.gitHub.sample).status == 200)
        #expect(setting.written.count == 1)
    }

    @Test(arguments: [
        (Post.gitHub, DeploymentDraft(7, at: Post.past).review("rejected", by: PlaygroundCast.ruth), "decision.denied"),
        (
            .jsm, IssueDraft("OPS-7", at: Post.past).answered("declined", by: PlaygroundCast.milan).record(),
            "decision.denied"
        ),
        (.jsm, IssueDraft("OPS-7", at: Post.past).record(isDeleted: true), "grant.ended"),
        (
            .serviceNow, ChangeDraft("CHG7", at: Post.past).answered("rejected", by: PlaygroundCast.ruth).record,
            "decision.denied"
        ),
        (.serviceNow, ChangeDraft("CHG7", at: Post.past).canceled().record, "grant.ended"),
    ])
    func aNoAndAnEndSurvive(_ vendor: Post, _ record: ProducerRecord, _ kind: String) async throws {
        let setting = try Setting(vendor)
        #expect(await setting.post(record).status == 202)
        #expect(try setting.understood().map(\.kind) == [kind])
        #expect(try setting.understood().map(\.content) == setting.direct(record).map(\.content))
        #expect(try setting.understood().map(\.approvalID) == setting.direct(record).map(\.approvalID))
    }

    @Test(arguments: [
        (Post.gitHub, DeploymentDraft(7, at: Post.past).question()),
        (.gitHub, DeploymentDraft(7, at: Post.past).review("considered", by: PlaygroundCast.ruth)),
        (.jsm, IssueDraft("OPS-7", at: Post.past).record()), (.serviceNow, ChangeDraft("CHG7", at: Post.past).record),
        (.pagerDuty, VendorDraft.pagerDuty("Q1", "incident.resolved", at: Post.past)),
        (.pagerDuty, VendorDraft.pagerDuty("Q1", service: "POTHER", at: Post.past)),
        (.opsgenie, VendorDraft.opsgenie("a-1", "Close", tags: ["claw-stop"], at: Post.past)),
        (.opsgenie, VendorDraft.opsgenie("a-1", tags: ["oncall"], at: Post.past)),
        (.slack, VendorDraft.slack(ApprovalID("a-1"), at: Post.past)),
    ])
    func whatDecidesNothingWritesNothing(_ vendor: Post, _ record: ProducerRecord) async throws {
        let setting = try Setting(vendor)
        let answer = await setting.post(record)
        #expect(answer.status == 200)
        #expect(answer.body == Array("ignored\n".utf8))
        #expect(setting.written.isEmpty)
    }

    // MARK: Stops

    @Test func anIncidentIsAStopOfTheBridges() async throws {
        let setting = try Setting(.pagerDuty)
        #expect(await setting.post(Post.pagerDuty.sample).status == 202)
        #expect(setting.written.first?.key == Array("job_class:ledger_reconcile".utf8))
        let stop = try #require(try setting.understood().first?.stop)
        #expect(stop.stopID == "pagerduty/Q1")
        #expect(stop.scope == StopScope(kind: .jobClass, value: "ledger_reconcile"))
        #expect(stop.revokesLive)
        #expect(stop.incident == "Q1")
        #expect(stop.declaredBy.first?.id == PlaygroundCast.paloma.id)
        // What the event is signed for is the bridge's word: a worker that does not list it obeys nothing.
        var untrusting = SourceConfiguration(name: SourceName("b"), kind: .native, authenticity: .signed)
        untrusting.signers = [.init(publicKey: Webhook.signer.publicKey, mayStop: false)]
        untrusting.trustedStopSources = ["/bridge/itsm"]
        let record = try #require(setting.written.first)
        let reading = AnySource.facts(
            from: SourceRecord(
                topic: "t", headers: record.headers.map { SourceRecord.Header($0.name, $0.value) }, value: record.value,
                timestamp: Webhook.now), configuration: untrusting, at: Webhook.now)
        guard case .deadLetter(let fault) = reading else {
            Issue.record("\(reading)")
            return
        }
        #expect(fault.reason == .signerNotAllowed)
    }

    @Test func anAlertIsAStopOfEachOfItsScopes() async throws {
        let setting = try Setting(.opsgenie)
        let alert = VendorDraft.opsgenie(
            "a-1", tags: ["claw-stop", "job_class:a", "job_class:b"], at: Post.past)
        #expect(await setting.post(alert).status == 202)
        let stops = try setting.understood().compactMap(\.stop)
        #expect(stops.map(\.scope.text) == ["job_class:a", "job_class:b"])
        #expect(Set(stops.map(\.stopID)).count == 2)
        #expect(Set(try setting.understood().map(\.sourceEventID)).count == 2)
    }

    // MARK: Chats and tokens

    @Test func aButtonInAChatIsAForm() async throws {
        let setting = try Setting(.slack)
        let text = String(decoding: try #require(Post.slack.sample.value), as: UTF8.self)
        let form = "payload=" + text.utf8.map { "%" + Hex.encode([$0]) }.joined()
        let answer = await setting.post(
            Array(form.utf8), [HTTPServiceField("content-type", "application/x-www-form-urlencoded")])
        #expect(answer.status == 200)
        #expect(await setting.post(Array("payload=%7".utf8)).status == 422)
        #expect(setting.written.isEmpty)
        let body = Array(form.utf8)
        let old = Post.slack.proof(body, Webhook.secretText, at: Webhook.now.adding(seconds: -301))
        let stale = HTTPServiceRequest(method: "POST", path: "/hook", fields: old, body: body)
        #expect(await setting.handling.answer(stale).status == 401)
    }

    @Test func aSecurityEventTokenHasNoNativeForm() async throws {
        let keys: JSONValue = [
            "keys": [
                [
                    "kty": "OKP", "crv": "Ed25519", "kid": .string(Webhook.signer.publicKey.kid.rawValue),
                    "x": .string(Base64URL.encode(Webhook.signer.publicKey.bytes)),
                ]
            ]
        ]
        var tokens = SourceConfiguration(name: SourceName("ssf"), kind: .sharedSignals, authenticity: .signed)
        tokens.vendor.transmitter = VendorRule.Transmitter(
            issuer: PlaygroundVendor.transmitter, audience: [PlaygroundVendor.audience], keys: [])
        var configuration = try Webhook.configuration([])
        configuration.sources = [
            WebhookSource(
                name: "ssf", path: "/hook", topic: "topic",
                verifier: HeaderSignatureVerifier(
                    jwsIn: nil, keys: [try HeaderKeySet(name: "idp", jwks: JSONWriter.bytes(keys))]),
                deliveryHeader: nil, output: .native(tokens, eventSource: "/bridge/itsm"))
        ]
        let writer = FakeWriter()
        let keeper = LogKeeper()
        let handling = WebhookHandling(configuration, writer: writer, logger: keeper.logger) { Webhook.now }
        func post(_ event: String, _ signer: any Ed25519Signer) async throws -> HTTPServiceResponse {
            let record = try VendorDraft.securityEvent(
                "set-1", event, about: PlaygroundCast.ines, signedBy: signer, at: Post.past)
            return await handling.answer(
                HTTPServiceRequest(
                    method: "POST", path: "/hook",
                    fields: [HTTPServiceField("content-type", "application/secevent+jwt")], body: record.value ?? []))
        }
        let revoked = try await post("caep/event-type/session-revoked", Webhook.signer)
        #expect(revoked.status == 422)
        #expect(revoked.body == Array("no_native_form\n".utf8))
        #expect(try await post("ssf/event-type/verification", Webhook.signer).status == 202)
        let stranger = try #require(SeedSigner(seed: [UInt8](repeating: 8, count: 32)))
        #expect(try await post("ssf/event-type/verification", stranger).status == 401)
        #expect(writer.records.withLock { $0 }.isEmpty)
    }

    // MARK: Refused

    @Test func whatCannotBeReadIsRefusedWithAReason() async throws {
        let setting = try Setting(.gitHub)
        let body = try #require(Post.gitHub.sample.value)
        let nameless = await setting.post(body, [HTTPServiceField("x-github-delivery", "d-9")])
        #expect(nameless.status == 422)
        #expect(nameless.body == Array("missing_member\n".utf8))
        let foreign = Array(String(decoding: body, as: UTF8.self).replacing("northquay", with: "elsewhere").utf8)
        let refused = await setting.post(foreign, Post.gitHub.headers(of: Post.gitHub.sample))
        #expect(refused.status == 422)
        #expect(refused.body == Array("rejected\n".utf8))
        #expect(setting.keeper.lines.contains { $0.contains("unknown_tenant") })
        #expect(setting.written.isEmpty)
    }
}

extension Fact {
    fileprivate var stop: StopDeclaration? { if case .stopDeclared(let stop) = content { stop } else { nil } }
}
