import ArgumentParser
import ClawWire
import OpenClaw

/// `clawgrant policy`: Work Policy Contracts in the forms of those who enforce them.
struct PolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Carry a WPC over to the configuration that enforces it, and check that one.",
        subcommands: [OpenClawCommand.self])
}

/// `clawgrant policy openclaw`.
struct OpenClawCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "openclaw", abstract: "OpenClaw's configuration.",
        subcommands: [OpenClawExportCommand.self, OpenClawOverlayCommand.self, OpenClawCheckCommand.self])
}

/// The WPC that a configuration is made of or held against.
struct PolicyOptions: ParsableArguments {
    @Option(
        name: .customLong("wpc"),
        help: ArgumentHelp("The WPC: the document, or its signed envelope.", valueName: "file"),
        completion: .file(extensions: ["json"]))
    var path: String

    @Option(
        name: .customLong("policy-hash"),
        help: ArgumentHelp("The hash that the WPC must have, as tokens pin it.", valueName: "hash"))
    var hash: String?

    @Option(
        name: .customLong("signer"), parsing: .singleValue,
        help: ArgumentHelp(
            "DID whose signature on the envelope counts; may be repeated. Without it signatures are not looked at.",
            valueName: "did"))
    var signers: [String] = []

    @Option(
        name: .customLong("proxy"), parsing: .singleValue,
        help: ArgumentHelp("Base address of the proxy that model calls go through.", valueName: "url"))
    var proxies: [String] = []

    mutating func validate() throws {
        guard hash.map({ Digest(b64u: $0) != nil }) ?? true else {
            throw ValidationError("--policy-hash is a SHA-256 in base64url, 43 characters")
        }
        for proxy in proxies where !proxy.hasPrefix("https://") && !proxy.hasPrefix("http://127.0.0.1:") {
            throw ValidationError("--proxy \(proxy): an address that begins with https:// was expected")
        }
    }

    /// Reads the WPC and what it asks of OpenClaw.
    func load() throws -> OpenClawPolicy {
        let contract = try contract()
        if let hash, contract.policyHash.b64u != hash {
            throw CommandFailure.negative(
                "\(path) has the hash \(contract.policyHash), not \(hash)", remedy: "give the WPC that tokens pin")
        }
        do {
            return try OpenClawPolicy(contract)
        } catch {
            throw CommandFailure.usage("\(path): \(error)")
        }
    }

    private func contract() throws -> WorkPolicyContract {
        let bytes = try InputFile.bytes(path, atMost: 1 << 20)
        do {
            let value = try JSONReader.parse(bytes)
            guard value["envelope_type"] != nil else {
                guard signers.isEmpty else {
                    throw CommandFailure.usage("\(path) is no envelope, so nobody signed it; leave --signer out")
                }
                return try WorkPolicyContract(value)
            }
            guard !signers.isEmpty else {
                let envelope = try SignedEnvelope.parse(value, type: WPCEnvelope.type)
                return try WorkPolicyContract(.object(envelope.payload))
            }
            guard let named = value["payload_hash_b64u"]?.string.flatMap({ Digest(b64u: $0) }) else {
                throw CommandFailure.usage("\(path) names no hash of its payload")
            }
            return try WPCEnvelope.verify(value, expectedHash: named, signerAllowlist: Set(signers)).contract
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure.usage("\(path) is no WPC: \(error)")
        }
    }
}
