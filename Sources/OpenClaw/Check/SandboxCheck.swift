import ClawWire

/// The sandbox: that every session runs in one, and what it lets through.
struct SandboxCheck {
    let policy: OpenClawPolicy
    let resolve: @Sendable (String) -> String

    func check(_ root: Setting, _ notes: inout FindingList) {
        check(root["agents"]["defaults"]["sandbox"], isDefault: true, &notes)
        for agent in root.agents where !agent["sandbox"].isAbsent {
            check(agent["sandbox"], isDefault: false, &notes)
        }
    }

    /// The defaults must say what is needed; an agent must not say otherwise.
    private func check(_ sandbox: Setting, isDefault: Bool, _ notes: inout FindingList) {
        require(
            sandbox["mode"], "all", isDefault, .error, .sandboxMode, &notes,
            "not every session runs in a sandbox: mode is")
        require(
            sandbox["scope"], "session", isDefault, .error, .sandboxScope, &notes,
            "sessions share a sandbox and what is left in it: scope is")
        let backend = sandbox["backend"]
        if let value = backend.value, !["docker", "podman"].contains(value.string) {
            notes.add(
                .warning, .sandboxBackend, backend.pointer,
                "what a backend of the kind \(backend.shown) keeps away cannot be told from here",
                "use docker or podman, or look at the backend's own rules")
        }
        let access = sandbox["workspaceAccess"]
        if let value = access.value, value.string != "none", value.string != "ro" {
            notes.add(
                policy.forbidsWritableMounts ? .error : .warning, .workspaceAccess, access.pointer,
                "the agent's own workspace can be written from the sandbox: it is \(access.shown)",
                "set it to \"none\" or \"ro\"")
        }
        container(sandbox["docker"], &notes)
        browser(sandbox["browser"], &notes)
    }

    private func require(
        _ setting: Setting, _ wanted: String, _ isNeeded: Bool, _ severity: OpenClawFinding.Severity,
        _ code: OpenClawFinding.Code, _ notes: inout FindingList, _ summary: String
    ) {
        guard setting.string != wanted, isNeeded || !setting.isAbsent else { return }
        notes.add(severity, code, setting.pointer, "\(summary) \(setting.shown)", "set it to \"\(wanted)\"")
    }

    // MARK: The container

    private func container(_ docker: Setting, _ notes: inout FindingList) {
        let network = docker["network"]
        if let value = network.value, value.string != "none" {
            notes.add(
                .error, .sandboxNetwork, network.pointer, "the sandbox reaches the network \(network.shown)",
                "set it to \"none\": tools that fetch run outside of the container")
        }
        harden(docker, &notes)
        for bind in docker["binds"].elements { check(bind: bind, &notes) }
        for variable in docker["env"].members where Self.engineVariables.contains(variable.name) {
            notes.add(
                .error, .engineSocket, variable.pointer,
                "\(variable.name) leads the sandbox to a container engine, which is control of the host",
                "take it out")
        }
    }

    private static let engineVariables: Set<String> = ["DOCKER_HOST", "CONTAINER_HOST", "CONTAINERD_ADDRESS"]

    private func harden(_ docker: Setting, _ notes: inout FindingList) {
        func weak(_ setting: Setting, _ summary: String, _ remedy: String) {
            notes.add(.error, .sandboxHardening, setting.pointer, summary, remedy)
        }
        if let value = docker["readOnlyRoot"].value, value != .bool(true) {
            weak(docker["readOnlyRoot"], "the container's own files can be written", "set it to true")
        }
        if !docker["capDrop"].isAbsent, !docker["capDrop"].elements.contains(where: { $0.string == "ALL" }) {
            weak(docker["capDrop"], "the container keeps capabilities of the kernel", "set it to [\"ALL\"]")
        }
        for key in ["capAdd", "devices", "securityOpt"] where !docker[key].elements.isEmpty {
            weak(docker[key], "the container is given more than it needs: \(docker[key].shown)", "take it out")
        }
        if docker["privileged"].value.map({ $0 != .bool(false) }) == true {
            weak(docker["privileged"], "the container is privileged, which is control of the host", "take it out")
        }
        for key in ["seccompProfile", "apparmorProfile"] where docker[key].string == "unconfined" {
            weak(docker[key], "the container runs without \(key)", "take it out, or name a profile")
        }
        if let user = docker["user"].string, ["0", "root"].contains(user.prefix { $0 != ":" }) {
            weak(docker["user"], "the container runs as root", "name another user, or none")
        }
        for setting in docker.members where setting.name.hasPrefix("dangerously") && setting.value != .bool(false) {
            weak(setting, "\(setting.name) is \(setting.shown)", "take it out")
        }
    }

