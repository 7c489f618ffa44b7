public import ClawWire

/// An OpenClaw configuration fragment that enforces what a Work Policy Contract asks for.
public struct OpenClawExport: Sendable, Hashable {
    /// Where per-agent settings stand.
    public enum AgentLayout: String, Sendable, Hashable, CaseIterable {
        /// `agents.entries.<id>`.
        case entries
        /// `agents.list[]`, as older releases have it.
        case list
    }

    /// The policy.
    public let policy: OpenClawPolicy
    /// Agents for which the settings are repeated, so that an agent's own cannot loosen them.
    public let agents: [String]
    /// Where ``agents`` stand.
    public let layout: AgentLayout
    /// Base address of the proxy that model calls go through; needed where the policy requires one.
    public let proxy: String?

    /// Prepares an export.
    ///
    /// - Throws: ``OpenClawError`` when the policy requires the proxy and none is given.
    public init(
        _ policy: OpenClawPolicy, agents: [String] = [], layout: AgentLayout = .entries, proxy: String? = nil
    ) throws(OpenClawError) {
        guard !policy.requiresProxy || proxy != nil else {
            throw OpenClawError(
                .notAllowable, name: "model_policy",
                "the WPC requires the proxy (model_policy.require_proxy); give its base address")
        }
        self.policy = policy
        self.agents = agents
        self.layout = layout
        self.proxy = proxy
    }

    /// The fragment.
    public var fragment: JSONObject {
        var tools = toolRules
        tools["sandbox"] = policy.requiresSandbox ? ["tools": .object(sandboxedTools)] : nil
        var agents = JSONObject()
        var defaults = JSONObject()
        if policy.requiresSandbox { defaults["sandbox"] = .object(Self.sandbox) }
        defaults["elevatedDefault"] = "off"
        agents["defaults"] = .object(defaults)
        if !self.agents.isEmpty {
            switch layout {
            case .entries:
                agents["entries"] = .object(JSONObject(self.agents.map { ($0, .object(agent)) }))
            case .list:
                agents["list"] = .array(
                    self.agents.map { id in
                        var entry: JSONObject = ["id": .string(id)]
                        for member in agent.members { entry[member.key] = member.value }
                        return .object(entry)
                    })
            }
        }
        var fragment: JSONObject = ["agents": .object(agents), "tools": .object(tools)]
        if policy.requiresProxy, let proxy {
            // The job's token is what the proxy knows it by; nothing but the proxy has a key here.
            fragment["models"] = [
                "mode": "replace",
                "providers": ["clawproxy": ["baseUrl": .string(proxy), "apiKey": "${CLAW_CST}", "models": []]],
            ]
        }
        return fragment
    }

    /// The fragment as JSON5 text, under comments that name the WPC.
    public var text: String {
        """
        // Exported by clawgrant policy openclaw export; wpc \(policy.hash.b64u)
        // Merge it into openclaw.json and check the whole with clawgrant policy openclaw check.
        // The WPC's longest session is not expressed here: the token's exp ends it.

        """ + Self.lines(.object(fragment), indent: "") + "\n"
    }

    private var allowed: JSONValue { .array(policy.allowed.sorted().map { .string($0) }) }

    /// An empty list of allowed tools allows all that are not denied.
    private var everything: [String] { policy.allowed.isEmpty ? ["*"] : [] }

    private var sandboxedTools: JSONObject {
        var tools: JSONObject = ["allow": allowed]
        if !everything.isEmpty { tools["deny"] = .array(everything.map { .string($0) }) }
        return tools
    }

    private var toolRules: JSONObject {
        [
            // No filter before the list: a narrower profile would take away what the list allows.
            "profile": "full", "allow": allowed, "deny": .array((everything + policy.denials).map { .string($0) }),
            "elevated": ["enabled": false], "exec": .object(Self.exec),
        ]
    }

    private var agent: JSONObject {
        var agent = JSONObject()
        if policy.requiresSandbox { agent["sandbox"] = .object(Self.sandbox) }
        var tools = toolRules
        tools["profile"] = nil
        agent["tools"] = .object(tools)
        return agent
    }

    private static let exec: JSONObject = [
        "host": "sandbox", "security": "deny", "ask": "always", "strictInlineEval": true,
    ]

    private static let sandbox: JSONObject = [
        "mode": "all", "backend": "docker", "scope": "session", "workspaceAccess": "none",
        "docker": ["network": "none", "readOnlyRoot": true, "capDrop": ["ALL"], "binds": []],
    ]

    /// JSON with a member a line, and short lists on one.
    static func lines(_ value: JSONValue, indent: String) -> String {
        switch value {
        case .object(let object) where !object.isEmpty:
            let members = object.members.map { member in
                "\(indent)  \(JSONWriter.text(.string(member.key))): \(lines(member.value, indent: indent + "  "))"
            }
            return "{\n\(members.joined(separator: ",\n"))\n\(indent)}"
        case .array(let elements) where JSONWriter.text(value).utf8.count + indent.utf8.count > 90:
            let rows = elements.map { "\(indent)  \(lines($0, indent: indent + "  "))" }
            return "[\n\(rows.joined(separator: ",\n"))\n\(indent)]"
        case .null, .bool, .number, .string, .object, .array: return JSONWriter.text(value)
        }
    }
}
