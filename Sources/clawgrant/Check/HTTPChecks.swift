import ClawWire
import Foundation
import GrantWorker
import HTTPService
import IssuerAPI
import Keys
import NIOCore
import NIOPosix

/// Checks of the section `http`: certificates, who may ask what, where it listens, and its bounds.
enum HTTPChecks {
    /// Days before a certificate's end from which on it is a warning.
    private static let renewalDays = 14.0
    /// What a token that is remembered takes, in bytes.
    private static let tokenBytes = 4_096

    static func findings(_ file: ConfigurationFile) async -> [CheckFinding] {
        guard let http = file.worker.http else { return [] }
        return security(http, at: Date()) + callers(http) + sessions(http.console)
            + limits(http, descriptors: descriptors()) + addresses(http, file.worker) + (await listening(http))
    }

    // MARK: Certificates

    static func security(_ http: HTTPSettings, at now: Date) -> [CheckFinding] {
        guard let tls = http.tls else {
            return [.ok("http", "\(http.host) is served without TLS, which loopback alone may be")]
        }
        var findings: [CheckFinding] = []
        let served: HTTPServiceCertificate
        do {
            served = try HTTPServiceConfiguration.TLS(
                certificateFile: tls.certificateFile, keyFile: tls.keyFile,
                clientAuthorityFile: tls.clientAuthorityFile
            ).inspect()
        } catch {
            return [.error("http", error.description, "correct the file; it is read again by itself while served")]
        }
        do {
            _ = try SecretFile.load(tls.keyFile, links: .anywhere)
        } catch {
            findings.append(.warning("http", "\(error.subject): \(error.finding)", error.remedy))
        }
        let days = served.expiresAt.timeIntervalSince(now) / 86_400
        let end = Timestamp(seconds: Int64(served.expiresAt.timeIntervalSince1970)).iso8601
        switch days {
        case ..<0:
            findings.append(.error("http", "the certificate \(tls.certificateFile) ended at \(end)", "renew it"))
        case ..<renewalDays:
            findings.append(
                .warning(
                    "http", "the certificate \(tls.certificateFile) ends at \(end), \(Int(days)) days from now",
                    "renew it; a changed file is in force within half a minute"))
        default: findings.append(.ok("http", "the certificate \(tls.certificateFile) holds until \(end)"))
        }
        if let host = URL(string: http.issuer)?.host(), !served.isFor(host) {
            findings.append(
                .notice(
                    "http", "the certificate is not for \(host), the issuer's name",
                    "make sure that what stands before this surface has one that is"))
        }
        return findings
    }

    // MARK: Access

    static func callers(_ http: HTTPSettings) -> [CheckFinding] {
        do {
            try http.inspectCallers()
        } catch {
            return [.error("http", error.description, "correct the file or the setting; docs/http.md tells how")]
        }
        var findings = http.callers.map { caller in
            CheckFinding.ok(
                "http", "caller \(caller.name) may \(caller.scopes.map(\.rawValue).sorted().joined(separator: ", "))")
        }
        let granted = http.callers.reduce(into: Set<HTTPSettings.Scope>()) { $0.formUnion($1.scopes) }
        if !granted.contains(.introspect), !http.introspection.isOpen {
            findings.append(
                .notice(
                    "http", "no caller may introspect: gateways cannot ask about tokens",
                    "give one the scope introspect under http.callers, if gateways are to ask"))
        }
        if !granted.contains(.metrics) {
            findings.append(
                .notice(
                    "http", "no caller may read metrics",
                    "give one the scope metrics under http.callers, or set metrics.textfile"))
        }
        if http.introspection.isOpen {
            findings.append(
                .notice(
                    "http", "whoever reaches the surface may ask whether a token is active, as with the reference",
                    "set http.introspection.open to false where every gateway can name itself"))
        }
        if !http.console.stoppers.isEmpty, !granted.contains(.stop) {
            findings.append(
                .warning(
                    "http", "http.console.stop names certificates, and no caller has the scope stop: nobody can stop",
                    "give the callers with these certificates the scope stop"))
        }
        return findings
    }

    private static func sessions(_ console: ConsoleSettings) -> [CheckFinding] {
        guard console.isEnabled, let path = console.sessionSecretFile else { return [] }
        do {
            _ = try SecretFile.load(path, length: 32...4_096)
            return [.ok("http", "sessions of the console are signed with \(path)")]
        } catch {
            return [.error("http", "\(error.subject): \(error.finding)", error.remedy)]
        }
    }

    // MARK: Bounds

    /// - Parameter descriptors: most files and connections that a process may have open; `nil` where nobody says.
    static func limits(_ http: HTTPSettings, descriptors: Int?) -> [CheckFinding] {
        var findings: [CheckFinding] = []
        let limits = http.limits
        // Connections of the database and the brokers, files, and what the libraries keep open.
        if let descriptors, limits.connections + 256 > descriptors {
            findings.append(
                .warning(
                    "http",
                    "\(limits.connections) connections are allowed, and the process may open \(descriptors) files",
                    "lower http.limits.connections, or raise the limit of open files (LimitNOFILE of the unit)"))
        }
        if limits.waitingRequests >= limits.requestsInFlight {
            findings.append(
                .warning(
                    "http",
                    "requests that wait for a revocation may take every place: http.limits.waiting_requests is "
                        + "\(limits.waitingRequests) and requests is \(limits.requestsInFlight)",
                    "lower waiting_requests, or raise requests"))
        }
        let memory = (http.introspection.cachedTokens * tokenBytes) >> 20
        if memory > 1_024 {
            findings.append(
                .notice(
                    "http", "tokens that are remembered may take \(memory) MiB",
                    "see that the process may have them, or lower http.introspection.cached_tokens"))
        }
        if findings.isEmpty {
            findings.append(
                .ok(
                    "http",
                    "up to \(limits.connections) connections, \(limits.requestsInFlight) requests at a time, "
                        + "\(limits.callerRate)/s a caller, \(limits.peerRate)/s a stranger"))
        }
        return findings
    }

    private static func descriptors() -> Int? {
        let text = (try? String(contentsOfFile: "/proc/self/limits", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("Max open files") }
        return line.flatMap { $0.dropFirst("Max open files".count).split(separator: " ").first }.flatMap { Int($0) }
    }

    // MARK: Addresses

    static func addresses(_ http: HTTPSettings, _ worker: WorkerConfiguration) -> [CheckFinding] {
        let others = [
            ("status_lists.uri_base", worker.statusLists?.uriBase), ("claims.address", worker.claims?.address),
        ]
        return others.compactMap { setting, address in
            guard let address, address != http.issuer, !address.hasPrefix(http.issuer + "/") else { return nil }
            return .notice(
                "http", "\(setting) is \(address), and this surface is reached at \(http.issuer)",
                "make sure that the address leads to this surface, or to another one of the same ledger")
        }
    }

    /// Whether the address is this machine's. That something listens there already may be the worker itself.
    private static func listening(_ http: HTTPSettings) async -> [CheckFinding] {
        let place = "\(http.host):\(http.port)"
        do {
            let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .bind(host: http.host, port: http.port).get()
            try? await channel.close().get()
            return [.ok("http", "\(place) can be listened on")]
        } catch let error as IOError where error.errnoCode == EADDRINUSE {
            return [
                .notice("http", "something listens at \(place)", "see that it is this worker, or choose another port")
            ]
        } catch {
            return [
                .error(
                    "http", "\(place) cannot be listened on (\(error))",
                    "set http.listen to an address of this machine and to a port that the worker's user may have")
            ]
        }
    }
}
