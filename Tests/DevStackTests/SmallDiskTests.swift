import Foundation
import Testing

@testable import DevStack

/// A disk that can be filled, where mounting is allowed.
@Suite struct SmallDiskTests {
    @Test func fullDisksTakeNothingUntilTheyAreFreed() async throws {
        guard await SmallDisk.isAllowed() else { return }
        let home = try TemporaryDirectory(prefix: "claw-disk")
        defer { home.close() }
        let disk = try await SmallDisk(at: home.path("disk"), megabytes: 4)
        let file = "\(disk.path)/file"
        #expect(FileManager.default.createFile(atPath: file, contents: Data(count: 100_000)))
        let taken = try disk.fill()
        #expect(taken > 3_500_000 && taken < 4 << 20)
        #expect(try disk.fill() == 0)
        #expect(throws: (any Error).self) {
            let handle = try #require(FileHandle(forWritingAtPath: file))
            try handle.seekToEnd()
            try handle.write(contentsOf: Data(count: 100_000))
        }
        // What somebody gives back is taken again.
        try FileManager.default.removeItem(atPath: file)
        #expect(try disk.fill() > 0)
        disk.free()
        #expect(FileManager.default.createFile(atPath: file, contents: Data(count: 1 << 20)))
        await disk.close()
        #expect(!FileManager.default.fileExists(atPath: file))
        await disk.close()
    }
}
