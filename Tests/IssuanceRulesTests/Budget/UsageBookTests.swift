import ClawWire
import TestSupport
import Testing

@testable import IssuanceRules

@Suite("Usage held against grants")
struct UsageBookTests {
    private func judge(
        _ calls: [ObservedCall], _ grants: [UsageGrant], budget: String? = nil, prices: String = "",
        approvalBudgets: [Budget] = []
    ) throws -> UsageBook {
        UsageBook.judge(
            calls, rules: try UsageSample.rules(budget: budget, prices: prices),
            snapshot: UsageSample.snapshot(grants, approvalBudgets: approvalBudgets))
    }

    @Test func aCallThatIsAsGrantedCountsAndLeavesNoFinding() throws {
        let book = try judge([UsageSample.call("1", job: "a")], [UsageSample.grant("a")])
        #expect(book.events == [.counted(call: 0, grant: UsageSample.grant("a"))])
        #expect(book.state.jobs[JobID("a")]?.usage.inputTokens == 100)
    }

    @Test func whatIsNotAsGrantedIsFound() throws {
        let now = UsageSample.now
        let grant = UsageSample.grant("a")
        let cases: [(ObservedCall, UsageGrant, UsageFinding.Code?)] = [
            (UsageSample.call("1", job: "b"), grant, .unknownScope),
            (UsageSample.call("1", job: nil), grant, .unknownScope),
            (UsageSample.call("1", job: "a", at: now.adding(seconds: 629)), grant, nil),
            (UsageSample.call("1", job: "a", at: now.adding(seconds: 630)), grant, .afterExpiry),
            (UsageSample.call("1", job: "a", at: now.adding(seconds: -631)), grant, .beforeGrant),
            (UsageSample.call("1", job: "a", policy: Digest(hashing: "other")), grant, .wrongPolicy),
            (UsageSample.call("1", job: "a", policy: nil), grant, nil),
            (
                UsageSample.call("1", job: "a", at: now),
                UsageSample.grant("a", revokedAt: now.adding(seconds: -31)), .afterRevocation
            ),
            (
                UsageSample.call("1", job: "a", at: now), UsageSample.grant("a", revokedAt: now.adding(seconds: -30)),
                nil
            ),
        ]
        for (index, (call, grant, code)) in cases.enumerated() {
            let book = try judge([call], [grant])
            #expect(book.codes == (code.map { [$0] } ?? []), "case \(index)")
            #expect(book.state.known[call.name] == call.payloadHash, "it counts all the same")
        }
    }

    @Test func aReplacementOfARevokedTokenIsNotTakenForIt() throws {
        let now = UsageSample.now
        let old = UsageSample.grant("a", revokedAt: now.adding(seconds: -400))
        let new = UsageSample.grant("a", request: "req-second")
        let book = try judge([UsageSample.call("1", job: "a")], [old, new])
        #expect(book.codes == [])
        guard case .counted(_, let grant)? = book.events.first else { return }
        #expect(grant?.requestID == new.requestID)
    }

    @Test func aReceiptCountsOnceAndAnotherPayloadUnderItsIDIsFound() throws {
        let call = UsageSample.call("1", job: "a")
        let replay = UsageSample.call("1", job: "a", input: 1)
        let book = try judge([call, call, replay, replay], [UsageSample.grant("a")])
        #expect(book.repeats == 3)
        #expect(book.codes == [.replayedReceipt])
        #expect(book.findings[0].evidence == [replay.payloadHash, call.payloadHash])
        #expect(book.state.jobs[JobID("a")]?.usage.modelCalls == 1)
        // The same id of another gateway is another receipt.
        let other = ObservedCall(
            name: ObservedCall.Name(signerDID: "did:key:other", receiptID: "1"), payloadHash: call.payloadHash,
            calledAt: call.calledAt, provider: "openai", model: "gpt-5.1", inputTokens: 1, outputTokens: 1,
            scopeHash: call.scopeHash, policyHash: nil, runID: nil)
        #expect(try judge([call, other], [UsageSample.grant("a")]).state.jobs[JobID("a")]?.usage.modelCalls == 2)
    }

