import Dispatch
import Keys

/// A text that opens doors. It prints as a placeholder.
struct Credential: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    let text: String
    var description: String { "[credential]" }
    var debugDescription: String { description }
    var customMirror: Mirror { Mirror(self, children: []) }
}

/// A file that holds a credential in one line. It is read for each delivery, so a changed file is in force at once.
struct CredentialFile: Sendable, Hashable {
    let path: String

    /// Reads the credential after checking that nobody else can.
    ///
    /// - Parameter sink: the sink that needs it, for the sentence of a failure.
    func read(for sink: String) async throws(SinkFailure) -> Credential {
        let path = path
        let result = await offPool { () throws(KeyError) in try SecretFile.load(path, form: .line, length: 1...8_192) }
        let secret: SecretBytes
        do {
            secret = try result.get()
        } catch {
            throw SinkFailure(.misconfigured, "\(sink): the credential cannot be read: \(error)")
        }
        // A header's value: anything else would end the header, or be refused by the other side without a reason.
        guard let text = secret.textExposed(), text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw SinkFailure(
                .misconfigured, "\(sink): \(path) is not one line of visible ASCII; write the credential alone into it")
        }
        return Credential(text: text)
    }
}

/// Runs what blocks for the time of a small file's read away from the cooperative pool.
func offPool<Value: Sendable, Failure: Error>(
    _ body: @escaping @Sendable () throws(Failure) -> Value
) async -> Result<Value, Failure> {
    await withCheckedContinuation { continuation in
        DispatchQueue.global().async {
            do throws(Failure) {
                continuation.resume(returning: .success(try body()))
            } catch {
                continuation.resume(returning: .failure(error))
            }
        }
    }
}
