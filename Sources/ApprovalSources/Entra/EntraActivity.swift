import IssuanceRules

/// What an activity of a service means. Service and activity decide together: names repeat across services.
enum EntraActivity: Hashable {
    case opened
    case routed
    case approved
    /// Approved by a policy: whoever the record names as its initiator did not judge it.
    case autoApproved
    case denied
    case timedOut
    case canceled
    case started
    case changed
    case direct(outsidePIM: Bool)
    /// An end that names its request and, for a removal, its subject and entitlement.
    case ended(Fact.EndReason)
    /// The end of an eligibility: by subject and entitlement, whatever request it names.
    case eligibilityEnded
    case removedFromRoleInDirectory
    case removedFromGroupInDirectory(scope: String)
    case subjectInvalidated(reason: String)
    /// The settings of a role or a group: whether it has to be approved, and by whom.
    case settingsChanged
    case ignored(WhyCode)

    /// The services whose records matter.
    enum Service {
        case pim, coreDirectory, identityProtection, accessReviews, entitlementManagement, other

        init(_ name: String) {
            switch EntraActivity.normalized(name) {
            case "pim", "privileged identity management", "privileged identity management (pim)": self = .pim
            case "core directory": self = .coreDirectory
            case "identity protection": self = .identityProtection
            case "access reviews": self = .accessReviews
            case "entitlement management": self = .entitlementManagement
            default: self = .other
            }
        }
    }

    /// The meaning of an activity.
    init(_ name: String, of service: Service) {
        let name = Self.normalized(name)
        switch service {
        case .pim: self = Self.pim(name)
        case .coreDirectory: self = Self.coreDirectory[name] ?? .ignored(.notPIM)
        case .identityProtection: self = Self.identityProtection[name] ?? .ignored(.notPIM)
        case .accessReviews: self = Self.accessReviews[name] ?? .ignored(.notPIM)
        case .entitlementManagement: self = Self.entitlementManagement[name] ?? .ignored(.notPIM)
        case .other: self = .ignored(.notPIM)
        }
    }

    /// A word in lower case and without spaces, as the types of targets are compared.
    static func word(_ name: String) -> String {
        let bytes = name.utf8.span
        var isPlain = bytes.count <= 64
        for i in bytes.indices where bytes[i] <= 0x20 || bytes[i] >= 0x7F { isPlain = false }
        return isPlain ? TextRules.folded(name) : normalized(name).replacing(" ", with: "")
    }

    /// Lower case, plain hyphens, single spaces, American spelling.
    static func normalized(_ name: String) -> String {
        let output = plain(name) ?? general(name)
        guard TextRules.holds(output, "cancelled") || TextRules.holds(output, "comleted") else { return output }
        return output.replacing("cancelled", with: "canceled").replacing("comleted", with: "completed")
    }

