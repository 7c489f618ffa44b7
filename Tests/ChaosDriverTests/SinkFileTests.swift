import Testing

@testable import Chaos

/// What a collector of a file must find.
@Suite struct SinkFileTests {
    private func lines(_ numbers: [Int]) -> String {
        numbers.map { "{\"metadata\":{\"sequence\":\($0)},\"x\":1}\n" }.joined()
    }

    @Test func numbersWithoutAGapAreFine() {
        #expect(SinkFile.fault(in: lines([0, 1, 2, 3]), count: 4) == nil)
        #expect(SinkFile.fault(in: lines([0, 1, 2, 3]), count: 3) == nil)
        #expect(SinkFile.fault(in: "", count: 0) == nil)
    }

    @Test func repeatsAreFine() { #expect(SinkFile.fault(in: lines([0, 1, 0, 1, 2, 1, 3]), count: 4) == nil) }

    @Test func gapsAreNot() {
        #expect(SinkFile.fault(in: lines([0, 1, 3]), count: 4) == "after event 1 comes event 3")
        #expect(SinkFile.fault(in: lines([1]), count: 2) == "after event -1 comes event 1")
        #expect(SinkFile.fault(in: lines([0, 1]), count: 3) == "2 of 3 events are there")
    }

    @Test func aTornLineIsNot() {
        #expect(
            SinkFile.fault(in: lines([0]) + "{\"metadata\":{\"sequ", count: 1)?.hasPrefix("a line that is no event")
                == true)
    }
}
