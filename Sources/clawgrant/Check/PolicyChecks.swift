import ClawWire
import Foundation
import GrantWorker
import IssuanceRules

/// Checks of the sources of WPCs.
enum PolicyChecks {
    static func findings(_ file: ConfigurationFile, _ rules: RuleSet, isOffline: Bool) async -> [CheckFinding] {
        let sources = file.worker.policySources(rules)
        let demanding = rules.jobClasses.values.filter(\.workPolicy.isRequired).map(\.name).sorted()
        guard sources.directory != nil || sources.topic != nil || sources.url != nil else {
            return demanding.isEmpty
                ? [.ok("wpc", "no source is configured and no job class demands a WPC")]
                : [
                    .error(
                        "wpc",
                        "no source is configured and job classes demand a WPC: "
                            + demanding.map(\.rawValue).joined(separator: ", "),
                        "set wpc.directory, wpc.topic or wpc.url")
                ]
        }
        var findings: [CheckFinding] = []
        if rules.workPolicies.signers.isEmpty {
            findings.append(
                .error("wpc", "the rules list no signers, so no WPC is accepted", "list them under wpc.signers"))
        }
        if let directory = sources.directory { findings += self.directory(directory, rules) }
        if let url = sources.url, !isOffline { findings.append(await registry(url)) }
        return findings
    }

    private static func directory(_ path: String, _ rules: RuleSet) -> [CheckFinding] {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: path).filter { $0.hasSuffix(".json") }.sorted()
        } catch {
            return [.error("wpc", "the directory \(path) cannot be read", "make it, or correct wpc.directory")]
        }
        guard !names.isEmpty else {
            return [.warning("wpc", "the directory \(path) holds no WPC", "put signed envelopes there, as *.json")]
        }
        let signers = Set(rules.workPolicies.signers.map(\.did))
        var findings: [CheckFinding] = []
        var good = 0
        for name in names {
            do {
                let bytes = try InputFile.bytes("\(path)/\(name)", atMost: 131_072)
                guard
                    let hash = (try? JSONReader.parse(bytes))?["payload_hash_b64u"]?.string.flatMap({ Digest(b64u: $0) }
                    )
                else {
                    findings.append(
                        .warning("wpc", "\(path)/\(name) is no signed envelope", "sign it, or take it away"))
                    continue
                }
                _ = try WPCEnvelope.verify(bytes, expectedHash: hash, signerAllowlist: signers)
                good += 1
            } catch {
                findings.append(.warning("wpc", "\(path)/\(name): \(error)", "sign it anew, or take it away"))
            }
        }
        return findings + [.ok("wpc", "\(path): \(good) of \(names.count) files hold a WPC of an allowed signer")]
    }

    /// Asks the registry for a hash that nothing has: "not found" is the answer of a registry that works.
    private static func registry(_ url: String) async -> CheckFinding {
        do {
            _ = try await PolicyLookup.registered(Digest(hashing: "clawgrant check"), at: url)
            return .ok("wpc", "the registry \(url) answers")
        } catch let error as WPCError {
            return .error("wpc", "the registry \(url) answers with a fault: \(error)", "look at its log")
        } catch {
            return .error("wpc", "the registry \(url) cannot be reached: \(error)", "check wpc.url")
        }
    }
}
