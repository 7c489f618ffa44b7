import ClawWire
import OpenClaw

extension FuzzTarget {
    /// Configurations of others.
    static let configurations = [
        FuzzTarget("openclaw") { bytes throws(FuzzFinding) in
            guard let text = String(validating: bytes, as: UTF8.self), let document = try? JSON5Document(text) else {
                return
            }
            let findings = OpenClawCheck(openClawPolicy).findings(document)
            guard findings.allSatisfy({ $0.severity == .notice }) else { return }
            let tools = document.value["tools"]
            try require(tools?["elevated"]?["enabled"] == false, "elevated execution is on and nothing was found")
            try require(tools?["exec"]?["host"] == "sandbox", "commands run on the host and nothing was found")
            let sandbox = document.value["agents"]?["defaults"]?["sandbox"]
            try require(sandbox?["mode"] == "all", "a session has no sandbox and nothing was found")
            let allowed = Set((tools?["allow"]?.array ?? []).compactMap { $0.string?.lowercased() })
            try require(
                tools?["allow"]?.array != nil && allowed.isSubset(of: openClawPolicy.allowed),
                "more tools are allowed and nothing was found")
        }
    ]

    private static let openClawPolicy: OpenClawPolicy = {
        var policy = IssuancePolicy(form: .runbook)
        policy.toolsAllowed = ["read", "write", "http", "process"]
        policy.toolsDenied = ["exec_host", "docker_socket", "filesystem_mount_rw_outside_workspace"]
        policy.requiresSandbox = true
        guard let asked = try? OpenClawPolicy(policy, hash: Digest(hashing: "wpc")) else {
            preconditionFailure("every name has a mapping")
        }
        return asked
    }()
}
