public import ClawWire
public import IssuanceRules

/// Reads the control topic: signed CloudEvents by the keys that the rules list under `control`.
///
/// Three rules. What is not proven is never obeyed. What a proven key may not do is never obeyed. What takes away, is
/// proven, and cannot be read in full, is widened to a stop of all that the key may stop.
public struct ControlSource: Sendable {
    private let rules: ControlRules
    private let configuration: SourceConfiguration

    /// Reads under these rules.
    public init(rules: ControlRules, limits: SourceConfiguration.Limits = .init()) {
        self.rules = rules
        var configuration = SourceConfiguration(
            name: SourceName("control"), kind: .native, authenticity: .signed)
        configuration.signers = rules.signers.values.map { SourceConfiguration.Signer(publicKey: $0.key) }
        configuration.limits = limits
        self.configuration = configuration
    }

    /// Reads one record, verifying every batch root anew.
    public func read(_ record: SourceRecord, at now: Timestamp) -> ControlReading {
        var signatures = BatchSignatureCache(capacity: 1)
        return read(record, at: now, signatures: &signatures)
    }

    /// Reads one record. Never traps, whatever the bytes.
    ///
    /// - Parameters:
    ///   - record: the record as it came.
    ///   - now: the present, for events that take away and have no time of their own.
    ///   - signatures: remembers verified batch roots.
    public func read(
        _ record: SourceRecord, at now: Timestamp, signatures: inout BatchSignatureCache
    ) -> ControlReading {
        if record.value == nil, CloudEvent.mode(of: record) != .binary { return .tombstone }
        do throws(ControlFault) {
            let event = try cloudEvent(of: record)
            let type = EventType.ControlType(event.type)
            if type == .other {
                throw ControlFault(.notAControlEvent, field: "type", "the control topic takes no such type of event")
            }
            let signer = try prove(event, &signatures)
            return read(event, type, signer, at: record.timestamp ?? now)
        } catch {
            return .quarantined(error)
        }
    }

    /// The event of a record. A binary event whose data is no JSON keeps its attributes and bytes, since its signature
    /// may still prove it.
    private func cloudEvent(of record: SourceRecord) throws(ControlFault) -> CloudEvent {
        do throws(SourceFault) {
            return try CloudEvent(record: record, limits: configuration.limits)
        } catch {
            guard CloudEvent.mode(of: record) == .binary, error.reason == .notJSON, let value = record.value else {
                throw ControlFault(.unreadable, error)
            }
            var attributes = record
            attributes.value = nil
            do throws(SourceFault) {
                var event = try CloudEvent(record: attributes, limits: configuration.limits)
                event.data = .bytes(value)
                return event
            } catch {
                throw ControlFault(.unreadable, error)
            }
        }
    }

    private func prove(
        _ event: CloudEvent, _ signatures: inout BatchSignatureCache
    ) throws(ControlFault) -> ControlRules.Signer {
        do throws(SourceFault) {
            let canonical = event.canonicalBytes
            let proof = try Authentication(configuration: configuration).prove(
                event, canonical, Digest(hashing: canonical), signatures: &signatures)
            guard let key = proof.signer?.publicKey, let signer = rules.signers[key.kid] else {
                throw SourceFault(.unsigned, "no key proved the event")
            }
            return signer
        } catch {
            throw ControlFault(error.reason == .unknownSigner ? .unknownSigner : .unauthenticated, error)
        }
    }

    private func read(
        _ event: CloudEvent, _ type: EventType.ControlType, _ signer: ControlRules.Signer, at now: Timestamp
    ) -> ControlReading {
        let kid = signer.key.kid
        do throws(ControlFault) {
            let kind: ControlOperation.Kind
            switch type {
            case .operation(let known): kind = known
            case .unknownOperation, .other:
                throw ControlFault(.malformed, field: "type", "no such operation or version is known", signer: kid)
            }
            guard signer.operations.contains(kind) else {
                throw ControlFault(.operationNotAllowed, "the key may not \(kind.rawValue)", signer: kid)
            }
            let document: ControlDocument
            do throws(SourceFault) {
                document = try ControlDocument(event, kind, limits: configuration.limits)
            } catch {
                throw ControlFault(.malformed, error, signer: kid)
            }
            if let scope = document.operation.scope, !signer.reaches(scope) {
                throw ControlFault(
                    .scopeNotAllowed, field: "data.scope", "the key may not \(kind.rawValue) \(scope.kind.rawValue)",
                    signer: kid)
            }
            return .event(
                ControlEvent(
                    id: ControlEventID("\(event.source) \(event.id)"), declaredAt: document.declaredAt ?? now,
                    declaredBy: document.people, origin: .controlTopic(signer: kid), operation: document.operation,
                    reason: document.reason, incident: document.incident, recordDigest: event.digest))
        } catch {
            guard error.code == .malformed, takesAway(type), signer.operations.contains(.stop) else {
                return .quarantined(error)
            }
            return .widened(widened(event, signer, error, at: now), error)
        }
    }

    private func takesAway(_ type: EventType.ControlType) -> Bool {
        switch type {
        case .operation(let kind): kind.isRestrictive
        case .unknownOperation: true
        case .other: false
        }
    }

    /// Stops of everything, or of the job classes of a key that may stop nothing else.
    private func widened(
        _ event: CloudEvent, _ signer: ControlRules.Signer, _ fault: ControlFault, at now: Timestamp
    ) -> [ControlEvent] {
        let digest = event.digest
        let classes = signer.scopes == nil ? signer.jobClasses : nil
        let scopes = classes.map { $0.sorted().map { StopScope(kind: .jobClass, value: $0.rawValue) } } ?? [.everything]
        let remains = ControlDocument.Remains(event)
        return scopes.map { scope in
            ControlEvent(
                id: ControlEventID("widened:\(digest.b64u):\(scope.text)"), declaredAt: event.occurredAt ?? now,
                declaredBy: remains.people, origin: .controlTopic(signer: signer.key.kid),
                operation: .stop(
                    .init(
                        stopID: remains.stopID ?? "widened:\(digest.b64u)", scope: scope,
                        revokesLive: remains.action != "deny_new", isWidened: true)),
                reason: "an event of \(signer.key.kid) could not be read in full (\(fault.field))",
                incident: remains.incident,
                recordDigest: digest)
        }
    }
}
