import ApprovalSources
import ClawWire
import Foundation
import GrantWorker
import IssuanceRules
import Testing
import Yams

@testable import clawgrant

/// Examples in documents are ones that the program reads.
///
/// A YAML block is a whole file, or a part of one that is laid over the least there can be. Which file it is a part of is told
/// by its keys: what several may have, one of them must take. `…` stands for what a reader puts in.
struct BlockTests {
    @Test(arguments: Tree.documents) func everyExampleOfJSONIsOne(document: Document) throws {
        for block in document.blocks where block.language == "json" {
            // One document, or one a line.
            if (try? JSONReader.parse(block.text)) != nil { continue }
            for line in block.text.split(separator: "\n") {
                #expect(throws: Never.self, "\(block.place): \(line)") { try JSONReader.parse(String(line)) }
            }
        }
    }

    @Test(arguments: Tree.documents) func everyExampleOfYAMLIsTaken(document: Document) throws {
        for block in document.blocks where block.language == "yaml" {
            for part in block.text.components(separatedBy: "\n---\n") {
                if let fault = try YAMLExample(part).fault { Issue.record("\(block.place): \(fault)") }
            }
        }
    }

    @Test func whatIsWrongIsFound() throws {
        #expect(try YAMLExample("limits: {lane: 2}").fault?.contains("lane") == true)
        #expect(try YAMLExample("job_classes: {a: {binding: loose}}").fault?.contains("loose") == true)
        #expect(try YAMLExample("nonsense: 1").fault?.contains("nonsense") == true)
        #expect(try YAMLExample("limits: {lanes: 2}").fault == nil)
    }
}

/// One YAML text of a document.
struct YAMLExample {
    private typealias Mapping = [String: Any]
    private let text: String

    init(_ text: String) {
        var text = text.replacing(/did:key:z6Mk[A-Za-z0-9]*…/, with: Self.anyone)
        // What a reader puts in has a form: fingerprints, and public keys (P-256's base point, a number of 2048 bits).
        text = text.replacing(/(?:[0-9A-F]{2}:)+…/, with: String(repeating: "0a", count: 32))
        text = text.replacing("x: \"…\", y: \"…\"", with: "x: \(Self.point.x), y: \(Self.point.y)")
        text = text.replacing("n: \"…\"", with: "n: w\(String(repeating: "A", count: 340))Q")
        self.text = text.replacing(", …}", with: "}").replacing("…", with: "x")
    }

    private static let anyone = "did:key:z6MknPBg8MaWd2VAjyxpnKmSaWA6sfLkrwx7PoB9Rgboe1Va"
    private static let point = (
        x: "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY", y: "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"
    )

    /// Keys at the top of the files that documents have examples of.
    private static let configuration: Set<String> = Set(
        SettingCatalogue.all.filter { $0.path.isEmpty }.flatMap { $0.settings.map(\.name) }
            + SettingCatalogue.all.compactMap {
                $0.path.split(whereSeparator: { ".[".contains($0) }).first.map(String.init)
            })
    private static let rules: Set<String> = [
        "rules_version", "name", "hard_cap", "groups", "sources", "entitlements", "wpc", "defaults", "job_classes",
        "control", "gateways", "prices",
    ]
    private static let bridge: Set<String> = [
        "config_version", "listen", "kafka", "rules", "signing_key_file", "sources", "log", "metrics", "limits",
    ]
    /// OpenTelemetry's collector, of which docs/collectors.md has an example.
    private static let foreign: Set<String> = ["receivers", "extensions", "exporters", "service", "processors"]

    /// Why nobody would take it; `nil` when somebody does.
    var fault: String? {
        get throws {
            guard let value = try Yams.load(yaml: text) else { return nil }
            guard let mapping = Self.mapping(value) else { return "nothing that any file has" }
            let keys = Set(mapping.keys)
            if keys.isSubset(of: Self.foreign) { return nil }
            var faults: [String] = []
            if keys.isSuperset(of: ["given", "expect"]) || keys.isSuperset(of: ["at", "request"]) {
                return try asCase()
            }
            if keys.isSubset(of: Self.configuration) {
                guard let fault = try asConfiguration(mapping) else { return nil }
                faults.append("as a configuration: \(fault)")
            }
            if keys.isSubset(of: Self.rules) {
                guard let fault = try asRules(mapping) else { return nil }
                faults.append("as rules: \(fault)")
            }
            if keys.isSubset(of: Self.bridge) {
                guard let fault = try asBridge(mapping) else { return nil }
                faults.append("as a bridge's configuration: \(fault)")
            }
            return faults.isEmpty ? "keys of no file: \(keys.sorted())" : faults.joined(separator: "\n")
        }
    }

    /// Elements of a list, and a bridge's signature, are shown without what they stand in.
    private static func mapping(_ value: Any) -> Mapping? {
        if let mapping = value as? Mapping {
            guard Set(mapping.keys) == ["signature"] else { return mapping }
            return [
                "sources": [
                    "any": mapping.merging(["path": "/any", "topic": "any", "output": "raw"]) { one, _ in one }
                ]
            ]
        }
        guard let list = value as? [Mapping] else { return nil }
        return list.allSatisfy { $0["purpose"] != nil } ? ["keys": list] : ["security_events": ["sinks": list]]
    }

