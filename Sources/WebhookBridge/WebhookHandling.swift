import ApprovalSources
import ClawWire
import HTTPService
import IssuanceRules
import Kafka
import Logging
import Observability
import Primitives

/// Answers requests: proves, understands, writes, and only then says yes.
struct WebhookHandling: Sendable {
    private let sources: [String: WebhookSource]
    private let signer: NativeEventSigner?
    private let writer: any RecordWriting
    private let memory: DeliveryMemory
    private let maximumRequests: Int
    private let logger: Logger
    private let clock: @Sendable () -> Timestamp
    private let metrics = BridgeMetrics()
    private let working = Lock(0)

    init(
        _ configuration: BridgeConfiguration, writer: any RecordWriting, logger: Logger,
        clock: @escaping @Sendable () -> Timestamp
    ) {
        sources = Dictionary(configuration.sources.map { ($0.path, $0) }, uniquingKeysWith: { first, _ in first })
        signer = configuration.signer.map { NativeEventSigner($0) }
        self.writer = writer
        memory = DeliveryMemory(capacity: configuration.rememberedDeliveries)
        maximumRequests = configuration.maximumRequests
        self.logger = logger
        self.clock = clock
    }

    func answer(_ request: HTTPServiceRequest) async -> HTTPServiceResponse {
        if request.path == "/healthz", request.method == "GET" || request.method == "HEAD" {
            return .text(200, "ok")
        }
        guard let source = sources[request.path] else { return .text(404, "there is nothing here") }
        guard request.method == "POST" else {
            return .text(405, "webhooks are posted", fields: [HTTPServiceField("allow", "POST")])
        }
        guard enter() else {
            metrics.answered(source.name, .busy)
            return .text(429, "too many requests", fields: [HTTPServiceField("retry-after", "1")])
        }
        defer { working.withLock { $0 -= 1 } }
        return await take(request, source)
    }

    private func enter() -> Bool {
        working.withLock { count in
            guard count < maximumRequests else { return false }
            count += 1
            return true
        }
    }

    private func take(_ request: HTTPServiceRequest, _ source: WebhookSource) async -> HTTPServiceResponse {
        let now = clock()
        let headers = request.fields.map { SourceRecord.Header($0.name, $0.value) }
        let proof: HeaderSignatureProof
        do {
            proof = try source.verifier.verify(headers: headers, body: request.body, at: now)
        } catch {
            // The sender learns nothing; whoever runs the bridge learns which check failed.
            refused(source, .unauthorized, error.reason.rawValue, error.field)
            return .text(401, "refused")
        }
        let digest = Digest(hashing: request.body)
        let delivery = source.deliveryHeader.flatMap { request.field($0) }.flatMap(Self.identifier)
        let key = delivery.map { DeliveryMemory.Key(source: source.name, delivery: $0, body: digest) }
        if let key, memory.contains(key) {
            metrics.answered(source.name, .repeated)
            return .text(200, "known")
        }
        let records: [ProducerRecord]
        switch source.output {
        case .raw(let forwarded):
            records = [raw(request, source, forwarded, proof, delivery, digest, at: now)]
        case .native(let configuration, let eventSource):
            let evidence = WebhookEvidence(
                source: source.name, kind: configuration.kind.rawValue, delivery: delivery, key: proof.keyName,
                bodyDigest: digest, receivedAt: now)
            let translation = NativeTranslation(eventSource: eventSource, evidence: evidence)
            let record = SourceRecord(
                topic: source.topic, headers: headers,
                // A Security Event Token is read with its envelope.
                value: configuration.kind == .sharedSignals ? request.body : proof.payload ?? request.body,
                timestamp: now)
            switch native(record, configuration, translation, source, at: now) {
            case .success(let made): records = made
            case .failure(let refusal): return refusal.response
            }
        }
        guard !records.isEmpty else {
            metrics.answered(source.name, .ignored)
            // Transmitters of Security Event Tokens take nothing else for a yes (RFC 8935 section 2.2).
            return .text(source.isOfSharedSignals ? 202 : 200, "ignored")
        }
        return await write(records, source, key)
    }

