public import AsyncHTTPClient
import NIOCore

extension HTTPClientResponse {
    /// The body, read whole within bounds of size and time.
    ///
    /// The time limit of `HTTPClient.execute` covers an answer up to its head, and the client's read timeout covers each
    /// pause: a server that sends a byte now and then would hold its caller for as long as it likes.
    ///
    /// - Parameters:
    ///   - maximumBytes: most bytes of the body, stated or sent.
    ///   - deadline: when the last of them must have come.
    /// - Throws: `NIOTooManyBytesError`; `HTTPClientError.deadlineExceeded`; what ends the connection.
    public func bytes(upTo maximumBytes: Int, by deadline: ContinuousClock.Instant) async throws -> [UInt8] {
        let body = body
        return try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
            group.addTask { Array(try await body.collect(upTo: maximumBytes).readableBytesView) }
            group.addTask {
                try await Task.sleep(until: deadline, clock: .continuous)
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let bytes = first else { throw HTTPClientError.deadlineExceeded }
            return bytes
        }
    }
}
