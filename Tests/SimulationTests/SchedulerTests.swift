import Primitives
import Testing

@testable import Simulation

struct SchedulerTests {
    /// Two tasks that sleep, and what they did in which order.
    private static func story(seed: UInt64, freezes: Bool = false, kills: Bool = false) -> [String] {
        let scheduler = Scheduler(seed: seed, keepsTrace: true)
        let nodes = ["one", "two"].map { Node($0, scheduler) }
        for node in nodes {
            node.start {
                for step in 0..<5 {
                    guard (try? await SteadyTime.sleep(for: .milliseconds(SteadyTime.random(in: 1...9)))) != nil else {
                        return node.note("is ended")
                    }
                    node.note("step \(step)")
                }
            }
        }
        if freezes { scheduler.after(3_000_000) { nodes[0].freeze() } }
        if freezes { scheduler.after(90_000_000) { nodes[0].thaw() } }
        if kills { scheduler.after(3_000_000) { nodes[0].kill() } }
        _ = scheduler.run(until: 1_000_000_000, maximumSteps: 10_000)
        return scheduler.trace.lines
    }

    @Test func aSeedTellsOneStory() {
        #expect(Self.story(seed: 7) == Self.story(seed: 7))
        #expect(Self.story(seed: 7) != Self.story(seed: 8))
    }

    @Test func aFrozenNodeGoesOnWhenItThaws() {
        let lines = Self.story(seed: 7, freezes: true)
        let steps = lines.filter { $0.contains(" one step") }
        #expect(steps.count == 5)
        #expect(steps.last ?? "" > "0.090000")
    }

    @Test func aDeadNodeDoesNothingMore() {
        let lines = Self.story(seed: 7, kills: true)
        let death = lines.firstIndex { $0.hasSuffix("one dies") } ?? lines.endIndex
        #expect(!lines[death...].contains { $0.contains(" one step") })
        #expect(lines[death...].contains { $0.hasSuffix("one is ended") })
        #expect(lines.count { $0.contains(" two step") } == 5)
    }

    @Test func whatGoesRoundInCirclesIsGivenUp() {
        let scheduler = Scheduler(seed: 1, keepsTrace: false)
        let node = Node("one", scheduler)
        node.start { while !Task.isCancelled { await Task.yield() } }
        #expect(scheduler.run(until: 1, maximumSteps: 1_000) == .exhausted)
        node.kill()
        #expect(scheduler.run(until: 1, maximumSteps: 1_000) == .idle)
    }
}
