import ClawWire
import OpenClaw

/// A WPC of the runbook's shape and the configuration that is made of it.
enum Samples {
    static let proxy = "https://clawproxy.example"

    static func contract(
        allow: [String]? = ["read", "write", "http", "process"],
        deny: [String] = ["exec_host", "docker_socket", "filesystem_mount_rw_outside_workspace"],
        sandbox: Bool = true, requiresProxy: Bool = true
    ) throws -> WorkPolicyContract {
        var tools: JSONObject = [
            "deny": .array(deny.map { .string($0) }), "require_sandbox": .bool(sandbox),
        ]
        tools["allow"] = allow.map { .array($0.map { .string($0) }) }
        var policy: JSONObject = ["job_class": "enterprise_agent_run", "tool_policy": .object(tools)]
        if requiresProxy { policy["model_policy"] = ["require_proxy": "clawproxy"] }
        policy["approvals"] = [["action": "enable_elevated", "require": "human_approval"]]
        policy["session_limits"] = ["max_ttl_seconds": 900]
        return try WorkPolicyContract(["wpc_version": "1", "policy": .object(policy)])
    }

    static func policy(
        allow: [String]? = ["read", "write", "http", "process"],
        deny: [String] = ["exec_host", "docker_socket", "filesystem_mount_rw_outside_workspace"],
        sandbox: Bool = true, requiresProxy: Bool = true
    ) throws -> OpenClawPolicy {
        try OpenClawPolicy(contract(allow: allow, deny: deny, sandbox: sandbox, requiresProxy: requiresProxy))
    }

    static func export(_ policy: OpenClawPolicy, agents: [String] = [], layout: OpenClawExport.AgentLayout = .entries)
        throws -> OpenClawExport
    {
        try OpenClawExport(policy, agents: agents, layout: layout, proxy: policy.requiresProxy ? proxy : nil)
    }

    static func check(
        _ value: JSONValue, _ policy: OpenClawPolicy, approvals: JSONValue? = nil,
        resolve: @escaping @Sendable (String) -> String = { $0 }
    ) throws -> [OpenClawFinding] {
        OpenClawCheck(policy, proxies: [proxy], resolve: resolve).findings(
            try JSON5Document(JSONWriter.text(value)), approvals: approvals)
    }

    /// What is found that ends a check with 1.
    static func faults(_ value: JSONValue, _ policy: OpenClawPolicy) throws -> [OpenClawFinding] {
        try check(value, policy).filter { $0.severity != .notice }
    }
}

/// A member or an element of a document.
enum Step: Hashable {
    case key(String)
    case index(Int)
}

extension JSONValue {
    /// The value with another one at a place; `nil` takes the place away. Objects on the way are made.
    func setting(_ path: ArraySlice<Step>, to value: JSONValue?) -> JSONValue {
        guard let step = path.first else { return value ?? .null }
        let rest = path.dropFirst()
        switch step {
        case .key(let key):
            var object = self.object ?? JSONObject()
            object[key] = rest.isEmpty ? value : (object[key] ?? [:]).setting(rest, to: value)
            return .object(object)
        case .index(let index):
            var array = self.array ?? []
            if index == array.count {
                if let value { array.append(value) }
            } else if rest.isEmpty, value == nil {
                array.remove(at: index)
            } else {
                array[index] = array[index].setting(rest, to: value)
            }
            return .array(array)
        }
    }

    /// The value with another one under keys.
    func setting(_ keys: String..., to value: JSONValue?) -> JSONValue {
        setting(keys.map { .key($0) }[...], to: value)
    }
}
