import ClawWire
import IssuanceRules
import ReceiptLog

/// What the ledger keeps of a request while it waits: the request, who said it, and where it was found.
struct StoredRequestBody {
    let request: CapabilityRequest
    let source: SourceName
    let input: EvidenceInput

    init(request: CapabilityRequest, source: SourceName, input: EvidenceInput) {
        self.request = request
        self.source = source
        self.input = input
    }

    func encode() -> [UInt8] {
        JSONWriter.bytes([
            "request": request.json, "source": .string(source.rawValue), "digest": .string(input.digest.b64u),
            "topic": .string(input.origin.topic), "partition": .integer(input.origin.partition),
            "offset": .integer(input.origin.offset),
        ])
    }

    init?(decoding bytes: [UInt8]) {
        guard let value = try? JSONReader.parse(bytes), let body = value["request"],
            let request = try? CapabilityRequest(json: body), let source = value["source"]?.string,
            let digest = value["digest"]?.string.flatMap({ Digest(b64u: $0) }), let topic = value["topic"]?.string,
            let partition = value["partition"]?.integer, let offset = value["offset"]?.integer
        else { return nil }
        self.request = request
        self.source = SourceName(source)
        input = EvidenceInput(
            digest: digest,
            origin: ReceiptLog.RecordOrigin(topic: topic, partition: Int32(clamping: partition), offset: offset),
            source: SourceName(source))
    }
}
