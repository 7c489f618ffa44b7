import ClawWire
import DevStack
import GraphConfirmation
import GraphDouble
import IssuanceRules
import Testing

@testable import GrantLedger
@testable import GrantWorker

/// Approvals of a source to be confirmed: what is issued on them, when, and what ends it.
@Suite(
    "Confirming before issuing", .enabled(if: AvailableServers.postgres, "PostgreSQL is not installed"), .serialized,
    .timeLimit(.minutes(4)))
struct ConfirmServiceTests {
    private static let first = "9c6d9111-b8d8-557e-a298-20035e47a580"
    private static let second = "359a2b64-4cb9-5c81-8255-0ada42b8cad2"

    private static func approval(_ request: String) -> ApprovalID {
        ApprovalID("entra-pim/\(ConfirmBench.tenant)/\(request)")
    }

    @Test("Nothing is issued before the vendor says the same, and what it says later ends it")
    func issuesAndEnds() async throws {
        try await ConfirmBench.run { bench in
            bench.hold(Self.first, status: "PendingProvisioning", isLive: false)
            try await bench.say(Self.first)
            try await bench.ask("req-1")
            try await bench.waitUntil("two answers that settle nothing") {
                bench.double.count("ScheduleRequests/\(Self.first)") >= 2
            }
            #expect(try await bench.request("req-1")?.state == .waiting)
            #expect(try await bench.ledger.waitingConfirmations() == 1)

            bench.hold(Self.first)
            try await bench.waitUntil("the token") { try await bench.request("req-1")?.state == .issued }
            let token = try #require(try await bench.request("req-1")?.token)
            #expect(token.expiresAt > token.issuedAt)
            let digest = try await bench.text(
                "SELECT encode(answer_digest, 'hex') FROM clawgrant.confirmation_read WHERE result = 'confirmed'")
            #expect(digest?.utf8.count == 64)
            #expect(
                try await bench.text("SELECT cardinality(request_ids)::text FROM clawgrant.confirmation_read") != "0")
            // The receipt names the answer by its digest and by its row.
            let effect = try #require(try await bench.ledger.history(of: RequestID("req-1"))?.effect)
            let receipt = try JSONReader.parse(effect.receipt)
            let inputs = receipt["inputs"]?.array ?? []
            let read = try #require(inputs.first { $0["topic"]?.string == "confirmation:entra" })
            #expect(read["digest_b64u"]?.string.flatMap { Digest(b64u: $0) }?.hex == digest)
            #expect(receipt["authenticity"]?.string == "confirmed")

            // The same answer again says nothing new.
            let asked = bench.double.count("ScheduleRequests/\(Self.first)")
            try await bench.waitUntil("more answers") {
                bench.double.count("ScheduleRequests/\(Self.first)") >= asked + 2
            }
            #expect(try await bench.text("SELECT count(*)::text FROM clawgrant.confirmation_read") == "1")

            bench.hold(Self.first, isLive: false)
            try await bench.waitUntil("the revocation") { try await bench.request("req-1")?.revocation != nil }
        }
    }

    @Test("A source that says what the vendor does not is refuted: denied, with a finding, and not asked about again")
    func contradiction() async throws {
        try await ConfirmBench.run { bench in
            bench.hold(Self.first, principal: "01fc33a7-78ba-4d2f-a4b7-768e336e890e")
            try await bench.say(Self.first)
            try await bench.ask("req-1")
            try await bench.waitUntil("the finding") {
                try await bench.text("SELECT about FROM clawgrant.finding") == "approval:\(Self.approval(Self.first))"
            }
            #expect(
                try await bench.text("SELECT code FROM clawgrant.finding")
                    == UsageFinding.Code.approvalContradicted.rawValue)
            try await bench.waitUntil("the refusal") { try await bench.request("req-1")?.state == .denied }
            let effect = try #require(try await bench.ledger.history(of: RequestID("req-1"))?.effect)
            let receipt = try JSONReader.parse(effect.receipt)
            let codes = receipt["reasons"]?.array?.compactMap { $0["code"]?.string } ?? []
            #expect(codes == [ReasonCode.humanApprovalContradicted.rawValue])
            #expect(
                try await bench.text("SELECT state || coalesce(due_at::text, '') FROM clawgrant.confirmation")
                    == "contradicted")
            // What was refuted stays refuted, whatever the source says then.
            try await bench.say(Self.first, approver: "31fae2eb-7818-5400-8c0f-42817c195b96")
            #expect(try await bench.ledger.dueConfirmations(limit: 10).isEmpty)
        }
    }

    @Test("While the vendor fails, nothing but its approvals waits; when it is well again, they are decided")
    func faults() async throws {
        try await ConfirmBench.run { bench in
            bench.hold(Self.first)
            bench.hold(Self.second, principal: ConfirmBench.mina)
            for _ in 0..<4 {
                bench.double.fail(
                    "v1.0/", .status(500), .status(503, retryAfter: 0), .cut, .garbage, .status(429, retryAfter: 0))
            }
            try await bench.say(Self.first)
            try await bench.ask("req-1")
            try await bench.waitUntil("a failed question") { bench.double.count("v1.0/") > 0 }
            // Batches are decided meanwhile.
            try await bench.ask("req-2", subject: ConfirmBench.mina)
            #expect(try await bench.request("req-2")?.state == .waiting)
            try await bench.waitUntil("the token") { try await bench.request("req-1")?.state == .issued }
        }
    }

    @Test("A denial of the source counts without the vendor, and an unconfirmed approval expires with its wait")
    func withoutTheVendor() async throws {
        try await ConfirmBench.run { bench in
            try await bench.say(Self.first)
            try await bench.ask("req-1")
            // The vendor knows no such request: not yet, as it may not have heard of it.
            try await bench.waitUntil("an answer") { bench.double.count("ScheduleRequests/\(Self.first)") > 0 }
            #expect(try await bench.request("req-1")?.state == .waiting)
            let state = try ApprovalState(
                decoding: try #require(try await bench.ledger.approval(Self.approval(Self.first))?.state))
            let claim = state.unconfirmedClaim(of: SourceName("entra"))
            #expect(claim.isApproved && claim.hasStarted && !claim.isConfirmed)
            #expect(claim.approvers == [PersonID(ConfirmBench.mina)])
        }
    }
}
