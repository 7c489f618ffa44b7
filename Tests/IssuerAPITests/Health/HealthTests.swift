import ClawWire
import DevStack
import GrantLedger
import Playground
import Testing

@testable import IssuerAPI

/// Why a worker is not ready.
@Suite struct ReadinessTests {
    private static let now = Timestamp(seconds: 1_795_165_260)
    private static let limits = Readiness.Limits(viewMaximumAge: .seconds(15))

    private static func ledger(
        polled seconds: Int64 = 1, isAlive: Bool = true, unowned: Int64 = 0, unsealed: Int64? = nil, ahead: Int64 = 0
    ) -> LedgerReadiness {
        let now = Self.now.adding(seconds: ahead)
        return LedgerReadiness(
            now: now, controlPolledAt: now.adding(seconds: -seconds), isAlive: isAlive, liveWorkers: 2, partitions: 8,
            ownPartitions: 4, unownedPartitions: unowned, oldestUnsealedAt: unsealed.map { now.adding(seconds: -$0) },
            unpublishedBatches: 0)
    }

    private func reasons(
        _ ledger: LedgerReadiness?, keys: [(purpose: String, why: String)] = [], halted: String? = nil,
        limits: Readiness.Limits = ReadinessTests.limits
    ) -> [Readiness.Reason] {
        Readiness(ledger: ledger, unusableKeys: keys, halted: halted, now: Self.now, limits: limits).reasons
    }

    @Test func aWorkerThatDoesItsWorkIsReady() {
        #expect(reasons(Self.ledger()).isEmpty)
        #expect(reasons(Self.ledger(polled: 15, unsealed: 30, ahead: 300)).isEmpty)
        #expect(reasons(Self.ledger(polled: 1_000), limits: Readiness.Limits(viewMaximumAge: nil)).isEmpty)
    }

    @Test func aProcessThatDecidesNothingNeedsNoPartitions() {
        var limits = Self.limits
        limits.isDeciding = false
        #expect(reasons(Self.ledger(isAlive: false, unowned: 8), limits: limits).isEmpty)
    }

    @Test func everyReasonHasItsCause() {
        #expect(reasons(nil) == [.ledgerUnreachable])
        #expect(reasons(Self.ledger(polled: 16)) == [.controlViewStale])
        #expect(reasons(Self.ledger(ahead: 301)) == [.clocksDiffer])
        #expect(reasons(Self.ledger(ahead: -301)) == [.clocksDiffer])
        #expect(reasons(Self.ledger(isAlive: false)) == [.notAlive])
        #expect(reasons(Self.ledger(unowned: 1)) == [.partitionsUnowned])
        #expect(reasons(Self.ledger(unsealed: 31)) == [.sealingStuck])
        #expect(reasons(Self.ledger(), keys: [("token", "expired")]) == [.keyUnusable])
        #expect(reasons(Self.ledger(), halted: "a signal") == [.halted])
        var limits = Self.limits
        limits.isCompared = false
        #expect(reasons(Self.ledger(), limits: limits) == [.ledgerNotCompared])
        let all = reasons(
            Self.ledger(polled: 99, isAlive: false, unowned: 1, unsealed: 99, ahead: 999), keys: [("token", "expired")],
            halted: "a signal", limits: limits)
        #expect(Set(all) == Set(Readiness.Reason.allCases).subtracting([.ledgerUnreachable]))
    }
}

/// Health over HTTP.
@Suite(.serialized) struct HealthRouteTests {
    @Test func probesAreTerseAndFiguresForCallers() async throws {
        try await SurfaceStage.run { stage in
            let live = try await stage.get("/live")
            #expect(live.status == 200 && live.text == #"{"status":"live"}"#)
            let ready = try await stage.get("/ready")
            #expect(ready.status == 200 && ready.text == #"{"status":"ready"}"#)
            #expect(ready.field("cache-control") == "no-store")
            #expect(try await stage.get("/v1/health").status == 401)
            #expect(try await stage.get("/v1/health", as: SurfaceStage.preflightToken).status == 403)
            let health = try await stage.get("/v1/health", as: SurfaceStage.readToken)
            #expect(health.status == 200 && health.json["checks"]?["unowned_partitions"]?.integer == 0)
            #expect(health.json["checks"]?["live_workers"]?.integer == 1)
        }
    }

    @Test func aLedgerThatIsGoneIsSaidWithinTheProbesPatience() async throws {
        try await SurfaceStage.run { stage in
            #expect(try await stage.get("/ready").status == 200)
            try await stage.playground.postgres.stop(.immediate)
            try await stage.untilReady(says: ["ledger_unreachable"])
            let live = try await stage.get("/live")
            #expect(live.status == 200)
        }
    }
}

extension SurfaceStage {
    func untilReady(says reasons: JSONValue) async throws {
        try await waitUntilTrue("readiness to say \(reasons)") { [self] in
            let ready = try await get("/ready")
            return ready.status == 503 && ready.json["reasons"] == reasons
        }
    }
}