    @Test func aRunBelongsToOneJob() throws {
        let calls = [
            UsageSample.call("1", job: "a", run: "r"), UsageSample.call("2", job: "b", run: "r"),
            UsageSample.call("3", job: "b", run: "r"), UsageSample.call("4", job: "b"),
        ]
        let book = try judge(calls, [UsageSample.grant("a"), UsageSample.grant("b")])
        #expect(book.codes == [.runInTwoJobs])
        #expect(book.findings[0].about == "run:r")
    }

    @Test func marksAreComeToOnceAndAtTheLimitTheTokensAreRevoked() throws {
        let calls = (1...12).map { UsageSample.call("\($0)", job: "a") }
        let grants = [UsageSample.grant("a"), UsageSample.grant("a", request: "req-second")]
        let book = try judge(calls, grants, budget: "{model_calls: 10}")
        #expect(book.marks == ["model_calls:50:10", "model_calls:80:10", "model_calls:100:10"])
        #expect(book.revoked == [TokenID("jti-a"), TokenID("jti-req-second")])
        #expect(book.codes == [.budgetExceeded])
        let excess = try #require(book.findings[0].excess)
        #expect(excess.used == 12 && excess.limit.amount == 10 && excess.callsInFlight == 2)
        // What comes later, dated before: found again with the new amount, and nothing is revoked or marked again.
        var snapshot = book.state
        snapshot.now = UsageSample.now.adding(seconds: 5)
        let late = UsageBook.judge(
            [UsageSample.call("13", job: "a"), calls[0]], rules: try UsageSample.rules(budget: "{model_calls: 10}"),
            snapshot: snapshot)
        #expect(late.marks.isEmpty && late.revoked.isEmpty && late.repeats == 1)
        #expect(late.findings.map(\.excess?.used) == [13])
        #expect(late.findings.map(\.excess?.callsInFlight) == [3])
        // A token issued after the budget was spent is revoked at the next call.
        var renewed = late.state
        renewed.jobs[JobID("a")]?.grants.append(UsageSample.grant("a", request: "req-third"))
        let again = UsageBook.judge(
            [UsageSample.call("14", job: "a")], rules: try UsageSample.rules(budget: "{model_calls: 10}"),
            snapshot: renewed)
        #expect(again.revoked == [TokenID("jti-req-third")])
    }

