public import ArgumentParser
import ClawWire
public import IssuanceRules

/// `clawgrant control`: everything else that a control event can do.
struct ControlCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "control", abstract: "Rotate WPCs, switch elevation, force the proxy, withdraw keys, send events.",
        subcommands: [
            RotatePolicyCommand.self, DisableElevatedCommand.self, EnableElevatedCommand.self,
            RequireProxyCommand.self, ReleaseProxyCommand.self, SuspectKeyCommand.self, ControlSendCommand.self,
        ])
}

/// `clawgrant control rotate-policy`.
struct RotatePolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate-policy", abstract: "Make a job class use another WPC from now on.")

    @Option(help: ArgumentHelp("The job class.", valueName: "name"))
    var jobClass: String

    @Option(help: ArgumentHelp("The WPC that gives no more tokens; default: every other.", valueName: "hash"))
    var from: String?

    @Option(help: ArgumentHelp("The WPC that takes its place.", valueName: "hash"))
    var to: String

    @Option(help: "What becomes of live tokens pinned to the old WPC.")
    var running: ControlOperation.PolicyRotation.Running = .keep

    @OptionGroup var options: DeclarationOptions

    mutating func validate() throws {
        for (option, hash) in [("--from", from), ("--to", to)] {
            guard hash.map({ Digest(b64u: $0) != nil }) ?? true else {
                throw ValidationError("\(option) is a WPC's hash: 43 characters of base64url")
            }
        }
        guard from != to else { throw ValidationError("--from and --to are the same WPC") }
        guard DeclarationOptions.isName(jobClass) else { throw ValidationError("--job-class needs a name") }
    }

    mutating func run() async throws {
        guard let to = Digest(b64u: to) else { throw CommandFailure.usage("--to is no WPC's hash") }
        let now = Clock.now
        let rotation = ControlOperation.PolicyRotation(
            jobClass: JobClass(jobClass), from: from.flatMap { Digest(b64u: $0) }, to: to, running: running)
        let id = options.id ?? DeclarationOptions.identifier("rotate", at: now)
        try await Declaration(options, .rotatePolicy(rotation), id: id, word: jobClass, at: now).declare()
    }
}

extension ControlOperation.PolicyRotation.Running: ExpressibleByArgument {}

/// `clawgrant control disable-elevated`.
struct DisableElevatedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disable-elevated", abstract: "Give no elevated grants, in general or for a job class.")

    @OptionGroup var reach: ReachOptions
    @OptionGroup var options: DeclarationOptions

    @Option(help: "revoke_and_deny revokes live elevated tokens too, deny_new lets them run out.")
    var action: StopDeclareCommand.Action = .revokeAndDeny

    mutating func run() async throws {
        let now = Clock.now
        let id = options.id ?? DeclarationOptions.identifier("elevated-off", at: now)
        let stop = ControlOperation.ElevationStop(reach: reach.reach, revokesLive: action == .revokeAndDeny)
        let word = reach.reach.scope.word
        try await Declaration(options, .disableElevated(stop), id: id, word: word, at: now).declare()
    }
}

/// `clawgrant control enable-elevated`.
struct EnableElevatedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "enable-elevated", abstract: "End disable-elevated of the same reach.")

    @OptionGroup var reach: ReachOptions
    @OptionGroup var options: DeclarationOptions

    mutating func run() async throws {
        let now = Clock.now
        let id = options.id ?? DeclarationOptions.identifier("elevated-on", at: now)
        let word = reach.reach.scope.word
        try await Declaration(options, .enableElevated(reach.reach), id: id, word: word, at: now).declare()
    }
}

/// `clawgrant control require-proxy`.
struct RequireProxyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "require-proxy",
        abstract: "Grant only under WPCs that force the proxied model route with receipts.")

    @OptionGroup var reach: ReachOptions
    @OptionGroup var options: DeclarationOptions

    @Option(help: "revoke_and_deny revokes live tokens under other WPCs, or under none; deny_new lets them run out.")
    var action: StopDeclareCommand.Action = .revokeAndDeny

    mutating func run() async throws {
        let now = Clock.now
        let id = options.id ?? DeclarationOptions.identifier("proxy", at: now)
        let order = ControlOperation.ProxyOrder(reach: reach.reach, revokesLive: action == .revokeAndDeny)
        let word = reach.reach.scope.word
        try await Declaration(options, .requireProxy(order), id: id, word: word, at: now).declare()
    }
}

/// `clawgrant control release-proxy`.
struct ReleaseProxyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release-proxy", abstract: "End require-proxy of the same reach.")

    @OptionGroup var reach: ReachOptions
    @OptionGroup var options: DeclarationOptions

    mutating func run() async throws {
        let now = Clock.now
        let id = options.id ?? DeclarationOptions.identifier("proxy-off", at: now)
        let word = reach.reach.scope.word
        try await Declaration(options, .releaseProxy(reach.reach), id: id, word: word, at: now).declare()
    }
}

/// `clawgrant control suspect-key`.
struct SuspectKeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "suspect-key", abstract: "Withdraw a signing key, for good, with what it signed.",
        discussion: """
            There is no way back: make another key and rotate (docs/keys.md). Requests wait until a worker has another key.
            """)

    @Argument(help: ArgumentHelp("The key.", valueName: "kid"))
    var kid: String

    @Option(
        help: ArgumentHelp("Void what it signed from this time on; default: all it ever signed.", valueName: "time"))
    var since: String?

    @OptionGroup var options: DeclarationOptions

    mutating func validate() throws {
        guard DeclarationOptions.isName(kid) else { throw ValidationError("the kid is missing") }
        if let since { _ = try Timestamp(argument: since) }
    }

    mutating func run() async throws {
        let now = Clock.now
        let suspect = ControlOperation.SuspectKey(
            kid: KeyID(kid), since: try since.map { try Timestamp(argument: $0) })
        let id = options.id ?? DeclarationOptions.identifier("suspect", at: now)
        try await Declaration(options, .suspectKey(suspect), id: id, word: kid, at: now).declare()
    }
}
