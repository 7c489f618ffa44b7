import ClawWire

extension ConfigurationFileLoader {
    /// The section `http.console`.
    mutating func console(_ value: ConfigurationValue?) -> ConsoleSettings {
        let section = reader.members(
            value, of: "http.console", variables: ["enabled", "session_s", "session_secret_file"], others: ["stop"])
        var settings = ConsoleSettings()
        settings.isEnabled = reader.bool(section["enabled"], default: false)
        settings.sessionLifetime = .seconds(
            reader.count(section["session_s"], in: ConsoleSettings.sessionSeconds, default: 3_600))
        settings.sessionSecretFile = reader.text(section["session_secret_file"]).map { resolve($0) }
        for element in reader.elements(section["stop"]) { stopper(element, &settings) }
        return settings
    }

    /// Refuses what would serve a console that nobody can use, or leave a stop to a certificate that is never asked for.
    mutating func checkConsole(_ console: ConsoleSettings, _ http: HTTPSettings, _ value: ConfigurationValue?) {
        guard let value, console.isEnabled else { return }
        if !http.callers.contains(where: { $0.scopes.contains(.read) }) {
            reader.report(
                value.place, "http.console.enabled", found: "true",
                expected: "a caller with the scope read under http.callers too, who may sign in")
        }
        if !console.stoppers.isEmpty, http.tls?.clientAuthorityFile == nil {
            reader.report(
                value.place, "http.console.stop", found: "certificates",
                expected: "http.tls.client_ca_file too, which says whose certificates count")
        }
    }

    /// One client certificate that may stop, and whose it is.
    private mutating func stopper(_ value: ConfigurationValue, _ settings: inout ConsoleSettings) {
        let members = reader.members(
            value, of: value.setting, variables: [], others: ["certificate_sha256", "person"])
        let fingerprint = required(members["certificate_sha256"], "\(value.setting).certificate_sha256", value)
        let person = required(members["person"], "\(value.setting).person", value)
        guard let fingerprint, let person, let place = members["certificate_sha256"] else { return }
        guard let digest = Digest(b64u: fingerprint) ?? Digest(hex: Self.digits(fingerprint)) else {
            reader.report(
                place,
                expected:
                    "the SHA-256 of the certificate: 43 characters of base64url, or 64 hexadecimal digits with or "
                    + "without colons")
            return
        }
        guard settings.stoppers.updateValue(PersonID(person), forKey: digest.b64u) == nil else {
            reader.report(place, expected: "each certificate once")
            return
        }
    }

    private static func digits(_ fingerprint: String) -> String {
        fingerprint.replacing(":", with: "").lowercased()
    }
}
