import ArgumentParser
import ClawWire
import Foundation
import ProofBundles

/// `clawgrant proof render`.
struct ProofRenderCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "render", abstract: "Make one HTML file of a bundle that shows the run and checks itself.",
        discussion: """
            The page needs no network and no other file: its Verify button checks hashes, Merkle paths and signatures in \
            the reader's browser. Rendering checks nothing; `proof verify` does. The same bundle gives the same bytes. \
            docs/trust-pulse.md says what the page can tell and what it cannot.
            """)

    @Argument(help: "An export bundle, or a proof bundle in its envelope; - for standard input.", completion: .file())
    var file: String

    @Option(
        name: [.customShort("o"), .customLong("out")],
        help: ArgumentHelp(
            "Where to write the page; - for standard output. Default: the bundle's name with .html at its end.",
            valueName: "file"),
        completion: .file())
    var out: String?

    @OptionGroup var output: OutputOptions

    func run() throws {
        let bundle = try InputFile.bytes(file, atMost: ProofPage.maximumBytes)
        let page: [UInt8]
        do {
            page = try ProofPage.render(bundle)
        } catch {
            throw CommandFailure.usage("\(file == "-" ? "standard input" : file): \(error.detail)")
        }
        let target = destination
        guard target != "-" else {
            try FileHandle.standardOutput.write(contentsOf: Data(page))
            return
        }
        guard target != file else {
            throw CommandFailure.usage("\(file) would be overwritten by its own page; name another file with --out")
        }
        do {
            try Data(page).write(to: URL(fileURLWithPath: target), options: .atomic)
        } catch {
            throw CommandFailure.negative("\(target) cannot be written: \(error.localizedDescription)")
        }
        if output.isJSON {
            Console.out([
                "bytes": .integer(page.count), "page": .string(target), "sha256": .string(Digest(hashing: page).hex),
            ])
        } else {
            Console.error("\(target): open it in a browser and press Verify")
        }
    }

    /// The file that is written.
    private var destination: String {
        if let out { return out }
        guard file != "-" else { return "-" }
        return (file.hasSuffix(".json") ? String(file.dropLast(5)) : file) + ".html"
    }
}
