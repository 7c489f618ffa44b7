import CRdKafka

/// Owns a message taken from the consumer's queue: a record, the end of a partition, or an error.
@safe struct FetchedMessage: ~Copyable {
    // Safe: the pointer does not leave this type; key, value and headers are copied out.
    private let raw: UnsafeMutablePointer<rd_kafka_message_t>

    /// Takes over a message as `rd_kafka_consumer_poll` returned it.
    init(owning raw: UnsafeMutablePointer<rd_kafka_message_t>) {
        unsafe self.raw = raw
    }

    deinit {
        unsafe rd_kafka_message_destroy(raw)
    }

    var code: KafkaError.Code { KafkaError.Code(unsafe raw.pointee.err) }
    var partition: Int32 { unsafe raw.pointee.partition }
    var offset: Int64 { unsafe raw.pointee.offset }
    var errorText: String { unsafe rd_kafka_message_errstr(raw).map { unsafe String(cString: $0) } ?? code.text }

    /// The address of the topic object, to recognise the topic without reading its name.
    var topicIdentity: UInt { UInt(bitPattern: unsafe raw.pointee.rkt) }

    var topicName: String? {
        guard let topic = unsafe raw.pointee.rkt, let name = unsafe rd_kafka_topic_name(topic) else { return nil }
        return unsafe String(cString: name)
    }

    /// Copies the record out.
    func makeRecord(_ topicPartition: TopicPartition) -> ConsumedRecord {
        var kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        let timestamp = unsafe rd_kafka_message_timestamp(raw, &kind)
        return ConsumedRecord(
            topicPartition: topicPartition, offset: offset,
            timestamp: kind == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || timestamp < 0 ? nil : timestamp,
            key: unsafe copyBytes(raw.pointee.key, raw.pointee.key_len),
            value: unsafe copyBytes(raw.pointee.payload, raw.pointee.len), headers: headers())
    }

    private func headers() -> [KafkaHeader] {
        var list: OpaquePointer?
        // The list stays owned by the message.
        guard unsafe rd_kafka_message_headers(raw, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list = unsafe list else {
            return []
        }
        let count = unsafe rd_kafka_header_cnt(list)
        var headers: [KafkaHeader] = []
        headers.reserveCapacity(count)
        for index in 0..<count {
            var name: UnsafePointer<CChar>?
            var value: UnsafeRawPointer?
            var size = 0
            guard
                unsafe rd_kafka_header_get_all(list, index, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR,
                let name = unsafe name
            else { break }
            headers.append(KafkaHeader(name: unsafe String(cString: name), value: unsafe copyBytes(value, size)))
        }
        return headers
    }
}

/// Copies bytes librdkafka lends; nil for a null pointer.
private func copyBytes(_ start: UnsafeRawPointer?, _ count: Int) -> [UInt8]? {
    guard let start = unsafe start else { return nil }
    return unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: count))
}
