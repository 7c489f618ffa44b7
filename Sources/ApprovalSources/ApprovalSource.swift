public import ClawWire
public import IssuanceRules

/// A kind of source: a pure function from a record to facts.
public protocol ApprovalSource {
    /// Reads one record.
    ///
    /// Never traps, whatever the bytes; never takes the present for a time that the record does not tell.
    ///
    /// - Parameters:
    ///   - record: the record as it came.
    ///   - configuration: what the source may say and how it proves it.
    ///   - now: the present, for checks that need one.
    ///   - signatures: remembers verified batch roots, so that one verification serves a whole batch.
    static func facts(
        from record: SourceRecord, configuration: SourceConfiguration, at now: Timestamp,
        signatures: inout BatchSignatureCache
    ) -> SourceReading
}

extension ApprovalSource {
    /// Reads one record, verifying every batch root anew.
    public static func facts(
        from record: SourceRecord, configuration: SourceConfiguration, at now: Timestamp
    ) -> SourceReading {
        var signatures = BatchSignatureCache(capacity: 1)
        return facts(from: record, configuration: configuration, at: now, signatures: &signatures)
    }
}

/// What reading a record gave.
public enum SourceReading: Sendable, Hashable {
    /// Facts in record order, at least one, all proven in the same way.
    case facts([Fact], AuthenticityEvidence)
    /// Nothing: the record goes to the dead letters.
    case deadLetter(SourceFault)
}

/// How the authenticity of a record's facts stands.
public enum AuthenticityEvidence: Sendable, Hashable {
    /// How a signature covered the record.
    public enum Form: String, Sendable, Hashable {
        /// One signature over the event or request.
        case event
        /// One signature over the Merkle root of a batch of events.
        case batch
        /// The signature of a `human_approval_receipt` envelope.
        case receipt
    }

    /// The broker's access control is the only guard.
    case topic
    /// The vendor's API must be asked before anything is issued on these facts.
    case confirmationNeeded
    /// A listed key signed.
    case signed(by: Ed25519PublicKey, form: Form)
    /// A key of the vendor's signed that the configuration lists by its `kid`.
    case vendorSigned(by: KeyID)
    /// A header of the record is signed with the source's secret or key set of this name.
    case headerSigned(by: KeyID)

    /// The evidence in the terms of the rules; `nil` while the vendor was not asked.
    public var authenticity: Authenticity? {
        switch self {
        case .topic: .topic
        case .confirmationNeeded: nil
        case .signed(let key, _): .signed([key.kid])
        case .vendorSigned(let key): .signed([key])
        case .headerSigned(let key): .signed([key])
        }
    }
}

/// Reads records of whichever kind a source is configured as.
public enum AnySource: ApprovalSource {
    /// Reads one record with the reader of `configuration.kind`, after its header where the source is proven by one.
    public static func facts(
        from record: SourceRecord, configuration: SourceConfiguration, at now: Timestamp,
        signatures: inout BatchSignatureCache
    ) -> SourceReading {
        guard let verifier = configuration.headerSignature, configuration.authenticity == .signed else {
            return read(record, configuration, now, &signatures)
        }
        return HeaderSigned.facts(from: record, verifier: verifier, configuration: configuration) {
            read($0, $1, now, &signatures)
        }
    }

    private static func read(
        _ record: SourceRecord, _ configuration: SourceConfiguration, _ now: Timestamp,
        _ signatures: inout BatchSignatureCache
    ) -> SourceReading {
        switch configuration.kind {
        case .native:
            NativeSource.facts(from: record, configuration: configuration, at: now, signatures: &signatures)
        case .entraAudit:
            EntraAuditSource.facts(from: record, configuration: configuration, at: now, signatures: &signatures)
        case .azureActivity:
            AzureActivitySource.facts(from: record, configuration: configuration, at: now, signatures: &signatures)
        case .graph:
            GraphSource.facts(from: record, configuration: configuration, at: now, signatures: &signatures)
        case .entitlementManagement:
            EntitlementManagementSource.facts(
                from: record, configuration: configuration, at: now, signatures: &signatures)
        case .capabilityRequest:
            CapabilityRequestSource.facts(
                from: record, configuration: configuration, at: now, signatures: &signatures)
        case .serviceNow:
            ServiceNowSource.facts(from: record, configuration: configuration, at: now, signatures: &signatures)
        case .jsm: JSMSource.facts(from: record, configuration: configuration, at: now, signatures: &signatures)
        case .gitHub:
            GitHubSource.facts(from: record, configuration: configuration, at: now, signatures: &signatures)
        case .pagerDuty:
            PagerDutySource.facts(from: record, configuration: configuration, at: now, signatures: &signatures)
        case .opsgenie:
            OpsgenieSource.facts(from: record, configuration: configuration, at: now, signatures: &signatures)
        case .slack: SlackSource.facts(from: record, configuration: configuration, at: now, signatures: &signatures)
        case .sharedSignals:
            SharedSignalsSource.facts(from: record, configuration: configuration, at: now, signatures: &signatures)
        }
    }

    /// The vocabulary's name in the facts of a kind.
    static func vocabulary(of kind: SourceConfiguration.Kind) -> String {
        switch kind {
        case .native: NativeSource.vocabulary
        case .entraAudit: EntraAuditSource.vocabulary
        case .azureActivity: AzureActivitySource.vocabulary
        case .graph: GraphSource.vocabulary
        case .entitlementManagement: EntitlementManagementSource.vocabulary
        case .capabilityRequest: CapabilityRequestSource.vocabulary
        case .serviceNow: ServiceNowSource.vocabulary
        case .jsm: JSMSource.vocabulary
        case .gitHub: GitHubSource.vocabulary
        case .pagerDuty: PagerDutySource.vocabulary
        case .opsgenie: OpsgenieSource.vocabulary
        case .slack: SlackSource.vocabulary
        case .sharedSignals: SharedSignalsSource.vocabulary
        }
    }
}
