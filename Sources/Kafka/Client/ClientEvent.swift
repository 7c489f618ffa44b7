import CRdKafka

/// Owns an event taken from one of librdkafka's queues.
@safe struct ClientEvent: ~Copyable {
    // Safe: the pointer does not leave this type; what it lends is copied or used within a call.
    private let raw: OpaquePointer

    /// Takes over an event as `rd_kafka_queue_poll` returned it.
    init(owning raw: OpaquePointer) {
        unsafe self.raw = raw
    }

    deinit {
        unsafe rd_kafka_event_destroy(raw)
    }

    /// One of the `RD_KAFKA_EVENT_` numbers.
    var type: Int32 { unsafe rd_kafka_event_type(raw) }
    var code: KafkaError.Code { KafkaError.Code(unsafe rd_kafka_event_error(raw)) }
    var errorText: String { unsafe rd_kafka_event_error_string(raw).map { unsafe String(cString: $0) } ?? "" }
    var isFatal: Bool { unsafe rd_kafka_event_error_is_fatal(raw) != 0 }
    /// The number given along with the request whose result this is.
    var tag: UInt { UInt(bitPattern: unsafe rd_kafka_event_opaque(raw)) }

    /// The statistics document of a statistics event.
    var statistics: [UInt8] {
        guard let text = unsafe rd_kafka_event_stats(raw) else { return [] }
        return Array(unsafe String(cString: text).utf8)
    }

    /// The line of a log event.
    var logLine: KafkaLogEvent? {
        var facility: UnsafePointer<CChar>?
        var text: UnsafePointer<CChar>?
        var level: Int32 = 0
        guard unsafe rd_kafka_event_log(raw, &facility, &text, &level) == 0 else { return nil }
        return KafkaLogEvent(
            level: KafkaLogEvent.Level(rawValue: Int(level)) ?? .notice,
            facility: unsafe facility.map { unsafe String(cString: $0) } ?? "",
            message: unsafe text.map { unsafe String(cString: $0) } ?? "", error: nil)
    }

    /// Hands each delivery report to `body`: the record's tag, its code, where it was written, and whether it may have
    /// been.
    func forEachDelivery(_ body: (DeliveryReport) -> Void) {
        while let message = unsafe rd_kafka_event_message_next(raw) {
            body(unsafe DeliveryReport(message))
        }
    }

    /// Lends the event to a call that reads an administrative result out of it.
    func withRaw<Result>(_ body: (OpaquePointer) -> Result) -> Result {
        unsafe body(raw)
    }
}

/// What became of one record.
struct DeliveryReport {
    let tag: UInt
    let code: KafkaError.Code
    let partition: Int32
    let offset: Int64
    let mayHaveBeenWritten: Bool

    init(_ message: UnsafePointer<rd_kafka_message_t>) {
        unsafe tag = UInt(bitPattern: message.pointee._private)
        unsafe code = KafkaError.Code(message.pointee.err)
        unsafe partition = message.pointee.partition
        unsafe offset = message.pointee.offset
        mayHaveBeenWritten =
            unsafe rd_kafka_message_status(message) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED
    }
}