    private func write(
        _ records: [ProducerRecord], _ source: WebhookSource, _ key: DeliveryMemory.Key?
    ) async -> HTTPServiceResponse {
        let start = ContinuousClock.now
        do {
            try await writer.write(records)
        } catch {
            logger.log(.webhookUnwritten, metadata: ["source": "\(source.name)", "reason": "\(error)"])
            metrics.answered(source.name, .unavailable)
            return error.code == .messageTooLarge
                ? .text(413, "the body is too large")
                : .text(503, "come again", fields: [HTTPServiceField("retry-after", "5")])
        }
        if let key { memory.remember(key) }
        metrics.answered(source.name, .written)
        metrics.wrote(source.name, records: records.count, in: start.duration(to: .now))
        return .text(202, "taken")
    }

    // MARK: Native

    private struct Refused: Error {
        let response: HTTPServiceResponse
    }

    private func native(
        _ record: SourceRecord, _ configuration: SourceConfiguration, _ translation: NativeTranslation,
        _ source: WebhookSource, at now: Timestamp
    ) -> Result<[ProducerRecord], Refused> {
        // The signature was verified over the bytes; the reader is asked what they say, not whether they are proven.
        var trusted = configuration
        trusted.authenticity = .topic
        trusted.headerSignature = nil
        var signatures = BatchSignatureCache(capacity: 1)
        let facts: [Fact]
        switch AnySource.facts(from: record, configuration: trusted, at: now, signatures: &signatures) {
        case .facts(let understood, _): facts = understood
        case .deadLetter(let fault):
            refused(source, .refused, fault.reason.rawValue, fault.field)
            return .failure(Refused(response: .text(fault.reason == .tooLarge ? 413 : 422, fault.reason.rawValue)))
        }
        let codes = Set(facts.compactMap { if case .rejected(let why) = $0.content { why } else { nil } })
            .sorted().joined(separator: ",")
        do {
            let records = try signed(try translation.events(of: facts), source)
            if !codes.isEmpty {
                logger.log(.webhookPartly, metadata: ["source": "\(source.name)", "codes": "\(codes)"])
            }
            return .success(records)
        } catch let refusal as NativeTranslation.Refusal {
            refused(source, .refused, refusal.rawValue, codes)
            return .failure(Refused(response: .text(422, refusal.rawValue)))
        } catch {
            logger.log(.webhookUnsigned, metadata: ["source": "\(source.name)", "reason": "\(error)"])
            metrics.answered(source.name, .unavailable)
            return .failure(Refused(response: .text(503, "come again")))
        }
    }

    private func signed(
        _ events: [NativeTranslation.Translated], _ source: WebhookSource
    ) throws -> [ProducerRecord] {
        guard !events.isEmpty else { return [] }
        guard let signer else { throw BridgeError("no signing key is configured for native events") }
        return try events.map { translated in
            let message = try signer.sign(translated.event).message(.structured)
            return ProducerRecord(
                topic: source.topic, key: Array(translated.key.utf8), value: message.value,
                headers: message.headers.map { KafkaHeader(name: $0.name, value: $0.value) })
        }
    }

    // MARK: Raw

    private func raw(
        _ request: HTTPServiceRequest, _ source: WebhookSource, _ forwarded: [String], _ proof: HeaderSignatureProof,
        _ delivery: String?, _ digest: Digest, at now: Timestamp
    ) -> ProducerRecord {
        // A list of what goes through, not of what does not: cookies and credentials of proxies stay here.
        let names = Set(
            source.verifier.headers + forwarded + [source.deliveryHeader, "content-type"].compactMap { $0 })
        var headers = request.fields.filter { names.contains($0.name.lowercased()) }.map {
            KafkaHeader(name: $0.name.lowercased(), value: Array($0.value.utf8))
        }
        for (name, value) in [
            ("claw_bridge_source", source.name), ("claw_bridge_received_at", now.iso8601),
            ("claw_bridge_body_sha256", digest.hex), ("claw_bridge_header_key", proof.keyName),
        ] {
            headers.append(KafkaHeader(name: name, value: Array(value.utf8)))
        }
        return ProducerRecord(
            topic: source.topic, key: Array((delivery ?? digest.hex).utf8), value: request.body, headers: headers)
    }

    // MARK: Words

    /// A delivery's identifier as far as it is one.
    private static func identifier(_ text: String) -> String? {
        let isPlain = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        return isPlain && (1...128).contains(text.utf8.count) ? text : nil
    }

    private func refused(_ source: WebhookSource, _ result: BridgeResult, _ code: String, _ place: String) {
        logger.log(
            .webhookRefused,
            metadata: [
                "source": "\(source.name)", "result": "\(result.rawValue)", "code": .outside(code),
                "at": .outside(place),
            ])
        metrics.answered(source.name, result)
    }
}