    // MARK: Files

    /// Cases are decided under the rules of the example installation, for which they are written.
    private func asCase() throws -> String? {
        let rules = try RuleSet(yaml: try Tree.text("deploy/examples/rules.yaml"))
        do {
            let differences = try RulesCase.read(yaml: text).flatMap { $0.run(under: rules).differences }
            return differences.isEmpty ? nil : "as a case of rules: \(differences.joined(separator: "; "))"
        } catch { return "as a case of rules: \(error)" }
    }

    private func asConfiguration(_ mapping: Mapping) throws -> String? {
        let room = try ConfigurationRoom()
        defer { room.close() }
        try Self.writeSecrets(of: mapping, in: room)
        let whole = try Self.merged(ConfigurationSamples.least, mapping)
        do {
            _ = try ConfigurationFile(yaml: whole, path: room.path("clawgrant.yaml"), environment: [:])
            return nil
        } catch { return "\(error)" }
    }

    private func asRules(_ mapping: Mapping) throws -> String? {
        do {
            _ = try RuleSet(yaml: try Self.merged(try Self.baseRules(for: mapping), mapping))
            return nil
        } catch { return "\(error)" }
    }

    private func asBridge(_ mapping: Mapping) throws -> String? {
        let room = try ConfigurationRoom()
        defer { room.close() }
        try Self.writeSecrets(of: mapping, in: room)
        let whole = try Self.merged(
            """
            config_version: "1"
            listen: {host: 127.0.0.1, port: 8443}
            kafka: {properties: {bootstrap.servers: "127.0.0.1:19092"}}
            rules: rules.yaml
            signing_key_file: keys/bridge.pem
            """, mapping)
        do {
            _ = try ConfigurationFile.read(yaml: whole, path: room.path("bridge.yaml"), environment: [:]) {
                (reader, document, resolve) -> BridgeDraft? in
                var loader = BridgeLoader(reader: reader, resolve: resolve)
                defer { reader = loader.reader }
                return loader.load(document)
            }
            return nil
        } catch { return "\(error)" }
    }

    /// The rules of the example installation, with a plain class for each name that a part of others mentions.
    private static func baseRules(for part: Mapping) throws -> String {
        var base = try Yams.load(yaml: try Tree.text("deploy/examples/rules.yaml")) as? Mapping ?? [:]
        var classes = base["job_classes"] as? Mapping ?? [:]
        for name in names(of: part) where classes[name] == nil {
            classes[name] = [
                "binding": "reference", "audience": ["clawproxy.com"], "scopes": ["allow": ["proxy:call"]],
            ]
        }
        base["job_classes"] = classes
        return try Yams.dump(object: base)
    }

    /// Job classes that are mentioned and not declared.
    private static func names(of value: Any, below key: String = "") -> Set<String> {
        switch value {
        case let mapping as Mapping:
            mapping.reduce(into: []) { $0.formUnion($1.key == "fields" ? [] : names(of: $1.value, below: $1.key)) }
        case let list as [Any]: list.reduce(into: []) { $0.formUnion(names(of: $1, below: key)) }
        case let text as String where ["may_approve", "may_request", "job_class", "job_classes"].contains(key):
            // A star stands for the value of a field.
            text.hasPrefix("*") ? [] : [text]
        default: []
        }
    }

    private static func merged(_ base: String, _ part: Mapping) throws -> String {
        let whole = merge(try Yams.load(yaml: base) as? Mapping ?? [:], part)
        return try Yams.dump(object: whole)
    }

    /// What the part says holds; lines about other entitlements join those of the base, because its classes need them. A
    /// class that says how it is bound is another one, with nothing of the base's but what it leaves out.
    private static func merge(_ base: Mapping, _ part: Mapping) -> Mapping {
        var whole = base
        for (key, new) in part {
            if let old = base[key] as? Mapping, let new = new as? Mapping {
                let isBoundAnew = new["binding"] != nil && old["binding"] as? String != new["binding"] as? String
                whole[key] = merge(isBoundAnew ? old.filter { $0.key != "max_grants_per_window" } : old, new)
            } else if key == "entitlements", let old = base[key] as? [Mapping], let new = new as? [Mapping] {
                let told = Set(new.map(entitlement))
                whole[key] = old.filter { !told.contains(entitlement($0)) } + new
            } else {
                whole[key] = new
            }
        }
        return whole
    }

    private static func entitlement(_ line: Mapping) -> [String] {
        ["kind", "id", "scope"].map { "\(line[$0] ?? "")" }
    }

    /// Files of secrets are read while a configuration is, so they have to be there.
    private static func writeSecrets(of value: Any, in room: ConfigurationRoom, isSecret: Bool = false) throws {
        switch value {
        case let mapping as Mapping:
            for (key, member) in mapping {
                let below = isSecret || ["secret_files", "header_files"].contains(key) || key.hasSuffix("_file")
                try writeSecrets(of: member, in: room, isSecret: below)
            }
        case let list as [Any]:
            for element in list { try writeSecrets(of: element, in: room) }
        case let text as String where isSecret && !text.hasPrefix("/"): try room.writeSecret(text)
        default: break
        }
    }
}
