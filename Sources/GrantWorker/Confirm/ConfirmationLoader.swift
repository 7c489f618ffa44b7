import GraphConfirmation

extension ConfigurationFileLoader {
    /// The section `confirmation`; `nil` when there is none.
    mutating func confirmation(_ value: ConfigurationValue?) -> WorkerConfiguration.Confirmation? {
        let section = reader.members(
            value, of: "confirmation",
            variables: [
                "client_id", "certificate_file", "key_file", "algorithm", "graph_url", "authority_url", "concurrency",
                "answer_timeout_ms", "retry_min_ms", "retry_max_ms", "recheck_s", "unknown_after_s",
            ])
        guard let value, !section.isEmpty else { return nil }
        let clientID = required(section["client_id"], "confirmation.client_id", value)
        let certificate = required(section["certificate_file"], "confirmation.certificate_file", value)
        let key = required(section["key_file"], "confirmation.key_file", value)
        guard let clientID, let certificate, let key else { return nil }
        var settings = WorkerConfiguration.Confirmation(
            clientID: clientID, certificateFile: resolve(certificate), keyFile: resolve(key))
        settings.algorithm = reader.choice(section["algorithm"], ClientCertificate.Algorithm.self) ?? settings.algorithm
        settings.graph.endpoint = address(section["graph_url"]) ?? settings.graph.endpoint
        settings.graph.authority = address(section["authority_url"]) ?? settings.graph.authority
        settings.concurrency = reader.count(section["concurrency"], in: 1...64, default: settings.concurrency)
        settings.graph.answerTimeout = .milliseconds(
            reader.count(section["answer_timeout_ms"], in: 100...120_000, default: 10_000))
        let shortest = reader.count(section["retry_min_ms"], in: 50...600_000, default: 5_000)
        let longest = reader.count(section["retry_max_ms"], in: 50...3_600_000, default: 300_000)
        if shortest > longest, let value = section["retry_min_ms"] ?? section["retry_max_ms"] {
            reader.report(
                value, found: "waits from \(shortest) ms to \(longest) ms",
                expected: "a shortest wait that is no longer")
        }
        settings.shortestWait = .milliseconds(shortest)
        settings.longestWait = .milliseconds(longest)
        settings.recheckInterval = .seconds(reader.count(section["recheck_s"], in: 1...86_400, default: 300))
        settings.unknownAfter = .seconds(reader.count(section["unknown_after_s"], in: 0...86_400, default: 600))
        return settings
    }

    private mutating func address(_ value: ConfigurationValue?) -> String? {
        guard let value, let text = reader.text(value, expected: "an address") else { return nil }
        guard GraphSettings.isAcceptable(text) else {
            reader.report(value, expected: "an https address without a slash at its end")
            return nil
        }
        return text
    }
}
