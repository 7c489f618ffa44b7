public import ArgumentParser
import ClawWire
import Keys

extension KeyPurpose: ExpressibleByArgument {}

/// `clawgrant keys generate`.
struct KeysGenerateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "generate", abstract: "Make a key in a new file of mode 0600.",
        discussion: """
            An Ed25519 key; for purpose set, an RSA key of 3072 bits. A file that exists is never overwritten.
            """)

    @OptionGroup var output: OutputOptions

    @Option(help: "What the key signs.")
    var purpose: KeyPurpose

    @Option(name: .customLong("out"), help: ArgumentHelp("The new file.", valueName: "file"), completion: .file())
    var path: String

    @Option(
        name: .customLong("public-out"),
        help: ArgumentHelp("A new file for the public half in PEM.", valueName: "file"), completion: .file())
    var publicPath: String?

    mutating func run() async throws {
        if purpose == .set { return try makeSignalKey() }
        let key = try KeyGenerator.generate(purpose: purpose)
        try key.writePrivateKey(to: path)
        if let publicPath { try key.writePublicKey(to: publicPath) }
        if output.isJSON {
            Console.out([
                "purpose": .string(purpose.rawValue), "file": .string(path),
                "kid": .string(key.publicKey.kid.rawValue), "did": .string(key.publicKey.did),
            ])
        } else {
            Console.out("made a key for purpose \(purpose) in \(path)")
            Console.out("kid  \(key.publicKey.kid)")
            Console.out("did  \(key.publicKey.did)")
        }
    }

    private func makeSignalKey() throws {
        let key = try KeyGenerator.generateSignalKey()
        try key.writePrivateKey(to: path)
        if let publicPath { try key.writePublicKey(to: publicPath) }
        if output.isJSON {
            Console.out(["purpose": "set", "file": .string(path), "kid": .string(key.publicKey.kid)])
        } else {
            Console.out("made a key for purpose set in \(path)")
            Console.out("kid  \(key.publicKey.kid)")
        }
    }
}