    @Test func theNarrowerBudgetHolds() throws {
        let calls = (1...4).map { UsageSample.call("\($0)", job: "a") }
        let narrow = Budget(modelCalls: 4, thresholds: [25])
        let book = try judge(
            calls, [UsageSample.grant("a")], budget: "{model_calls: 10, thresholds: []}", approvalBudgets: [narrow])
        #expect(book.marks == ["model_calls:25:4", "model_calls:100:4"])
        let wide = Budget(modelCalls: 400, thresholds: [])
        #expect(
            try judge(
                calls, [UsageSample.grant("a")], budget: "{model_calls: 4, thresholds: []}", approvalBudgets: [wide]
            ).marks == ["model_calls:100:4"])
    }

    @Test func moneyIsCountedExactlyAndAModelWithoutAPriceIsFound() throws {
        let price = UsageSample.price(input: 3, output: 0)
        // 333 333 tokens at 3 minor units for a million are 0.999999 of one.
        let calls = [
            UsageSample.call("1", job: "a", input: 333_333), UsageSample.call("2", job: "a", input: 1),
            UsageSample.call("3", job: "a", model: "o9"),
        ]
        let budget = "{cost: {currency: EUR, amount_minor: 1}, thresholds: []}"
        let first = try judge(Array(calls[..<1]), [UsageSample.grant("a")], budget: budget, prices: price)
        #expect(first.marks.isEmpty)
        #expect(first.state.jobs[JobID("a")]?.usage.costs == ["EUR": 999_999])
        let both = try judge(calls, [UsageSample.grant("a")], budget: budget, prices: price)
        #expect(both.marks == ["cost/EUR:100:1"])
        #expect(both.codes == [.priceUnknown, .budgetExceeded])
    }

    /// What was spent before a budget in money was known counts when it comes.
    @Test func aLaterBudgetKnowsWhatWasSpent() throws {
        let price = UsageSample.price(input: 3, output: 0)
        let before = try judge(
            [UsageSample.call("1", job: "a", input: 1_000_000)], [UsageSample.grant("a")], prices: price)
        #expect(before.codes == [] && before.marks.isEmpty)
        #expect(before.state.jobs[JobID("a")]?.usage.costs == ["EUR": 3_000_000])
        let budget = "{cost: {currency: EUR, amount_minor: 3}, thresholds: []}"
        let after = UsageBook.judge(
            [UsageSample.call("2", job: "a", input: 0)], rules: try UsageSample.rules(budget: budget, prices: price),
            snapshot: before.state)
        #expect(after.marks == ["cost/EUR:100:3"])
        // A model without a price is told where there is a budget in money, and nowhere else.
        let unpriced = try judge(
            [UsageSample.call("3", job: "a", model: "o9")], [UsageSample.grant("a")], prices: price)
        #expect(unpriced.codes == [])
    }

    @Test func wallTimeRunsFromTheFirstCallToTheLast() throws {
        let now = UsageSample.now
        let calls = [
            UsageSample.call("1", job: "a", at: now.adding(seconds: -100)),
            UsageSample.call("2", job: "a", at: now.adding(seconds: -160)),
        ]
        let book = try judge(calls, [UsageSample.grant("a")], budget: "{wall_time_seconds: 60, thresholds: []}")
        #expect(book.marks == ["wall_time_seconds:100:60"])
        #expect(book.codes == [])
    }

    /// Order, repetition and the cut into batches leave no trace in sums, marks and revocations.
    @Test(arguments: 0..<60) func orderAndRepetitionLeaveNoTrace(_ seed: Int) throws {
        var dice = SeededGenerator(seed: UInt64(seed))
        let jobs = ["a", "b", "c"]
        var calls: [ObservedCall] = []
        for index in 0..<40 {
            calls.append(
                UsageSample.call(
                    "\(index)", job: dice.chance(10) ? "unknown" : dice.pick(jobs),
                    at: UsageSample.now.adding(seconds: Int64.random(in: -500...0, using: &dice)),
                    input: Int64.random(in: 0...1_000, using: &dice), output: Int64.random(in: 0...1_000, using: &dice))
            )
        }
        let rules = try UsageSample.rules(
            budget: "{model_calls: 9, input_tokens: 6000, output_tokens: 20000, wall_time_seconds: 300}")
        let start = UsageSample.snapshot(jobs.map { UsageSample.grant($0) })
        let reference = UsageBook.judge(calls, rules: rules, snapshot: start)
        var shuffled = calls + dice.subset(calls) + dice.subset(calls)
        shuffled.shuffle(using: &dice)
        var state = start
        var marks: [String] = []
        var revoked: [TokenID] = []
        var rest = shuffled[...]
        while !rest.isEmpty {
            let batch = Array(rest.prefix(Int.random(in: 1...15, using: &dice)))
            rest = rest.dropFirst(batch.count)
            let book = UsageBook.judge(batch, rules: rules, snapshot: state)
            state = book.state
            marks += book.marks
            revoked += book.revoked
        }
        for job in jobs {
            #expect(state.jobs[JobID(job)]?.usage == reference.state.jobs[JobID(job)]?.usage)
            #expect(state.jobs[JobID(job)]?.marks == reference.state.jobs[JobID(job)]?.marks)
        }
        #expect(marks.count == reference.marks.count && Set(marks) == Set(reference.marks))
        #expect(revoked.count == Set(revoked).count)
        #expect(Set(revoked) == Set(reference.revoked))
    }
}
