import Foundation
public import GrantWorker
import Keys
import NIOCore
import NIOPosix
import NIOSSL

/// What keeps a sink from delivering, found before anything is sent to it.
public struct SinkInspection: Sendable, Hashable {
    /// Whether nothing could be delivered; otherwise it works, and something that is relied upon is not so.
    public let isFatal: Bool
    /// What was found.
    public let finding: String
    /// What to do about it.
    public let remedy: String

    init(isFatal: Bool = true, _ finding: String, _ remedy: String) {
        self.isFatal = isFatal
        self.finding = finding
        self.remedy = remedy
    }

    /// What a delivery would fail with, without the sink's name before it.
    fileprivate init(_ failure: SinkFailure, of sink: String, _ remedy: String) {
        self.init(String(failure.description.trimmingPrefix("\(sink): ")), remedy)
    }
}

extension SecurityEventSettings.Sink {
    /// Looks at what the sink would use: certificates, credentials, keys, directories. Nothing is sent.
    ///
    /// - Parameter surroundings: what the sink would be made with.
    /// - Returns: what is wrong; empty when nothing is.
    public func inspect(_ surroundings: SinkSurroundings) async -> [SinkInspection] {
        switch kind {
        case .kafka: []
        case .syslog(let receiver): Self.inspect(receiver)
        case .file(let file): Self.inspect(file)
        case .splunk(let collector):
            Self.inspect(collector.connection, name) + (await Self.credential(collector.tokenFile, name))
        case .sentinel(let stream):
            switch stream.proof {
            case .secret(let file): Self.inspect(stream.connection, name) + (await Self.credential(file, name))
            case .certificate(let files, _):
                Self.inspect(stream.connection, name) + Self.certificate(files, name)
            }
        case .otlp(let collector):
            Self.inspect(collector.connection, name) + (await Self.credential(collector.tokenFile, name))
        case .signals(let receiver):
            Self.inspect(receiver.connection, name) + (await Self.credential(receiver.tokenFile, name))
                + Self.pen(surroundings, name)
        case .signalsTopic: Self.pen(surroundings, name)
        }
    }

    /// Where the sink connects to; empty for topics and files.
    public var endpoints: [(host: String, port: Int)] {
        switch kind {
        case .kafka, .file, .signalsTopic: []
        case .syslog(let receiver): [(receiver.host, receiver.port)]
        case .splunk(let collector): Self.endpoints([collector.url])
        case .sentinel(let stream): Self.endpoints([stream.endpoint, stream.authority])
        case .otlp(let collector): Self.endpoints([collector.url])
        case .signals(let receiver): Self.endpoints([receiver.url])
        }
    }

    /// Whether somebody takes connections where the sink connects to. Connections are made and closed; nothing is sent.
    public func reach() async -> [SinkInspection] {
        var found: [SinkInspection] = []
        for place in endpoints {
            do {
                let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                    .connectTimeout(.seconds(5)).connect(host: place.host, port: place.port).get()
                try? await channel.close().get()
            } catch {
                found.append(
                    SinkInspection(
                        isFatal: false, "nobody answers at \(place.host):\(place.port) (\(error))",
                        "check the address, the firewall between, and whether the collector runs"))
            }
        }
        return found
    }

    private static func endpoints(_ addresses: [String]) -> [(host: String, port: Int)] {
        addresses.compactMap { address in
            guard let url = URL(string: address), let host = url.host() else { return nil }
            let bare = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
            return (bare, url.port ?? (url.scheme == "http" ? 80 : 443))
        }
    }

    // MARK: Parts

    private static func inspect(_ receiver: SecurityEventSettings.SyslogReceiver) -> [SinkInspection] {
        guard let security = receiver.security else {
            let isLocal = ["127.0.0.1", "::1", "localhost"].contains(receiver.host)
            return isLocal
                ? []
                : [
                    SinkInspection(
                        isFatal: false, "events travel to \(receiver.host) in the clear",
                        "use TLS: take `transport: tcp` out")
                ]
        }
        do {
            _ = try SyslogSecurity.context(security)
        } catch {
            return [SinkInspection("\(error)", "correct the file, or the setting that names it")]
        }
        return expiry(of: security.certificateFile)
    }

    private static func inspect(_ file: SecurityEventSettings.LineFile) -> [SinkInspection] {
        let directory = URL(fileURLWithPath: file.path).deletingLastPathComponent().path
        var isDirectory: ObjCBool = false
        let exists = unsafe FileManager.default.fileExists(atPath: directory, isDirectory: &isDirectory)
        guard exists, isDirectory.boolValue else {
            return [SinkInspection("the directory \(directory) does not exist", "make it, for the worker's user alone")]
        }
        guard FileManager.default.isWritableFile(atPath: directory) else {
            return [
                SinkInspection(
                    "files cannot be made in \(directory)",
                    "let the worker's user write there, or name another directory")
            ]
        }
        return []
    }

    private static func inspect(_ connection: CollectorConnection, _ sink: String) -> [SinkInspection] {
        do {
            _ = try CollectorClient.security(connection, for: sink)
        } catch {
            return [SinkInspection(error, of: sink, "correct the file, or the setting that names it")]
        }
        return expiry(of: connection.certificate?.certificateFile)
    }

    private static func credential(_ path: String?, _ sink: String) async -> [SinkInspection] {
        guard let path else { return [] }
        do {
            _ = try await CredentialFile(path: path).read(for: sink)
            return []
        } catch {
            return [SinkInspection(error, of: sink, "write the credential into the file, for the worker's user alone")]
        }
    }

    private static func certificate(_ files: CollectorConnection.Certificate, _ sink: String) -> [SinkInspection] {
        var connection = CollectorConnection()
        connection.certificate = files
        return inspect(connection, sink)
    }

    private static func pen(_ surroundings: SinkSurroundings, _ sink: String) -> [SinkInspection] {
        do {
            guard let keys = surroundings.keys else { throw SinkFailure(.misconfigured, "there are no keys") }
            _ = try SignalPen(keys: keys, sink: sink, now: surroundings.now).signer()
            return []
        } catch {
            return [SinkInspection("signals cannot be signed: \(error)", "give `keys` an active one of purpose set")]
        }
    }

    /// A certificate of ours that is over, or soon will be.
    private static func expiry(of file: String?) -> [SinkInspection] {
        guard let file, let certificate = try? NIOSSLCertificate.fromPEMFile(file).first else { return [] }
        let days = (Double(certificate.notValidAfter) - Date().timeIntervalSince1970) / 86_400
        guard days < 14 else { return [] }
        let when = days < 0 ? "has expired" : "expires in \(Int(days)) days"
        return [
            SinkInspection(isFatal: days < 0, "the certificate \(file) \(when)", "renew it; it is read again by itself")
        ]
    }
}
