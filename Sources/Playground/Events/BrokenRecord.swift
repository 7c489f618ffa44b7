import ApprovalSources
import ClawWire
public import Kafka

/// Records that no worker can take, one of each kind; each must end in the dead letters and hold nothing up.
public enum BrokenRecord: String, Sendable, CaseIterable {
    /// Bytes that are no text.
    case invalidUTF8
    /// Text that is no JSON.
    case notJSON
    /// Arrays within arrays, ten thousand deep.
    case tooDeep
    /// A member twice.
    case duplicateKey
    /// A text where an object belongs.
    case wrongType
    /// A signature by an algorithm that is not known.
    case unknownAlgorithm
    /// No signature at all.
    case unsigned
    /// A signature by a key that nobody lists.
    case unknownSigner
    /// Changed after it was signed.
    case tampered
    /// From the year after next.
    case future
    /// From three weeks ago.
    case ancient

    /// The record.
    ///
    /// - Throws: what signing throws.
    public func record(_ name: String, in playground: Playground) throws -> ProducerRecord {
        var draft = ApprovalDraft("\(name)-\(rawValue)", .reconcile, in: playground)
        let signer = playground.keys.eventSigner
        switch self {
        case .invalidUTF8: return structured(Array("{\"id\":\"".utf8) + [0xC3, 0x28, 0xFF] + Array("\"}".utf8))
        case .notJSON: return structured(Array("approved: yes".utf8))
        case .tooDeep:
            return structured([UInt8](repeating: 0x5B, count: 10_000) + [UInt8](repeating: 0x5D, count: 10_000))
        case .duplicateKey: return structured(Array("{\"specversion\":\"1.0\",\"id\":\"a\",\"id\":\"b\"}".utf8))
        case .wrongType:
            var event = draft.event
            event.data = .json(["approval_id": 7, "decision": ["approved"]])
            return try signer.sign(event).producerRecord(.structured)
        case .unknownAlgorithm:
            var event = try signer.sign(draft.event)
            event.extensions[CloudEvent.signatureExtension] = .string("eyJhbGciOiJub25lIn0..")
            return event.producerRecord(.binary)
        case .unsigned: return draft.event.producerRecord(.binary)
        case .unknownSigner: return try draft.record(signedBy: playground.keys.strangerSigner)
        case .tampered:
            var event = try signer.sign(draft.event)
            draft.request?.scope = ["proxy:call", "proxy:provider:anthropic"]
            event.data = draft.event.data
            return event.producerRecord(.binary)
        case .future:
            return try dated(.playgroundNow.adding(seconds: 2 * 365 * 86_400), name, playground)
        case .ancient:
            return try dated(.playgroundNow.adding(seconds: -21 * 86_400), name, playground)
        }
    }

    private func dated(_ time: Timestamp, _ name: String, _ playground: Playground) throws -> ProducerRecord {
        try ApprovalDraft("\(name)-\(rawValue)", .reconcile, in: playground, at: time)
            .record(signedBy: playground.keys.eventSigner)
    }

    private func structured(_ value: [UInt8]) -> ProducerRecord {
        ProducerRecord(
            topic: PlaygroundTopic.approvals, key: nil, value: value,
            headers: [
                KafkaHeader(
                    name: "content-type", value: Array("application/cloudevents+json; charset=UTF-8".utf8))
            ])
    }
}
