public import ClawWire

/// Compares an OpenClaw configuration with what a Work Policy Contract asks for.
///
/// It sees the document alone: not the environment, not the state that chat commands leave, not what plugins do.
/// `openclaw sandbox explain --json` tells what is in force on a host.
public struct OpenClawCheck: Sendable {
    /// What is asked for.
    public let policy: OpenClawPolicy
    /// Base addresses of the proxy; a provider with another address goes past it.
    public let proxies: [String]
    /// The path that a source of a mount leads to, symbolic links resolved.
    public let resolve: @Sendable (String) -> String

    /// Prepares a check.
    ///
    /// - Parameters:
    ///   - policy: what is asked for.
    ///   - proxies: base addresses of the proxy.
    ///   - resolve: resolves symbolic links of mounts' sources; by default paths are taken as they stand.
    public init(
        _ policy: OpenClawPolicy, proxies: [String] = [], resolve: @escaping @Sendable (String) -> String = { $0 }
    ) {
        self.policy = policy
        self.proxies = proxies
        self.resolve = resolve
    }

    /// What differs.
    ///
    /// - Parameters:
    ///   - configuration: the configuration, all parts that it includes merged.
    ///   - approvals: the host's `exec-approvals.json`, where there is one.
    public func findings(_ configuration: JSON5Document, approvals: JSONValue? = nil) -> [OpenClawFinding] {
        var notes = FindingList()
        guard configuration.value.object != nil else {
            notes.add(
                .error, .malformed, Pointer(), "a configuration is an object, not \(configuration.value.typeName)",
                "give the file that OpenClaw reads")
            return notes.findings
        }
        let root = Setting(configuration.value)
        includes(root, &notes)
        stamp(configuration, &notes)
        ToolCheck(policy: policy).check(root, &notes)
        if policy.requiresSandbox { SandboxCheck(policy: policy, resolve: resolve).check(root, &notes) }
        ExecCheck(policy: policy).check(root, approvals, &notes)
        if policy.requiresProxy { ProviderCheck(proxies: proxies).check(root, &notes) }
        return notes.findings
    }

    /// What is taken from other files is not seen, and may say anything.
    private func includes(_ setting: Setting, _ notes: inout FindingList) {
        if setting["$include"].value != nil {
            notes.add(
                .error, .included, setting["$include"].pointer, "a part of the configuration stands in another file",
                "check the configuration with that file merged into it")
        }
        for part in setting.members + setting.elements { includes(part, &notes) }
    }

    private func stamp(_ configuration: JSON5Document, _ notes: inout FindingList) {
        for comment in configuration.comments {
            guard let mark = comment.firstRange(of: "; wpc ") else { continue }
            let hash = comment[mark.upperBound...].prefix(43)
            guard hash != policy.hash.b64u[...] else { continue }
            notes.add(
                .warning, .otherPolicy, Pointer(), "it was exported of the WPC \(hash), not of \(policy.hash)",
                "export it again, or check it against the WPC that it was made of")
        }
    }
}

/// Findings as they are made.
struct FindingList {
    private(set) var findings: [OpenClawFinding] = []

    mutating func add(
        _ severity: OpenClawFinding.Severity, _ code: OpenClawFinding.Code, _ pointer: Pointer, _ summary: String,
        _ remedy: String
    ) {
        findings.append(
            OpenClawFinding(
                severity: severity, code: code, pointer: pointer.text, summary: summary, remedy: remedy))
    }
}

/// A place in a document (RFC 6901).
struct Pointer: Hashable {
    private var parts: [String] = []

    func appending(_ part: String) -> Pointer {
        var pointer = self
        pointer.parts.append(part)
        return pointer
    }

    /// The parts from the root.
    var names: [String] { parts }

    var text: String {
        parts.isEmpty
            ? "/" : parts.map { "/" + $0.replacing("~", with: "~0").replacing("/", with: "~1") }.joined()
    }
}

/// A value with its place; it may be absent.
struct Setting {
    let value: JSONValue?
    let pointer: Pointer

    init(_ value: JSONValue?, _ pointer: Pointer = Pointer()) {
        self.value = value
        self.pointer = pointer
    }

    var isAbsent: Bool { value == nil }
    var string: String? { value?.string }
    var bool: Bool? { value?.bool }

    subscript(key: String) -> Setting { Setting(value?[key], pointer.appending(key)) }

    /// The members of an object.
    var members: [Setting] {
        (value?.object?.members ?? []).map { Setting($0.value, pointer.appending($0.key)) }
    }

    /// The elements of an array.
    var elements: [Setting] {
        (value?.array ?? []).enumerated().map { Setting($1, pointer.appending(String($0))) }
    }

    /// The last part of the place.
    var name: String { pointer.names.last ?? "" }

    /// The value as it stands, for a sentence.
    var shown: String { value.map { String(JSONWriter.text($0).prefix(80)) } ?? "not set" }

    /// The agents, in whichever of the two forms.
    var agents: [Setting] { self["agents"]["entries"].members + self["agents"]["list"].elements }
}
