import Foundation

/// Reads a file line by line in bounded memory.
final class LineReader {
    /// Where the next line begins.
    private(set) var offset: UInt64 = 0

    private static let chunk = 1 << 20
    private let path: String
    private let file: FileHandle
    private let maximumLine: Int
    private var buffer: [UInt8] = []
    private var start = 0

    /// Opens a file.
    ///
    /// - Throws: ``FsckError`` when it cannot be read.
    init(_ path: String, maximumLine: Int = 8 << 20) throws {
        self.path = path
        self.maximumLine = maximumLine
        do { file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path)) } catch {
            throw FsckError("\(path) cannot be read: \(error.localizedDescription)")
        }
    }

    deinit { try? file.close() }

    /// The next line without its newline; `nil` at the end.
    ///
    /// - Throws: ``FsckError`` when a line is too long or the last one has no newline.
    func next() throws -> [UInt8]? {
        var searched = start
        while true {
            if let end = buffer[searched...].firstIndex(of: 0x0A) {
                let line = Array(buffer[start..<end])
                start = end + 1
                offset += UInt64(line.count) + 1
                return line
            }
            guard buffer.count - start <= maximumLine else { throw FsckError("a line of \(path) is too long") }
            buffer.removeFirst(start)
            start = 0
            searched = buffer.count
            guard let data = try file.read(upToCount: Self.chunk), !data.isEmpty else {
                guard buffer.isEmpty else { throw FsckError("\(path) does not end with a newline") }
                return nil
            }
            buffer += data
        }
    }

    /// Goes to a place where a line begins.
    func seek(to place: UInt64) throws {
        try file.seek(toOffset: place)
        offset = place
        buffer = []
        start = 0
    }
}
