import ClawWire
import OpenClaw
import TestSupport
import Testing

/// What is exported is found to be right, and whatever weakens it is found.
struct MutationTests {
    /// Every tool that a WPC can name, by itself.
    private static let names = [
        "read", "write", "http", "process", "exec", "edit", "apply_patch", "web_search", "memory_get", "group:fs",
        "group:web", "session_status", "view_image",
    ]
    private static let denials = [
        "exec_host", "docker_socket", "filesystem_mount_rw_outside_workspace", "write", "process", "group:memory",
    ]

    /// Policies at random, the runbook's among them.
    private static func policies(_ count: Int) throws -> [OpenClawPolicy] {
        var random = SeededGenerator(seed: 11)
        var policies = [try Samples.policy()]
        for _ in 1..<count {
            let allow = names.filter { _ in random.next() % 3 == 0 }
            let deny = denials.filter { _ in random.next() % 3 == 0 }
            policies.append(
                try Samples.policy(
                    allow: allow, deny: deny, sandbox: random.next() % 2 == 0, requiresProxy: random.next() % 2 == 0))
        }
        return policies
    }

    private static func fragment(_ policy: OpenClawPolicy, agents: [String] = []) throws -> JSONValue {
        .object(try Samples.export(policy, agents: agents).fragment)
    }

    @Test func whatIsExportedIsFoundToBeRight() throws {
        for policy in try Self.policies(60) {
            for layout in OpenClawExport.AgentLayout.allCases {
                let export = try Samples.export(policy, agents: ["main", "side"], layout: layout)
                let findings = OpenClawCheck(policy, proxies: [Samples.proxy]).findings(try JSON5Document(export.text))
                #expect(findings.isEmpty, "\(policy.allowed): \(findings.map(\.line))")
            }
        }
    }

    @Test func anotherContractsExportIsFound() throws {
        let export = try Samples.export(try Samples.policy())
        let other = try Samples.policy(allow: ["read", "write", "http", "process"], deny: ["exec_host"])
        let findings = OpenClawCheck(other, proxies: [Samples.proxy]).findings(try JSON5Document(export.text))
        #expect(findings.map(\.code) == [.otherPolicy])
    }

    private struct Mutation {
        let name: String
        let path: [Step]
        let value: JSONValue?
    }

    private static func keys(_ path: String) -> [Step] { path.split(separator: ".").map { .key(String($0)) } }

