import Foundation
import Primitives

/// A relay between a client and the server's Unix socket that can lose a reply: it lets the request through, waits for
/// the server's answer, and closes both sides instead of passing it on.
final class SocketRelay: Sendable {
    /// The directory to give to libpq as `host`.
    let directory: String
    private let listener: Int32
    private let target: String
    private let isLosing = Lock(false)

    private static let socketName = ".s.PGSQL.5432"

    struct Failure: Error {
        let call: String
        let code: Int32
    }

    /// Begins to relay connections to the server whose socket is in `target`.
    ///
    /// - Parameter isSilent: takes connections and never answers, instead.
    init(
        to target: String, isSilent: Bool = false,
        at directory: String = "/tmp/pgr-\(UInt32.random(in: 0..<1_000_000_000))"
    ) throws {
        self.directory = directory
        self.target = "\(target)/\(Self.socketName)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
        let listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        let bound = unsafe Self.withAddress("\(directory)/\(Self.socketName)") { address, length in
            unsafe bind(listener, address, length)
        }
        guard bound == 0 else { throw Failure(call: "bind", code: errno) }
        guard listen(listener, 16) == 0 else { throw Failure(call: "listen", code: errno) }
        if isSilent { return }
        let (target, isLosing) = (self.target, isLosing)
        Thread.detachNewThread { Self.serve(listener, target, isLosing) }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
        try? FileManager.default.removeItem(atPath: directory)
    }

    /// From now on, the first answer of the server ends the connection it came on.
    func loseNextReply() { isLosing.withLock { $0 = true } }

    private static func serve(_ listener: Int32, _ target: String, _ isLosing: Lock<Bool>) {
        while true {
            let client = accept(listener, nil, nil)
            guard client >= 0 else { return }
            let server = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            _ = unsafe withAddress(target) { address, length in unsafe connect(server, address, length) }
            Thread.detachNewThread { pump(from: client, to: server, unless: nil) }
            Thread.detachNewThread { pump(from: server, to: client, unless: isLosing) }
        }
    }

    private static func pump(from source: Int32, to sink: Int32, unless isLosing: Lock<Bool>?) {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe recv(source, &bytes, bytes.count, 0)
            let mustLose = isLosing?.withLock { isLosing in
                defer { isLosing = false }
                return isLosing
            }
            guard count > 0, mustLose != true, unsafe send(sink, bytes, count, Int32(MSG_NOSIGNAL)) == count
            else { break }
        }
        shutdown(source, Int32(SHUT_RDWR))
        shutdown(sink, Int32(SHUT_RDWR))
    }

    @unsafe
    private static func withAddress<Result>(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { field in
            unsafe field.copyBytes(from: path.utf8.prefix(field.count - 1))
        }
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe body(pointer, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
