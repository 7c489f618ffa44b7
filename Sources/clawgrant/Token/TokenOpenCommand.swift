import ArgumentParser
import ClawWire

/// `clawgrant token open`.
struct TokenOpenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "open", abstract: "Open a grant that is sealed to a job's key, and show its claims.",
        discussion: "Takes a grant record, a line of `clawgrant tail --json`, or the bare JWE.")

    @OptionGroup var input: TokenInput
    @OptionGroup var output: OutputOptions

    @Option(
        name: .customLong("key"),
        help: ArgumentHelp("The job's private key, as `clawgrant request` made it.", valueName: "file"),
        completion: .file())
    var keyFile: String

    @Flag(name: .customLong("reveal"), help: "Print the token itself, and nothing else.")
    var isRevealed = false

    mutating func run() async throws {
        let key = try KeyArguments.deliveryKey(keyFile)
        let (jwe, record) = try Self.sealed(try input.text())
        let opened: SealedToken.Opened
        do {
            opened = try SealedToken.open(jwe, privateKey: key)
        } catch {
            throw CommandFailure.negative("the grant does not open: \(error); check that it is this job's key")
        }
        try Self.check(opened, against: record)
        if isRevealed {
            Console.out(opened.token.exposed)
            return
        }
        let token: UnverifiedCST
        do {
            token = try CST.parse(opened.token.exposed)
        } catch {
            throw CommandFailure.negative("what was sealed is no token: \(error)")
        }
        if output.isJSON {
            Console.out([
                "token_hash": .string(opened.token.hash.hex), "kid": .optional(token.kid?.rawValue),
                "verified": false, "claims": token.unverifiedClaims.document,
            ])
        } else {
            Console.out("token hash  \(opened.token.hash)")
            Console.out("key         \(token.kid?.rawValue ?? "none named")")
            Console.out("claims, not verified (pass the token to `clawgrant token verify` with --reveal):")
            for line in token.unverifiedClaims.lines { Console.out("  \(line)") }
        }
    }

    /// The JWE, with the record it stood in.
    static func sealed(_ text: String) throws -> (jwe: String, record: JSONValue?) {
        guard text.hasPrefix("{") else { return (text, nil) }
        let document: JSONValue
        do {
            document = try JSONReader.parse(text)
        } catch {
            throw CommandFailure.usage("the grant is no JSON: \(error)")
        }
        let record = document["record"] ?? document
        switch record["delivery"]?["mode"]?.string {
        case "sealed":
            guard let jwe = record["delivery"]?["jwe"]?.string else {
                throw CommandFailure.usage("the grant says sealed and holds no JWE")
            }
            return (jwe, record)
        case let mode?: throw CommandFailure.negative("the grant's delivery is \(mode), so there is nothing to open")
        case nil: throw CommandFailure.usage("this is no grant record: it has no delivery.mode")
        }
    }

    /// A token that is not the one of its record was put there by somebody else.
    private static func check(_ opened: SealedToken.Opened, against record: JSONValue?) throws {
        guard let record else { return }
        if let named = record["token"]?["token_hash"]?.string, named != opened.token.hash.hex {
            throw CommandFailure.negative("the token that was sealed is not the one that the grant names")
        }
        if let request = record["request_id"]?.string, opened.context != Array(request.utf8) {
            throw CommandFailure.negative("the token was sealed for another request than the grant's")
        }
    }
}
