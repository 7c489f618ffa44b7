import ClawWire
import IssuanceRules
import Playground

/// Stops written to the control topic, until a reader of the revocations topic has their cut-offs.
struct StopOnTopic {
    /// Stops follow each other after a random time up to this.
    private static let longestPause = 300
    let playground: Playground
    let watch: CutoffWatch

    /// Writes so many stops.
    func run(_ count: Int, name: String) async throws -> [BenchRow] {
        var times: [Double] = []
        for number in 0..<count {
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...Self.longestPause)), tolerance: .zero)
            let stopID = "\(name)-\(number)"
            let agent = StopScope(kind: .agent, value: "did:web:agents.northquay.example:\(stopID)")
            let start = ContinuousClock.now
            try await playground.declare(
                .stop(ControlOperation.Stop(stopID: stopID, scope: agent, revokesLive: true)), id: stopID,
                by: [StopDesk.declarer], reason: "measured")
            times.append((try await watch.arrival(ofStop: stopID) - start) / .milliseconds(1))
        }
        return Spread(times).figures("stop.\(name)")
    }
}
