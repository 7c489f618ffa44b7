import ArgumentParser
import ClawWire
import OpenClaw

/// `clawgrant policy openclaw overlay`.
struct OpenClawOverlayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "overlay", abstract: "Print what lets commands leave the sandbox while an elevated token lives.",
        discussion: """
            Takes a token that bears the scope of an elevated action and is pinned to the WPC. Take the overlay away when \
            the token ends: its first comments name the token and the time.
            """)

    @OptionGroup var input: TokenInput
    @OptionGroup var policy: PolicyOptions

    @Option(
        name: .customLong("key"),
        help: ArgumentHelp(
            "A key that may sign tokens: a did:key, a JWKS file or a PEM file; may be repeated.", valueName: "key"))
    var keys: [String]

    @Option(
        name: .customLong("elevated-scope"),
        help: ArgumentHelp("The scope that the rules give the elevated action.", valueName: "scope"))
    var scope: String

    @Option(
        name: .customLong("allow-from"), parsing: .singleValue,
        help: ArgumentHelp("A sender who may use it, as channel:id; may be repeated.", valueName: "sender"))
    var senders: [String]

    @Option(help: ArgumentHelp("The time to verify the token at; default: now.", valueName: "time"))
    var at: String?

    @Flag(name: .customLong("json"), help: "Print an object with the overlay, the host's approvals, jti and exp.")
    var isJSON = false

    mutating func run() async throws {
        let named = try senders.map { text in
            guard let sender = OpenClawOverlay.Sender(text) else {
                throw ValidationError("--allow-from \(text): a channel and one sender, such as slack:U024BE7LH")
            }
            return sender
        }
        let policy = try policy.load()
        let accepted = AcceptedKeys(signing: try keys.flatMap(KeyArguments.publicKeys))
        let now = try at.map { try Timestamp(argument: $0) } ?? Clock.now
        do {
            let token = try CST.verify(
                try CST.parse(try input.text()), keys: accepted, now: now,
                rules: .strict(audiences: nil, maximumLifetimeSeconds: 86_400))
            let overlay = try OpenClawOverlay(token.claims, scope: scope, policy: policy, senders: named)
            guard isJSON else { return Console.out(String(overlay.text.dropLast())) }
            Console.out([
                "overlay": .object(overlay.fragment), "exec_approvals": .object(overlay.approvals),
                "jti": .optional(token.claims.tokenID?.rawValue), "exp": .number(Double(token.claims.expiresAt)),
            ])
        } catch let error as CSTError {
            throw CommandFailure.negative("the token is not verified: \(error)")
        } catch let error as OpenClawError {
            throw CommandFailure.negative("no overlay: \(error)")
        }
    }
}
