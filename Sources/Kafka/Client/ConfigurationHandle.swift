import CRdKafka

/// Owns an `rd_kafka_conf_t` until a client takes it over.
@safe struct ConfigurationHandle: ~Copyable {
    // Safe: the pointer leaves this type only to `rd_kafka_new`, which then owns it.
    private let raw: OpaquePointer

    init() {
        unsafe raw = rd_kafka_conf_new()
    }

    deinit {
        unsafe rd_kafka_conf_destroy(raw)
    }

    /// Sets every property, the later ones over the earlier ones. The configuration stays owned by this value when one
    /// is refused.
    func set(_ properties: [(name: String, value: String)]) throws(KafkaError) {
        for (name, value) in properties {
            let (result, text) = unsafe withErrorText { buffer, size in
                unsafe rd_kafka_conf_set(raw, name, value, buffer, size)
            }
            switch result {
            case RD_KAFKA_CONF_OK:
                continue
            case RD_KAFKA_CONF_UNKNOWN:
                var detail = "there is no property \"\(name)\""
                if let near = nearestName(to: name, among: propertyNames() + namesWithoutDefault) {
                    detail += "; did you mean \"\(near)\"?"
                }
                throw KafkaError(code: .invalidArgument, kind: .permanent, operation: .configure, detail: detail)
            default:
                let reason = KafkaConfiguration.isSecret(name) ? "the value is refused" : text
                throw KafkaError(
                    code: .invalidArgument, kind: .permanent, operation: .configure,
                    detail: "property \"\(name)\": \(reason)")
            }
        }
    }

    /// Says which kinds of events go to the client's queues.
    func enableEvents(_ mask: Int32) {
        unsafe rd_kafka_conf_set_events(raw, mask)
    }

    /// Makes a client, which takes the configuration over. The caller owns the client.
    consuming func makeClient(_ type: rd_kafka_type_t) throws(KafkaError) -> OpaquePointer {
        let (client, text) = unsafe withErrorText { buffer, size in unsafe rd_kafka_new(type, raw, buffer, size) }
        guard let client = unsafe client else {
            let code = KafkaError.Code(rd_kafka_last_error())
            // librdkafka did not take the configuration: it is freed here.
            _ = consume self
            throw KafkaError(
                code: code, kind: code == .systemResource ? .retriable : .permanent, operation: .configure,
                detail: text)
        }
        // librdkafka has taken the configuration and frees it with the client.
        discard self
        return unsafe client
    }

    private func propertyNames() -> [String] {
        var count = 0
        // The array and its texts belong to the caller, who frees them with `rd_kafka_conf_dump_free`.
        guard let entries = unsafe rd_kafka_conf_dump(raw, &count) else { return [] }
        defer { unsafe rd_kafka_conf_dump_free(entries, count) }
        return stride(from: 0, to: count, by: 2).compactMap { (index: Int) -> String? in
            unsafe entries[index].map { (text: UnsafePointer<CChar>) -> String in unsafe String(cString: text) }
        }
    }
}

/// The properties most configurations set that have no default, which the dump of a configuration leaves out.
private let namesWithoutDefault = [
    "bootstrap.servers", "group.id", "sasl.mechanism", "sasl.password", "sasl.username", "ssl.ca.location",
    "ssl.ca.pem",
    "ssl.certificate.location", "ssl.certificate.pem", "ssl.key.location", "ssl.key.password", "ssl.key.pem",
    "transactional.id",
]

/// Runs a C call that may leave a sentence in a buffer, and returns what it left.
func withErrorText<Result>(
    _ body: (_ buffer: UnsafeMutablePointer<CChar>, _ size: Int) -> Result
) -> (Result, String) {
    let size = 512
    return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: size) {
        (buffer: UnsafeMutableBufferPointer<CChar>) -> (Result, String) in
        unsafe buffer.initialize(repeating: 0)
        guard let start = buffer.baseAddress else { preconditionFailure("a buffer of 512 bytes has a start") }
        let result = unsafe body(start, size)
        return (result, unsafe String(cString: start))
    }
}

/// The candidate that differs least from a name, when it differs by little.
func nearestName(to name: String, among candidates: [String]) -> String? {
    let wanted = Array(name.lowercased().utf8)
    var best: (name: String, distance: Int)?
    for candidate in candidates {
        let distance = editDistance(wanted, Array(candidate.utf8))
        if distance < best?.distance ?? .max { best = (candidate, distance) }
    }
    guard let best, best.distance <= max(1, wanted.count / 4) else { return nil }
    return best.name
}

/// The number of bytes to insert, delete or replace to make one text from another.
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var previous = Array(0...right.count)
    for (row, leftByte) in left.enumerated() {
        var current = [row + 1]
        current.reserveCapacity(right.count + 1)
        for (column, rightByte) in right.enumerated() {
            let replaced = previous[column] + (leftByte == rightByte ? 0 : 1)
            current.append(min(replaced, previous[column + 1] + 1, current[column] + 1))
        }
        previous = current
    }
    return previous[right.count]
}
