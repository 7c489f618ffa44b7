public import ClawWire
public import GrantWorker
public import Keys
public import SecurityEvents

/// Tells revocations to one receiver: a Security Event Token each, by HTTP push (RFC 8935).
///
/// Events that revoke nothing are delivered by doing nothing.
public final class SignalPushSink: SecurityEventSink {
    /// As configured.
    public let name: String
    private let settings: SignalPushSettings
    private let pen: SignalPen
    private let client: CollectorClient

    /// Makes a sink; it connects at its first revocation.
    ///
    /// - Parameters:
    ///   - settings: who receives.
    ///   - keys: the ring with an active key of purpose `set`.
    ///   - now: the clock that the key's period is compared with.
    public init(name: String, _ settings: SignalPushSettings, keys: KeyRing, now: @escaping @Sendable () -> Timestamp) {
        self.name = name
        self.settings = settings
        pen = SignalPen(keys: keys, sink: name, now: now)
        client = CollectorClient(sink: name, connection: settings.connection)
    }

    /// As configured.
    public var maximumEvents: Int { settings.deliveryEvents }
    /// Bounded by the number of events; a token has about a thousand bytes.
    public var maximumBytes: Int { 1 << 20 }

    /// The claims of the token; nothing for an event that revokes nothing. It is signed when it is sent.
    public func rendered(_ event: SecurityEvent) -> [UInt8] {
        SessionRevoked.claims(event, issuer: settings.parties.issuer, audience: settings.parties.audience)
            .map { JSONWriter.bytes(.object($0)) } ?? []
    }

    /// Closes connections.
    public func close() async { await client.close() }

    /// Pushes a token for each revocation and returns when the receiver has all of them.
    public func deliver(_ events: [RenderedEvent]) async throws(SinkFailure) {
        let signals = events.filter { !$0.bytes.isEmpty }
        guard !signals.isEmpty else { return }
        let signer = try pen.signer()
        let token: Credential? =
            if let file = settings.tokenFile { try await CredentialFile(path: file).read(for: name) } else { nil }
        let failures = await withTaskGroup(of: SinkFailure?.self) { group in
            var rest = signals.makeIterator()
            var failures: [SinkFailure] = []
            for _ in 0..<max(1, settings.concurrency) {
                if let event = rest.next() { group.addTask { await self.failure(of: event, signer, token) } }
            }
            for await failure in group {
                if let failure { failures.append(failure) }
                // What cannot be skipped is not made better by sending more.
                guard failures.allSatisfy(\.isSkip), let event = rest.next() else { continue }
                group.addTask { await self.failure(of: event, signer, token) }
            }
            return failures
        }
        if let failure = failures.first(where: { !$0.isSkip }) { throw failure }
        // All the others have arrived, wherever they stand.
        var skipped: Set<SequenceNumber> = []
        for case .skip(let numbers) in failures.map(\.remedy) { skipped.formUnion(numbers) }
        if let failure = failures.first { throw SinkFailure(.skip(skipped), failure.description) }
    }

    private func failure(of event: RenderedEvent, _ signer: SignalSigner, _ token: Credential?) async -> SinkFailure? {
        do throws(SinkFailure) {
            try await push(event, signer, token)
            return nil
        } catch {
            return error
        }
    }

    private func push(
        _ event: RenderedEvent, _ signer: SignalSigner, _ token: Credential?
    ) async throws(SinkFailure) {
        let signal = try SignedSignal(claims: event.bytes, by: signer, sink: name)
        var fields = [(name: "content-type", value: SignedSignal.mediaType), ("accept", "application/json")]
        if let token { fields.append(("authorization", "Bearer \(token.text)")) }
        let answer = try await client.send(
            CollectorRequest(address: settings.url, fields: fields, body: Array(signal.compact.utf8)),
            what: "pushing a security event token")
        let said = "\(name): the receiver answered \(answer.status)"
        switch answer.status {
        // RFC 8935 section 2.2 knows 202 alone; receivers that answer 200 or 204 have taken it as well.
        case 200, 202, 204: return
        case 400:
            let code = (try? JSONReader.parse(answer.body))?["err"]?.string
            guard code == "invalid_request" else {
                throw SinkFailure(
                    .misconfigured,
                    "\(said)\(codeName(code)); check issuer and audience, and that the receiver has the key \(signer.publicKey.kid) "
                        + "and accepts the bearer token")
            }
            throw SinkFailure(
                .skip([event.sequence]), "\(said)\(codeName(code)) to the token of event \(event.sequence)")
        case 401, 403:
            throw SinkFailure(.misconfigured, "\(said); write a valid bearer token into the file of `token_file`")
        case 408, 425, 429, 500...: throw SinkFailure(.retry(after: answer.retryAfter), said)
        default: throw SinkFailure(.misconfigured, "\(said); check the address")
        }
    }
}

extension SinkFailure {
    fileprivate var isSkip: Bool {
        switch remedy {
        case .skip: true
        case .retry, .misconfigured: false
        }
    }
}
