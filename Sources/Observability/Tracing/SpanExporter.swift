import ClawWire
public import Metrics
import Primitives

/// Takes finished spans and sends them to a collector, in batches, beside all other work.
///
/// Recording one costs a lock and a place in a queue of a fixed length. When the collector is slow or gone, spans are
/// dropped and counted; nothing waits for them.
public final class SpanExporter: Sendable {
    /// Where to send, and how much.
    public struct Settings: Sendable, Hashable {
        /// Address of the collector's receiver for traces, such as `http://127.0.0.1:4318/v1/traces`.
        public var endpoint: String
        /// Headers of each request, for access to the collector.
        public var headers: [String: SecretText] = [:]
        /// Most spans that wait.
        public var queueLength = 2_048
        /// Most spans of one request.
        public var batchLength = 512
        /// Longest wait for a request to fill.
        public var interval: Duration = .seconds(1)
        /// Longest wait for an answer.
        public var timeout: Duration = .seconds(10)
        /// The standard settings.
        public init(endpoint: String) { self.endpoint = endpoint }
    }

    /// What a collector answers.
    public struct Answer: Sendable, Hashable {
        /// Status of HTTP.
        public let status: Int
        /// How long to wait before the next try, as the collector asks for it.
        public let retryAfter: Duration?
        /// Makes an answer.
        public init(status: Int, retryAfter: Duration? = nil) {
            self.status = status
            self.retryAfter = retryAfter
        }
    }

    /// Sends a body and returns the answer; throws when there is none.
    public typealias Transport = @Sendable (_ body: [UInt8], _ settings: Settings) async throws -> Answer

    private struct State {
        var waiting: [Span] = []
        var isClosed = false
    }

    /// Most tries of one request.
    private static let maximumTries = 4
    private static let longestPause: Duration = .seconds(30)
    /// Longest wait for an answer when leaving.
    private static let lastTimeout: Duration = .seconds(3)
    private let settings: Settings
    private let resource: [Span.Attribute]
    private let version: String
    private let transport: Transport
    private let failed: @Sendable (String) -> Void
    private let state = Lock(State())
    private let exported: Counter
    private let droppedFull: Counter
    private let droppedFailed: Counter
    private let refused: Counter

    /// Makes an exporter; nothing is sent before ``run(until:)``.
    ///
    /// - Parameters:
    ///   - settings: where to send.
    ///   - resource: what all spans have in common: `service.name` and so on.
    ///   - version: the program's version.
    ///   - metrics: counts what becomes of spans.
    ///   - transport: sends a request.
    ///   - failed: told when spans were dropped because a request failed.
    public init(
        _ settings: Settings, resource: [Span.Attribute], version: String,
        metrics: any MetricsFactory = MetricsSystem.factory, transport: @escaping Transport,
        failed: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.settings = settings
        self.resource = resource
        self.version = version
        self.transport = transport
        self.failed = failed
        func counter(_ result: String) -> Counter {
            Counter(label: "clawgrant_spans_total", dimensions: [("result", result)], factory: metrics)
        }
        exported = counter("exported")
        droppedFull = counter("dropped_full")
        droppedFailed = counter("dropped_failed")
        refused = counter("refused")
    }

    /// Takes a span. Spans of traces that are not kept are passed over.
    public func record(_ span: Span) {
        guard span.context.isSampled else { return }
        let isTaken = state.withLock { state in
            guard !state.isClosed, state.waiting.count < settings.queueLength else { return false }
            state.waiting.append(span)
            return true
        }
        if !isTaken { droppedFull.increment() }
    }

    /// Sends what is recorded until told to stop, and then what is left, once: a collector that does not answer keeps
    /// nobody from leaving for longer than a few seconds.
    public func run(until stop: @escaping @Sendable () -> Bool) async {
        await Patience.run({ await self.export(until: stop) }, until: stop)
        var last = settings
        last.timeout = min(settings.timeout, Self.lastTimeout)
        while state.withLock({ !$0.waiting.isEmpty }), !Task.isCancelled {
            guard await send(last, tries: 1) else { break }
        }
        let left = state.withLock { state in
            state.isClosed = true
            defer { state.waiting = [] }
            return state.waiting.count
        }
        droppedFailed.increment(by: left)
    }

    private func export(until stop: @Sendable () -> Bool) async {
        var since = ContinuousClock.now
        while !stop(), !Task.isCancelled {
            let count = state.withLock { $0.waiting.count }
            if count >= settings.batchLength || count > 0 && .now - since >= settings.interval {
                await send(settings, tries: Self.maximumTries)
                since = .now
            } else {
                if count == 0 { since = .now }
                do { try await Task.sleep(for: min(settings.interval, .milliseconds(100))) } catch { break }
            }
        }
    }

    /// Sends the oldest spans; false when they are lost. Those of a try that was cut short wait for the last one.
    @discardableResult
    private func send(_ settings: Settings, tries: Int) async -> Bool {
        let spans = state.withLock { state in
            let taken = Array(state.waiting.prefix(settings.batchLength))
            state.waiting.removeFirst(taken.count)
            return taken
        }
        guard !spans.isEmpty else { return true }
        let body = OTLPEncoder.body(spans, resource: resource, scopeVersion: version)
        var pause: Duration = .seconds(1)
        var why = ""
        for attempt in 1...tries {
            var wait = pause
            do {
                let answer = try await transport(body, settings)
                switch answer.status {
                case 200..<300:
                    exported.increment(by: spans.count)
                    return true
                // The protocol names these four as those that may be tried again.
                case 429, 502, 503, 504:
                    why = "the collector answers \(answer.status)"
                    if let asked = answer.retryAfter { wait = asked }
                default:
                    refused.increment(by: spans.count)
                    failed("the collector refuses spans with status \(answer.status)")
                    return false
                }
            } catch {
                why = "the collector cannot be reached (\(type(of: error)))"
            }
            if Task.isCancelled {
                state.withLock { $0.waiting.insert(contentsOf: spans, at: 0) }
                return false
            }
            if attempt == tries { break }
            try? await Task.sleep(for: min(wait, Self.longestPause))
            pause *= 2
        }
        droppedFailed.increment(by: spans.count)
        failed(why)
        return false
    }
}
