import ClawWire

/// What the checks of one bundle have in common: the input, the options, and what was found so far.
///
/// The reference checks in a fixed order and answers with the first refusal. So every check is a function that takes
/// the context, throws a ``ReferenceRefusal`` to refuse, and else leaves what it found in ``components``,
/// ``riskFlags`` and the other variables.
struct ReferenceContext {
    /// Whose answer is wanted. Most checks are the same for both.
    let verifier: ReferenceVerifier
    /// The caller's options.
    let options: ReferenceOptions
    /// The time of verification: the caller's, else the present one.
    let now: Timestamp
    /// The present time, by which the reference judges attestations whatever the caller's time is.
    let wallClock: Timestamp
    /// The envelope; `nil` when the library was handed a bare payload.
    let envelope: JSONObject?
    /// The bundle's payload, past the schema and the limits. The schema is skipped for a bare payload.
    let payload: JSONObject
    /// The causal modes that the options resolve to.
    let policy: CausalPolicy

    /// `component_results`, under the reference's names. Assign with `.bool`, `.integer`, `.string`.
    var components: JSONObject = ["envelope_valid": true]
    /// `risk_flags`.
    var riskFlags: Set<String> = []
    /// The trust tier; set before ``MetadataStage/verdict``, which may lower it.
    var trustTier: TrustTier?
    /// The proof tier, from the counts in ``components``; set before ``MetadataStage/verdict``, which may lower it.
    var proofTier: ProofTier?
    /// The reference's `model_identity_tier`.
    var modelIdentityTier = "unknown"
    /// What each of `payload.receipts` is worth, in order. For the hosted verifier from ``MetadataStage/virReceipts``
    /// on, for the library from ``MetadataStage/causal`` on.
    var receiptResults: [GatewayReceiptResult] = []

    /// The events of `event_chain` in order, empty without one. Valid from ``MetadataStage/claims`` on.
    var events: [JSONObject] = []
    /// `run_id` of the chain; `nil` without a valid chain.
    var runID: String?
    /// The chain's event hashes as written.
    var eventHashes: Set<String> = []
    /// The first event's hash as written.
    var chainRoot: String?

    /// `payload.metadata`, when it is an object.
    var metadata: JSONObject? { payload["metadata"]?.object }
    /// `payload.agent_did`.
    var agentDID: String { payload["agent_did"]?.string ?? "" }
    /// `payload.bundle_id`.
    var bundleID: String { payload["bundle_id"]?.string ?? "" }
    /// The elements of an array in the payload, empty when there is none.
    func entries(_ key: String) -> [JSONValue] { payload[key]?.array ?? [] }
}

/// Where in the reference's order the checks of `Metadata/` have their turn.
///
/// The library: envelope members, ``CausalPolicy``, schema, limits, hash, signature, event chain, rate-limit claims,
/// **claims**, **urm**, gateway receipts, tool / side-effect / approval entries, **causal**, **coverage**,
/// attestations, tiers, **verdict**.
///
/// The hosted verifier: the same up to the rate-limit claims (with receipt replay before the hash), then **claims**,
/// **urm**, **evidence**, **causal**, **virReceipts**, gateway receipts, **witnesses**, **coverage**, **execution**,
/// attestations, tiers, **verdict**.
enum MetadataStage: Sendable, Hashable, CaseIterable {
    /// What `payload.metadata` claims. Library: policy binding, data handling, runner measurement and attestation,
    /// reviewer sign-off, prompt pack, system prompt report. Hosted: prompt pack and system prompt report only.
    case claims
    /// `payload.urm` against the document in the options.
    case urm
    /// Hosted only: policy binding, data handling, runner, egress policy receipt, CLDD claim, processor policy,
    /// reviewer sign-off.
    case evidence
    /// Causal bindings: normalization, phases, confidence, span reuse, clock, connectivity, anchoring of side effects
    /// and approvals. In the library ``ReceiptReplay`` stands between normalization and the graph; call it there.
    case causal
    /// Hosted only: `vir_receipts`.
    case virReceipts
    /// Hosted only: `web_receipts`, quorum, transparency.
    case witnesses
    /// Coverage attestations; in the library also the CLDD discrepancy.
    case coverage
    /// Hosted only: binary semantic evidence and execution attestations.
    case execution
    /// Hosted only: what is decided when the tiers are known (``ReferenceContext/trustTier`` and
    /// ``ReferenceContext/proofTier`` are set): completeness, constrained tiers, coverage phase. Refusals here keep
    /// the tiers.
    case verdict
}

/// The causal modes in force (`causal_policy_profile`, `causal_connectivity_mode`, `coverage_enforcement_phase`).
struct CausalPolicy: Sendable, Hashable {
    /// How an enforcement option is set.
    enum Mode: String, Sendable, Hashable {
        case observe, warn, enforce
    }

    /// Which profile resolves the options.
    enum Profile: String, Sendable, Hashable {
        case compat, strict
    }

    /// The profile.
    var profile: Profile = .compat
    /// Mode of the connectivity checks.
    var connectivity: Mode = .enforce
    /// Phase of the coverage checks.
    var coverage: Mode = .observe
}
