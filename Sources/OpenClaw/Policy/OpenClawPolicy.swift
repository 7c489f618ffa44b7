public import ClawWire

/// Why a Work Policy Contract has no OpenClaw form.
public struct OpenClawError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    public enum Code: String, Sendable, Hashable {
        /// The WPC says nothing of tools.
        case noTools = "no_tools"
        /// A tool of the WPC is no tool of OpenClaw.
        case unmapped
        /// The WPC allows what OpenClaw cannot restrict to the job.
        case notAllowable = "not_allowable"
        /// The token allows nothing elevated.
        case notElevated = "not_elevated"
        /// The token is pinned to another WPC, or to none.
        case otherPolicy = "other_policy"
    }

    /// What is wrong.
    public let code: Code
    /// The name at fault; empty where there is none.
    public let name: String
    /// What is wrong and what to do, for people.
    public let description: String

    init(_ code: Code, name: String = "", _ description: String) {
        self.code = code
        self.name = name
        self.description = description
    }
}

/// What a Work Policy Contract asks of an OpenClaw configuration.
///
/// Whatever the WPC does not allow by name is not allowed, and elevated execution is off: nothing in a WPC turns it on
/// for good.
public struct OpenClawPolicy: Sendable, Hashable {
    /// The WPC's hash.
    public let hash: Digest
    /// The tools that may be used, by OpenClaw's names.
    public let allowed: Set<String>
    /// Whether every session must run in a sandbox.
    public let requiresSandbox: Bool
    /// Whether the sandbox may not reach the socket of a container engine.
    public let forbidsEngineSocket: Bool
    /// Whether nothing of the host may be written from the sandbox.
    public let forbidsWritableMounts: Bool
    /// Whether model calls must go through the proxy.
    public let requiresProxy: Bool

    /// Names in a WPC's deny list that are conditions on the configuration and no tools.
    static let hostExecution = "exec_host"
    static let engineSocket = "docker_socket"
    static let writableMounts = "filesystem_mount_rw_outside_workspace"
    static let conditions: Set<String> = [hostExecution, engineSocket, writableMounts]

    /// Reads what a WPC asks for.
    ///
    /// - Throws: ``OpenClawError`` when it says nothing of tools, or names one that OpenClaw does not have: a name that is
    ///   copied as it stands would be passed over in silence.
    public init(_ contract: WorkPolicyContract) throws(OpenClawError) {
        try self.init(contract.issuancePolicy, hash: contract.policyHash)
    }

    /// Reads what a WPC asks for, given the parts of it that bear on issuance.
    ///
    /// - Throws: ``OpenClawError``.
    public init(_ policy: IssuancePolicy, hash: Digest) throws(OpenClawError) {
        guard let names = policy.toolsAllowed else {
            throw OpenClawError(
                .noTools,
                "the WPC says nothing of tools (policy.tool_policy.allow); only the runbook's form, alone or "
                    + "carried by a v1 document, has an OpenClaw configuration")
        }
        var allowed: Set<String> = []
        for name in names { allowed.formUnion(try Self.allowed(name)) }
        var denied: Set<String> = []
        for name in policy.toolsDenied where !Self.conditions.contains(name) {
            denied.formUnion(try Self.denied(name))
        }
        self.hash = hash
        self.allowed = allowed.subtracting(denied)
        // A host's own files, processes and container engine can be kept away only by a sandbox.
        requiresSandbox = policy.requiresSandbox || !Self.conditions.isDisjoint(with: policy.toolsDenied)
        forbidsEngineSocket = requiresSandbox
        forbidsWritableMounts = policy.toolsDenied.contains(Self.writableMounts)
        requiresProxy = policy.requiresProxy
    }

    private static func allowed(_ name: String) throws(OpenClawError) -> Set<String> {
        if let tools = ToolNames.allowed[name] { return Set(tools) }
        if conditions.contains(name) {
            throw OpenClawError(
                .notAllowable, name: name,
                "the WPC allows \(name), which no OpenClaw configuration can bound to a job; take it out of "
                    + "tool_policy.allow and ask for it per job as an elevated action")
        }
        guard !ToolNames.openGroups.contains(name), !name.contains("*") else {
            throw OpenClawError(
                .notAllowable, name: name,
                "the WPC allows \(name), which stands for tools that are not known here; name them one by one")
        }
        guard let tools = ToolNames.expand(name) else { throw unmapped(name) }
        return tools
    }

    private static func denied(_ name: String) throws(OpenClawError) -> Set<String> {
        if let tools = ToolNames.denied[name] { return Set(tools) }
        guard let tools = ToolNames.expand(name) else { throw unmapped(name) }
        return tools
    }

    private static func unmapped(_ name: String) -> OpenClawError {
        OpenClawError(
            .unmapped, name: name,
            "the WPC names the tool \(name), which OpenClaw does not have: it would be passed over in silence; use one of "
                + conditions.union(ToolNames.allowed.keys).sorted().joined(separator: ", ") + " or OpenClaw's own names"
        )
    }

    /// Entries of a deny list: a group where nothing in it is allowed, because groups grow, else what of it is not.
    var denials: [String] {
        var entries: [String] = []
        for (group, members) in ToolNames.groups.sorted(by: { $0.key < $1.key }) {
            let forbidden = members.filter { !allowed.contains($0) }
            if forbidden.count == members.count { entries.append(group) } else { entries += forbidden }
        }
        return entries + ["group:plugins"]
    }
}
