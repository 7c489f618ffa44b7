import ApprovalSources
import ClawWire
import IssuanceRules
import Kafka
import Playground

@testable import GrantWorker

/// Records to send, and what is to come of them.
struct Script: Sendable {
    var records: [ProducerRecord] = []
    var expectations = Stage.Expectations()
    private let playground: Playground

    init(_ playground: Playground) { self.playground = playground }

    /// Approvals of the plain class under one signature; all are issued.
    mutating func approve(_ names: [String]) throws {
        let drafts = names.map { ApprovalDraft($0, .reconcile, in: playground) }
        records += try ApprovalDraft.records(drafts, signedTogetherBy: playground.keys.batchSigner)
        for draft in drafts { expect(draft) }
        expectations.issued += drafts.count
    }

    /// Approvals that carry a WPC; all are issued.
    mutating func approveRuns(_ names: [String]) throws {
        for name in names {
            let draft = ApprovalDraft(name, .agentRun, in: playground)
            records.append(try draft.record(signedBy: playground.keys.eventSigner))
            expect(draft)
        }
        expectations.issued += names.count
    }

    /// Refusals.
    mutating func refuse(_ names: [String]) throws {
        let drafts = names.map { ApprovalDraft($0, .reconcile, in: playground).denied() }
        records += try ApprovalDraft.records(drafts, signedTogetherBy: playground.keys.batchSigner)
        for draft in drafts { expect(draft) }
        expectations.denied += drafts.count
    }

    /// Approvals, and the end of each; whichever is read first, no token is left alive.
    mutating func approveThenEnd(_ names: [String]) throws {
        for name in names {
            let draft = ApprovalDraft(name, .reconcile, in: playground)
            let end = draft.ended(at: draft.time.adding(seconds: 1))
            records.append(try draft.record(signedBy: playground.keys.eventSigner))
            records.append(try end.record(signedBy: playground.keys.eventSigner))
            expect(draft)
        }
        expectations.issued += names.count
        expectations.revoked += names.count
    }

    /// Activations in Entra with the requests that name them, in either order; all are issued.
    mutating func activate(_ names: [String]) throws {
        for (index, name) in names.enumerated() {
            let activation = EntraActivation(name, at: .playgroundNow.adding(seconds: -60))
            var request = RequestDraft(name, .appAdmin, in: playground, at: .playgroundNow)
            request.approvalID = activation.approvalID
            let pair = [
                activation.message([.requested, .routed, .approved, .completed]),
                try request.record(signedBy: playground.keys.requestSigner),
            ]
            records += index.isMultiple(of: 2) ? pair : pair.reversed()
            expectations.requests.insert(request.requestID)
            expectations.approvals.insert(activation.approvalID)
        }
        expectations.issued += names.count
    }

    /// Requests that nobody approves; they expire after the short wait.
    mutating func ask(_ names: [String]) throws {
        for name in names {
            var request = RequestDraft(name, .userAdmin, in: playground, at: .playgroundNow)
            request.approvalID = ApprovalID("entra-pim/nobody/\(name)")
            records.append(try request.record(signedBy: playground.keys.requestSigner))
            expectations.requests.insert(request.requestID)
        }
        expectations.expired += names.count
    }

    /// Records that cannot be taken; each is a dead letter.
    mutating func spoil(_ name: String, _ kinds: [BrokenRecord] = BrokenRecord.allCases) throws {
        for kind in kinds { records.append(try kind.record(name, in: playground)) }
        expectations.quarantined += kinds.count
    }

    /// Any record that is to become a dead letter.
    mutating func poison(_ record: ProducerRecord) {
        records.append(record)
        expectations.quarantined += 1
    }

    /// A record that says nothing.
    mutating func ignore(_ record: ProducerRecord) { records.append(record) }

    /// Something of everything that does not depend on order.
    mutating func mix(_ name: String, _ count: Int) throws {
        try approve((0..<(count * 6 / 10)).map { "\(name)-a\($0)" })
        try approveRuns((0..<(count / 20)).map { "\(name)-r\($0)" })
        try refuse((0..<(count / 10)).map { "\(name)-d\($0)" })
        try activate((0..<(count / 20)).map { "\(name)-e\($0)" })
        try spoil(name)
    }

    /// Delivers everything several times, in any order, each copy to any partition.
    mutating func scatter(copies: Int, partitions: Int32, seed: UInt64, keepingOnce: (ProducerRecord) -> Bool) {
        var random = Shuffler(seed: seed)
        var all: [ProducerRecord] = []
        for record in records {
            for _ in 0..<(keepingOnce(record) ? 1 : copies) {
                var copy = record
                copy.partition = Int32(random.next() % UInt64(partitions))
                all.append(copy)
            }
        }
        records = all.shuffled(using: &random)
    }

    mutating func expect(_ draft: ApprovalDraft) {
        if let request = draft.request { expectations.requests.insert(request.requestID) }
        expectations.approvals.insert(draft.decision.approvalID)
    }
}
