import ClawWire
import ReceiptLog
import Testing

@testable import GrantChecker

/// "Nothing past the line", for each kind of scope: what lies on the right side passes, what is planted past a stop is found.
struct LineAuditTests {
    private static let policy = Digest(hashing: "policy")

    /// A scope that covers the grant `a` of the synthetic log, and whether its receipt shows that.
    private struct Case: CustomStringConvertible, Sendable {
        let kind: String
        let value: String?
        let isShown: Bool
        var description: String { kind }
    }

    private static let log = Result { try SyntheticLog() }
    private static func cases() throws -> [Case] {
        let log = try log.get()
        let token = try log.token("a")
        return [
            Case(kind: "all", value: nil, isShown: true), Case(kind: "job_class", value: "test", isShown: true),
            Case(kind: "agent", value: "did:web:agent.example", isShown: true),
            Case(kind: "approval", value: "apr-a", isShown: true), Case(kind: "request", value: "req-a", isShown: true),
            Case(kind: "job", value: "job-a", isShown: true),
            Case(kind: "policy_hash", value: policy.b64u, isShown: true),
            Case(kind: "issuer_key", value: log.tokenSigner.publicKey.kid.rawValue, isShown: true),
            Case(kind: "jti", value: "a", isShown: true),
            Case(kind: "token_hash", value: token.hash.hex.uppercased(), isShown: true),
            Case(kind: "subject", value: "Ines@Harborline.example", isShown: false),
            Case(kind: "entitlement", value: "entra_role:R1", isShown: false),
            Case(kind: "source", value: "entra", isShown: false),
            Case(kind: "policy_id", value: "northquay-stricter", isShown: false),
        ]
    }

    private static let rowScopes = [
        "subject:ines@harborline.example", "entitlement:entra_role:r1", "entitlement:entra_role:r1:/db", "source:entra",
        "policy_id:northquay-stricter", "policy_hash:\(policy.b64u)",
    ]

    private static func event(
        _ operation: String, _ handle: String, at position: Int64, before grants: Int64, _ data: JSONObject = [:]
    ) -> JSONObject {
        [
            "operation": .string(operation), "stop_id": .string(handle), "control_position": .integer(position),
            "grants_before": .integer(grants), "data": .object(data),
        ]
    }

    private static func data(_ one: Case) -> JSONObject {
        ["scope": ["kind": .string(one.kind), "value": one.value.map { .string($0) } ?? .null]]
    }

    /// What the audit says of a log with these events and one grant at a control position.
    private static func faults(_ events: [JSONObject], grantAt position: Int64) throws -> [String] {
        let log = try log.get()
        var line = LineAudit()
        let receipt = try log.grant("a", at: position, policy: policy)
        guard case .grantIssued(let grant) = receipt.content else { return ["no grant"] }
        #expect(line.take(grant: grant, receipt) == nil)
        for event in events { #expect(line.take(control: event) == nil) }
        return line.faults() + line.hidden().faults(of: "req-a", in: rowScopes)
    }

    @Test func aGrantPastAStopOfAnyScopeIsFound() throws {
        for one in try Self.cases() {
            func stop(_ grants: Int64) -> JSONObject { Self.event("stop", "s1", at: 1, before: grants, Self.data(one)) }
            func lift(_ grants: Int64) -> JSONObject { Self.event("lift", "s1", at: 2, before: grants) }
            let shown = LineAudit.scope(one.kind, one.value)
            let planted = ["request req-a got a token after s1 stopped \(shown)"]
            #expect(try Self.faults([stop(1)], grantAt: 0) == [], "\(one): before it")
            #expect(try Self.faults([stop(0)], grantAt: 1) == planted, "\(one): after it")
            #expect(try Self.faults([stop(0), lift(1)], grantAt: 1) == planted, "\(one): between stop and lift")
            #expect(try Self.faults([stop(0), lift(0)], grantAt: 2) == [], "\(one): after the lift")
            let other = Case(kind: one.kind, value: "other", isShown: one.isShown)
            if one.value != nil {
                let elsewhere = Self.event("stop", "s1", at: 1, before: 0, Self.data(other))
                #expect(try Self.faults([elsewhere], grantAt: 1) == [], "\(one): another")
            }
            var lifted = stop(0)
            lifted["lifted_by_event"] = "lift-1"
            #expect(try Self.faults([lifted], grantAt: 1) == [], "\(one): lifted as it came")
        }
    }

    @Test func aGrantPastARevocationOrASuspicionIsFound() throws {
        for one in try Self.cases() where one.kind != "all" {
            var data = Self.data(one)
            data["permits_reapproval"] = true
            let permitting = Self.event("revoke", "r1", at: 1, before: 0, data)
            let isForGood = ["token_hash", "jti", "job", "request", "approval"].contains(one.kind)
            #expect(try Self.faults([permitting], grantAt: 1).isEmpty != isForGood, "\(one)")
            let lasting = Self.event("revoke", "r1", at: 1, before: 0, Self.data(one))
            #expect(try Self.faults([lasting], grantAt: 1).count == 1, "\(one)")
        }
        let kid = try Self.log.get().tokenSigner.publicKey.kid.rawValue
        let suspicion = Self.event("suspect-key", "k1", at: 1, before: 0, ["kid": .string(kid)])
        #expect(try Self.faults([suspicion], grantAt: 1).count == 1)
        let lift = Self.event("lift", "k1", at: 2, before: 0)
        #expect(try Self.faults([suspicion, lift], grantAt: 2).count == 1)
        #expect(
            try Self.faults([Self.event("suspect-key", "k1", at: 1, before: 1, ["kid": .string(kid)])], grantAt: 0)
                == [])
    }

    @Test func aGrantThatWasNotCountedIsFound() throws {
        #expect(try Self.faults([Self.event("drill", "d1", at: 1, before: 0)], grantAt: 0).count == 1)
        #expect(try Self.faults([Self.event("drill", "d1", at: 2, before: 1)], grantAt: 0).count == 1)
    }

    /// From topics and ledger together, as the benchmark of stops and every test of processes has it.
    @Test func theLedgersRowsAreHeldAgainstTheStops() throws {
        func report(_ one: Case?, _ scopes: [String], policies: [String: String] = [:]) throws -> CheckReport {
            var log = try SyntheticLog()
            log.batches = [[try log.grant("a", at: 1, policy: Self.policy)]]
            var outputs = OutputAudit(try log.plan)
            for placed in try log.published() { outputs.take(placed.record, of: placed.stream) }
            if let one { outputs.take(control: Self.event("stop", "s1", at: 1, before: 0, Self.data(one)), "planted") }
            outputs.finish()
            var ledger = LedgerAudit(outputs, policies: policies)
            ledger.take(
                LedgerReader.Request(
                    id: "req-a", state: 1, tokenHash: try log.token("a").hash.digest.bytes, waitsUntil: false,
                    isDecided: true, scopes: scopes))
            return ledger.report
        }
        for one in try Self.cases() where !one.isShown {
            #expect(try report(one, Self.rowScopes).totals[.stopLine] == 1, "\(one)")
            #expect(try report(one, ["source:github"]).totals[.stopLine] == nil, "\(one)")
        }
        #expect(try report(nil, Self.rowScopes, policies: [Self.policy.b64u: "northquay-stricter"]).isPass)
        // What a stop could not find is found.
        #expect(try report(nil, []).totals[.stopLine] == 1)
        #expect(try report(nil, Self.rowScopes, policies: [Self.policy.b64u: "another"]).totals[.stopLine] == 1)
    }
}
