import CRdKafka

/// Owns an `rd_kafka_topic_t`, which spares looking the topic up for every record. Lives on the poll thread, and is
/// let go of before the client is destroyed.
@safe final class TopicHandle {
    // Safe: the pointer is lent to calls that do not keep it.
    private let raw: OpaquePointer

    /// Makes a handle; nil, with the error, when librdkafka refuses the name.
    init(_ client: ClientHandle, _ name: String) throws(KafkaError) {
        // Without a topic configuration there is nothing to free on failure.
        guard let topic = unsafe rd_kafka_topic_new(client.raw, name, nil) else {
            throw KafkaError(code: KafkaError.Code(rd_kafka_last_error()), operation: .produce, topic: name)
        }
        unsafe raw = topic
    }

    deinit {
        unsafe rd_kafka_topic_destroy(raw)
    }

    /// Hands a record to librdkafka, which copies it; `tag` comes back with its delivery report. Without a partition
    /// librdkafka chooses one.
    func produce(
        _ record: ProducerRecord, _ partition: Int32?, tag: UInt, _ client: ClientHandle
    ) -> KafkaError? {
        let headers = unsafe makeHeaders(record.headers)
        let failure = unsafe withBytes(record.key) { (key: UnsafeMutableRawPointer?, keySize: Int) -> KafkaError? in
            unsafe withBytes(record.value) { (value: UnsafeMutableRawPointer?, valueSize: Int) -> KafkaError? in
                unsafe withUnsafeTemporaryAllocation(of: rd_kafka_vu_t.self, capacity: 8) {
                    (parts: UnsafeMutableBufferPointer<rd_kafka_vu_t>) -> KafkaError? in
                    unsafe parts.initialize(repeating: rd_kafka_vu_t())
                    unsafe parts[0].vtype = RD_KAFKA_VTYPE_RKT
                    unsafe parts[0].u.rkt = raw
                    unsafe parts[1].vtype = RD_KAFKA_VTYPE_PARTITION
                    unsafe parts[1].u.i32 = partition ?? -1
                    unsafe parts[2].vtype = RD_KAFKA_VTYPE_MSGFLAGS
                    unsafe parts[2].u.i = RD_KAFKA_MSG_F_COPY
                    unsafe parts[3].vtype = RD_KAFKA_VTYPE_OPAQUE
                    unsafe parts[3].u.ptr = UnsafeMutableRawPointer(bitPattern: tag)
                    unsafe parts[4].vtype = RD_KAFKA_VTYPE_KEY
                    unsafe parts[4].u.mem.ptr = key
                    unsafe parts[4].u.mem.size = keySize
                    unsafe parts[5].vtype = RD_KAFKA_VTYPE_VALUE
                    unsafe parts[5].u.mem.ptr = value
                    unsafe parts[5].u.mem.size = valueSize
                    unsafe parts[6].vtype = RD_KAFKA_VTYPE_TIMESTAMP
                    unsafe parts[6].u.i64 = record.timestamp ?? 0
                    unsafe parts[7].vtype = RD_KAFKA_VTYPE_HEADERS
                    unsafe parts[7].u.headers = headers
                    let count = unsafe headers == nil ? 7 : 8
                    let object = unsafe rd_kafka_produceva(client.raw, parts.baseAddress, count)
                    return unsafe client.error(owning: object, .produce)
                }
            }
        }
        // librdkafka takes the headers over with the record; when it refuses the record they are freed here.
        if failure != nil, let headers = unsafe headers { unsafe rd_kafka_headers_destroy(headers) }
        return failure
    }
}

/// Copies headers into a list that the caller owns; nil when there are none.
private func makeHeaders(_ headers: [KafkaHeader]) -> OpaquePointer? {
    guard !headers.isEmpty, let list = unsafe rd_kafka_headers_new(headers.count) else { return nil }
    for index in headers.indices {
        let name = headers[index].name.utf8.span
        unsafe withBytes(headers[index].value) { (value: UnsafeMutableRawPointer?, size: Int) -> Void in
            unsafe name.withUnsafeBytes { (name: UnsafeRawBufferPointer) -> Void in
                // The name is given with its length, so that no copy with a zero at its end is made first.
                let start = unsafe name.baseAddress?.assumingMemoryBound(to: CChar.self)
                unsafe rd_kafka_header_add(list, start, name.count, value, size)
            }
        }
    }
    return unsafe list
}

/// Lends bytes to a C call: null for nil, and something other than null for an empty array.
private func withBytes<Result>(
    _ bytes: [UInt8]?, _ body: (UnsafeMutableRawPointer?, Int) -> Result
) -> Result {
    guard let bytes else { return body(nil, 0) }
    guard !bytes.isEmpty else {
        var nothing: UInt8 = 0
        return unsafe withUnsafeMutableBytes(of: &nothing) {
            (buffer: UnsafeMutableRawBufferPointer) -> Result in unsafe body(buffer.baseAddress, 0)
        }
    }
    return unsafe bytes.withUnsafeBytes { (buffer: UnsafeRawBufferPointer) -> Result in
        // The callee reads only; C has no const in that place.
        unsafe body(UnsafeMutableRawPointer(mutating: buffer.baseAddress), buffer.count)
    }
}