    private func browser(_ browser: Setting, _ notes: inout FindingList) {
        if browser["allowHostControl"].value.map({ $0 != .bool(false) }) == true {
            notes.add(
                .error, .hostExecution, browser["allowHostControl"].pointer,
                "the sandbox may take hold of the host's own browser", "set it to false")
        }
        for bind in browser["binds"].elements { check(bind: bind, &notes) }
    }

    // MARK: Mounts

    private func check(bind: Setting, _ notes: inout FindingList) {
        guard let text = bind.string else {
            notes.add(.error, .malformed, bind.pointer, "a mount is a text", "write it as source:target:ro")
            return
        }
        let mount = Mount(text)
        let source = resolve(mount.source)
        if policy.forbidsEngineSocket, Mount.leadsToEngine(source) || Mount.leadsToEngine(mount.source) {
            notes.add(
                .error, .engineSocket, bind.pointer,
                "\(text) brings the socket of a container engine within reach, which is control of the host",
                "take it out")
        }
        guard !mount.isReadOnly else { return }
        notes.add(
            policy.forbidsWritableMounts ? .error : .warning, .writableMount, bind.pointer,
            "\(text) can be written from the sandbox\(mount.options.isEmpty ? ": without a mode it is rw" : "")",
            "end it in :ro, or take it out")
    }
}

/// A mount as `docker.binds` has it: source, target, options.
struct Mount {
    let source: String
    let options: [String]

    init(_ text: String) {
        var parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        options = parts.count > 2 ? parts.removeLast().split(separator: ",").map(String.init) : []
        source = parts.first ?? ""
    }

    /// Whoever says both means the worse.
    var isReadOnly: Bool { options.contains("ro") && !options.contains("rw") }

    private static let sockets = ["docker.sock", "podman.sock", "containerd.sock", "crio.sock", "buildkitd.sock"]
    /// Folders in which engines keep their sockets, and those that these are in.
    private static let folders: Set<String> = [
        "", "/", "/run", "/var", "/var/run", "/run/podman", "/var/run/podman", "/run/containerd",
        "/var/run/containerd", "/run/docker", "/var/run/docker", "/run/crio", "/var/run/crio", "/run/user",
        "/run/k3s", "/run/k3s/containerd", "/var/run/k3s", "/var/run/k3s/containerd", "/home", "/root", "/proc",
    ]
    /// Folders of a user's home in which a user's engine keeps its socket.
    private static let userFolders = [".docker", ".docker/run", ".docker/desktop", ".colima", ".rd"]

    /// True for a socket of a container engine and for a folder that may hold one.
    static func leadsToEngine(_ path: String) -> Bool {
        let path = normalized(path)
        let name = path.split(separator: "/").last.map(String.init) ?? ""
        if sockets.contains(name) || name.hasSuffix("docker.sock") || name == "docker_engine" { return true }
        // The root of every process is the host's own.
        if folders.contains(path) || path.hasPrefix("/proc/") { return true }
        if userFolders.contains(where: { path == $0 || path.hasSuffix("/" + $0) }) { return true }
        // A user's own engine keeps its socket in a folder of the user's number.
        let parts = path.split(separator: "/")
        return parts.count <= 4 && parts.count > 2 && path.hasPrefix("/run/user/")
    }

    /// The path without `.`, `..`, and slashes that repeat.
    private static func normalized(_ path: String) -> String {
        var parts: [Substring] = []
        for part in path.split(separator: "/") {
            switch part {
            case ".": continue
            case "..": _ = parts.popLast()
            default: parts.append(part)
            }
        }
        return (path.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
    }
}
