import ClawWire
import Foundation

extension ConfigurationFileLoader {
    /// The section `http`; `nil` when there is none.
    mutating func http(_ value: ConfigurationValue?) -> HTTPSettings? {
        let section = reader.members(
            value, of: "http", variables: ["issuer"],
            others: ["listen", "tls", "callers", "introspection", "limits"])
        let listen = reader.members(section["listen"], of: "http.listen", variables: ["host", "port"])
        let tls = httpTLS(section["tls"])
        let introspection = httpIntrospection(section["introspection"])
        let limits = httpLimits(section["limits"])
        let callers = httpCallers(section["callers"])
        guard let place = value?.place ?? section.values.first?.place ?? listen.values.first?.place else { return nil }
        guard let issuer = section["issuer"] else {
            reader.report(
                place, "http.issuer", found: "nothing",
                expected: "the address under which the surface is reached, such as https://issuer.example")
            return nil
        }
        guard let text = reader.text(issuer), let settings = issuerSettings(text, issuer) else { return nil }
        var http = settings
        http.host = reader.text(listen["host"]) ?? http.host
        http.port = reader.count(listen["port"], in: 0...65_535, default: http.port)
        http.tls = tls
        http.callers = callers
        http.introspection = introspection
        http.limits = limits
        if section["tls"] == nil, !Self.isLoopback(http.host) {
            reader.report(
                place, "http.tls", found: "nothing",
                expected: "certificate_file and key_file; without TLS only loopback is listened on")
        }
        if tls?.clientAuthorityFile == nil,
            let caller = callers.first(where: { !$0.certificateThumbprints.isEmpty || !$0.certificateNames.isEmpty })
        {
            reader.report(
                section["callers"]?.place ?? place, "http.callers.\(caller.name)", found: "certificates",
                expected: "http.tls.client_ca_file too, which says whose certificates count")
        }
        return http
    }

    static func isLoopback(_ host: String) -> Bool { ["127.0.0.1", "::1", "localhost"].contains(host) }

    /// An origin: other paths would need a server in front that nobody tells here.
    private mutating func issuerSettings(_ text: String, _ value: ConfigurationValue) -> HTTPSettings? {
        let url = URLComponents(string: text)
        let isPlain = url?.scheme == "http" && Self.isLoopback(url?.host ?? "")
        guard let url, url.scheme == "https" || isPlain, url.host?.isEmpty == false, url.path.isEmpty,
            url.query == nil, url.fragment == nil, url.user == nil, url.password == nil
        else {
            reader.report(
                value, expected: "an https address without path and slash at its end, such as https://issuer.example")
            return nil
        }
        return HTTPSettings(issuer: text)
    }

    private enum ClientCertificates: String, CaseIterable {
        case optional
        case required
    }

    private mutating func httpTLS(_ value: ConfigurationValue?) -> HTTPSettings.TLS? {
        let section = reader.members(
            value, of: "http.tls", variables: ["certificate_file", "key_file", "client_ca_file", "client_certificates"])
        guard let place = value?.place ?? section.values.first?.place else { return nil }
        guard let certificate = reader.text(section["certificate_file"]), let key = reader.text(section["key_file"])
        else {
            reader.report(
                place, "http.tls", found: "no certificate_file or no key_file", expected: "both, in PEM")
            return nil
        }
        var tls = HTTPSettings.TLS(certificateFile: resolve(certificate), keyFile: resolve(key))
        tls.clientAuthorityFile = reader.text(section["client_ca_file"]).map(resolve)
        switch reader.choice(section["client_certificates"], ClientCertificates.self) ?? .optional {
        case .optional: break
        case .required:
            tls.requiresClientCertificate = true
            if tls.clientAuthorityFile == nil {
                reader.report(
                    section["client_certificates"]?.place ?? place, "http.tls.client_certificates", found: "required",
                    expected: "client_ca_file too, which says whose certificates count")
            }
        }
        return tls
    }

    private mutating func httpIntrospection(_ value: ConfigurationValue?) -> HTTPSettings.Introspection {
        let section = reader.members(
            value, of: "http.introspection", variables: ["refresh_ms", "max_age_ms", "cached_tokens", "open"])
        var settings = HTTPSettings.Introspection()
        let refresh = reader.count(section["refresh_ms"], in: 10...10_000, default: 100)
        let age = reader.count(section["max_age_ms"], in: 100...60_000, default: 2_000)
        if refresh * 2 > age, let value = section["refresh_ms"] ?? section["max_age_ms"] {
            reader.report(
                value, found: "a look every \(refresh) ms and views of \(age) ms",
                expected: "at least two looks within the time for which a view counts")
        }
        settings.refreshInterval = .milliseconds(refresh)
        settings.maximumAge = .milliseconds(age)
        settings.cachedTokens = reader.count(
            section["cached_tokens"], in: 100...10_000_000, default: settings.cachedTokens)
        settings.isOpen = reader.bool(section["open"], default: false)
        return settings
    }

