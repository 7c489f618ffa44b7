import ApprovalSources
import BrokerTokens
import ClawWire
import Console
import FuzzTargets
import GrantLedger
import GrantWorker
import GraphConfirmation
import IssuanceRules
import Kafka
import Observability
import SecuritySinks
import WebhookBridge

extension FuzzTarget {
    /// Files of operators, bodies of vendors and what a vendor's API answers.
    static let services = [
        FuzzTarget("configuration") { bytes throws(FuzzFinding) in
            let text = String(decoding: bytes, as: UTF8.self)
            do throws(ConfigurationFileError) {
                _ = try ConfigurationFile(yaml: text, path: "/etc/clawgrant/worker.yaml", environment: [:])
            } catch {
                try require(!error.problems.isEmpty, "a file is refused without a fault")
            }
        },
        FuzzTarget("webhook") { bytes throws(FuzzFinding) in
            guard let first = bytes.first else { return }
            let kinds: [SourceConfiguration.Kind] = [
                .serviceNow, .jsm, .gitHub, .pagerDuty, .opsgenie, .slack, .entitlementManagement,
            ]
            let kind = kinds[Int(first) % kinds.count]
            let record = SourceRecord(lines: Array(bytes.dropFirst()))
            let configuration = SourceConfiguration.fuzz(kind)
            guard
                case .facts(let facts, _) = AnySource.facts(from: record, configuration: configuration, at: Fixed.now),
                let events = BridgeReaders.events(of: facts, kind: kind, at: Fixed.now)
            else { return }
            var native = SourceConfiguration(name: SourceName("fuzz"), kind: .native, authenticity: .topic)
            native.trustedStopSources = ["https://bridge.harborline.example/fuzz"]
            for event in events {
                let written = event.record(.structured, topic: "fuzz")
                guard case .facts(let read, _) = AnySource.facts(from: written, configuration: native, at: Fixed.now)
                else { return try require(false, "what the bridge writes is a dead letter to the worker") }
                for fact in read {
                    if case .rejected(let why) = fact.content {
                        try require(false, "what the bridge writes is rejected by the worker: \(why)")
                    }
                }
            }
            try require(
                Set(events.map(\.id)).count == events.count, "two events of one body have the same identifier")
        },
        FuzzTarget("graph-answer") { bytes throws(FuzzFinding) in
            guard let document = try? JSONReader.parse(bytes) else { return }
            let approval = ApprovalID(
                "entra-pim/11111111-2222-3333-4444-555555555555/5b0c3f8e-1111-4222-8333-444455556666")
            guard let target = GraphTarget(approval, entitlement: .entraRole) else { return }
            let answer = GraphAnswer(
                target, document: document, requestIDs: [], askedAt: Fixed.now, answeredAt: Fixed.now)
            let claim = UnconfirmedClaim(
                approvalID: approval, source: SourceName("fuzz"), subjects: [PersonID("nobody@harborline.example")],
                entitlements: [], approvers: [PersonID("nobody.either@harborline.example")], isApproved: true,
                hasStarted: true, isConfirmed: false)
            let verdict = Confirmation.judge(
                answer, against: claim, tenants: ["11111111-2222-3333-4444-555555555555"], isSettled: true)
            if case .confirmed(let facts) = verdict, let person = facts.first?.subject?.id {
                try require(claim.subjects.contains(person), "an answer about another person confirms")
            }
        },
        FuzzTarget("outside-text") { bytes throws(FuzzFinding) in
            let text = OutsideText(String(decoding: bytes, as: UTF8.self)).description
            try require(text.unicodeScalars.count <= 257 * 12, "a text of \(text.unicodeScalars.count) characters")
            try require(
                !text.unicodeScalars.contains {
                    $0.value < 0x20 || (0x7F..<0xA0).contains($0.value) || (0x2028...0x202E).contains($0.value)
                }, "a log line is broken or turned around")
            try require(OutsideText(text, atMost: .max).description == text, "a text that is fit is changed")
        },
        FuzzTarget("broker-token") { bytes throws(FuzzFinding) in
            guard let token = BrokerTokenReaders.token(printed: bytes) else { return }
            try require(token.expiresAt > 0, "a token expires before it was made")
            try require(!"\(token)".contains(token.value.reveal()), "a token prints itself")
        },
        FuzzTarget("effect-group") { bytes throws(FuzzFinding) in
            guard let effects = LedgerReaders.effects(bytes) else { return }
            try require(effects.count <= bytes.count, "more effects than bytes")
            try require(LedgerReaders.effects(LedgerReaders.body(effects)) == effects, "a group changes when stored")
        },
        FuzzTarget("collector-answer") { bytes throws(FuzzFinding) in
            for status in [200, 400, 429, 503] { _ = SinkReaders.refusedEvent(status: status, body: bytes) }
        },
        FuzzTarget("console-session") { bytes throws(FuzzFinding) in
            let text = String(decoding: bytes, as: UTF8.self)
            let now = Fixed.now.seconds
            try require(ConsoleReaders.name(inCookie: text, at: now) == nil, "a session is taken that was not begun")
            let cookie = ConsoleReaders.cookie(name: text, at: now)
            guard cookie.utf8.count <= 2_048 else { return }
            // A name that JSON cannot carry is in no configuration.
            guard !text.unicodeScalars.contains(where: { (0x10F000...0x10F7FF).contains($0.value) }) else { return }
            try require(
                ConsoleReaders.name(inCookie: cookie, at: now).map { ExactText.equal($0, text) } == true,
                "a session of ours is refused")
            try require(ConsoleReaders.name(inCookie: cookie, at: now + 601) == nil, "a session does not end")
            try require(ConsoleReaders.name(inCookie: cookie + "A", at: now) == nil, "a changed cookie is taken")
        },
        FuzzTarget("kafka-statistics") { bytes throws(FuzzFinding) in
            guard let statistics = KafkaStatistics(document: bytes) else { return }
            try require(
                statistics.partitions.count + statistics.brokers.count <= bytes.count, "more figures than bytes")
        },
    ]
}
