import CLinux
import Glibc

/// Owner of one socket descriptor; it is closed when the last reference goes.
final class Socket: Sendable {
    /// What came of one attempt to move bytes.
    enum Transfer: Equatable {
        case moved(Int)
        case wouldBlock
        case ended
        case failed(Int32)
    }

    let descriptor: Int32

    init(owning descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// A listener on 127.0.0.1; port 0 lets the kernel choose. It does not block.
    static func listening(port: UInt16, backlog: Int32 = 512) throws(DevStackError) -> Socket {
        let socket = try make()
        socket.set(SOL_SOCKET, SO_REUSEADDR, 1)
        let bound = unsafe withLoopback(port: port) {
            (address: UnsafePointer<sockaddr>, length: socklen_t) in
            unsafe bind(socket.descriptor, address, length)
        }
        guard bound == 0, listen(socket.descriptor, backlog) == 0 else {
            let code = errno
            guard code == EADDRINUSE else { throw .systemCall("bind", on: "127.0.0.1:\(port)", errno: code) }
            throw DevStackError(.portUnavailable, "Port \(port) of 127.0.0.1 is in use by another program.")
        }
        return socket
    }

    /// Begins to connect to a port of 127.0.0.1 without waiting; ready for writing means the outcome is known.
    static func connecting(port: UInt16) throws(DevStackError) -> Socket {
        let socket = try make()
        let result = unsafe withLoopback(port: port) {
            (address: UnsafePointer<sockaddr>, length: socklen_t) in
            unsafe connect(socket.descriptor, address, length)
        }
        guard result == 0 || errno == EINPROGRESS else { throw .systemCall("connect", on: "127.0.0.1:\(port)") }
        return socket
    }

    /// A connection to a port of 127.0.0.1 whose calls block, each for at most `limit`.
    static func connected(port: UInt16, limit: Duration) throws(DevStackError) -> Socket {
        let socket = try make(flags: 0)
        let (seconds, attoseconds) = limit.components
        var time = timeval(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            unsafe setsockopt(socket.descriptor, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
        }
        let result = unsafe withLoopback(port: port) {
            (address: UnsafePointer<sockaddr>, length: socklen_t) in
            unsafe connect(socket.descriptor, address, length)
        }
        guard result == 0 else { throw .systemCall("connect", on: "127.0.0.1:\(port)") }
        socket.sendAtOnce()
        return socket
    }

    /// Takes one waiting connection; nil when none waits.
    func accepted() -> Socket? {
        let descriptor = clinux_accept(self.descriptor)
        return descriptor < 0 ? nil : Socket(owning: descriptor)
    }

    /// The port this socket is bound to; 0 when it is not.
    var localPort: UInt16 {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = unsafe withUnsafeMutablePointer(to: &address) { (start: UnsafeMutablePointer<sockaddr_in>) in
            unsafe start.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                (general: UnsafeMutablePointer<sockaddr>) in
                unsafe getsockname(descriptor, general, &length)
            }
        }
        return UInt16(bigEndian: address.sin_port)
    }

    /// The error a connection attempt ended with; 0 when it succeeded.
    var pendingError: Int32 {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
        return code
    }

    func sendAtOnce() { set(Int32(IPPROTO_TCP), TCP_NODELAY, 1) }

    /// Makes the coming close a reset that throws away what was not delivered.
    func resetOnClose() {
        var option = linger(l_onoff: 1, l_linger: 0)
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    }

    func finishWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Fills the beginning of `space` with what has arrived.
    func receive(into space: inout [UInt8]) -> Transfer {
        while true {
            let count = unsafe space.withUnsafeMutableBytes { (bytes: UnsafeMutableRawBufferPointer) in
                unsafe recv(descriptor, bytes.baseAddress, bytes.count, 0)
            }
            if count > 0 { return .moved(count) }
            if count == 0 { return .ended }
            if errno == EAGAIN || errno == EWOULDBLOCK { return .wouldBlock }
            if errno != EINTR { return .failed(errno) }
        }
    }

    /// Sends as much of `bytes[range]` as fits now.
    func send(_ bytes: [UInt8], _ range: Range<Int>) -> Transfer {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count, "the range lies inside the bytes")
        while true {
            let count = unsafe bytes.withUnsafeBytes { (all: UnsafeRawBufferPointer) in
                unsafe Glibc.send(
                    descriptor, all.baseAddress.map { unsafe $0 + range.lowerBound }, range.count,
                    Int32(MSG_NOSIGNAL))
            }
            if count >= 0 { return .moved(count) }
            if errno == EAGAIN || errno == EWOULDBLOCK { return .wouldBlock }
            if errno != EINTR { return .failed(errno) }
        }
    }

    private static func make(
        flags: Int32 = Int32(SOCK_NONBLOCK.rawValue)
    ) throws(DevStackError) -> Socket {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | flags
        let descriptor = socket(AF_INET, type, 0)
        guard descriptor >= 0 else { throw .systemCall("socket", on: "a loopback connection") }
        return Socket(owning: descriptor)
    }

    private func set(_ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        unsafe setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func withLoopback(
        port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return unsafe withUnsafePointer(to: &address) { (start: UnsafePointer<sockaddr_in>) in
            unsafe start.withMemoryRebound(to: sockaddr.self, capacity: 1) { (general: UnsafePointer<sockaddr>) in
                unsafe body(general, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
