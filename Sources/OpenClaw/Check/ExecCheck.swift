import ClawWire

/// Commands: that they run in the sandbox or not at all, and that nothing lifts them out of it.
struct ExecCheck {
    let policy: OpenClawPolicy

    func check(_ root: Setting, _ approvals: JSONValue?, _ notes: inout FindingList) {
        elevated(root, &notes)
        exec(root["tools"]["exec"], isDefault: true, &notes)
        for agent in root.agents { exec(agent["tools"]["exec"], isDefault: false, &notes) }
        let shell = root["commands"]["bash"]
        if shell.value.map({ $0 != .bool(false) }) == true {
            notes.add(
                .error, .hostExecution, shell.pointer, "a chat message may run commands on the host",
                "set it to false")
        }
        if let approvals { check(approvals: Setting(approvals), &notes) }
    }

    private func elevated(_ root: Setting, _ notes: inout FindingList) {
        let main = root["tools"]["elevated"]["enabled"]
        if main.value != .bool(false) {
            notes.add(
                .error, .elevated, main.pointer,
                main.isAbsent
                    ? "elevated execution is not switched off, and on by default"
                    : "elevated execution, which leaves the sandbox, is \(main.shown)",
                "set it to false")
        }
        for agent in root.agents {
            let own = agent["tools"]["elevated"]["enabled"]
            guard let value = own.value, value != .bool(false) else { continue }
            notes.add(
                .error, .elevated, own.pointer, "elevated execution is \(own.shown) for this agent", "set it to false")
        }
        let defaults = root["agents"]["defaults"]["elevatedDefault"]
        for setting in [defaults] + root.agents.map({ $0["elevatedDefault"] }) where setting.string != "off" {
            guard !setting.isAbsent || setting.pointer == defaults.pointer else { continue }
            notes.add(
                .warning, .elevated, setting.pointer,
                "sessions begin elevated as soon as elevated execution is allowed: it is \(setting.shown)",
                "set it to \"off\"")
        }
    }

    /// The settings for all must say it; an agent's own must not say otherwise.
    private func exec(_ exec: Setting, isDefault: Bool, _ notes: inout FindingList) {
        func require(
            _ key: String, _ isGood: (JSONValue) -> Bool, _ wanted: String, _ severity: OpenClawFinding.Severity,
            _ code: OpenClawFinding.Code, _ summary: String
        ) {
            let setting = exec[key]
            guard setting.value.map(isGood) ?? !isDefault else {
                notes.add(severity, code, setting.pointer, "\(summary): it is \(setting.shown)", "set it to \(wanted)")
                return
            }
        }
        require("host", { $0 == "sandbox" }, "\"sandbox\"", .error, .hostExecution, "commands may run on the host")
        require("security", { $0 == "deny" }, "\"deny\"", .error, .hostExecution, "the host takes commands")
        require(
            "ask", { $0 == "always" }, "\"always\"", .warning, .execApproval,
            "a command on the host need not be asked for each time")
        require(
            "strictInlineEval", { $0 == true }, "true", .warning, .execApproval,
            "programs given on the command line need not be asked for")
        if let mode = exec["mode"].value, mode != "deny" {
            notes.add(
                .error, .hostExecution, exec["mode"].pointer,
                "the mode \(exec["mode"].shown) may take the place of security and ask", "take it out")
        }
        if !exec["node"].isAbsent {
            notes.add(
                .error, .hostExecution, exec["node"].pointer, "commands may run on the node \(exec["node"].shown)",
                "take it out")
        }
    }

    /// The host's own file: the stricter of it and the configuration counts, so it must not be the looser one.
    private func check(approvals: Setting, _ notes: inout FindingList) {
        guard approvals.value?.object != nil else {
            notes.add(
                .error, .malformed, Pointer().appending("exec-approvals.json"), "the approvals file is no object",
                "give the host's exec-approvals.json")
            return
        }
        let place = Pointer().appending("exec-approvals.json")
        func look(_ rules: Setting, _ base: Pointer) {
            func report(_ key: String, _ summary: String, _ wanted: String) {
                notes.add(
                    .error, .execApproval, base.appending(key), "\(summary): it is \(rules[key].shown)",
                    "set it to \(wanted)")
            }
            if rules["security"].string == "full" { report("security", "the host takes every command", "\"deny\"") }
            if rules["ask"].string == "off" { report("ask", "nobody is asked", "\"always\"") }
            if let fallback = rules["askFallback"].value, fallback != "deny" {
                report("askFallback", "what nobody can be asked about is not denied", "\"deny\"")
            }
            if rules["autoAllowSkills"].value.map({ $0 != .bool(false) }) == true {
                report("autoAllowSkills", "programs of skills need no approval", "false")
            }
        }
        look(approvals["defaults"], place.appending("defaults"))
        for agent in approvals["agents"].members {
            look(agent, place.appending("agents").appending(agent.name))
        }
    }
}