    private mutating func httpLimits(_ value: ConfigurationValue?) -> HTTPSettings.Limits {
        let section = reader.members(
            value, of: "http.limits",
            variables: [
                "connections", "requests", "waiting_requests", "caller_requests_per_s", "peer_requests_per_s",
                "tracked_peers", "idle_timeout_ms", "request_timeout_ms", "drain_timeout_ms",
            ])
        var limits = HTTPSettings.Limits()
        limits.connections = reader.count(section["connections"], in: 1...65_536, default: limits.connections)
        limits.requestsInFlight = reader.count(section["requests"], in: 1...10_000, default: limits.requestsInFlight)
        limits.waitingRequests = reader.count(
            section["waiting_requests"], in: 0...10_000, default: limits.waitingRequests)
        limits.callerRate = reader.count(
            section["caller_requests_per_s"], in: 1...1_000_000, default: limits.callerRate)
        limits.peerRate = reader.count(section["peer_requests_per_s"], in: 1...1_000_000, default: limits.peerRate)
        limits.trackedPeers = reader.count(section["tracked_peers"], in: 1...1_000_000, default: limits.trackedPeers)
        limits.idleTimeout = .milliseconds(
            reader.count(section["idle_timeout_ms"], in: 100...600_000, default: 30_000))
        limits.requestTimeout = .milliseconds(
            reader.count(section["request_timeout_ms"], in: 100...600_000, default: 10_000))
        limits.drainTimeout = .milliseconds(
            reader.count(section["drain_timeout_ms"], in: 0...600_000, default: 5_000))
        return limits
    }

    // MARK: Callers

    private mutating func httpCallers(_ value: ConfigurationValue?) -> [HTTPSettings.Caller] {
        reader.named(value, of: "http.callers").compactMap { httpCaller($0.name, $0.value) }
    }

    private mutating func httpCaller(_ name: String, _ value: ConfigurationValue) -> HTTPSettings.Caller? {
        let section = reader.members(
            value, of: value.setting, variables: [],
            others: ["scopes", "token_hashes_file", "certificates", "certificate_names", "requests_per_s"])
        guard name.utf8.count <= 64,
            name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) })
        else {
            reader.report(
                value, found: "the name \"\(name.prefix(80))\"",
                expected: "at most 64 letters, digits, dots, hyphens and underscores")
            return nil
        }
        let scopes = reader.elements(section["scopes"]).compactMap { reader.choice($0, HTTPSettings.Scope.self) }
        if scopes.isEmpty {
            reader.report(
                section["scopes"]?.place ?? value.place, "\(value.setting).scopes", found: "none",
                expected: "some of " + HTTPSettings.Scope.allCases.map(\.rawValue).joined(separator: ", "))
        }
        var caller = HTTPSettings.Caller(name: name, scopes: Set(scopes))
        caller.tokenHashesFile = reader.text(section["token_hashes_file"], expected: "the path of a file").map(resolve)
        for element in reader.elements(section["certificates"]) {
            guard let text = reader.text(element, expected: "a fingerprint") else { continue }
            // Tools print it in hexadecimal with colons, RFC 8705 in base64url.
            let hex = text.replacing(":", with: "").lowercased()
            guard let digest = Digest(b64u: text) ?? Digest(hex: hex) else {
                reader.report(element, expected: "the SHA-256 of a certificate in DER, base64url or hexadecimal")
                continue
            }
            caller.certificateThumbprints.insert(digest.b64u)
        }
        for element in reader.elements(section["certificate_names"]) {
            guard let text = reader.text(element, expected: "a name") else { continue }
            guard text.hasPrefix("dns:") || text.hasPrefix("uri:") else {
                reader.report(
                    element, expected: "an alternative name: dns:gateway.example or uri:spiffe://example/gateway")
                continue
            }
            caller.certificateNames.insert(text)
        }
        if caller.tokenHashesFile == nil, caller.certificateThumbprints.isEmpty, caller.certificateNames.isEmpty {
            reader.report(
                value, found: "nothing that it is known by",
                expected: "token_hashes_file, certificates or certificate_names")
        }
        if let rate = section["requests_per_s"] { caller.rate = reader.count(rate, in: 1...1_000_000, default: 1) }
        return caller
    }
}
