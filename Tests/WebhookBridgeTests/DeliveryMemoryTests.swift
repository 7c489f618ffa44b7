import ClawWire
import Testing

@testable import WebhookBridge

@Suite struct DeliveryMemoryTests {
    static func key(_ delivery: String, _ body: String = "b", _ source: String = "s") -> DeliveryMemory.Key {
        DeliveryMemory.Key(source: source, delivery: delivery, body: Digest(hashing: body))
    }

    @Test func aDeliveryIsKnownByItsBodyToo() {
        let memory = DeliveryMemory(capacity: 4)
        memory.remember(Self.key("1"))
        #expect(memory.contains(Self.key("1")))
        #expect(!memory.contains(Self.key("1", "other body")))
        #expect(!memory.contains(Self.key("1", "b", "other source")))
        #expect(!memory.contains(Self.key("2")))
    }

    @Test func theOldestIsForgotten() {
        let memory = DeliveryMemory(capacity: 3)
        for i in 0..<10 {
            memory.remember(Self.key("\(i)"))
            memory.remember(Self.key("\(i)"))
            #expect((0...i).filter { memory.contains(Self.key("\($0)")) } == Array(max(0, i - 2)...i))
        }
    }
}
