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
    /// The envelope; `nil` when the library was handed a bare payload.
    let envelope: JSONObject?
    /// The bundle's payload, past the schema and the limits.
    let payload: JSONObject
    /// The causal modes that the options resolve to.
    let policy: CausalPolicy

    /// `component_results`, under the reference's names. Assign with `.bool`, `.integer`, `.string`.
    var components: JSONObject = ["envelope_valid": true]
    /// `risk_flags`.
    var riskFlags: Set<String> = []
    /// The tier that wins over ``ProofTier/gateway`` and ``ProofTier/selfSigned`` when a stage has found one.
    var raisedTier: ProofTier?

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
/// The order of the whole: envelope members, ``CausalPolicy``, envelope schema, payload limits, hash, signature, event
/// chain, rate-limit claims, **claims**, **urm**, gateway receipts, tool / side-effect / approval entries,
/// **causal**, **coverage**, attestations, tiers, **verdict**.
enum MetadataStage: Sendable, Hashable, CaseIterable {
    /// What `payload.metadata` claims: policy binding, runner measurement, prompt commitments, data handling, egress,
    /// reviewer sign-off and the like, in the reference's order.
    case claims
    /// `payload.urm` against the document in the options.
    case urm
    /// Causal bindings: normalization, phases, confidence, receipt replay, span reuse, clock, connectivity, anchoring
    /// of side effects and approvals.
    case causal
    /// Coverage attestations and what they contradict.
    case coverage
    /// What is decided only when the tiers are known (hosted verifier): refusals that keep the tiers.
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
