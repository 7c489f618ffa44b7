public import ClawWire

/// A difference between an OpenClaw configuration and what a Work Policy Contract asks for.
public struct OpenClawFinding: Sendable, Hashable {
    /// How much it matters.
    public enum Severity: String, Sendable, Hashable, CaseIterable {
        /// Something that the WPC forbids is possible.
        case error
        /// It may become possible by a default, a release or a message.
        case warning
        /// Worth knowing.
        case notice
    }

    /// What it is about. The text is the machine code.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// The configuration takes a part of itself from another file.
        case included = "include_not_seen"
        /// A setting has another form than OpenClaw's.
        case malformed = "setting_malformed"
        /// There is no list of allowed tools.
        case noAllowList = "tools_not_listed"
        /// A tool is allowed that the WPC does not allow.
        case toolAllowed = "tool_allowed"
        /// A name in a list is no tool that is known.
        case toolUnknown = "tool_unknown"
        /// `allow` and `alsoAllow` stand in one place.
        case bothLists = "allow_and_also_allow"
        /// A tool that the WPC does not allow is not denied by name.
        case toolNotDenied = "tool_not_denied"
        /// A tool that the WPC allows is not.
        case toolMissing = "tool_missing"
        /// A list allows a group by name.
        case groupAllowed = "group_allowed"
        /// Not every session runs in a sandbox.
        case sandboxMode = "sandbox_mode"
        /// Sessions share a sandbox.
        case sandboxScope = "sandbox_scope"
        /// The sandbox is of a kind whose settings are not known here.
        case sandboxBackend = "sandbox_backend"
        /// The agent's workspace can be written from the sandbox.
        case workspaceAccess = "workspace_access"
        /// The sandbox reaches a network.
        case sandboxNetwork = "sandbox_network"
        /// The sandbox is less closed than it could be.
        case sandboxHardening = "sandbox_hardening"
        /// The tools inside the sandbox are not listed.
        case sandboxTools = "sandbox_tools"
        /// The socket of a container engine is within reach.
        case engineSocket = "docker_socket"
        /// Something of the host is mounted so that it can be written.
        case writableMount = "mount_rw"
        /// Elevated execution is not off.
        case elevated = "elevated_not_off"
        /// Commands may run on the host.
        case hostExecution = "exec_host"
        /// Commands on the host are approved too easily.
        case execApproval = "exec_approval"
        /// Model calls can go past the proxy.
        case provider = "provider_not_proxied"
        /// The configuration was exported of another WPC.
        case otherPolicy = "wpc_other"
    }

    /// How much it matters.
    public let severity: Severity
    /// What it is about.
    public let code: Code
    /// Where it stands: an RFC 6901 pointer into the configuration, or where something is missing.
    public let pointer: String
    /// What is so, for people.
    public let summary: String
    /// What to do about it, for people.
    public let remedy: String

    /// For programs: `severity`, `code`, `path`, `finding`, `remedy`.
    public var json: JSONValue {
        [
            "severity": .string(severity.rawValue), "code": .string(code.rawValue), "path": .string(pointer),
            "finding": .string(summary), "remedy": .string(remedy),
        ]
    }

    /// For people.
    public var line: String { "\(severity.rawValue): \(pointer): \(summary); \(remedy)" }
}

extension OpenClawFinding {
    /// Findings as a SARIF 2.1.0 log (OASIS), which code hosts show beside the file.
    ///
    /// - Parameters:
    ///   - findings: the findings.
    ///   - file: the configuration's address, relative to the repository.
    public static func sarif(_ findings: [OpenClawFinding], file: String) -> JSONValue {
        let results = findings.map { finding -> JSONValue in
            let level =
                switch finding.severity {
                case .error: "error"
                case .warning: "warning"
                case .notice: "note"
                }
            return [
                "ruleId": .string(finding.code.rawValue), "level": .string(level),
                "message": ["text": .string("\(finding.summary); \(finding.remedy)")],
                "locations": [
                    [
                        "physicalLocation": ["artifactLocation": ["uri": .string(file)]],
                        "logicalLocations": [["fullyQualifiedName": .string(finding.pointer)]],
                    ]
                ],
            ]
        }
        let rules = Code.allCases.map { code -> JSONValue in ["id": .string(code.rawValue)] }
        return [
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
            "runs": [
                [
                    "tool": ["driver": ["name": "clawgrant policy openclaw check", "rules": .array(rules)]],
                    "results": .array(results),
                ]
            ],
        ]
    }
}
