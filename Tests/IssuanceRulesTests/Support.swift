import ClawWire
import TestSupport

@testable import IssuanceRules

extension SeededGenerator {
    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }

    mutating func pick<Element>(_ choices: [Element]) -> Element {
        choices[Int.random(in: 0..<choices.count, using: &self)]
    }

    mutating func subset<Element>(_ choices: [Element]) -> [Element] { choices.filter { _ in chance(50) } }
}

func time(_ text: String) -> Timestamp { Timestamp(rfc3339: text) ?? Timestamp(seconds: 0) }

enum Sample {
    static let now = time("2026-11-20T09:10:00Z")
    static let avery = Actor(
        id: PersonID("a5a38504-avery"), name: "Avery Okafor", upn: "avery.okafor@harborline.example")
    static let mina = Actor(id: PersonID("2dd18507-mina"), name: "Mina Castellanos")
    static let jonas = Actor(id: PersonID("31fae2eb-jonas"), name: "Jonas Lindqvist")
    static let platform = Actor(id: PersonID("e2ed99f0-pim"), name: "Azure AD PIM", kind: .system)
    static let approval = ApprovalID("entra-pim/t/1")
    static let source = SourceName("entra-pim")
    static let group = Entitlement(kind: .group, id: "FBCDBD69-3C2D", scope: "member", name: "claw-jobs")
    static let map = EntitlementMap(
        entries: [.init(kind: .group, id: "fbcdbd69-3c2d", scope: "Member", jobClass: JobClass("prod_db_maintenance"))],
        maximumTTLSeconds: [JobClass("prod_db_maintenance"): 1_800])

    static func fact(
        _ content: Fact.Content, at text: String? = nil, approval: ApprovalID? = approval,
        subject: Actor? = avery, requester: Actor? = nil, entitlement: Entitlement? = group
    ) -> Fact {
        var fact = Fact(
            recordIndex: 0, source: "entra.audit", sourceEventID: SourceEventID("e-\(text ?? "-")"),
            occurredAt: text.map(time), approvalID: approval, content: content)
        fact.subject = subject
        fact.requester = requester
        fact.entitlement = entitlement
        fact.recordDigest = Digest(hashing: "\(content)\(text ?? "")")
        return fact
    }

    static func state(_ facts: [Fact], approval: ApprovalID = approval, authenticity: Authenticity = .topic)
        -> ApprovalState
    {
        var state = ApprovalState(approvalID: approval)
        for fact in facts { state.apply(fact, from: source, authenticity: authenticity) }
        return state
    }
}
