import CZlib
import HTTPService
import Logging

/// Serves a double on loopback for as long as a test runs.
enum DoubleServer {
    static func run<Result: Sendable>(
        tls: HTTPServiceConfiguration.TLS?,
        respond: @escaping @Sendable (HTTPServiceRequest) async -> HTTPServiceResponse,
        _ body: @escaping @Sendable (String) async throws -> Result
    ) async throws -> Result {
        var configuration = HTTPServiceConfiguration(host: "127.0.0.1", port: 0, tls: tls)
        configuration.limits.bodyBytes = 16 << 20
        let silent = Logger(label: "collector-double") { _ in SwiftLogNoOpLogHandler() }
        let service = try HTTPService(configuration: configuration, logger: silent, respond: respond)
        let (ports, opened) = AsyncStream<Int>.makeStream()
        return try await withThrowingTaskGroup(of: Result?.self) { group in
            group.addTask {
                try await service.run { opened.yield($0) }
                return nil
            }
            group.addTask {
                for await port in ports {
                    return try await body("\(tls == nil ? "http" : "https")://127.0.0.1:\(port)")
                }
                return nil
            }
            defer { group.cancelAll() }
            while let result = try await group.next() { if let result { return result } }
            throw CancellationError()
        }
    }

    /// Keeps a request without an answer until the double ends or the client has gone.
    static func silence() async -> HTTPServiceResponse {
        try? await Task.sleep(for: .seconds(600))
        return HTTPServiceResponse(status: 504)
    }

    /// The body as it was before compression, or what is wrong with it.
    static func plainBody(_ request: HTTPServiceRequest) -> (bytes: [UInt8], complaint: String?) {
        guard let coding = request.field("content-encoding") else { return (request.body, nil) }
        guard coding == "gzip" else { return ([], "content-encoding \(coding)") }
        guard let bytes = Gunzip.bytes(request.body, maximumBytes: 64 << 20) else { return ([], "no gzip") }
        return (bytes, nil)
    }
}

/// The other direction of gzip, by zlib's own reader of the format.
public enum Gunzip {
    /// The bytes of one gzip member that fills the input; `nil` for anything else.
    public static func bytes(_ packed: [UInt8], maximumBytes: Int) -> [UInt8]? {
        var stream = unsafe z_stream()
        // 15 bits of window, and 16 for gzip alone.
        guard
            unsafe inflateInit2_(&stream, 31, zlibVersion(), Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { return nil }
        defer { unsafe inflateEnd(&stream) }
        var packed = packed
        var output: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        let capacity = piece.count
        return unsafe packed.withUnsafeMutableBufferPointer {
            (input: inout UnsafeMutableBufferPointer<UInt8>) -> [UInt8]? in
            unsafe stream.next_in = input.baseAddress
            unsafe stream.avail_in = uInt(input.count)
            while output.count <= maximumBytes {
                let code = unsafe piece.withUnsafeMutableBufferPointer {
                    (room: inout UnsafeMutableBufferPointer<UInt8>) -> Int32 in
                    unsafe stream.next_out = room.baseAddress
                    unsafe stream.avail_out = uInt(capacity)
                    return unsafe inflate(&stream, Z_NO_FLUSH)
                }
                guard code == Z_OK || code == Z_STREAM_END else { return nil }
                let made = unsafe capacity - Int(stream.avail_out)
                output += piece[..<made]
                if code == Z_STREAM_END { return unsafe stream.avail_in == 0 ? output : nil }
                if made == 0 { return nil }
            }
            return nil
        }
    }
}
