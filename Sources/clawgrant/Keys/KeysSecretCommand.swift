import ArgumentParser
import ClawWire
import Foundation

/// `clawgrant keys secret`.
struct KeysSecretCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "secret", abstract: "Write 32 random bytes to a new file of mode 0600.",
        discussion: "For secrets.token_id_file and secrets.sealing_file. A file that exists is never overwritten.")

    @OptionGroup var output: OutputOptions

    @Option(name: .customLong("out"), help: ArgumentHelp("The new file.", valueName: "file"), completion: .file())
    var path: String

    mutating func run() async throws {
        var random = SystemRandomNumberGenerator()
        let bytes = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &random) }
        try NewPrivateFile.write(bytes, to: path)
        if output.isJSON {
            Console.out(["file": .string(path), "bytes": 32])
        } else {
            Console.out("made a secret of 32 bytes in \(path)")
        }
    }
}
