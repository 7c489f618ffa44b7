import ClawWire

/// Model providers: that every call goes through the proxy, where its receipts come from.
struct ProviderCheck {
    let proxies: [String]

    func check(_ root: Setting, _ notes: inout FindingList) {
        guard !proxies.isEmpty else {
            notes.add(
                .warning, .provider, root["models"].pointer,
                "the WPC requires the proxy, and which address is the proxy's was not said",
                "give it with --proxy, and check again")
            return
        }
        let providers = root["models"]["providers"].members
        var proxied: Set<String> = []
        for provider in providers {
            let address = provider["baseUrl"]
            if let text = address.string, proxies.contains(where: { Self.isBelow(text, $0) }) {
                proxied.insert(provider.name)
            } else {
                notes.add(
                    .error, .provider, address.pointer,
                    "calls of the provider \(provider.name) go past the proxy: its address is \(address.shown)",
                    "set it to the proxy's, or take the provider out")
            }
        }
        let mode = root["models"]["mode"]
        if mode.string != "replace" {
            notes.add(
                .error, .provider, mode.pointer,
                "OpenClaw's own providers stand beside those of the configuration: the mode is \(mode.shown)",
                "set it to \"replace\"")
        }
        if providers.isEmpty {
            notes.add(
                .error, .provider, root["models"]["providers"].pointer, "no provider leads to the proxy",
                "add one whose baseUrl is the proxy's")
        }
        keys(root, proxied, &notes)
        models(root, proxied, &notes)
    }

    /// True for an address at or below another. Text of the host that merely begins alike is another host.
    static func isBelow(_ address: String, _ base: String) -> Bool {
        let base = base.hasSuffix("/") ? String(base.dropLast()) : base
        guard !base.isEmpty, !address.contains("..") else { return false }
        return address == base || address.hasPrefix(base + "/")
    }

    /// Credentials of other providers make calls past the proxy possible.
    private func keys(_ root: Setting, _ proxied: Set<String>, _ notes: inout FindingList) {
        for variable in root["env"].members + root["env"]["vars"].members where variable.name.hasSuffix("_API_KEY") {
            notes.add(
                .error, .provider, variable.pointer, "a provider's own key is set: \(variable.name)",
                "take it out: the job's token is the only credential")
        }
        for profile in root["auth"]["profiles"].members {
            guard let provider = profile["provider"].string, !proxied.contains(provider) else { continue }
            notes.add(
                .error, .provider, profile.pointer, "there is a sign-in for the provider \(provider)", "take it out")
        }
    }

    /// Models are named `provider/model`.
    private func models(_ root: Setting, _ proxied: Set<String>, _ notes: inout FindingList) {
        for place in [root["agents"]["defaults"]] + root.agents {
            for key in ["model", "imageModel"] {
                let setting = place[key]
                let names = [setting, setting["primary"]] + setting["fallbacks"].elements
                for name in names {
                    guard let text = name.string, let provider = text.split(separator: "/").first.map(String.init),
                        !proxied.contains(provider)
                    else { continue }
                    notes.add(
                        .error, .provider, name.pointer, "the model \(text) is of a provider that is not proxied",
                        "name a model of a provider whose baseUrl is the proxy's")
                }
            }
        }
    }
}
