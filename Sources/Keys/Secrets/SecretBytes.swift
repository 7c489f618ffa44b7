import Glibc

/// Secret bytes in memory of their own that is wiped when the last copy of the value goes away.
///
/// Every way to print, dump or mirror it shows a placeholder. Wiping covers this storage; what a caller copies out is
/// the caller's to guard.
public struct SecretBytes: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let storage: SecretStorage

    /// Takes a copy of bytes.
    public init(copying bytes: [UInt8]) {
        storage = unsafe SecretStorage(capacity: bytes.count) { buffer in
            unsafe buffer.copyBytes(from: bytes)
            return bytes.count
        }
    }

    init(storage: SecretStorage) { self.storage = storage }

    /// How many bytes there are.
    public var count: Int { storage.count }

    /// Lends the bytes for the time of the call; the pointer is invalid afterwards.
    public func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe body(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(storage.bytes)[..<storage.count]))
    }

    /// A plain copy of the bytes, for an interface that takes nothing else. The name is long so that reviews find it.
    public func copyExposed() -> [UInt8] {
        unsafe withUnsafeBytes { unsafe Array($0) }
    }

    /// The bytes as UTF-8 text, for an interface that takes nothing else, or `nil` when they are not UTF-8.
    public func textExposed() -> String? { String(validating: copyExposed(), as: UTF8.self) }

    /// The bytes without one line end (LF or CR LF) at the end: how editors and `echo` leave a secret of text.
    public func trimmingLineEnd() -> SecretBytes {
        unsafe withUnsafeBytes { bytes in
            var end = bytes.count
            if end > 0, unsafe bytes[end - 1] == UInt8(ascii: "\n") {
                end -= 1
                if end > 0, unsafe bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
            }
            let kept = end
            return unsafe SecretBytes(
                storage: SecretStorage(capacity: kept) { buffer in
                    unsafe buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<kept]))
                    return kept
                })
        }
    }

    /// A placeholder.
    public var description: String { "<secret>" }
    /// A placeholder.
    public var debugDescription: String { "<secret>" }
    /// Shows no stored property.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// The memory of a ``SecretBytes``.
@safe final class SecretStorage: @unchecked Sendable {
    // Safe to send: the bytes are written in `init`, before anyone else has the object, and in `deinit`, when nobody
    // has; between the two they are only read.
    let bytes: UnsafeMutableRawBufferPointer
    let count: Int

    /// Allocates `capacity` bytes and lets `fill` write them; `fill` returns how many are in use.
    init<Failure: Error>(
        capacity: Int, fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(capacity, 1), alignment: 16)
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0)
        do {
            count = min(try unsafe fill(UnsafeMutableRawBufferPointer(rebasing: memory[..<capacity])), capacity)
        } catch {
            unsafe Self.wipe(memory)
            throw error
        }
        unsafe bytes = memory
    }

    deinit {
        unsafe Self.wipe(bytes)
    }

    private static func wipe(_ memory: UnsafeMutableRawBufferPointer) {
        if let base = memory.baseAddress { unsafe explicit_bzero(base, memory.count) }
        unsafe memory.deallocate()
    }
}
