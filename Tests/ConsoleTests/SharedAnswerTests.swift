import Primitives
import Testing

@testable import Console

@Suite("Answers that are shared")
struct SharedAnswerTests {
    @Test func tenAskersCostOneReading() async throws {
        let readings = Lock(0)
        let answers = SharedAnswers<Int>(
            lifetime: .seconds(3_600), capacity: 4, gate: ReadingGate(width: 1, longestLine: 8))
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<10 {
                group.addTask {
                    try await answers.answer("standing") {
                        readings.withLock { count in
                            count += 1
                            return count
                        }
                    }
                }
            }
            for try await answer in group { #expect(answer == 1) }
        }
        #expect(readings.withLock { $0 } == 1)
    }

    @Test func failuresAreNotKept() async throws {
        struct Trouble: Error {}
        let answers = SharedAnswers<Int>(
            lifetime: .seconds(3_600), capacity: 4, gate: ReadingGate(width: 1, longestLine: 8))
        await #expect(throws: Trouble.self) { try await answers.answer("a") { throw Trouble() } }
        #expect(try await answers.answer("a") { 7 } == 7)
    }

    @Test func noMoreAnswersAreKeptThanThereIsRoomFor() async throws {
        let readings = Lock(0)
        let answers = SharedAnswers<Int>(
            lifetime: .seconds(3_600), capacity: 2, gate: ReadingGate(width: 1, longestLine: 8))
        for name in ["a", "b", "c", "a"] {
            _ = try await answers.answer(name) {
                readings.withLock { count in
                    count += 1
                    return count
                }
            }
        }
        #expect(readings.withLock { $0 } == 4)
    }

    @Test func aLongLineIsTurnedAway() async throws {
        let gate = ReadingGate(width: 1, longestLine: 1)
        let (opened, opening) = AsyncStream<Void>.makeStream()
        let (entered, entering) = AsyncStream<Void>.makeStream()
        let first = Task {
            try await gate.pass {
                entering.yield()
                for await _ in opened { break }
                return 1
            }
        }
        for await _ in entered { break }
        let second = Task { try await gate.pass { 2 } }
        while gate.waiting == 0 { await Task.yield() }
        await #expect(throws: ReadingGate.Busy.self) { try await gate.pass { 3 } }
        opening.yield()
        #expect(try await first.value == 1)
        #expect(try await second.value == 2)
        #expect(try await gate.pass { 5 } == 5)
    }
}
