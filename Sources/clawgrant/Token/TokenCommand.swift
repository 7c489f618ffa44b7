import ArgumentParser
import ClawWire

/// `clawgrant token`: tokens.
struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Show, verify, check and open tokens.",
        discussion: "Tokens come from files or standard input, never from arguments.",
        subcommands: [TokenShowCommand.self, TokenVerifyCommand.self, TokenCheckCommand.self, TokenOpenCommand.self])
}

/// `clawgrant token show`.
struct TokenShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show what a token claims, without believing it.")

    @OptionGroup var input: TokenInput
    @OptionGroup var output: OutputOptions

    mutating func run() async throws {
        let token: UnverifiedCST
        do {
            token = try CST.parse(try input.text())
        } catch let error as CSTError {
            throw CommandFailure.negative("this is no token: \(error)")
        }
        if output.isJSON {
            Console.out([
                "token_hash": .string(token.token.hash.hex), "kid": .optional(token.kid?.rawValue),
                "verified": false, "claims": token.unverifiedClaims.document,
            ])
            return
        }
        Console.out("token hash  \(token.token.hash)")
        Console.out("key         \(token.kid?.rawValue ?? "none named")")
        Console.out("claims, not verified:")
        for line in token.unverifiedClaims.lines { Console.out("  \(line)") }
    }
}

/// `clawgrant token verify`.
struct TokenVerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Verify a token's signature, times and scope hash.")

    @OptionGroup var input: TokenInput
    @OptionGroup var output: OutputOptions

    @Option(
        name: .customLong("key"),
        help: ArgumentHelp(
            "A key that may sign: a did:key, a JWKS file or a PEM file; may be repeated.", valueName: "key"))
    var keys: [String]

    @Option(help: ArgumentHelp("An audience of which the token must name one; may be repeated.", valueName: "name"))
    var audience: [String] = []

    @Option(help: ArgumentHelp("The time to verify at; default: now.", valueName: "time"))
    var at: String?

    @Flag(name: .customLong("compatible"), help: "Check only what the gateway's introspection checks.")
    var isCompatible = false

    mutating func run() async throws {
        let accepted = AcceptedKeys(signing: try keys.flatMap(KeyArguments.publicKeys))
        let now = try at.map { try Timestamp(argument: $0) } ?? Clock.now
        var rules: CSTVerification =
            isCompatible ? .compatible : .strict(audiences: nil, maximumLifetimeSeconds: 86_400)
        if !audience.isEmpty { rules.audiences = audience }
        do {
            let verified = try CST.verify(try CST.parse(try input.text()), keys: accepted, now: now, rules: rules)
            if output.isJSON {
                Console.out([
                    "verified": true, "token_hash": .string(verified.hash.hex), "kid": .string(verified.kid.rawValue),
                    "claims": verified.claims.document,
                ])
            } else {
                Console.out("verified with key \(verified.kid); valid until \(verified.claims.expires)")
                for line in verified.claims.lines { Console.out("  \(line)") }
            }
        } catch let error as CSTError {
            if output.isJSON {
                Console.out([
                    "verified": false, "code": .string(error.code.rawValue), "detail": .string(error.message),
                ])
                throw CommandFailure.no
            }
            throw CommandFailure.negative("not verified: \(error)")
        }
    }
}
