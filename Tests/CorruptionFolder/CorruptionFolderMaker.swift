import Foundation
import FsckCorruptions

/// `./dev corruptions DIR`: writes the folder of planted corruptions.
@main
enum CorruptionFolderMaker {
    static func main() async {
        let arguments = CommandLine.arguments.dropFirst()
        guard arguments.count == 1, let directory = arguments.first, !directory.hasPrefix("-") else {
            fail("usage: fsck-corruptions DIR", code: 64)
        }
        do {
            let count = try await CorruptionFolder.write(to: directory)
            print("\(count) kinds of damage and a log without any are in \(directory)")
        } catch {
            fail("\(error)", code: 1)
        }
    }

    private static func fail(_ message: String, code: Int32) -> Never {
        FileHandle.standardError.write(Data("\(message)\n".utf8))
        exit(code)
    }
}