    /// The same for ASCII, which nearly every name is; `nil` for others.
    private static func plain(_ name: String) -> String? {
        let bytes = name.utf8.span
        guard bytes.count <= 512 else { return nil }
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        var pendingSpace = false
        for i in bytes.indices {
            let byte = bytes[i]
            switch byte {
            case 0x20, 0x09...0x0D: pendingSpace = !output.isEmpty
            case 0x80...: return nil
            default:
                if pendingSpace { output.append(0x20) }
                pendingSpace = false
                output.append(byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func general(_ name: String) -> String {
        var output = ""
        var pendingSpace = false
        for scalar in name.unicodeScalars.prefix(512) {
            if scalar.properties.isWhitespace {
                pendingSpace = !output.isEmpty
                continue
            }
            if pendingSpace {
                output.append(" ")
                pendingSpace = false
            }
            switch scalar {
            case "\u{2010}", "\u{2011}", "\u{2012}", "\u{2013}", "\u{2014}", "\u{2212}": output.append("-")
            default: output.append(scalar.properties.lowercaseMapping)
            }
        }
        return output
    }

    // MARK: Privileged Identity Management

    private static func pim(_ name: String) -> EntraActivity {
        if let known = pimActivations[name] { return known }
        // "(permanent)", "(timebound)", "(extend/renew)" and the like tell kinds of one activity apart that mean the
        // same here.
        let base = name.firstIndex(of: "(").map { String(name[..<$0]).trimmingSpaces() } ?? name
        if let known = pimAssignments[base] { return known }
        if base.hasPrefix("add eligible member") || base.hasPrefix("restore eligible member")
            || base.hasPrefix("restore permanent eligible") || base.hasPrefix("update eligible member")
            || base.hasPrefix("process ") || base.hasPrefix("onboarded ") || base.hasPrefix("offboarded ")
            || base.hasPrefix("tenant o") || base.hasPrefix("cancel request") || base.contains("pim alert")
        {
            return .ignored(.pimAdministration)
        }
        if base.hasSuffix(" requested") || base.hasSuffix(" canceled") { return .ignored(.intermediateStep) }
        // A removal under a name of the future still takes something away.
        if base.hasPrefix("remove eligible member") || base.hasPrefix("remove permanent eligible") {
            return .eligibilityEnded
        }
        if base.hasPrefix("remove member") || base.hasPrefix("remove permanent") { return .ended(.removed) }
        return .ignored(.unknownActivity)
    }

    private static let pimActivations: [String: EntraActivity] = [
        "add member to role requested (pim activation)": .opened,
        "add member to role approval requested (pim activation)": .routed,
        "add member to role request approved (pim activation)": .approved,
        "add member to role request denied (pim activation)": .denied,
        "pim activation request expired": .timedOut,
        "add member to role canceled (pim activation)": .canceled,
        "add member to role completed (pim activation)": .started,
        "remove member from role requested (pim deactivate)": .ignored(.intermediateStep),
        "remove member from role completed (pim deactivate)": .ended(.deactivated),
        "remove member from role (pim activation expired)": .ended(.expired),
    ]

    private static let pimAssignments: [String: EntraActivity] = [
        "remove member from role in pim completed": .ended(.removed),
        "remove member from role in pim requested": .ignored(.intermediateStep),
        "remove permanent direct role assignment": .ended(.removed),
        "remove eligible member from role in pim completed": .eligibilityEnded,
        "remove eligible member from role in pim requested": .ignored(.intermediateStep),
        "remove permanent eligible role assignment": .eligibilityEnded,
        "add member to role in pim completed": .direct(outsidePIM: false),
        "add member to role in pim requested": .ignored(.intermediateStep),
        "add member to role in pim canceled": .ignored(.intermediateStep),
        "add member to role outside of pim": .direct(outsidePIM: true),
        "restore member from role": .direct(outsidePIM: false),
        "restore member from role in pim completed": .direct(outsidePIM: false),
        "restore permanent direct role assignment": .direct(outsidePIM: false),
        "approve request - direct role assignment": .direct(outsidePIM: false),
        "update member in pim approved by admin": .changed,
        "update member in pim requested": .ignored(.intermediateStep),
        "update member in pim canceled": .ignored(.intermediateStep),
        "update member in pim denied by admin": .ignored(.intermediateStep),
        "update role setting in pim": .settingsChanged,
        "pim policy removed": .settingsChanged,
        "remove request": .ignored(.pimAdministration),
        "resource updated": .ignored(.pimAdministration),
        "role definition created": .ignored(.pimAdministration),
    ]

    // MARK: Other services

    private static let coreDirectory: [String: EntraActivity] = [
        "remove member from role": .removedFromRoleInDirectory,
        "remove member from group": .removedFromGroupInDirectory(scope: "member"),
        "remove owner from group": .removedFromGroupInDirectory(scope: "owner"),
        "disable account": .subjectInvalidated(reason: "account_disabled"),
        "delete user": .subjectInvalidated(reason: "user_deleted"),
        "hard delete user": .subjectInvalidated(reason: "user_deleted"),
        "update stsrefreshtokenvalidfrom timestamp": .subjectInvalidated(reason: "sessions_revoked"),
    ]

    private static let identityProtection: [String: EntraActivity] = [
        "confirmaccountcompromised": .subjectInvalidated(reason: "confirmed_compromised"),
        "confirmcompromised": .subjectInvalidated(reason: "confirmed_compromised"),
        "confirmserviceprincipalcompromised": .subjectInvalidated(reason: "confirmed_compromised"),
    ]

    private static let accessReviews: [String: EntraActivity] = [
        "apply decision": .ignored(.effectFollows),
        "deny decision": .ignored(.effectFollows),
    ]

    private static let entitlementManagement: [String: EntraActivity] = [
        "user requests access package assignment": .opened,
        "user requests an access package assignment on behalf of service principal": .opened,
        "approve access package assignment request": .approved,
        "auto approve access package assignment request": .autoApproved,
        "deny access package assignment request": .denied,
        "cancel access package assignment request": .canceled,
        "access package assignment request timed out (no approver action taken)": .timedOut,
        "fulfill access package assignment request": .started,
        "fulfill access package assignment": .started,
        "extend access package assignment": .changed,
        "administrator directly assigns user to access package": .direct(outsidePIM: false),
        "administrator directly removes user access package assignment": .ended(.removed),
        "entitlement management removes access package assignment request for user": .ended(.removed),
        "remove access package assignment": .ended(.removed),
        "approval stage completed for access package assignment request": .ignored(.intermediateStep),
        "ready to fulfill access package assignment request": .ignored(.intermediateStep),
        "user requests to remove access package assignment": .ignored(.intermediateStep),
        "user requests to extend access package assignment": .ignored(.intermediateStep),
    ]
}
