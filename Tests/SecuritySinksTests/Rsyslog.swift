import ClawWire
import DevStack
import Foundation
import Testing

/// A private rsyslog that writes what it receives into a file, one record a line.
final class Rsyslog: Sendable {
    /// What it receives from.
    enum Input: Sendable {
        /// Syslog over TCP in the clear.
        case tcp
        /// Syslog over TLS; clients show a certificate that the authority vouches for.
        case tls(authority: String, certificate: String, key: String)
        /// A topic.
        case kafka(topic: String, servers: String)
    }

    /// True where rsyslog and what it needs here are installed, and where every server must be.
    static let isThere =
        ProcessInfo.processInfo.environment["CLAWGRANT_REQUIRE_SERVERS"] == "1" || isInstalled

    private static let isInstalled =
        FileManager.default.isExecutableFile(atPath: "/usr/sbin/rsyslogd")
        && ["imkafka.so", "lmnsd_ossl.so"].allSatisfy { module in
            ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"].contains {
                FileManager.default.fileExists(atPath: "\($0)/rsyslog/\(module)")
            }
        }

    let port: UInt16
    private let home: TemporaryDirectory
    private let input: Input

    init(_ input: Input) throws {
        home = try TemporaryDirectory(prefix: "claw-rsyslog")
        port = try FreePort.next()
        self.input = input
    }

    /// What it has written.
    var output: String { (try? String(contentsOfFile: home.path("out.log"), encoding: .utf8)) ?? "" }
    /// What it has said of itself.
    var messages: String { (try? String(contentsOfFile: home.path("messages"), encoding: .utf8)) ?? "" }
    /// The lines it has written.
    var lines: [String] { output.split(separator: "\n").map(String.init) }

    /// Starts a process. It goes with what is returned.
    func start() async throws -> ManagedProcess {
        let file = home.path("rsyslog.conf")
        try configuration.write(toFile: file, atomically: true, encoding: .utf8)
        var process = ManagedProcess.Configuration(
            executable: "/usr/sbin/rsyslogd", arguments: ["-n", "-f", file, "-i", home.path("pid")])
        process.output = .file(home.path("messages"))
        return try ManagedProcess(process)
    }

    private var configuration: String {
        let (modules, source): (String, String) =
            switch input {
            case .tcp:
                (
                    "module(load=\"imtcp\")",
                    "input(type=\"imtcp\" address=\"127.0.0.1\" port=\"\(port)\" ruleset=\"claw\")"
                )
            case .tls(let authority, let certificate, let key):
                (
                    """
                    global(defaultNetstreamDriver="ossl" defaultNetstreamDriverCAFile="\(authority)"
                        defaultNetstreamDriverCertFile="\(certificate)" defaultNetstreamDriverKeyFile="\(key)")
                    module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1"
                        streamDriver.authMode="x509/certvalid")
                    """, "input(type=\"imtcp\" address=\"127.0.0.1\" port=\"\(port)\" ruleset=\"claw\")"
                )
            case .kafka(let topic, let servers):
                (
                    "module(load=\"imkafka\")",
                    """
                    input(type="imkafka" topic="\(topic)" broker=["\(servers)"] consumergroup="siem" ruleset="claw"
                        confParam=["auto.offset.reset=earliest", "allow.auto.create.topics=false"])
                    """
                )
            }
        let content: String
        if case .kafka = input { content = "%msg%" } else { content = "%rawmsg%" }
        return """
            global(maxMessageSize="1m" workDirectory="\(home.path(""))" parser.escapeControlCharactersOnReceive="off")
            \(modules)
            template(name="line" type="string" string="\(content)\\n")
            ruleset(name="claw") {
              action(type="omfile" file="\(home.path("out.log"))" template="line" flushOnTXEnd="on")
            }
            \(source)

            """
    }
}

/// Numbers of events in what a client wrote.
enum EventNumbers {
    /// Of OCSF objects, one a line.
    static func ocsf(_ lines: [String]) throws -> [Int64] {
        try lines.map { line in
            try #require(try JSONReader.parse(line)["metadata"]?["sequence"]?.integer, "\(line)")
        }
    }

    /// Of syslog messages: their structured data.
    static func syslog(_ lines: [String]) throws -> [Int64] {
        try lines.map { line in
            let start = try #require(line.range(of: "[claw@32473 sequence=\""), "\(line)").upperBound
            return try #require(Int64(line[start...].prefix { $0 != "\"" }), "\(line)")
        }
    }
}
