import ApprovalSources
import ClawWire
import IssuanceRules
import Playground

/// Tokens that one core signs a second, when it does nothing else.
struct SignatureLimit {
    let options: BenchOptions
    let playground: Playground

    func measure(into report: inout BenchReport) throws {
        let sample = try SampleDecision(playground)
        var signatures = BatchSignatureCache(capacity: 16)
        let workload = Workload(playground: playground, signing: .together(64), prefix: "sign")
        let records = try workload.records(0..<64).map { SourceRecord(record: $0) }
        let now = Timestamp.playgroundNow
        let claims = try records.map { record in
            let understood = try sample.read(record, &signatures)
            let plan = try sample.plan(sample.input(understood, try sample.fold(understood), at: now)).plan
            return sample.claims(understood.request.requestID, plan)
        }
        let count = options.amount(20_000, quick: 4_000)
        let each = try CPUClock.perCall(count) { _ = try sample.minter.mint(claims[$0 % claims.count]) }
        report.add("limit.signatures_per_second_per_core", 1e6 / each, .perSecond)
    }
}