    /// Everything that gives the agent more, or rests on a default that does.
    private static func weakenings(_ policy: OpenClawPolicy, _ fragment: JSONValue) -> [Mutation] {
        var mutations: [Mutation] = []
        func set(_ path: String, _ values: JSONValue?...) {
            for value in values {
                mutations.append(
                    Mutation(
                        name: "\(path) = \(value.map { JSONWriter.text($0) } ?? "gone")",
                        path: keys(path), value: value))
            }
        }
        func add(_ path: String, _ value: JSONValue) {
            var array = fragment
            for step in keys(path) { if case .key(let key) = step { array = array[key] ?? [] } }
            mutations.append(
                Mutation(
                    name: "\(path) + \(JSONWriter.text(value))", path: keys(path) + [.index(array.array?.count ?? 0)],
                    value: value))
        }
        let forbidden = ["exec", "apply_patch", "browser", "gateway", "message", "nodes", "x_search", "cron"]
            .filter { !policy.allowed.contains($0) }
        let extra = forbidden + ["group:runtime", "group:plugins", "group:openclaw", "*", "web_*", "outlook__send"]

        // Lists.
        set("tools.allow", nil, ["*"])
        set("tools.deny", nil, [])
        set("tools", nil, [:])
        for tool in extra where tool != "group:runtime" || !policy.allowed.isSuperset(of: ["exec", "process"]) {
            add("tools.allow", .string(tool))
            set("tools.alsoAllow", [.string(tool)])
            set("tools.byProvider", ["anthropic": ["allow": [.string(tool)]]])
            set("tools.toolsBySender", ["*": ["alsoAllow": [.string(tool)]]])
            set("agents.entries", ["x": ["tools": ["alsoAllow": [.string(tool)]]]])
            set("agents.list", [["id": "x", "tools": ["allow": [.string(tool)]]]])
            set("channels", ["slack": ["groups": ["ops": ["tools": ["alsoAllow": [.string(tool)]]]]]])
            if policy.requiresSandbox { add("tools.sandbox.tools.allow", .string(tool)) }
        }
        for index in (fragment["tools"]?["deny"]?.array ?? []).indices {
            mutations.append(
                Mutation(name: "tools.deny without \(index)", path: keys("tools.deny") + [.index(index)], value: nil))
        }
        // Elevated execution and commands on the host.
        set(
            "tools.elevated", nil, ["enabled": true], ["enabled": "no"],
            ["enabled": true, "allowFrom": ["slack": ["U1"]]])
        set("tools.exec", nil)
        set("tools.exec.host", nil, "gateway", "node", "auto")
        set("tools.exec.security", nil, "allowlist", "full")
        set("tools.exec.ask", nil, "off", "on-miss")
        set("tools.exec.strictInlineEval", nil, false)
        set("tools.exec.mode", "full", "auto")
        set("tools.exec.node", "build-1")
        set("tools.codeMode", true, "auto", ["enabled": true])
        set("commands", ["bash": true])
        set("agents.defaults.elevatedDefault", nil, "on", "full")
        for tools: JSONValue in [
            ["exec": ["host": "gateway"]], ["exec": ["security": "full"]], ["exec": ["ask": "off"]],
            ["elevated": ["enabled": true]], ["codeMode": ["enabled": "auto"]],
        ] {
            set("agents.entries", ["x": ["tools": tools]])
            set("agents.list", [["id": "x", "tools": tools]])
        }
        set("$include", "other.json5")
        if policy.requiresSandbox { mutations += sandboxWeakenings(policy) }
        if policy.requiresProxy {
            set("models", nil)
            set("models.mode", nil, "merge")
            set("models.providers", nil, [:], ["openai": ["baseUrl": "https://api.openai.example"]])
            set(
                "models.providers.clawproxy.baseUrl", nil, "https://clawproxy.example.evil.example",
                "https://other.example")
            set("models.providers.other", ["apiKey": "k"])
            set("env", ["OPENAI_API_KEY": "k"], ["vars": ["ANTHROPIC_API_KEY": "k"]])
            set("auth", ["profiles": ["p": ["provider": "openai", "mode": "oauth"]]])
            set("agents.defaults.model", "openai/gpt-5.1", ["primary": "anthropic/claude"])
            set("agents.entries", ["x": ["model": ["primary": "clawproxy/a", "fallbacks": ["openai/b"]]]])
        }
        return mutations
    }

    private static func sandboxWeakenings(_ policy: OpenClawPolicy) -> [Mutation] {
        var values: [(String, JSONValue?)] = [
            ("mode", nil), ("mode", "off"), ("mode", "non-main"), ("scope", nil), ("scope", "agent"),
            ("scope", "shared"), ("backend", "ssh"), ("workspaceAccess", "rw"), ("docker.network", "bridge"),
            ("docker.network", "host"), ("docker.network", "container:x"), ("docker.readOnlyRoot", false),
            ("docker.capDrop", []), ("docker.capDrop", ["NET_RAW"]), ("docker.capAdd", ["SYS_ADMIN"]),
            ("docker.privileged", true), ("docker.user", "0:0"), ("docker.user", "root"),
            ("docker.seccompProfile", "unconfined"), ("docker.apparmorProfile", "unconfined"),
            ("docker.dangerouslyAllowContainerNamespaceJoin", true),
            ("docker.env", ["DOCKER_HOST": "tcp://127.0.0.1:2375"]),
            ("browser", ["allowHostControl": true]), ("browser", ["binds": ["/srv:/srv"]]),
        ]
        for bind in [
            "/var/run/docker.sock:/var/run/docker.sock", "/run/docker.sock:/d:ro", "/run/podman/podman.sock:/p:ro",
            "/run/user/1000/docker.sock:/d:ro", "/run/user/1000:/u:ro", "/:/host:ro", "/var/run:/r:ro", "/run:/r:ro",
            "/var//run/../run/docker.sock:/d:ro", "/srv/source:/source", "/srv/source:/source:rw",
            "/srv/source:/source:rw,ro", "/srv/source:/source:z",
        ] {
            values.append(("docker.binds", [.string(bind)]))
        }
        var mutations = values.map { path, value in
            Mutation(
                name: "sandbox.\(path) = \(value.map { JSONWriter.text($0) } ?? "gone")",
                path: keys("agents.defaults.sandbox.\(path)"), value: value)
        }
        // What an agent sets for itself counts instead of the defaults.
        for (path, value) in values {
            guard let value else { continue }
            let own = JSONValue.object(JSONObject()).setting(keys(path)[...], to: value)
            mutations.append(
                Mutation(
                    name: "agents.entries.x.sandbox = \(JSONWriter.text(own))", path: keys("agents.entries.x.sandbox"),
                    value: own))
        }
        for path in [
            "agents", "agents.defaults", "agents.defaults.sandbox", "tools.sandbox", "tools.sandbox.tools.allow",
        ] {
            mutations.append(Mutation(name: "\(path) gone", path: keys(path), value: nil))
        }
        return mutations
    }

