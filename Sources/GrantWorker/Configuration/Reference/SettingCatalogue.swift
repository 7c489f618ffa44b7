/// One setting in words.
package struct DescribedSetting: Sendable, Hashable {
    /// What holds where a setting is absent.
    package enum Fallback: Sendable, Hashable {
        /// What the loader says when it reads the setting: a number, true or false.
        case measured
        /// Nothing: its section cannot be read without it.
        case required
        /// Nothing, and nothing is missed.
        case nothing
        /// These words, Markdown.
        case text(String)
    }

    /// Its key.
    package let name: String
    /// What holds without it.
    package let fallback: Fallback
    /// What it means: a sentence or two in Markdown; links begin at `docs/reference`.
    package let meaning: String

    init(_ name: String, _ fallback: Fallback, _ meaning: String) {
        self.name = name
        self.fallback = fallback
        self.meaning = meaning
    }
}

/// The settings of one mapping of the configuration file.
package struct SettingSection: Sendable, Hashable {
    /// Where the mapping stands: keys and dots, `[]` for the elements of a list, `NAME` where names are free, and the
    /// kind of a sink in the brackets. Empty for the top.
    package let path: String
    /// What it is for: Markdown.
    package let about: String
    /// In the order of the reference.
    package let settings: [DescribedSetting]

    init(_ path: String, _ about: String, _ settings: [DescribedSetting]) {
        self.path = path
        self.about = about
        self.settings = settings
    }
}

/// Every setting in words, the source of `docs/reference/configuration.md`.
///
/// A test holds it against what the loader takes (``SettingRecord``): a key that is missing here, or that nobody reads,
/// fails. Ranges, choices and most defaults are not written down here but taken from the loader.
package enum SettingCatalogue {
    /// Every section, in the order of the reference.
    package static let all: [SettingSection] = [
        top, worker, kafka, brokerTokens, topics, database, keys, pkcs11, secrets, policies, control, gatewayReceipts,
        statusLists, claims, confirmation, http, httpListen, httpTLS, httpCallers, httpIntrospection, httpLimits,
        httpConsole, httpConsoleStop, securityEvents, everySink, kafkaSink, syslogSink, fileSink, splunkSink,
        sentinelSink, otlpSink, signalsSink, signalsTopicSink, metrics, tracing, limits, log,
    ]
}
