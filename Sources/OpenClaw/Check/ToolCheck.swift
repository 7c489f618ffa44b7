import ClawWire

/// Tools: what lists allow and deny.
struct ToolCheck {
    private static let settingsOfTools: Set<String> = [
        "elevated", "exec", "web", "media", "agentToAgent", "message", "links",
    ]
    private static let otherSections: Set<String> = ["plugins", "mcp", "models", "env"]
    let policy: OpenClawPolicy

    func check(_ root: Setting, _ notes: inout FindingList) {
        let tools = root["tools"]
        lists(root, isPolicy: false, &notes)
        guard tools["allow"].value != nil else {
            notes.add(
                .error, .noAllowList, tools["allow"].pointer,
                "no list says which tools may be used, so that every tool but those denied may",
                "set it to \(names(policy.allowed))")
            return
        }
        denials(tools, &notes)
        let effective = effective(tools)
        for tool in policy.allowed.sorted() where !effective.contains(tool) {
            notes.add(
                .notice, .toolMissing, tools["allow"].pointer, "the WPC allows \(tool), and the configuration does not",
                "nothing, when the agent can do without it")
        }
        if policy.requiresSandbox { sandboxed(tools["sandbox"]["tools"], &notes) }
        mode(root, &notes)
    }

    private func names(_ tools: Set<String>) -> String {
        "[" + tools.sorted().map { "\"\($0)\"" }.joined(separator: ", ") + "]"
    }

    // MARK: Lists

    /// Lists of allowed tools stand in many places: for all, by provider, sender, agent, channel and in the sandbox. None of
    /// them may name what the WPC does not allow.
    private func lists(_ setting: Setting, isPolicy: Bool, _ notes: inout FindingList) {
        if isPolicy {
            if setting["allow"].value != nil, setting["alsoAllow"].value != nil {
                notes.add(
                    .error, .bothLists, setting["alsoAllow"].pointer, "allow and alsoAllow exclude each other",
                    "put everything into allow")
            }
            for key in ["allow", "alsoAllow"] { entries(setting[key], &notes) }
            if setting["allow"].value == [], !deniesEverything(setting) {
                notes.add(
                    .error, .noAllowList, setting["allow"].pointer,
                    "an empty list allows every tool that is not denied",
                    policy.allowed.isEmpty ? "deny \"*\" beside it" : "set it to \(names(policy.allowed))")
            }
            for entry in setting["deny"].elements {
                guard let name = entry.string, ToolNames.expand(name) == nil else { continue }
                notes.add(
                    .notice, .toolUnknown, entry.pointer, "\(name) is no tool that is known here, so nothing is denied",
                    "look at the release's list of tools")
            }
        }
        for member in setting.members {
            // There, `allow` is about senders, agents and addresses, or a plugin's own.
            guard !(isPolicy ? Self.settingsOfTools : Self.otherSections).contains(member.name) else { continue }
            lists(member, isPolicy: isPolicy || ["tools", "toolsBySender"].contains(member.name), &notes)
        }
        for element in setting.elements where element.value?.object != nil {
            lists(element, isPolicy: isPolicy, &notes)
        }
    }

    private func entries(_ list: Setting, _ notes: inout FindingList) {
        guard let value = list.value else { return }
        guard value.array != nil else {
            notes.add(.error, .malformed, list.pointer, "a list of tools was expected", "write it as a list of names")
            return
        }
        for entry in list.elements {
            guard let name = entry.string else {
                notes.add(.error, .malformed, entry.pointer, "the name of a tool was expected", "write it as a text")
                continue
            }
            check(entry: name, entry.pointer, &notes)
        }
    }

