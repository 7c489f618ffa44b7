import Glibc

/// A failure of the private environment: a tool that is missing, a server that did not come up, a wait that ran out.
public struct DevStackError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of failure it is; tests and commands branch on this, people read `message`.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// A program that has to be installed first was not found; the message names the package or command.
        case toolMissing
        /// No free loopback port could be had, or the wanted one is taken.
        case portUnavailable
        /// A program could not be started.
        case launchFailed
        /// A server ended although it was to keep running; the message carries the end of its log.
        case exitedEarly
        /// A condition did not come true in the time it was given.
        case deadlineExceeded
        /// A program that was run to its end reported failure.
        case commandFailed
        /// An argument can never work: a path too long for a socket, a string with a NUL.
        case invalidArgument
        /// A system call failed.
        case systemCall
    }

    /// The kind of failure.
    public let code: Code
    /// What happened, to which input, and what to do about it, in one or more sentences.
    public let message: String

    /// Makes an error.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// Whether the same call may succeed when it is simply made again.
    public var isRetriable: Bool {
        switch code {
        case .portUnavailable, .deadlineExceeded: true
        case .toolMissing, .launchFailed, .exitedEarly, .commandFailed, .invalidArgument, .systemCall: false
        }
    }

    /// The code and the message on one line.
    public var description: String { "\(code.rawValue): \(message)" }

    static func systemCall(_ name: String, on subject: String, errno code: Int32 = errno) -> DevStackError {
        DevStackError(.systemCall, "\(name) failed for \(subject): \(systemMessage(code)).")
    }

    /// The system's own words for an error number.
    static func systemMessage(_ code: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard unsafe strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
        let text = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return String(decoding: text, as: UTF8.self)
    }
}
