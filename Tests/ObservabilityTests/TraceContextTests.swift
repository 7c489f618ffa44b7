import ClawWire
import Testing

/// W3C Trace Context, read strictly.
struct TraceContextTests {
    private static let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test func aContextIsReadAndWritten() throws {
        let context = try #require(TraceContext(traceparent: Self.parent, tracestate: "rojo=00f067aa0ba902b7, t@v=x y"))
        #expect(context.isSampled)
        #expect("\(context.traceID)" == "4bf92f3577b34da6a3ce929d0e0e4736")
        #expect("\(context.spanID)" == "00f067aa0ba902b7")
        #expect(context.state == "rojo=00f067aa0ba902b7, t@v=x y")
        #expect(context.traceparent == Self.parent)
    }

    @Test func onlyTheFirstFlagIsKnown() throws {
        let context = try #require(TraceContext(traceparent: String(Self.parent.dropLast(2)) + "fe"))
        #expect(!context.isSampled)
        #expect(context.traceparent.hasSuffix("-00"))
    }

    @Test func laterVersionsMaySayMore() {
        let later = "cc" + Self.parent.dropFirst(2)
        #expect(TraceContext(traceparent: later) != nil)
        #expect(TraceContext(traceparent: later + "-what-comes") != nil)
        #expect(TraceContext(traceparent: later + ".what-comes") == nil)
    }

    @Test(arguments: [
        "", "00", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
        "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
        " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    ])
    func whatIsNotWellFormedIsNoContext(_ text: String) { #expect(TraceContext(traceparent: text) == nil) }

    @Test(arguments: [
        "no-equals", "UPPER=1", "a=1,a=2", "a=b=c", "a=\u{1}", "@a=1", "1a=1",
        "a=" + String(repeating: "x", count: 257),
        (0..<33).map { "k\($0)=1" }.joined(separator: ","), String(repeating: "a", count: 600) + "=1", "a= ", ",,",
    ])
    func aStateThatIsWrongIsLeftOut(_ state: String) throws {
        #expect(try #require(TraceContext(traceparent: Self.parent, tracestate: state)).state == "")
    }

    @Test func anythingAtAllIsReadWithoutHarm() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            var bytes = Array(Self.parent.utf8)
            for _ in 0..<Int.random(in: 0...3, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            guard let context = TraceContext(traceparent: bytes, tracestate: bytes) else { continue }
            #expect(TraceContext(traceparent: context.traceparent)?.traceID == context.traceID)
        }
    }
}
