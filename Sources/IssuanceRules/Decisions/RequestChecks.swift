import ClawWire

/// What a request may ask for at all, before any approval is looked at.
extension Decider {
    private static let maximumIdentifierBytes = 512

    mutating func checkRequest() {
        checkIdentifiers()
        checkSource()
        if !rule.allows(agent: request.agentDID) {
            refuse(
                .capabilityAgentNotAllowed, "the agent \(quoted(request.agentDID.rawValue)) is not of the class",
                "agents", needed: "an agent that the class lists")
        }
        checkDelivery()
    }

    private mutating func checkIdentifiers() {
        func isUsable(_ text: String) -> Bool {
            !text.isEmpty && text.utf8.count <= Self.maximumIdentifierBytes
                && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }
        }
        if !isUsable(request.requestID.rawValue) { refuseIdentifier("request_id", request.requestID.rawValue) }
        if !isUsable(request.jobID.rawValue) { refuseIdentifier("job_id", request.jobID.rawValue) }
        if !isUsable(request.agentDID.rawValue) || !request.agentDID.rawValue.hasPrefix("did:") {
            refuseIdentifier("agent_did", request.agentDID.rawValue)
        }
        if let subject = request.subject, !isUsable(subject.rawValue) {
            refuseIdentifier("subject", subject.rawValue)
        }
    }

    private mutating func refuseIdentifier(_ name: String, _ value: String) {
        refuse(
            .capabilityRequestInvalid, "\(name) \(quoted(value)) cannot be used", "",
            needed: name == "agent_did" ? "an agent_did that is a DID" : "a \(name) of visible characters")
    }

    private mutating func checkSource() {
        let name = input.requestSource
        guard let source = rules.sources[name] else {
            refuse(
                .capabilitySourceNotAllowed, "the rules have no source \(quoted(name.rawValue))", ".sources",
                needed: "a request from a source of the rules")
            return
        }
        let classes: Set<JobClass>? =
            switch source.kind {
            case .capabilityRequest: source.mayRequest
            case .native: source.mayRequest ?? source.mayApprove
            case .entraAudit, .azureActivity, .graph, .entitlementManagement, .serviceNow, .jsm, .gitHub, .pagerDuty,
                .opsgenie, .slack, .sharedSignals:
                []
            }
        guard classes?.contains(request.jobClass) ?? true else {
            refuse(
                .capabilitySourceNotAllowed, "the source \(name) may not ask for \(request.jobClass)",
                ".sources.\(name).may_request", needed: "a request from a source that may ask for the class")
            return
        }
        if !source.accepts(input.requestAuthenticity, for: request.jobClass) {
            refuse(
                .capabilitySourceNotAllowed,
                "the request is not authenticated as the source \(name) demands for \(request.jobClass)",
                ".sources.\(name).signers", needed: "a request signed by a key that may sign for the class")
        }
    }

    private mutating func checkDelivery() {
        let mode: JobClassRule.DeliveryMode
        switch request.delivery {
        case .sealed(let publicKey):
            mode = .sealed
            if !SealedToken.canSeal(to: publicKey) {
                refuse(
                    .capabilityDeliveryKeyInvalid,
                    publicKey.count == 32
                        ? "the delivery key is of small order" : "the delivery key has \(publicKey.count) bytes",
                    "delivery", needed: "an X25519 public key of 32 bytes")
            }
        case .plain: mode = .plain
        case .reference(let claimKey):
            mode = .reference
            if claimKey == nil {
                refuse(
                    .capabilityDeliveryKeyInvalid, "the request names no key by which the token is claimed", "delivery",
                    needed: "the thumbprint of the job's key as delivery.jkt")
            }
        }
        if !rule.deliveries.contains(mode) {
            let allowed = rule.deliveries.map(\.rawValue).sorted().joined(separator: " or ")
            refuse(
                .capabilityDeliveryNotAllowed, "delivery \(mode.rawValue) is not allowed", "delivery",
                needed: "delivery \(allowed)")
        }
    }

    /// Elevated actions: off unless rule and WPC both name them.
    mutating func checkActions() {
        for action in request.actions where !actions.contains(action) {
            guard rule.elevatedActions[action] != nil else {
                leaveOut(
                    action, .capabilityActionNotAllowed,
                    "the action \(quoted(action)) is no elevated action of the class",
                    "elevated_actions", needed: "a request without the action \(quoted(action))")
                continue
            }
            guard isElevationAllowed(action), isCovered(action) else { continue }
            actions.append(action)
        }
        checkPolicyApprovals()
    }

    mutating func leaveOut(_ action: String, _ code: ReasonCode, _ detail: String, _ setting: String, needed: String) {
        switch rule.tooWide {
        case .deny: refuse(code, detail, setting, needed: needed)
        case .cut: notes.append(Reason(.capabilityActionReduced, "\(detail); it was left out"))
        }
    }

    mutating func checkScope() {
        var asked: [String] = []
        for item in request.scope where !asked.contains(item) { asked.append(item) }
        var allowed = rule.scopes
        for action in actions {
            let extra = rule.elevatedActions[action]?.scopes ?? []
            allowed += extra
            for item in extra where !asked.contains(item) { asked.append(item) }
        }
        guard asked.count <= ScopeSyntax.maximumItems else {
            refuse(
                .scopeTooLarge, "\(asked.count) scopes were asked for", "scopes.allow",
                needed: "at most \(ScopeSyntax.maximumItems) scopes")
            return
        }
        guard !asked.isEmpty else {
            if refusals.isEmpty {
                refuse(
                    .capabilityRequestInvalid, "no scope was asked for", "scopes.allow", needed: "a scope of the class")
            }
            return
        }
        for item in asked { keep(item, allowed) }
        if scope.isEmpty, refusals.isEmpty {
            refuse(
                .scopeNotAllowed, "nothing that was asked for is allowed", "scopes.allow",
                needed: "at least one scope of the class")
        }
    }

    private mutating func keep(_ item: String, _ allowed: [String]) {
        if item.utf8.contains(UInt8(ascii: "*")) {
            refuse(
                .scopeWildcardNotAllowed, "the scope \(quoted(item)) has a wildcard", "scopes.allow",
                needed: "each scope by its name")
        } else if item.utf16.count > ScopeSyntax.maximumUnits {
            refuse(
                .scopeTooLarge, "the scope \(quoted(item)) is too long", "scopes.allow",
                needed: "scopes of at most \(ScopeSyntax.maximumUnits) characters")
        } else if allowed.contains(item), isAllowedByPolicy(scope: item) {
            scope.append(item)
        } else if rule.tooWide == .cut {
            notes.append(Reason(.scopeReduced, "the scope \(quoted(item)) is not allowed; it was left out"))
        } else if allowed.contains(item) {
            refuse(
                .scopeNotAllowed, "the WPC does not allow the scope \(quoted(item))", "wpc",
                needed: "scopes that the WPC allows")
        } else if let action = rule.elevatedActions.filter({ $0.value.scopes.contains(item) }).keys.min() {
            refuse(
                .scopeNotAllowed, "the scope \(quoted(item)) belongs to the elevated action \(action)",
                "elevated_actions.\(action).scopes", needed: "the action \(action) in the request")
        } else {
            refuse(
                .scopeNotAllowed, "the scope \(quoted(item)) is not allowed", "scopes.allow",
                needed: "scopes out of " + rule.scopes.joined(separator: ", "))
        }
    }

    mutating func checkAudience() {
        guard !request.audience.isEmpty else {
            audience = rule.audience
            return
        }
        for item in request.audience where !audience.contains(item) {
            if rule.audience.contains(item) {
                audience.append(item)
            } else if rule.tooWide == .cut {
                notes.append(
                    Reason(.tokenAudienceReduced, "the audience \(quoted(item)) is not allowed; it was left out"))
            } else {
                refuseAudience("the audience \(quoted(item)) is not allowed")
            }
        }
        if audience.isEmpty, rule.tooWide == .cut { refuseAudience("no audience that was asked for is allowed") }
    }

    private mutating func refuseAudience(_ detail: String) {
        refuse(
            .tokenAudienceNotAllowed, detail, "audience",
            needed: "audiences out of " + rule.audience.joined(separator: ", "))
    }

    mutating func checkLifetime() {
        var limit = min(rule.maximumTTLSeconds, rules.hardCapSeconds)
        var setting = rule.maximumTTLSeconds <= rules.hardCapSeconds ? "max_ttl" : ".hard_cap.max_ttl"
        for action in actions {
            if let seconds = rule.elevatedActions[action]?.maximumTTLSeconds, seconds < limit {
                (limit, setting) = (seconds, "elevated_actions.\(action).max_ttl")
            }
        }
        if let seconds = policy?.maximumTTLSeconds, seconds < limit { (limit, setting) = (seconds, "wpc") }
        guard limit > 0 else {
            refuse(
                .tokenTTLInvalid, "the WPC allows a lifetime of \(limit) s", "wpc",
                needed: "a WPC that allows a lifetime of at least one second")
            return
        }
        guard let asked = request.ttlSeconds else {
            ttlSeconds = min(rule.defaultTTLSeconds, limit)
            return
        }
        guard asked > 0 else {
            refuse(
                .tokenTTLInvalid, "a lifetime of \(asked) s was asked for", "max_ttl",
                needed: "a lifetime of at least one second")
            return
        }
        ttlSeconds = min(asked, limit)
        guard asked > limit else { return }
        let detail = "\(asked) s were asked for, \(path(setting)) allows \(limit) s"
        switch rule.tooWide {
        case .deny: refuse(.tokenTTLTooLong, detail, setting, needed: "a lifetime of at most \(limit) s")
        case .cut: notes.append(Reason(.tokenTTLReduced, detail))
        }
    }

    mutating func checkUpgrade() {
        guard let earlier = request.upgradesRequest else { return }
        guard let target = input.upgrade, target.requestID == earlier, earlier != request.requestID else {
            refuse(
                .capabilityUpgradeUnknown, "the request \(quoted(earlier.rawValue)) has no token to replace", "",
                needed: "the id of a request that has a token")
            return
        }
        if target.jobID != request.jobID || target.agentDID != request.agentDID {
            refuse(
                .capabilityUpgradeMismatch, "the token of \(quoted(earlier.rawValue)) is for another job or agent", "",
                needed: "the same job and the same agent")
        }
        if !target.isLive {
            refuse(
                .capabilityUpgradeNotLive, "the token of \(quoted(earlier.rawValue)) has expired or was revoked", "",
                needed: "a request without an upgrade")
        }
        let keepsAll =
            target.scope.allSatisfy { scope.contains($0) }
            && target.elevatedActions.allSatisfy { actions.contains($0) }
        let addsSome =
            !scope.allSatisfy { target.scope.contains($0) }
            || !actions.allSatisfy { target.elevatedActions.contains($0) }
        if !keepsAll || !addsSome {
            refuse(
                .capabilityUpgradeNotWider, "the token would not be wider than that of \(quoted(earlier.rawValue))",
                "", needed: "the earlier scope and more")
        }
    }
}
