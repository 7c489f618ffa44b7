import ClawWire
import GrantWorker
import Keys
import ProofBundles
import ReceiptLog

/// Whose signatures under a checkpoint count.
struct KnownWitnesses {
    let logKeys: [Ed25519PublicKey]
    let witnesses: [NoteKey]

    /// Those of the configuration, or of a trust file where one is given.
    static func load(_ file: ConfigurationFile, trustFile: String?) throws -> KnownWitnesses {
        let known: KnownWitnesses
        if let trustFile {
            let trust: TrustConfiguration
            do {
                trust = try TrustConfiguration.parse(try InputFile.bytes(trustFile, atMost: 1 << 20))
            } catch let error as TrustError {
                throw CommandFailure.usage(
                    error.problems.map { "\(trustFile): \($0.path): \($0.detail)" }.joined(separator: "\n"))
            }
            guard let log = trust.logs.first(where: { $0.logID == file.worker.logID }) else {
                throw CommandFailure.usage("\(trustFile) does not name the log \(file.worker.logID)")
            }
            known = KnownWitnesses(logKeys: log.keys, witnesses: log.witnesses)
        } else {
            let keys = try KeyRing.load(file.worker.keys, required: [], at: Clock.now).inventory()
            known = KnownWitnesses(
                logKeys: keys.filter { $0.configuration.purpose == .receipt }.map(\.publicKey),
                witnesses: file.worker.witnesses)
        }
        guard !known.witnesses.isEmpty else {
            throw CommandFailure.usage(
                trustFile.map { "\($0) names no witnesses of \(file.worker.logID): list them under logs[].witnesses" }
                    ?? "the configuration names no witnesses: list their verifier keys under witnesses, or give --trust"
            )
        }
        return known
    }
}
