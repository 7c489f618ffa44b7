import ArgumentParser
import ClawWire
import ProofBundles

/// `clawgrant proof verify`.
struct ProofVerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Verify evidence: bundles, batches, checkpoints, proofs, receipts, tokens, WPCs.",
        discussion: """
            Works offline, with a file that says whom to trust. What a file is, is found out. Without a signature by a \
            trusted key nothing is VALID. Files that are given together are held against each other: two histories of \
            one log are named. With --compat, answers as the reference's verifiers do, defects included. Ends with 0 \
            when everything is valid, 1 when something is not, 2 when too little could be checked.
            """)

    @Argument(
        help: ArgumentHelp(
            "The files; - for standard input. Several documents may stand one a line.", valueName: "file"),
        completion: .file())
    var paths: [String]

    @Option(
        help: ArgumentHelp("Whom to trust: a JSON file, see docs/evidence.md.", valueName: "file"),
        completion: .file(extensions: ["json"]))
    var trust: String

    @Flag(help: "Answer as the reference's verifiers do.")
    var compat = false

    @Option(
        name: .customLong("compat-options"),
        help: ArgumentHelp(
            "With --compat: a JSON object of the options that the reference's caller gives, by the reference's names.",
            valueName: "file"), completion: .file(extensions: ["json"]))
    var compatOptions: String?

    @Option(
        help: ArgumentHelp(
            "With --compat: the run manifest document that a bundle refers to, which is not in it.", valueName: "file"),
        completion: .file(extensions: ["json"]))
    var urm: String?

    @Option(
        name: .customLong("at"),
        help: ArgumentHelp("The time of verification. Default: now.", valueName: "time"),
        transform: { try Timestamp(argument: $0) })
    var time: Timestamp?

    @OptionGroup var output: OutputOptions

    mutating func validate() throws {
        guard compat || compatOptions == nil && urm == nil else {
            throw ValidationError("--compat-options and --urm are of --compat")
        }
    }

    /// What the reference's caller would say.
    private func referenceOptions() throws -> ReferenceOptions {
        func document(_ path: String) throws -> JSONValue {
            do {
                return try JSONReader.parse(
                    try InputFile.bytes(path, atMost: 16 << 20), limits: ReferenceVerifier.limits,
                    duplicates: .keepLastValue)
            } catch let error as JSONError {
                throw CommandFailure.usage("\(path): \(error)")
            }
        }
        var options = ReferenceOptions()
        if let compatOptions {
            guard let object = try document(compatOptions).object else {
                throw CommandFailure.usage("\(compatOptions): a JSON object of options was expected")
            }
            options = ReferenceOptions(object)
        }
        if let urm { options.members["urm"] = try document(urm) }
        return options
    }

    mutating func run() async throws {
        let trusted: TrustConfiguration
        do {
            trusted = try TrustConfiguration.parse(try InputFile.bytes(trust, atMost: 1 << 20))
        } catch let error as TrustError {
            throw CommandFailure.usage(
                error.problems.map { "\(trust): \($0.path): \($0.detail)" }.joined(separator: "\n"))
        }
        let now = time ?? Clock.now
        var code: Int32 = 0
        var claims = LogClaims(trust: trusted)
        let options = try referenceOptions()
        for path in paths {
            for (name, bytes) in documents(try InputFile.bytes(path, atMost: ProofVerifier.limits.maximumBytes), path) {
                if compat {
                    code = max(code, tell(CompatibleAnswer(bytes, trust: trusted, now: now, options: options), name))
                } else {
                    let verification = ProofVerifier.verify(bytes, trust: trusted, now: now)
                    code = worse(code, verification.exitCode)
                    tell(verification, name)
                    claims.add(bytes, named: name)
                }
            }
        }
        for contradiction in claims.contradictions {
            code = 1
            if output.isJSON {
                Console.out(["file": .string(contradiction.path), "contradiction": contradiction.json])
            } else {
                Console.out("\(Console.styled("SPLIT_VIEW", .red)) \(Console.plain(contradiction.detail))")
            }
        }
        if code != 0 { throw ExitCode(code) }
    }

    /// Invalid outweighs undetermined, which outweighs valid.
    private func worse(_ left: Int32, _ right: Int32) -> Int32 {
        left == 1 || right == 1 ? 1 : max(left, right)
    }

    /// A file is one document, or one a line when it is none as a whole.
    private func documents(_ bytes: [UInt8], _ path: String) -> [(name: String, bytes: [UInt8])] {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), maxSplits: 100_000)
        guard lines.count > 1, bytes.first == UInt8(ascii: "{"), lines[1].first == UInt8(ascii: "{") else {
            return [(path, bytes)]
        }
        return lines.enumerated().map { ("\(path):\($0.offset + 1)", Array($0.element)) }
    }

    private func tell(_ verification: Verification, _ name: String) {
        if output.isJSON {
            guard var object = verification.json.object else { return }
            object["file"] = .string(name)
            Console.out(.object(object))
            return
        }
        let style: Console.Style =
            switch verification.verdict {
            case .valid: .green
            case .invalid: .red
            case .undetermined: .yellow
            }
        let kind = verification.kind.rawValue.replacing("_", with: " ")
        Console.out(
            "\(Console.styled(verification.verdict.rawValue, style)): \(Console.plain(name)), \(kind), "
                + "\(verification.checks.count { $0.outcome == .passed }) checks passed")
        for check in verification.checks where check.outcome != .passed {
            let mark = check.outcome == .failed ? Console.styled(check.code, .red) : "\(check.code) (not checked)"
            let place = check.path.isEmpty ? "" : " at \(Console.plain(check.path))"
            Console.out("  \(mark)\(place): \(Console.plain(check.detail))")
        }
    }

    private func tell(_ answer: CompatibleAnswer, _ name: String) -> Int32 {
        if output.isJSON {
            Console.out([
                "file": .string(name), "kind": .string(answer.kind.rawValue),
                "answers": .array(answer.answers.map(\.json)),
            ])
            return answer.exitCode
        }
        guard !answer.answers.isEmpty else {
            let why =
                answer.kind == .approval
                ? "the reference asks of an approval whether it is about an agentDid, a scopeHashB64u and a "
                    + "policyHashB64u: give them with --compat-options"
                : "the reference has no verifier for this kind of document"
            Console.out("\(Console.plain(name)): \(why)")
            return answer.exitCode
        }
        for answer in answer.answers {
            let why =
                answer.isValid
                ? answer.tier.map { ", tier \($0)" } ?? "" : " \(answer.code ?? "") \(answer.field ?? "")"
            Console.out("\(Console.plain(name)): \(answer.verifier) says \(answer.isValid ? "VALID" : "INVALID")\(why)")
        }
        return answer.exitCode
    }
}