    @Test func everyWeakeningIsFound() throws {
        for policy in try Self.policies(12) {
            let fragment = try Self.fragment(policy)
            let mutations = Self.weakenings(policy, fragment)
            #expect(mutations.count > 100)
            for mutation in mutations {
                let weakened = fragment.setting(mutation.path[...], to: mutation.value)
                let faults = try Samples.faults(weakened, policy)
                #expect(!faults.isEmpty, "\(mutation.name), allowed \(policy.allowed.sorted())")
                for fault in faults {
                    #expect(!fault.summary.isEmpty && !fault.remedy.isEmpty && fault.pointer.hasPrefix("/"))
                }
            }
        }
    }

    /// Members and elements of the fragment that may go without giving the agent anything.
    private static func isHarmless(_ path: [Step], _ policy: OpenClawPolicy) -> Bool {
        let names = path.map { step in if case .key(let key) = step { key } else { "#" } }.joined(separator: ".")
        // Fewer tools, as long as one is left: an empty list is none.
        let fewer = policy.allowed.count > 1 ? ["tools.allow.#", "tools.sandbox.tools.allow.#"] : []
        let harmless = [
            // No profile filters nothing.
            "tools.profile",
            // The proxy's own credential, and the models that it offers.
            "models.providers.clawproxy.apiKey", "models.providers.clawproxy.models",
        ]
        // OpenClaw's own defaults say the same.
        let defaults = [
            "backend", "workspaceAccess", "docker", "docker.network", "docker.readOnlyRoot", "docker.capDrop",
            "docker.binds",
        ].map { "agents.defaults.sandbox.\($0)" }
        return (fewer + harmless + defaults).contains(names)
    }

    private static func places(_ value: JSONValue, _ path: [Step] = []) -> [[Step]] {
        switch value {
        case .object(let object):
            object.members.flatMap { [path + [.key($0.key)]] + places($0.value, path + [.key($0.key)]) }
        case .array(let array):
            array.enumerated().flatMap { [path + [.index($0)]] + places($1, path + [.index($0)]) }
        case .null, .bool, .number, .string: []
        }
    }

    @Test func nothingOfTheFragmentCanGoUnseen() throws {
        for policy in try Self.policies(12) {
            let fragment = try Self.fragment(policy)
            for path in Self.places(fragment) {
                let faults = try Samples.faults(fragment.setting(path[...], to: nil), policy)
                if Self.isHarmless(path, policy) {
                    #expect(faults.isEmpty, "\(path): \(faults.map(\.line))")
                } else {
                    #expect(!faults.isEmpty, "\(path) is gone")
                }
            }
        }
    }

    /// Whatever stands where a setting belongs, the check answers, and does not take it for what was asked.
    @Test func strangeValuesAreNeverTakenForGood() throws {
        let policy = try Samples.policy()
        let fragment = try Self.fragment(policy)
        let strange: [JSONValue] = [.null, true, 7, "${MODE}", [], [7], [:], ["x": [[]]]]
        for path in Self.places(fragment) where !Self.isHarmless(path, policy) {
            for value in strange {
                let changed = fragment.setting(path[...], to: value)
                guard changed != fragment else { continue }
                #expect(!(try Samples.faults(changed, policy).isEmpty), "\(path) = \(JSONWriter.text(value))")
            }
        }
    }
}
