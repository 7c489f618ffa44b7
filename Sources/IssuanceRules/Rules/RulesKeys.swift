/// The keys that each part of a rules file may have, under the names the JSON Schema uses for the parts.
///
/// `topics/schemas/issuance-rules.v1.json` lists the same keys; a test compares both.
enum RulesKeys: String, CaseIterable {
    case rules, hardCap = "hard_cap", source, vendorStop = "vendor_stop", vendorStopScope = "vendor_stop_scope"
    case vendorFields = "vendor_fields", jwk, signer, headerSignature = "header_signature", headerKey = "header_key"
    case entitlement, workPolicies = "work_policies"
    case jobClass = "job_class", defaults, approvals, requirement, separation, scopes
    case elevatedAction = "elevated_action", workPolicyDemand = "work_policy_demand"
    case control, controlSigner = "control_signer", lift
    case gateways, price, budget, cost
    case health, healthLimit = "health_limit", anomalies

    var keys: [String] {
        switch self {
        case .rules:
            [
                "rules_version", "name", "sources", "entitlements", "wpc", "job_classes", "groups", "hard_cap",
                "defaults", "control", "gateways", "prices",
            ]
        case .hardCap: ["max_ttl"]
        case .source:
            [
                "kind", "topics", "authenticity", "allow_topic_authenticity", "signers", "tenants",
                "trusted_event_sources", "trusted_stop_sources", "may_approve", "may_request", "max_event_age",
                "max_source_silence", "health",
                "stops", "fields", "request_types", "issuer", "audience", "jwks",
                "header_signature",
            ]
        case .vendorStop: ["service", "tag", "scope", "action"]
        case .vendorStopScope: ["kind", "value"]
        case .vendorFields: VendorRule.Field.allCases.map(\.rawValue)
        case .jwk: ["kty", "crv", "kid", "alg", "use", "x", "y", "n", "e"]
        case .signer: ["did", "job_classes", "may_stop", "may_lift"]
        case .headerSignature: ["scheme", "header", "prefix", "encoding", "keys"]
        case .headerKey: ["name", "file", "not_before", "not_after"]
        case .entitlement: ["kind", "id", "scope", "job_class", "min_human_approvers", "window"]
        case .workPolicies: ["signers", "directory", "topic", "registry"]
        case .jobClass:
            Self.defaults.keys + [
                "description", "owners", "binding", "max_grants_per_window", "window", "scopes", "elevated_actions",
                "agents", "budget",
            ]
        case .defaults:
            [
                "approvals", "separation_of_duties", "max_approval_age", "wait_timeout", "audience", "max_ttl",
                "default_ttl", "too_wide", "wpc", "delivery",
            ]
        case .approvals: ["all_of", "distinct_across_groups"]
        case .requirement: ["group", "any", "members", "count"]
        case .separation: ["requester", "subject", "job_owner"]
        case .scopes: ["allow"]
        case .elevatedAction: ["approvals", "max_ttl", "scopes"]
        case .workPolicyDemand:
            [
                "required", "hashes", "policy_ids", "pin", "require_proxy", "receipt_required", "require_sandbox",
                "job_binding",
            ]
        case .control: ["signers", "lift"]
        case .controlSigner: ["did", "operations", "scopes", "job_classes"]
        case .lift: ["min_people"]
        case .gateways: ["signers", "clock_skew"]
        case .price: ["provider", "model", "currency", "input_per_million_minor", "output_per_million_minor"]
        case .budget: ["model_calls", "input_tokens", "output_tokens", "cost", "wall_time_seconds", "thresholds"]
        case .cost: ["currency", "amount_minor"]
        case .health: ["on_silence", "max_grants", "max_grants_per_approver", "anomalies"]
        case .healthLimit: ["count", "per", "over"]
        case .anomalies: ["per", "burst", "new_class_after", "min_decision_time", "then"]
        }
    }
}
