import ClawWire
import GrantLedger
import Testing

@testable import SecuritySinks

/// Where a sink stands, by example and by chance.
@Suite("Course of a sink")
struct SinkCourseTests {
    private static func course(
        at next: Int64 = 100, first: Int64 = 0, failures: Int32 = 0, repeated: Int = 0
    ) -> SinkCourse {
        SinkCourse(
            SinkPosition(name: "s", first: first, next: next, failures: failures), repeated: repeated)
    }

    @Test("A delivery is bounded by events and bytes, and one event that is too long goes alone")
    func bounds() {
        let course = Self.course()
        #expect(course.move(over: [10, 10, 10], maximumEvents: 2, maximumBytes: 100) == .send(2))
        #expect(course.move(over: [10, 10, 10], maximumEvents: 9, maximumBytes: 25) == .send(2))
        #expect(course.move(over: [90, 10], maximumEvents: 9, maximumBytes: 50) == .send(1))
        #expect(course.move(over: [5], maximumEvents: 0, maximumBytes: 0) == .send(1))
    }

    @Test("A sink that acknowledges nothing begins behind its position, but never before its start")
    func repeats() {
        #expect(Self.course(at: 100, repeated: 30).cursor == 70)
        #expect(Self.course(at: 100, first: 90, repeated: 30).cursor == 90)
        var course = Self.course(at: 100, repeated: 30)
        // What is repeated moves nothing.
        #expect(course.delivered(20) == nil)
        #expect(course.delivered(15) == .delivered(to: 105))
        course.settled(.delivered(to: 105))
        #expect(course.position == 105 && course.cursor == 105)
        course.settled(.failed("away", isReported: false))
        #expect(course.position == 105 && course.cursor == 75 && course.failures == 1)
        // The first that is delivered again ends the failures, though nothing is new.
        #expect(course.delivered(1) == .delivered(to: 105))
    }

    @Test("What a sink refuses for good is left out, and what lies between is sent")
    func refusals() {
        var course = Self.course(at: 10)
        #expect(course.refuse([SequenceNumber(12), SequenceNumber(13), SequenceNumber(16)], ofNext: 8) == 2)
        #expect(course.delivered(2) == .delivered(to: 12))
        course.settled(.delivered(to: 12))
        let sizes = [Int](repeating: 1, count: 6)
        #expect(course.move(over: sizes, maximumEvents: 9, maximumBytes: 99) == .leaveOut(2))
        #expect(course.leftOut(2) == .skipped(to: 14))
        course.settled(.skipped(to: 14))
        #expect(course.move(over: sizes.prefix(4), maximumEvents: 9, maximumBytes: 99) == .send(2))
        #expect(course.delivered(2) == .delivered(to: 16))
        course.settled(.delivered(to: 16))
        #expect(course.move(over: sizes.prefix(2), maximumEvents: 9, maximumBytes: 99) == .leaveOut(1))
        #expect(course.refuse([SequenceNumber(99)], ofNext: 2) == nil)
    }

    @Test(
        "Whatever happens, the ledger's position never falls, never passes what was not delivered, and all is covered")
    func chance() {
        for seed in 0..<200 {
            var random = SmallRandom(UInt64(seed))
            let end: Int64 = 60
            var course = Self.course(at: 0, repeated: seed % 3 == 0 ? 7 : 0)
            var arrived: Set<Int64> = []
            var left: Set<Int64> = []
            let poison = Set((0..<end).filter { _ in random.below(12) == 0 })
            var rounds = 0
            while course.position < end {
                rounds += 1
                guard rounds < 10_000 else {
                    Issue.record("seed \(seed) does not end")
                    return
                }
                let sizes = [Int](repeating: 3, count: Int(end - course.cursor))
                let before = course.position
                var step: SinkStep?
                switch course.move(over: sizes, maximumEvents: 1 + random.below(9), maximumBytes: 20) {
                case .leaveOut(let count):
                    left.formUnion(course.cursor..<(course.cursor + Int64(count)))
                    step = course.leftOut(count)
                case .send(let count):
                    let numbers = course.cursor..<(course.cursor + Int64(count))
                    let bad = poison.intersection(numbers)
                    if random.below(4) == 0 {
                        step = .failed("by chance", isReported: false)
                    } else if bad.isEmpty {
                        arrived.formUnion(numbers)
                        step = course.delivered(count)
                    } else if let good = course.refuse(Set(bad.map { SequenceNumber($0) }), ofNext: count) {
                        arrived.formUnion(numbers.lowerBound..<(numbers.lowerBound + Int64(good)))
                        step = good > 0 ? course.delivered(good) : nil
                    }
                }
                if let step { course.settled(step) }
                #expect(course.position >= before)
                #expect((0..<course.position).allSatisfy { arrived.contains($0) || left.contains($0) }, "seed \(seed)")
            }
            #expect(left == poison, "seed \(seed)")
            #expect(arrived == Set(0..<end).subtracting(poison), "seed \(seed)")
        }
    }
}

/// Numbers by a seed (SplitMix64).
struct SmallRandom {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
