/// The names of OpenClaw's tools, and what Work Policy Contracts call them.
///
/// Groups grow between releases: what is listed here is used to say which tools a group surely holds, never that it
/// holds no others. OpenClaw's documentation of `tools.allow` and `tools.deny` is the source.
enum ToolNames {
    /// The tools of each group that is known.
    static let groups: [String: [String]] = [
        "group:runtime": ["exec", "process", "code_execution"],
        "group:fs": ["read", "write", "edit", "apply_patch"],
        "group:sessions": [
            "sessions", "sessions_list", "sessions_history", "sessions_search", "conversations_list",
            "conversations_send", "conversations_turn", "sessions_send", "sessions_spawn", "sessions_yield",
            "subagents", "session_status", "suggest_task", "dismiss_task",
        ],
        "group:memory": ["memory_search", "memory_get"],
        "group:web": ["web_search", "x_search", "web_fetch"],
        "group:ui": [
            "browser", "screen", "theme", "dashboard", "terminal", "portal", "canvas", "show_widget",
        ],
        "group:automation": ["heartbeat_respond", "automations", "gateway", "plugins", "openclaw"],
        "group:messaging": ["message"],
        "group:nodes": ["nodes", "computer"],
        "group:agents": [
            "agents_list", "get_goal", "create_goal", "update_goal", "progress_card", "ask_user", "skill_workshop",
        ],
        "group:media": [
            "view_image", "image_generate", "music_generate", "video_generate", "transcripts", "tts", "pdf",
        ],
    ]

    /// Groups whose tools depend on what is installed: they can be denied, and never be allowed.
    static let openGroups: Set<String> = ["group:plugins", "group:openclaw"]

    /// Older and shorter names of tools.
    static let aliases: [String: String] = [
        "bash": "exec", "cron": "automations", "image": "view_image", "update_plan": "progress_card",
    ]

    /// Every tool that is known.
    static let all: Set<String> = Set(groups.values.joined())

    /// What tool names of WPCs stand for when they are allowed. `http` is fetching alone: searching is another party's
    /// index, and is asked for by its own name.
    static let allowed: [String: [String]] = [
        "read": ["read"], "write": ["write", "edit"], "http": ["web_fetch"], "process": ["process"], "exec": ["exec"],
    ]

    /// What tool names of WPCs stand for when they are denied: everything that does such a thing.
    static let denied: [String: [String]] = [
        "read": ["read"], "write": ["write", "edit", "apply_patch"],
        "http": ["web_fetch", "web_search", "x_search", "browser"], "process": ["process"],
        "exec": ["exec", "code_execution"],
    ]

    /// A name as OpenClaw compares it: without case, aliases resolved.
    static func canonical(_ name: String) -> String {
        let folded = name.lowercased()
        return aliases[folded] ?? folded
    }

    /// The tools that an entry of an allow or deny list surely stands for; `nil` for a name that is not known.
    static func expand(_ entry: String) -> Set<String>? {
        let name = canonical(entry)
        if let members = groups[name] { return Set(members) }
        if openGroups.contains(name) { return name == "group:openclaw" ? all : [] }
        if name.contains("*") {
            let matching = all.filter { Wildcard.matches(name, $0) }
            return matching
        }
        return all.contains(name) ? [name] : nil
    }
}

/// `*` stands for any run of characters.
enum Wildcard {
    static func matches(_ pattern: String, _ text: String) -> Bool {
        let parts = pattern.split(separator: "*", omittingEmptySubsequences: false)
        guard parts.count > 1, let first = parts.first, let last = parts.last else { return pattern == text }
        guard text.utf8.count >= first.utf8.count + last.utf8.count, text.hasPrefix(first), text.hasSuffix(last) else {
            return false
        }
        var rest = text.dropFirst(first.count).dropLast(last.count)
        for part in parts.dropFirst().dropLast() where !part.isEmpty {
            guard let found = rest.firstRange(of: part) else { return false }
            rest = rest[found.upperBound...]
        }
        return true
    }
}
