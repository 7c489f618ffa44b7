import ClawWire
import GrantWorker
import ReceiptLog
import Testing

@Suite("Witnesses in a configuration file")
struct ConfigurationWitnessTests {
    private static func key(_ name: String, _ algorithm: NoteKey.Algorithm = .cosignature) throws -> NoteKey {
        let signer = try #require(SeedSigner(seed: Digest(hashing: name).bytes))
        return try #require(NoteKey(name: name, publicKey: signer.publicKey, algorithm: algorithm))
    }

    private static func read(_ texts: [String]) throws -> ConfigurationFile {
        let list = texts.map { "\"\($0)\"" }.joined(separator: ", ")
        return try ConfigurationRoom().read(ConfigurationSample.least + "\nwitnesses: [\(list)]\n")
    }

    @Test("Their verifier keys are read")
    func read() throws {
        let keys = [try Self.key("witness.north.example/w1"), try Self.key("witness.south.example/w1")]
        #expect(try Self.read(keys.map(\.text)).worker.witnesses == keys)
        #expect(try Self.read([]).worker.witnesses.isEmpty)
    }

    @Test("What is no witness's key is refused with its place")
    func faults() throws {
        let key = try Self.key("witness.north.example/w1")
        let log = try Self.key("logs.example/a", .ed25519)
        for (texts, expected) in [
            ([log.text], "witnesses[0]: found"), (["witness"], "the verifier key of a witness"),
            ([key.text, key.text], "witnesses[1]: found a second entry for witness.north.example/w1"),
        ] {
            let error = #expect(throws: ConfigurationFileError.self) { _ = try Self.read(texts) }
            #expect("\(try #require(error))".contains(expected))
        }
    }
}
