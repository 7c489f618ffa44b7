/// Readers of this module over single inputs, for those who feed them what strangers might write.
package enum SinkReaders {
    /// The place of the event that a collector's answer refuses; `nil` when it refuses none by its place.
    package static func refusedEvent(status: Int, body: [UInt8]) -> Int? {
        if case .invalidEvent(let place) = SplunkHECVerdict(status: status, body: body) { place } else { nil }
    }
}
