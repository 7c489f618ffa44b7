public import SecurityEvents

/// Where security events are streamed to: the section `security_events` of the configuration.
public struct SecurityEventSettings: Sendable, Hashable {
    /// Where a sink begins that the ledger does not know yet.
    public enum Start: Sendable, Hashable {
        /// With the first receipt of the log.
        case beginning
        /// Behind the last receipt that is sealed when the sink is first driven.
        case now
        /// With the receipt at this position of the log.
        case position(Int64)
    }

    /// How patiently a sink is tried.
    public struct Patience: Sendable, Hashable {
        /// Wait after the first failure; it doubles with each further one, and each is shortened at random.
        public var shortestWait: Duration = .seconds(1)
        /// Longest wait between two attempts, and between attempts that need a change of the configuration.
        public var longestWait: Duration = .seconds(60)
        /// Failures in a row after which a finding tells of them.
        public var failuresBeforeFinding: Int32 = 5
        /// Longest time of one delivery, after which it counts as failed.
        public var deliveryTimeout: Duration = .seconds(30)
        /// The standard patience.
        public init() {}
    }

    /// One sink.
    public struct Sink: Sendable, Hashable {
        /// Its name in metrics, findings and the ledger; unique within a log.
        public var name: String
        /// What it is, with the settings of its kind.
        public var kind: Kind
        /// Where it begins when the ledger does not know it yet.
        public var start = Start.beginning
        /// Time without news after which the log gets a heartbeat on the sink's behalf; `nil` leaves it to the log's own.
        public var heartbeatInterval: Duration?
        /// How patiently it is tried.
        public var patience = Patience()

        /// Makes a sink with the standard settings.
        public init(name: String, kind: Kind) {
            self.name = name
            self.kind = kind
        }
    }

    /// What a sink is, with the settings of its kind.
    public enum Kind: Sendable, Hashable {
        /// A topic.
        case kafka(KafkaTopic)
        /// A syslog receiver.
        case syslog(SyslogReceiver)
        /// Files of lines.
        case file(LineFile)
        /// A Splunk HTTP event collector.
        case splunk(SplunkHECSettings)
        /// A stream of Azure Monitor's logs ingestion, which feeds Microsoft Sentinel.
        case sentinel(LogsIngestionSettings)
        /// An OpenTelemetry collector.
        case otlp(OTLPLogsSettings)
        /// A receiver of Security Event Tokens by push.
        case signals(SignalPushSettings)
        /// The topic of Security Event Tokens.
        case signalsTopic(SignalTopicSettings)
    }

    /// The kinds by their names in the configuration.
    public enum KindName: String, Sendable, Hashable, CaseIterable {
        /// ``Kind/kafka(_:)``.
        case kafka
        /// ``Kind/syslog(_:)``.
        case syslog
        /// ``Kind/file(_:)``.
        case file
        /// ``Kind/splunk(_:)``.
        case splunk
        /// ``Kind/sentinel(_:)``.
        case sentinel
        /// ``Kind/otlp(_:)``.
        case otlp
        /// ``Kind/signals(_:)``.
        case signals
        /// ``Kind/signalsTopic(_:)``.
        case signalsTopic = "signals-topic"
    }

    /// A topic.
    public struct KafkaTopic: Sendable, Hashable {
        /// The standard name.
        public static let standardName = "claw.siem.ocsf.v1"
        /// The topic.
        public var topic = standardName
        /// Form of the records' values.
        public var format = SecurityEventFormat.ocsf
        /// Headers of every record beside our own, such as `splunk.header.index`.
        public var headers: [String: String] = [:]
        /// Most events of one delivery.
        public var maximumEvents = 500
        /// The standard topic.
        public init() {}
    }

    /// A syslog receiver over TCP, in frames with a count of their bytes (RFC 6587 section 3.4.1, RFC 5425).
    public struct SyslogReceiver: Sendable, Hashable {
        /// TLS towards a receiver.
        public struct Security: Sendable, Hashable {
            /// File of the certificates that may vouch for the receiver, PEM; `nil` for the system's.
            public var authorityFile: String?
            /// The name in the receiver's certificate; `nil` for the host it is reached by.
            public var serverName: String?
            /// File of our own certificate with its chain, PEM, where the receiver asks for one.
            public var certificateFile: String?
            /// File of our private key, PEM, mode 0600.
            public var keyFile: String?
            /// The system's authorities, no certificate of our own.
            public init() {}
        }

        /// Host name or address.
        public var host: String
        /// Port.
        public var port: Int
        /// TLS; `nil` sends in the clear.
        public var security: Security?
        /// ``SecurityEventFormat/syslog`` or ``SecurityEventFormat/syslogCEF``.
        public var format = SecurityEventFormat.syslog
        /// Most events of one delivery.
        public var maximumEvents = 200
        /// Events before the position that are sent again on every new connection, since syslog acknowledges nothing.
        public var replayedEvents = 500
        /// A receiver with the standard settings.
        public init(host: String, port: Int, security: Security? = Security()) {
            self.host = host
            self.port = port
            self.security = security
        }
    }

    /// Files of lines, one after the other.
    public struct LineFile: Sendable, Hashable {
        /// The file that is written; its directory exists.
        public var path: String
        /// ``SecurityEventFormat/ocsf`` or ``SecurityEventFormat/ecs``.
        public var format = SecurityEventFormat.ocsf
        /// Size from which a new file is begun, in bytes.
        public var rotationBytes: Int64 = 256 << 20
        /// Length of the spans of time that have files of their own, counted from 1970; `nil` rotates by size alone.
        public var rotationInterval: Duration? = .seconds(86_400)
        /// Finished files that are kept; the oldest beyond them are removed. `nil` keeps all.
        public var keptFiles: Int? = 14
        /// Most events of one delivery.
        public var maximumEvents = 500
        /// A file with the standard settings.
        public init(path: String) { self.path = path }
    }

    /// The sinks.
    public var sinks: [Sink]
    /// The tenant for which this log stands; `nil` where there is one only.
    public var tenant: String?
    /// Time between two looks for new batches.
    public var pollInterval: Duration = .milliseconds(250)
    /// Most bytes of receipts that are kept in memory for all sinks together, beside what each is sending.
    public var readAheadBytes = 16 << 20

    /// Streams to sinks.
    public init(sinks: [Sink]) { self.sinks = sinks }

    /// The topics that sinks write to.
    public var topics: [String] {
        sinks.compactMap { if case .kafka(let topic) = $0.kind { topic.topic } else { nil } }
    }

    /// The topics that sinks of signals write to.
    public var signalTopics: [String] {
        sinks.compactMap { if case .signalsTopic(let topic) = $0.kind { topic.topic } else { nil } }
    }
}
