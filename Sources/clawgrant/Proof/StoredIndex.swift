import ClawWire
import Foundation
import Glibc
import ProofBundles

/// The file in which one reading of a log leaves where the next may begin.
struct StoredIndex {
    let path: String
    /// Signs the file, and is the only one who may have.
    let signer: any Ed25519Signer

    /// What is stored; `nil` when there is nothing that stands, which is said.
    ///
    /// - Throws: ``CommandFailure`` when the file is there and cannot be read.
    func load(logID: LogID, logKeys: [Ed25519PublicKey]) throws -> LogIndex? {
        guard FileManager.default.fileExists(atPath: path) else { return nil }
        let bytes = try InputFile.bytes(path, atMost: LogIndex.maximumBytes)
        do {
            return try LogIndex(bytes, logID: logID, logKeys: logKeys, signers: [signer.publicKey])
        } catch {
            Console.error("\(path) is not used, and the log is read from its beginning: \(error)")
            return nil
        }
    }

    /// Stores what was read, for its owner alone.
    func save(_ index: LogIndex) throws {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
        let new = folder.appendingPathComponent(".\(UUID().uuidString)").path
        let bytes = try index.file(signedBy: signer)
        guard bytes.count <= LogIndex.maximumBytes else {
            Console.error("\(path) is not written: it would have \(bytes.count) bytes")
            return
        }
        try NewPrivateFile.write(bytes, to: new)
        guard unsafe rename(new, path) == 0 else {
            unsafe unlink(new)
            throw CommandFailure.negative("\(path) cannot be written; check that its directory is writable")
        }
    }
}
