import ClawWire

/// The rules as JSON with every default written out: what the hash of the rules is of.
extension RuleSet {
    static func document(
        name: String?, sources: [SourceName: SourceRule], entitlements: [EntitlementMap.Entry],
        jobClasses: [JobClass: JobClassRule], groups: [String: Set<PersonID>], workPolicies: WorkPolicyRule,
        hardCapSeconds: Int64, control: ControlRules
    ) -> JSONValue {
        [
            "rules_version": .string(version), "name": .optional(name),
            "hard_cap": ["max_ttl": .integer(hardCapSeconds)],
            "groups": .object(JSONObject(groups.sorted { $0.key < $1.key }.map { ($0, texts($1.map(\.rawValue))) })),
            "sources": .object(
                JSONObject(sources.sorted { $0.key < $1.key }.map { ($0.rawValue, $1.document) })),
            "entitlements": .array(
                entitlements.map { entry in
                    [
                        "kind": .string(entry.kind.rawValue), "id": .string(entry.id), "scope": .optional(entry.scope),
                        "job_class": .string(entry.jobClass.rawValue),
                        "min_human_approvers": .integer(entry.minimumHumanApprovers),
                        "window": optional(entry.windowSeconds),
                    ]
                }),
            "wpc": [
                "signers": texts(workPolicies.signers.map(\.did)), "directory": .optional(workPolicies.directory),
                "topic": .optional(workPolicies.topic), "registry": .optional(workPolicies.registry),
            ],
            "job_classes": .object(
                JSONObject(jobClasses.sorted { $0.key < $1.key }.map { ($0.rawValue, $1.document) })),
            "control": control.document,
        ]
    }
}

/// A set of texts in order.
private func texts(_ values: some Sequence<String>) -> JSONValue { .array(values.sorted().map { .string($0) }) }

/// A list of texts as given.
private func list(_ values: [String]) -> JSONValue { .array(values.map { .string($0) }) }

private func optional(_ value: Int64?) -> JSONValue { value.map { .integer($0) } ?? .null }

private func classes(_ values: Set<JobClass>?) -> JSONValue { values.map { texts($0.map(\.rawValue)) } ?? .null }

extension SourceRule {
    fileprivate var document: JSONValue {
        var document: JSONObject = [
            "kind": .string(kind.rawValue), "topics": list(topics), "authenticity": .string(authenticity.rawValue),
            "signers": .array(
                signers.sorted { $0.key < $1.key }.map {
                    [
                        "did": .string($0.value.key.did), "job_classes": classes($0.value.jobClasses),
                        "may_stop": .bool($0.value.mayStop), "may_lift": .bool($0.value.mayLift),
                    ]
                }),
            "tenants": texts(tenants), "trusted_event_sources": texts(trustedEventSources),
            "trusted_stop_sources": texts(trustedStopSources),
            "may_approve": classes(mayApprove), "may_request": classes(mayRequest),
            "max_event_age": optional(maximumEventAgeSeconds),
        ]
        // A source without them keeps the text, and with it the rules their hash, of before the settings were known.
        document["header_signature"] = headerSignature?.document
        document["health"] = health?.document
        for member in vendor.document.members { document[member.key] = member.value }
        return .object(document)
    }
}

extension ControlRules {
    fileprivate var document: JSONValue {
        [
            "signers": .array(
                signers.sorted { $0.key < $1.key }.map { _, signer in
                    [
                        "did": .string(signer.key.did), "operations": texts(signer.operations.map(\.rawValue)),
                        "scopes": signer.scopes.map { texts($0.map(\.rawValue)) } ?? .null,
                        "job_classes": classes(signer.jobClasses),
                    ]
                }),
            "lift": ["min_people": .integer(liftMinimumPeople)],
        ]
    }
}

extension JobClassRule {
    fileprivate var document: JSONValue {
        guard let budget, var object = unbudgeted.object else { return unbudgeted }
        object["budget"] = budget.json
        return .object(object)
    }

    private var unbudgeted: JSONValue {
        [
            "description": .optional(summary), "owners": texts(owners.map(\.rawValue)),
            "binding": .string(binding.rawValue), "max_grants_per_window": .integer(maximumGrantsPerWindow),
            "approvals": [
                "all_of": .array(approvals.allOf.map(\.document)),
                "distinct_across_groups": .bool(approvals.distinctAcrossGroups),
            ],
            "separation_of_duties": [
                "requester": .bool(separation.requester), "subject": .bool(separation.subject),
                "job_owner": .bool(separation.jobOwner),
            ],
            "max_approval_age": .integer(maximumApprovalAgeSeconds), "window": .string(window.rawValue),
            "wait_timeout": .integer(waitTimeoutSeconds), "audience": list(audience),
            "scopes": ["allow": list(scopes)], "max_ttl": .integer(maximumTTLSeconds),
            "default_ttl": .integer(defaultTTLSeconds), "too_wide": .string(tooWide.rawValue),
            "elevated_actions": .object(
                JSONObject(
                    elevatedActions.sorted { $0.key < $1.key }.map { name, action in
                        (
                            name,
                            [
                                "approvals": ["all_of": .array(action.approvals.map(\.document))],
                                "max_ttl": optional(action.maximumTTLSeconds), "scopes": list(action.scopes),
                            ]
                        )
                    })),
            "wpc": [
                "required": .bool(workPolicy.isRequired), "hashes": texts(workPolicy.hashes.map(\.b64u)),
                "policy_ids": texts(workPolicy.policyIDs), "pin": .string(workPolicy.pin.rawValue),
                "require_proxy": .bool(workPolicy.requiresProxy),
                "receipt_required": .bool(workPolicy.requiresReceipts),
                "require_sandbox": .bool(workPolicy.requiresSandbox),
                "job_binding": .bool(workPolicy.requiresJobBinding),
            ],
            "delivery": texts(deliveries.map(\.rawValue)), "agents": list(agents),
        ]
    }
}

extension JobClassRule.ApproverRequirement {
    fileprivate var document: JSONValue {
        var object: JSONObject = ["count": .integer(count)]
        switch pool {
        case .any: object["any"] = true
        case .group(let name): object["group"] = .string(name)
        case .members(let people): object["members"] = texts(people.map(\.rawValue))
        }
        return .object(object)
    }
}