    private func check(entry name: String, _ pointer: Pointer, _ notes: inout FindingList) {
        let canonical = ToolNames.canonical(name)
        if ToolNames.openGroups.contains(canonical) || canonical.contains("*") {
            notes.add(
                .error, .toolAllowed, pointer, "\(name) allows tools that the WPC does not name",
                "name the tools one by one: \(names(policy.allowed))")
            return
        }
        guard let tools = ToolNames.expand(name) else {
            notes.add(
                .error, .toolUnknown, pointer,
                "\(name) is no tool that is known here; OpenClaw takes it for a plugin's, and the WPC does not allow it",
                "take it out, or name it in the WPC as OpenClaw does")
            return
        }
        let foreign = tools.subtracting(policy.allowed)
        if !foreign.isEmpty {
            notes.add(
                .error, .toolAllowed, pointer,
                "\(name) allows \(foreign.sorted().joined(separator: ", ")), which the WPC does not",
                "take it out, or have it allowed by a new WPC")
        } else if ToolNames.groups[canonical] != nil {
            notes.add(
                .warning, .groupAllowed, pointer, "\(name) allows whatever a later release puts into the group",
                "name its tools: \(names(tools))")
        }
    }

    // MARK: What is in force

    private func denied(_ tools: Setting) -> Set<String> {
        tools["deny"].elements.reduce(into: []) { denied, entry in
            denied.formUnion(entry.string.flatMap { ToolNames.expand($0) } ?? [])
        }
    }

    private func deniesEverything(_ tools: Setting) -> Bool { tools["deny"].elements.contains { $0.string == "*" } }

    private func effective(_ tools: Setting) -> Set<String> {
        let allowed = tools["allow"].elements.reduce(into: Set<String>()) { allowed, entry in
            allowed.formUnion(entry.string.flatMap { ToolNames.expand($0) } ?? [])
        }
        return allowed.subtracting(denied(tools))
    }

    /// What is not allowed is denied by name as well: groups grow, and a list of another place may be widened.
    private func denials(_ tools: Setting, _ notes: inout FindingList) {
        let denied = denied(tools)
        let entries = Set(tools["deny"].elements.compactMap { $0.string.map(ToolNames.canonical) })
        let allowsWrite = effective(tools).contains("write")
        for tool in ToolNames.all.subtracting(policy.allowed).subtracting(denied).sorted() {
            if tool == "apply_patch", allowsWrite {
                notes.add(
                    .error, .toolAllowed, tools["deny"].pointer,
                    "allowing write allows apply_patch too for some models, and it is not denied",
                    "add \"apply_patch\"")
            } else {
                notes.add(
                    .warning, .toolNotDenied, tools["deny"].pointer, "\(tool) is not denied by name",
                    "add it, or its group where nothing of the group is allowed")
            }
        }
        for (group, members) in ToolNames.groups.sorted(by: { $0.key < $1.key })
        where policy.allowed.isDisjoint(with: members) && !entries.contains(group) && !entries.contains("*")
            && denied.isSuperset(of: members)
        {
            notes.add(
                .warning, .toolNotDenied, tools["deny"].pointer,
                "what a later release puts into \(group) is not denied", "add \"\(group)\"")
        }
        if !entries.contains("group:plugins"), !entries.contains("*") {
            notes.add(
                .warning, .toolNotDenied, tools["deny"].pointer, "tools of plugins and MCP servers are not denied",
                "add \"group:plugins\"")
        }
    }

    /// Inside the sandbox a list of its own counts, which by default holds what the WPC may not allow.
    private func sandboxed(_ tools: Setting, _ notes: inout FindingList) {
        guard tools["allow"].value == nil else { return }
        notes.add(
            .warning, .sandboxTools, tools["allow"].pointer,
            "no list says which tools may be used inside the sandbox, so that OpenClaw's own does",
            "set it to \(names(policy.allowed))")
    }

    /// Code mode puts every tool behind a program that the model writes, which runs outside of any sandbox.
    private func mode(_ root: Setting, _ notes: inout FindingList) {
        let places = [root["tools"]] + root.agents.map { $0["tools"] }
        for place in places {
            let mode = place["codeMode"]
            let enabled = mode.value?.object == nil ? mode : mode["enabled"]
            guard let value = enabled.value, value != .bool(false) else { continue }
            notes.add(
                .error, .hostExecution, enabled.pointer,
                "code mode (\(enabled.shown)) runs programs of the model outside of the sandbox", "set it to false")
        }
    }
}
