import ApprovalSources
import ClawWire
import GrantLedger
import IssuanceRules
import ReceiptLog
import Testing

@testable import GrantWorker

/// The order and the number of deliveries do not change what comes of them.
struct PlannerPropertyTests {
    /// A scene with every kind of meeting in it.
    private static func scene() throws -> [SourceRecord] {
        var records: [SourceRecord] = []
        for number in 0..<6 { records.append(try Answer.contained("run-\(number)").record()) }
        for number in 0..<3 {
            var denied = Answer.contained("no-\(number)")
            denied.verdict = .denied
            records.append(try denied.record())
        }
        for number in 0..<4 {
            var answer = Answer("ref-\(number)")
            answer.window = 3_600
            answer.entitlement = Entitlement(kind: .group, id: "g-ref", scope: "member", name: "reports")
            records.append(try answer.record())
            var ask = Ask("ref-\(number)", "ref")
            if number.isMultiple(of: 2) {
                ask.approval = "apr-ref-\(number)"
            } else {
                ask.ticket = "CHG\(number)"
                answer.ticket = "CHG\(number)"
                records[records.count - 1] = try answer.record()
            }
            records.append(try ask.record())
        }
        records.append(DeadLetterTests.raw([0xFF, 0xFE]))
        return records
    }

    /// What must not depend on the order: each request's state and the hash of its token.
    private static func essence(_ ledger: PaperLedger) -> [String: String] {
        ledger.requests.values.reduce(into: [:]) { all, request in
            all[request.requestID.rawValue] = "\(request.state) \(request.token?.tokenHash.hex ?? "-")"
        }
    }

    @Test(arguments: 0..<8) func fiftyfoldDeliveryInAnyOrderIsDeliveryOnce(_ seed: Int) throws {
        var random = Shuffler(seed: UInt64(seed) + 1)
        let scene = try Self.scene()
        var once = PaperLedger(try PlanFixture())
        try once.deliver(scene)
        var often = PaperLedger(try PlanFixture())
        var deliveries: [SourceRecord] = []
        for record in scene where record.value != [0xFF, 0xFE] {
            deliveries += Array(repeating: record, count: seed == 0 ? 50 : 3)
        }
        deliveries.append(DeadLetterTests.raw([0xFF, 0xFE]))
        deliveries.shuffle(using: &random)
        while !deliveries.isEmpty {
            let count = min(deliveries.count, 1 + Int(random.next() % 40))
            try often.deliver(Array(deliveries.prefix(count)))
            deliveries.removeFirst(count)
        }
        #expect(Self.essence(often) == Self.essence(once))
        #expect(often.kinds == once.kinds)
        #expect(try often.deadLetters().count == 1)
        for request in often.requests.values where request.state == .issued {
            let name = String(request.requestID.rawValue.dropFirst(4))
            #expect(try often.decisions().filter { $0.subject.requestID == request.requestID }.count == 1, "\(name)")
        }
        #expect(Set(often.requests.values.compactMap(\.token?.tokenHash)).count == often.outputs(.grants).count)
    }

    @Test(arguments: 0..<8) func aTokenIsNeverLiveBesideAnEndedApproval(_ seed: Int) throws {
        var random = Shuffler(seed: UInt64(seed) + 1)
        var records: [SourceRecord] = []
        for number in 0..<10 {
            let answer = Answer.contained("a\(number)")
            records.append(try answer.record())
            records.append(try answer.then(.ended).record())
        }
        records += records
        records.shuffle(using: &random)
        var ledger = PaperLedger(try PlanFixture())
        while !records.isEmpty {
            let count = min(records.count, 1 + Int(random.next() % 7))
            try ledger.deliver(Array(records.prefix(count)))
            records.removeFirst(count)
        }
        for request in ledger.requests.values {
            #expect(request.state == .denied || request.revocation != nil, "\(request.requestID) lives on")
        }
        #expect(ledger.outputs(.revocations).count == ledger.outputs(.grants).count)
    }

    @Test func oneTokenPerRequestWhateverCarriesIt() throws {
        // The same request in forty approvals: the first that counts grants, none of the others does again.
        var ledger = PaperLedger(try PlanFixture())
        var records: [SourceRecord] = []
        for number in 0..<40 {
            var answer = Answer("x\(number)")
            answer.ask = Ask("shared", "run")
            records.append(try answer.record())
        }
        try ledger.deliver(Array(records[..<7]))
        try ledger.deliver(Array(records[7...]))
        #expect(ledger.outputs(.grants).count == 1)
        #expect(ledger.requests.count == 1)
    }
}
